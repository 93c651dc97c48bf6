"""Guerdon's side of reward_model.py: its learner on its own packed passes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import torch
import transformers
from grpo_step_gauge import Pipe, peak_gb

from guerdon.core.types import CreditedGroup, Message, Preference, Problem
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.models.reward import Shown
from guerdon.models.reward_loading import load_reward_model
from guerdon.run.reward_source import PreferenceSource
from guerdon.train.config import OptimConfig, RewardLossConfig
from guerdon.train.reward import RewardLearner, pack_rewards

MAX_TOKENS = 1024


def preference(index: int, row: dict) -> Preference:  # type: ignore[type-arg]
    messages = tuple(Message(role=item["role"], content=item["content"]) for item in row["prompt"])
    return Preference(
        problem=Problem(id=str(index), messages=messages), chosen=row["chosen"], rejected=row["rejected"]
    )


def main() -> None:
    pipe = Pipe()
    settings = json.loads(Path(json.loads(sys.argv[1])["path"]).read_text())
    torch.set_num_threads(settings["threads"])
    model = load_reward_model(
        ModelConfig(source=settings["model"], dtype="bfloat16"),
        HeadConfig(),
        InputConfig(max_length=settings["max_length"]),
        seed=settings["seed"],
    )
    train, held = (
        [preference(*item) for item in enumerate(settings[name])] for name in ("train", "held_out")
    )
    source = PreferenceSource(train, model, too_long="refuse")
    problems = source.problems
    learner = RewardLearner(
        model,
        RewardLossConfig(),
        OptimConfig(
            learning_rate=settings["learning_rate"],
            max_steps=settings["steps"],
            max_tokens_per_microbatch=MAX_TOKENS,
        ),
    )
    pipe.send({"versions": f"torch {torch.__version__}, transformers {transformers.__version__}"})
    step = 0
    while pipe.wait() and step < settings["steps"]:
        started = time.perf_counter()
        part = problems[step * settings["pairs"] : (step + 1) * settings["pairs"]]
        groups = asyncio.run(source.scored(step, part))
        credited = [CreditedGroup(scored=group, advantages_G_T=((), ())) for group in groups]
        report = learner.step([pack_rewards(credited, model=model, max_tokens=MAX_TOKENS)])
        seconds = time.perf_counter() - started
        pipe.send({"seconds": seconds, "peak_gb": peak_gb(), "loss": report.metrics["loss/ranking"]})
        step += 1
    started = time.perf_counter()
    scores = model.score(
        [Shown(pair.problem, (pair.chosen, pair.rejected)) for pair in held], max_tokens=4096
    )
    seconds = time.perf_counter() - started
    pipe.send({"seconds": seconds, "hits": [float(item.u_B[0] > item.u_B[1]) for item in scores]})


if __name__ == "__main__":
    main()
