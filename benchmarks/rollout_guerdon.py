"""Guerdon's side of rollout.py: the local engine, as a run calls it."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
import transformers
from grpo_step_gauge import Pipe, peak_gb

from guerdon import __version__
from guerdon.models.config import ModelConfig
from guerdon.models.loading import load_policy
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.engine import Request
from guerdon.rollout.local import LocalEngine


def main() -> None:
    pipe, settings = Pipe(), json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    policy = load_policy(ModelConfig(source=settings["model"], dtype="bfloat16"))
    engine = LocalEngine(policy)
    sampling = SamplingConfig(max_completion_length=settings["new_tokens"])
    versions = {
        "guerdon": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    pipe.send({"versions": versions})
    seed = 0
    while line := sys.stdin.readline():
        asked: dict[str, Any] = json.loads(line)
        seed += 1000
        requests = [
            Request(prompt_ids=tuple(ids), sampling=sampling, seed=seed + index, ignore_eos=True)
            for index, ids in enumerate(asked["prompts"])
        ]
        start = time.perf_counter()
        found = engine.generate(requests)
        seconds = time.perf_counter() - start
        pipe.send(
            {"seconds": seconds, "lengths": [len(item.token_ids) for item in found], "peak_gb": peak_gb()}
        )


if __name__ == "__main__":
    main()
