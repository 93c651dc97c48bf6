"""TRL's side of grpo_step.py: GRPOTrainer as its users run it, its own methods timed from outside.

What is set for speed, against TRL's defaults: weights in bfloat16 (default: float32 under autocast), no gradient
checkpointing (default: on), no logging, no saving. Nothing of TRL is replaced.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset
from grpo_step_gauge import Pipe, digest, fingerprint, num_changed, peak_gb
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer


class Stations:
    """Seconds per station of the step at hand, and what was sampled in it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.open: list[str] = []
        self.sampled: dict[str, Any] = {}
        self.rows_without_signal = 0

    def clear(self) -> None:
        self.seconds.clear()

    def timed(self, owner: Any, name: str, station: str, *, inside: str | None = None) -> None:
        """Wrap a method; with `inside`, count it only while that station is open."""
        inner: Callable[..., Any] = getattr(owner, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            counts = inside is None or inside in self.open
            self.open.append(station)
            start = time.perf_counter()
            try:
                return inner(*args, **kwargs)
            finally:
                self.open.pop()
                if counts:
                    elapsed = time.perf_counter() - start
                    self.seconds[station] = self.seconds.get(station, 0.0) + elapsed

        setattr(owner, name, wrapper)

    def watch(self, trainer: GRPOTrainer) -> None:
        """Keep what `_generate` returned, outside its own time."""
        inner = trainer._generate

        def wrapper(prompts: list[Any]) -> Any:
            found = inner(prompts)
            self.sampled = {"lengths": [len(ids) for ids in found[1]], "prompts": digest(found[0])}
            return found

        trainer._generate = wrapper

    def figures(self) -> dict[str, float]:
        found = dict.fromkeys(("generate", "reward", "logprobs", "optimizer"), 0.0)
        found |= {name: value for name, value in self.seconds.items() if name in found}
        # TRL samples, scores and computes advantages inside its training step
        found["forward_backward"] = self.seconds["training_step"] - self.seconds["rollout"]
        return found


def coin(stations: Stations, num_generations: int) -> Callable[..., list[float]]:
    """The same kind of reward as on Guerdon's side."""
    tosses = random.Random(0)

    def coin_reward(completions: list[Any], **columns: Any) -> list[float]:
        rewards = [float(tosses.random() < 0.5) for _ in completions]
        groups = [
            rewards[start : start + num_generations] for start in range(0, len(rewards), num_generations)
        ]
        stations.rows_without_signal = sum(len(group) for group in groups if len(set(group)) == 1)
        return rewards

    return coin_reward


class Pacer(TrainerCallback):
    """Waits for the driver before each step and reports after it."""

    def __init__(self, pipe: Pipe, stations: Stations, weights: list[torch.Tensor]) -> None:
        self.pipe = pipe
        self.stations = stations
        self.weights = weights

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self.pipe.wait():
            raise SystemExit(0)
        self.before = fingerprint(self.weights)
        self.stations.clear()
        self.cpu, self.start = time.process_time(), time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        seconds, cpu_seconds = time.perf_counter() - self.start, time.process_time() - self.cpu
        self.pipe.send(
            {
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,
                **self.stations.figures(),
                "rows_without_signal": self.stations.rows_without_signal,
                "peak_gb": peak_gb(),
                "tensors_changed": num_changed(self.before, fingerprint(self.weights)),
                **self.stations.sampled,
            }
        )


def configuration(settings: dict[str, Any]) -> GRPOConfig:
    count = settings["num_problems"] * settings["num_generations"]
    length = settings["max_completion_length"]
    return GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=settings["trl_batch_size"],
        gradient_accumulation_steps=count // settings["trl_batch_size"],
        num_generations=settings["num_generations"],
        max_completion_length=length,
        generation_kwargs={"min_new_tokens": length} if settings["mode"] == "forced" else None,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        beta=0.0,
        loss_type="grpo",
        learning_rate=settings["learning_rate"],
        lr_scheduler_type="constant",
        max_steps=settings["steps"],
        bf16=settings["trl_mixed"],  # bfloat16 weights need no autocast on top
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=settings["trl_checkpointing"],
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        shuffle_dataset=False,
        seed=0,
    )


def make_trainer(settings: dict[str, Any], stations: Stations, pipe: Pipe) -> GRPOTrainer:
    tokenizer = AutoTokenizer.from_pretrained(settings["model"])
    model = AutoModelForCausalLM.from_pretrained(
        settings["model"],
        dtype=torch.float32 if settings["trl_mixed"] else torch.bfloat16,
        attn_implementation="sdpa",
    )
    rows = [
        {"prompt": [{"role": "system", "content": settings["system"]}, {"role": "user", "content": text}]}
        for text in settings["problems"]
    ]
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=coin(stations, settings["num_generations"]),
        args=configuration(settings),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[Pacer(pipe, stations, weights)],
    )
    stations.timed(trainer, "_generate", "generate")
    stations.watch(trainer)
    stations.timed(trainer, "_calculate_rewards", "reward")
    stations.timed(trainer, "_get_per_token_logps_and_entropies", "logprobs", inside="rollout")
    stations.timed(trainer, "_generate_and_score_completions", "rollout")
    stations.timed(trainer, "training_step", "training_step")
    stations.timed(trainer, "_clip_grad_norm", "optimizer")
    return trainer


def time_optimizer(trainer: GRPOTrainer, stations: Stations) -> None:
    """Time `optimizer.step` through torch's own hooks: schedulers wrap the method itself."""
    optimizer = trainer.create_optimizer()
    started = [0.0]

    def before(*_: Any) -> None:
        started[0] = time.perf_counter()

    def after(*_: Any) -> None:
        elapsed = time.perf_counter() - started[0]
        stations.seconds["optimizer"] = stations.seconds.get("optimizer", 0.0) + elapsed

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)


def main() -> None:
    pipe = Pipe()
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    stations = Stations()
    trainer = make_trainer(settings, stations, pipe)
    time_optimizer(trainer, stations)
    versions = {
        "trl": trl.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": sys.version.split()[0],
    }
    pipe.send({"versions": versions, "loaded_gb": peak_gb()})
    trainer.train()


if __name__ == "__main__":
    main()
