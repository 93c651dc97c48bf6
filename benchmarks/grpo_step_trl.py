"""TRL's side of grpo_step.py: GRPOTrainer as its users run it, its own stations timed from outside."""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

SECONDS: dict[str, float] = {}
TOKENS = [0]


def timed(owner: Any, name: str, station: str) -> None:
    """Wrap a method of the trainer; nested calls of one station count once."""
    inner: Callable[..., Any] = getattr(owner, name)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return inner(*args, **kwargs)
        finally:
            SECONDS[station] = SECONDS.get(station, 0.0) + time.perf_counter() - start

    setattr(owner, name, wrapper)


def coin(completions: list[Any], completion_ids: list[list[int]], **columns: Any) -> list[float]:
    """The same kind of reward as on Guerdon's side: a coin, so that every group has a signal."""
    TOKENS[0] += sum(len(ids) for ids in completion_ids)
    return [float(random.random() < 0.5) for _ in completions]


class Pacer(TrainerCallback):
    """Waits for the driver before each step and reports after it."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not sys.stdin.readline():
            control.should_training_stop = True
        SECONDS.clear()
        TOKENS[0] = 0
        self.start = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        seconds = time.perf_counter() - self.start
        figures = {
            "seconds": seconds,
            **SECONDS,
            "tokens": TOKENS[0],
            "tokens_per_s": TOKENS[0] / seconds,
            "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        }
        if "training_step" in figures:  # TRL samples and scores inside its training step
            inside = figures.get("generate", 0.0) + figures.get("reward", 0.0) + figures.get("logprobs", 0.0)
            figures["forward_backward"] = figures.pop("training_step") - inside
        print(json.dumps(figures), file=REPORT, flush=True)


REPORT = sys.stdout


def main() -> None:
    settings = json.loads(sys.argv[1])
    random.seed(0)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(settings["model"])
    model = AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.bfloat16)
    rows = [
        {"prompt": [{"role": "system", "content": settings["system"]}, {"role": "user", "content": text}]}
        for text, _ in settings["problems"]
    ]
    count = settings["num_problems"] * settings["num_generations"]
    forced = (
        {"generation_kwargs": {"min_new_tokens": settings["max_completion_length"]}}
        if settings["mode"] == "forced"
        else {}
    )
    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=count,
        num_generations=settings["num_generations"],
        max_completion_length=settings["max_completion_length"],
        learning_rate=settings["learning_rate"],
        lr_scheduler_type="constant",
        max_steps=settings["steps"],
        beta=0.0,
        loss_type="grpo",
        temperature=1.0,
        bf16=False,  # the model already is bfloat16; autocast on top would only convert
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,  # faster than its default True; memory is reported as it is
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        shuffle_dataset=False,
        seed=0,
        **forced,
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=coin,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[Pacer()],
    )
    timed(trainer, "_generate", "generate")
    timed(trainer, "_calculate_rewards", "reward")
    timed(trainer, "training_step", "training_step")
    trainer.create_optimizer()
    timed(trainer.optimizer, "step", "optimizer")
    print(
        json.dumps(
            {"trl": trl.__version__, "torch": torch.__version__, "transformers": transformers.__version__}
        ),
        flush=True,
    )
    trainer.train()


if __name__ == "__main__":
    main()
