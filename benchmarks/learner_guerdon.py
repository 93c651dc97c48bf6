"""Guerdon's side of learner.py: `pack` and `PolicyLearner`, as a run calls them."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
import transformers
from grpo_step_gauge import Pipe, peak_gb, settle

from guerdon import __version__
from guerdon.core.types import (
    CreditedGroup,
    Message,
    Problem,
    Rollout,
    RolloutGroup,
    Score,
    ScoredGroup,
    StopReason,
    Turn,
)
from guerdon.models.config import ModelConfig
from guerdon.models.loading import load_policy
from guerdon.train.algorithms import resolve
from guerdon.train.batch import pack
from guerdon.train.config import AlgorithmConfig, OptimConfig
from guerdon.train.learner import PolicyLearner


def groups_of(rows: list[dict[str, Any]]) -> list[CreditedGroup]:
    """Rows that share a prompt are a group. Sampled log-probs are 0, so the self-test's gap is the rows' mean -log p."""
    found: list[CreditedGroup] = []
    members: list[dict[str, Any]] = []
    for row in [*rows, None]:
        if members and (row is None or row["prompt"] != members[0]["prompt"]):
            found.append(group_of(members, len(found)))
            members = []
        if row is not None:
            members.append(row)
    return found


def group_of(members: list[dict[str, Any]], number: int) -> CreditedGroup:
    problem = Problem(id=str(number), messages=(Message(role="user", content=str(number)),))
    rollouts = tuple(
        Rollout(
            problem_id=problem.id,
            index=index,
            turns=(
                Turn(
                    prompt_ids=tuple(row["prompt"]),
                    completion_ids=tuple(row["completion"]),
                    behavior_logprobs=(0.0,) * len(row["completion"]),
                    text="",
                ),
            ),
            stop=StopReason.LENGTH,
        )
        for index, row in enumerate(members)
    )
    scores = tuple(Score(value=row["advantage"], parts=()) for row in members)
    advantages = tuple((row["advantage"],) * len(row["completion"]) for row in members)
    scored = ScoredGroup(group=RolloutGroup(problem=problem, rollouts=rollouts), scores=scores)
    return CreditedGroup(scored=scored, advantages_G_T=advantages)


def main() -> None:
    pipe, settings = Pipe(), json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    policy = load_policy(
        ModelConfig(
            source=settings["model"], dtype="bfloat16", gradient_checkpointing=settings["side"] == "recompute"
        )
    )
    # token_mean: the mean over all tokens, which the plain side computes too; no update can move a weight
    objective = resolve(AlgorithmConfig(name="grpo", aggregate="token_mean"))
    optim = OptimConfig(learning_rate=1e-30, lr_scheduler_type="constant")
    versions = f"guerdon {__version__}, torch {torch.__version__}, transformers {transformers.__version__}"
    pipe.send({"versions": versions, "loaded_gb": peak_gb()})
    learner = PolicyLearner(policy, objective, optim)
    while line := sys.stdin.readline():
        asked = json.loads(line)
        credited = groups_of(asked["rows"])
        longest = max(len(row["completion"]) for row in asked["rows"])
        start = time.perf_counter()
        batch = pack(credited, max_tokens=asked["micro_tokens"], max_length=longest, skip_zero=True)
        packed = time.perf_counter() - start
        metrics = learner.step([batch]).metrics
        seconds = packed + metrics["timing_s/forward"] + metrics["timing_s/backward"]
        pipe.send(
            {
                "seconds": seconds,
                "update": metrics["timing_s/update"],
                "micro_batches": len(batch.micro),
                "nll": metrics["sampling/sampling_logp_difference/mean"],
                "grad_norm": metrics["grad_norm"],
                "peak_gb": peak_gb(),
                "settled_gb": settle() if asked.get("settle") else None,
            }
        )


if __name__ == "__main__":
    main()
