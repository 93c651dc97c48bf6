"""Guerdon's side of grpo_step.py: the public stations, called as the loop calls them."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

import torch
import transformers

from guerdon import __version__
from guerdon.core.types import Message, Problem
from guerdon.models.config import ModelConfig
from guerdon.models.loading import load_policy
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.train.algorithms import resolve
from guerdon.train.batch import pack
from guerdon.train.config import AlgorithmConfig, OptimConfig
from guerdon.train.credit import credit
from guerdon.train.learner import PolicyLearner


def main() -> None:
    settings = json.loads(sys.argv[1])
    policy = load_policy(ModelConfig(source=settings["model"], dtype="bfloat16"))
    engine = LocalEngine(policy)
    if settings["mode"] == "forced":
        policy.stop_ids = frozenset()  # nothing ends an answer but the limit
    rollouter = Rollouter(policy, engine)
    # the coin gives every group a signal, as a reward in mid-training does: all rows are trained, as in TRL
    rubric = Rubric.from_config(parse_rewards({"random": {}}))
    objective = resolve(AlgorithmConfig(name="grpo"))
    optim = OptimConfig(
        learning_rate=settings["learning_rate"], lr_scheduler_type="constant", max_tokens_per_microbatch=1024
    )
    learner = PolicyLearner(policy, objective, optim)
    sampling = SamplingConfig(max_completion_length=settings["max_completion_length"])
    print(
        json.dumps(
            {"guerdon": __version__, "torch": torch.__version__, "transformers": transformers.__version__}
        ),
        flush=True,
    )
    for number, _ in enumerate(sys.stdin):
        chosen = settings["problems"][number * settings["num_problems"] :][: settings["num_problems"]]
        problems = [
            Problem(
                id=f"{number}/{index}",
                messages=(
                    Message(role="system", content=settings["system"]),
                    Message(role="user", content=text),
                ),
                target=target,
            )
            for index, (text, target) in enumerate(chosen)
        ]
        start = time.perf_counter()
        groups = rollouter.rollout(
            problems, sampling, num_generations=settings["num_generations"], seed=number
        )
        sampled = time.perf_counter()
        scored = asyncio.run(rubric.score(groups))
        rewarded = time.perf_counter()
        credited = credit(objective.advantage, scored)
        batch = pack(credited, max_tokens=1024, max_length=64, skip_zero=objective.surrogate_only)
        report = learner.step([batch])
        end = time.perf_counter()
        tokens = sum(rollout.num_tokens for group in groups for rollout in group.rollouts)
        metrics = report.metrics
        print(
            json.dumps(
                {
                    "seconds": end - start,
                    "generate": sampled - start,
                    "reward": rewarded - sampled,
                    "logprobs": metrics.get("timing_s/logprobs", 0.0),
                    "forward_backward": metrics["timing_s/forward"] + metrics["timing_s/backward"],
                    "optimizer": metrics["timing_s/update"],
                    "tokens": tokens,
                    "tokens_per_s": tokens / (end - start),
                    "rows_skipped": metrics["signal/rows_skipped"],
                    "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
