"""Memory over a long run: `guerdon train` with steps as short as they can be, watched from outside. Part of growth.py."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import slope
from grpo_step_gauge import status_gb

RECIPE = """# As many steps as possible: one prompt, two answers of at most two tokens, every default sink.
name = "long"
stages = ["grpo"]
save_steps = {steps}
output_dir = "{folder}"

[model]
source = "{model}"

[data.train]
kind = "arith"
num_problems = 1000
max_operands = 2
max_digits = 3

[rollout]
num_generations = 2
generation_batch_size = 2
max_completion_length = 2

[rewards.random]

[train]
max_steps = {steps}
learning_rate = 1e-6
lr_scheduler_type = "constant"

[eval]
num_problems = 0
"""


def small_model(folder: Path) -> Path:
    """One layer, 50,000 parameters: the loop around it costs more than it does, and that is what is watched."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from guerdon.models.tiny import tiny_tokenizer

    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def watch(steps: int, limit_s: float, every: int = 1000) -> dict[str, Any]:
    """Resident memory each `every` steps, until so many steps are done or the time is over."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        recipe = folder / "long.toml"
        model = small_model(folder / "model")
        recipe.write_text(RECIPE.format(steps=steps, folder=folder / "runs", model=model))
        command = [sys.executable, "-m", "guerdon", "train", str(recipe)]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )  # fmt: skip
        points: list[tuple[int, float]] = []
        metrics = folder / "runs" / "long" / "metrics.jsonl"
        seen, read, begun = 0, 0, time.perf_counter()
        while process.poll() is None and time.perf_counter() - begun < limit_s:
            time.sleep(0.2)
            if not metrics.exists():
                begun = time.perf_counter()
                continue
            with metrics.open("rb") as file:
                file.seek(read)
                new = file.read()
            seen, read = seen + new.count(b"\n"), read + len(new)
            resident = status_gb("VmRSS", process.pid)
            if resident is not None and seen >= every * (len(points) + 1):
                points.append((seen, resident))
        seconds = time.perf_counter() - begun
        ended_well = process.poll() in (None, 0)
        process.kill()
        process.wait()
    if not ended_well:
        raise SystemExit(f"the long run failed: {' '.join(command)}")
    half = [(x, 1000 * y) for x, y in points[len(points) // 2 :]]
    return {
        "asked": steps, "steps": seen, "seconds": seconds, "points": points,
        "mb_per_10000": slope(half) * 10_000 if len(half) > 1 else None,
    }  # fmt: skip
