"""transformers' side of rollout.py: `generate` with left padding, as TRL calls it."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
import transformers
from grpo_step_gauge import Pipe, peak_gb
from transformers import AutoModelForCausalLM, AutoTokenizer


def padded(prompts: list[list[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, right-aligned."""
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(one)) + one for one in prompts])
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts])
    return ids, mask


def main() -> None:
    pipe, settings = Pipe(), json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    tokenizer = AutoTokenizer.from_pretrained(settings["model"])
    model = AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.bfloat16).eval()
    length = settings["new_tokens"]
    pipe.send({"versions": {"torch": torch.__version__, "transformers": transformers.__version__}})
    while line := sys.stdin.readline():
        asked: dict[str, Any] = json.loads(line)
        start = time.perf_counter()
        ids, mask = padded(asked["prompts"], tokenizer.pad_token_id)
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                min_new_tokens=length, max_new_tokens=length, pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        found = out[:, ids.shape[1] :].tolist()
        seconds = time.perf_counter() - start
        pipe.send({"seconds": seconds, "lengths": [len(item) for item in found], "peak_gb": peak_gb()})


if __name__ == "__main__":
    main()
