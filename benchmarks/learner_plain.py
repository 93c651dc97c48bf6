"""The plain side of learner.py: transformers' causal LM on rows padded on the right, as a training loop by hand does it."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
import transformers
from grpo_step_gauge import Pipe, peak_gb, settle
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM


def padded(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Prompts are equally long, so every completion begins in one column."""
    width = max(len(row["prompt"]) + len(row["completion"]) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        tokens = row["prompt"] + row["completion"]
        ids[index, : len(tokens)] = torch.tensor(tokens)
        mask[index, : len(tokens)] = 1
    start = len(rows[0]["prompt"])
    advantages = torch.tensor([row["advantage"] for row in rows])
    return {
        "ids": ids,
        "mask": mask,
        "targets": ids[:, start:],
        "shown": mask[:, start:],
        "advantages": advantages,
    }


def backward(model: Any, batch: dict[str, torch.Tensor], total: int, autocast: bool) -> float:
    """One micro-batch, gradients added up in the weights; returns the sum of -log p."""
    targets = batch["targets"]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = model(
            input_ids=batch["ids"], attention_mask=batch["mask"], use_cache=False,
            logits_to_keep=targets.shape[1] + 1,
        )  # fmt: skip
    logits = out.logits[:, :-1].float().flatten(0, 1)
    logprobs = -cross_entropy(logits, targets.flatten(), reduction="none").view_as(targets)
    ratio = (logprobs - logprobs.detach()).exp()
    loss = -(ratio * batch["advantages"][:, None] * batch["shown"]).sum() / total
    loss.backward()
    return float(-(logprobs.detach() * batch["shown"]).sum())


def main() -> None:
    pipe, settings = Pipe(), json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    dtype = torch.float32 if settings["side"] == "mixed" else torch.bfloat16
    model = AutoModelForCausalLM.from_pretrained(settings["model"], dtype=dtype, attn_implementation="sdpa")
    autocast = settings["side"] in ("autocast", "mixed")
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    pipe.send({"versions": versions, "loaded_gb": peak_gb()})
    while line := sys.stdin.readline():
        asked = json.loads(line)
        rows, size = asked["rows"], asked["micro_rows"]
        total = sum(len(row["completion"]) for row in rows)
        nll, cells = 0.0, 0
        start = time.perf_counter()
        for first in range(0, len(rows), size):
            batch = padded(rows[first : first + size])
            nll += backward(model, batch, total, autocast)
            cells += batch["mask"].numel()
        seconds = time.perf_counter() - start
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        norm = float(torch.linalg.vector_norm(torch.stack([grad.float().norm() for grad in gradients])))
        model.zero_grad(set_to_none=not asked.get("settle"))
        true = sum(len(row["prompt"]) + len(row["completion"]) for row in rows)
        pipe.send(
            {
                "seconds": seconds,
                "micro_batches": -(-len(rows) // size),
                "nll": nll / total,
                "grad_norm": norm,
                "padding": 1.0 - true / cells,
                "peak_gb": peak_gb(),
                "settled_gb": settle() if asked.get("settle") else None,
            }
        )


if __name__ == "__main__":
    main()
