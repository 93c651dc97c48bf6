"""TRL's side of reward_model.py: RewardTrainer as its users run it, its steps paced from outside.

Set for speed against TRL's defaults: no gradient checkpointing, no logging, no saving, no shuffling. The rest stands:
float32 weights under bfloat16 autocast, unless the driver asks for bfloat16 weights.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset
from grpo_step_gauge import Pipe, peak_gb
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
from trl import RewardConfig, RewardTrainer


class Pacer(TrainerCallback):
    """Waits for the driver before each step and reports after it."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self.pipe.wait():
            raise SystemExit(0)
        self.started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.pipe.send({"seconds": time.perf_counter() - self.started, "peak_gb": peak_gb()})


def dataset(rows: list[dict[str, Any]]) -> Dataset:
    def side(row: dict[str, Any], name: str) -> list[dict[str, str]]:
        return [*row["prompt"], {"role": "assistant", "content": row[name]}]

    return Dataset.from_list([{name: side(row, name) for name in ("chosen", "rejected")} for row in rows])


def main() -> None:
    pipe = Pipe()
    settings = json.loads(Path(json.loads(sys.argv[1])["path"]).read_text())
    torch.set_num_threads(settings["threads"])
    tokenizer = AutoTokenizer.from_pretrained(settings["model"])
    dtype = torch.bfloat16 if settings["trl_bf16"] else torch.float32
    transformers.set_seed(settings["seed"])
    model = AutoModelForSequenceClassification.from_pretrained(settings["model"], num_labels=1, dtype=dtype)
    config = RewardConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=settings["pairs"],
        max_length=settings["max_length"],
        learning_rate=settings["learning_rate"],
        max_steps=settings["steps"],
        center_rewards_coefficient=0.01,
        bf16=not settings["trl_bf16"],
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        train_sampling_strategy="sequential",
        seed=settings["seed"],
    )
    trainer = RewardTrainer(
        model=model,
        args=config,
        train_dataset=dataset(settings["train"]),
        processing_class=tokenizer,
        callbacks=[Pacer(pipe)],
    )
    versions = f"trl {trl.__version__}, torch {torch.__version__}, transformers {transformers.__version__}"
    pipe.send({"versions": versions})
    trainer.train()
    assert pipe.wait()
    pipe.send(score(trainer, dataset(settings["held_out"]), settings))


def score(trainer: RewardTrainer, held: Dataset, settings: dict[str, Any]) -> dict[str, Any]:
    """Its own collator and autocast, both sides of eight pairs at a time."""
    started = time.perf_counter()
    hits: list[float] = []
    tokenizer = trainer.processing_class
    model = trainer.model.eval()
    for start in range(0, len(held), settings["pairs"]):
        rows = held[start : start + settings["pairs"]]
        sides = []
        for name in ("chosen", "rejected"):
            ids = [tokenizer.apply_chat_template(chat, return_dict=False) for chat in rows[name]]
            batch = tokenizer.pad({"input_ids": ids}, return_tensors="pt")
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=not settings["trl_bf16"]):
                sides.append(model(**batch).logits[:, 0].float())
        hits += (sides[0] > sides[1]).float().tolist()
    return {"seconds": time.perf_counter() - started, "hits": hits}


if __name__ == "__main__":
    main()
