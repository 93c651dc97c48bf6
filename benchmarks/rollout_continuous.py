"""transformers' continuous batching for rollout.py: `generate_batch`, its paged cache."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
import transformers
from grpo_step_gauge import Pipe, peak_gb
from transformers import AutoModelForCausalLM, GenerationConfig


def main() -> None:
    pipe, settings = Pipe(), json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    model = AutoModelForCausalLM.from_pretrained(
        settings["model"], dtype=torch.bfloat16, attn_implementation="paged|sdpa"
    ).eval()
    length = settings["new_tokens"]
    config = GenerationConfig(
        max_new_tokens=length, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, eos_token_id=-1, pad_token_id=2
    )  # fmt: skip
    pipe.send({"versions": {"torch": torch.__version__, "transformers": transformers.__version__}})
    while line := sys.stdin.readline():
        asked: dict[str, Any] = json.loads(line)
        start = time.perf_counter()
        out = model.generate_batch(inputs=asked["prompts"], generation_config=config, progress_bar=False)
        seconds = time.perf_counter() - start
        found = [item.generated_tokens for item in out.values()]
        pipe.send({"seconds": seconds, "lengths": [len(item) for item in found], "peak_gb": peak_gb()})


if __name__ == "__main__":
    main()
