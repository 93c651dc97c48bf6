"""transformers' continuous batching for rollout.py: `generate_batch` with a manager that stays between calls.

Its cache has the room that the largest batch needs: on a CPU its own choice is nearly all of the machine's memory.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
import transformers
from grpo_step_gauge import Pipe, peak_gb
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

PAGE = 256


def main() -> None:
    pipe, settings = Pipe(), json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    model = AutoModelForCausalLM.from_pretrained(
        settings["model"], dtype=torch.bfloat16, attn_implementation="sdpa"
    ).eval()
    length = settings["new_tokens"]
    config = GenerationConfig(
        max_new_tokens=length, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, eos_token_id=-1, pad_token_id=2
    )  # fmt: skip
    pages = settings["max_rows"] * -(-(settings["max_prompt"] + length) // PAGE)
    room = ContinuousBatchingConfig(
        page_size=PAGE, num_blocks=pages + 8, max_requests_per_batch=settings["max_rows"], max_batch_tokens=2048
    )  # fmt: skip
    pipe.send({"versions": {"torch": torch.__version__, "transformers": transformers.__version__}})
    while line := sys.stdin.readline():
        asked: dict[str, Any] = json.loads(line)
        start = time.perf_counter()
        out = model.generate_batch(
            inputs=asked["prompts"], generation_config=config, continuous_batching_config=room,
            progress_bar=False, persistent_manager=True,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        found = [item.generated_tokens for item in out.values()]
        pipe.send({"seconds": seconds, "lengths": [len(item) for item in found], "peak_gb": peak_gb()})


if __name__ == "__main__":
    main()
