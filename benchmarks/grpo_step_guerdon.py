"""Guerdon's side of grpo_step.py: the public stations, called in the order of `guerdon.run.loop`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
from typing import Any

import torch
import transformers
from grpo_step_gauge import Pipe, digest, fingerprint, num_changed, peak_gb

from guerdon import __version__
from guerdon.core.types import Message, Problem, RolloutGroup
from guerdon.models.config import ModelConfig
from guerdon.models.loading import load_policy
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.engine import Completion, Done, Engine, Request
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.train.algorithms import resolve
from guerdon.train.batch import pack
from guerdon.train.config import AlgorithmConfig, OptimConfig
from guerdon.train.credit import credit
from guerdon.train.learner import PolicyLearner


@dataclasses.dataclass
class FixedLength:
    """An engine that forbids the end of a turn, as `min_new_tokens` does on TRL's side."""

    engine: Engine

    @property
    def version(self) -> int:
        return self.engine.version

    def generate(self, requests: list[Request], done: Done | None = None) -> list[Completion]:
        return self.engine.generate([dataclasses.replace(item, ignore_eos=True) for item in requests], done)


class Side:
    """The stations of one step."""

    def __init__(self, settings: dict[str, Any]) -> None:
        torch.set_num_threads(settings["threads"])
        self.settings = settings
        self.policy = load_policy(ModelConfig(source=settings["model"], dtype="bfloat16"))
        engine = LocalEngine(self.policy)
        self.rollouter = Rollouter(
            self.policy, FixedLength(engine) if settings["mode"] == "forced" else engine
        )
        # a coin pays, on both sides: nearly every group then has a signal and all of its rows are trained
        self.rubric = Rubric.from_config(parse_rewards({"random": {}}))
        self.objective = resolve(AlgorithmConfig(name="grpo"))
        self.optim = OptimConfig(
            learning_rate=settings["learning_rate"],
            lr_scheduler_type="constant",
            max_tokens_per_microbatch=settings["micro_tokens"],
        )
        self.learner = PolicyLearner(self.policy, self.objective, self.optim)
        self.sampling = SamplingConfig(max_completion_length=settings["max_completion_length"])
        self.weights = list(self.policy.trainable().values())

    def problems(self, step: int) -> list[Problem]:
        count = self.settings["num_problems"]
        chosen = self.settings["problems"][step * count :][:count]
        system = Message(role="system", content=self.settings["system"])
        return [
            Problem(id=f"{step}/{index}", messages=(system, Message(role="user", content=text)))
            for index, text in enumerate(chosen)
        ]

    def step(self, number: int) -> dict[str, Any]:
        problems = self.problems(number)
        before = fingerprint(self.weights)
        cpu, start = time.process_time(), time.perf_counter()
        groups = self.rollouter.rollout(
            problems, self.sampling, num_generations=self.settings["num_generations"], seed=number
        )
        sampled = time.perf_counter()
        scored = asyncio.run(self.rubric.score(groups))
        rewarded = time.perf_counter()
        credited = credit(self.objective.advantage, scored)
        batch = pack(
            credited,
            max_tokens=self.optim.max_tokens_per_microbatch,
            max_length=self.sampling.max_completion_length,
            skip_zero=self.objective.surrogate_only,
        )
        metrics = self.learner.step([batch]).metrics
        end, cpu_end = time.perf_counter(), time.process_time()
        return {
            "seconds": end - start,
            "cpu_seconds": cpu_end - cpu,
            "generate": sampled - start,
            "reward": rewarded - sampled,
            "logprobs": metrics["timing_s/logprobs"],
            "forward_backward": metrics["timing_s/forward"] + metrics["timing_s/backward"],
            "optimizer": metrics["timing_s/update"],
            "rows_without_signal": int(metrics["signal/rows_skipped"]),
            "peak_gb": peak_gb(),
            "tensors_changed": num_changed(before, fingerprint(self.weights)),
            **_sampled(groups),
        }


def _sampled(groups: list[RolloutGroup]) -> dict[str, Any]:
    turns = [rollout.turns[0] for group in groups for rollout in group.rollouts]
    return {
        "lengths": [len(turn.completion_ids) for turn in turns],
        "prompts": digest([turn.prompt_ids for turn in turns]),
    }


def main() -> None:
    pipe = Pipe()
    side = Side(json.loads(sys.argv[1]))
    versions = {
        "guerdon": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": sys.version.split()[0],
    }
    pipe.send({"versions": versions, "loaded_gb": peak_gb()})
    number = 0
    while pipe.wait():
        pipe.send(side.step(number))
        number += 1


if __name__ == "__main__":
    main()
