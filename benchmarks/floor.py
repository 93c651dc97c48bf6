"""Where a GRPO step's seconds go against their floor: what the machine needs for the same products and bytes alone.

    python benchmarks/floor.py [--size small|large] [--steps 3] [--threads 2] [--quick]

The step is that of grpo_step.py (SmolLM2-135M, forced length), Guerdon alone. Its floor: every matrix product of the step
timed by itself at the step's shapes in bfloat16, or where that is longer, the bytes that the station must move at the
bandwidth measured here (weights and keys and values in every decoding step; optimiser state). Attention, norms, sampling
and packing have no floor of their own, so what they cost stands in the gap. The table is written into
benchmarks/results/floor.{json,md} and between the marks of benchmarks/LOG.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers
from grpo_step import MAX_STEPS, workload
from grpo_step_guerdon import Side
from peers import HERE, machine, median_of, place, put_between, write
from torch.nn.functional import linear

from guerdon import __version__
from guerdon.models.products import PackedWeight, has_products

LOG = HERE / "LOG.md"
UPDATE_BYTES = 38
"""Of one parameter in an update: the float32 gradient is read for its norm, read again and zeroed (12), the master weight
and two moments are read and written (24), the bfloat16 weight is written (2)."""


def best(call: Callable[[], Any], budget_s: float) -> float:
    """The shortest of as many runs as fit into the budget, after one that warms up."""
    call()
    shortest, end = float("inf"), time.perf_counter() + budget_s
    while time.perf_counter() < end or shortest == float("inf"):
        start = time.perf_counter()
        call()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def bandwidth(budget_s: float) -> float:
    """Bytes a second read from memory by all threads: the sum of a tensor far larger than the caches."""
    numbers = torch.ones(1 << 27)
    return numbers.numel() * 4 / best(numbers.sum, budget_s)


class Ceilings:
    """Seconds of products by themselves, each shape measured once."""

    def __init__(self, budget_s: float) -> None:
        self.budget_s = budget_s
        self.known: dict[tuple[str, int, int, int], float] = {}

    def take(self, kind: str, rows: int, inputs: int, outputs: int) -> float:
        """Seconds of one product.

        Args:
            kind: `forward`, `train` (and both gradients), `decode` (weight laid out before), `head` (to float32).
            rows: of the left side.
            inputs: its columns.
            outputs: of the result.
        """
        key = kind, rows, inputs, outputs
        if key not in self.known:
            self.known[key] = best(_product(*key), self.budget_s)
        return self.known[key]

    def told(self) -> list[dict[str, Any]]:
        """Each shape with its speed in operations a second."""
        found = []
        for (kind, rows, inputs, outputs), seconds in self.known.items():
            count = 2.0 * rows * inputs * outputs * (3 if kind == "train" else 1)
            found.append(
                {
                    "kind": kind,
                    "shape": [rows, inputs, outputs],
                    "ms": 1e3 * seconds,
                    "gflops": count / seconds / 1e9,
                }
            )
        return found


def _product(kind: str, rows: int, inputs: int, outputs: int) -> Callable[[], Any]:
    left, weight = (torch.randn(size, inputs).bfloat16() for size in (rows, outputs))
    if kind == "train":
        grad = torch.randn(rows, outputs).bfloat16()
        return lambda: (linear(left, weight), grad @ weight, grad.T @ left)
    if kind == "head" and has_products(weight):
        packed, out = PackedWeight(weight), torch.empty(rows, outputs)
        return lambda: packed.multiply(left, out)
    if kind == "decode" and torch.backends.mkldnn.is_available():
        ordered = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        return lambda: torch.ops.mkldnn._linear_pointwise(left, ordered, None, "none", [], "")
    return lambda: linear(left, weight)


class Shape:
    """What of the model and the step decides the work."""

    def __init__(self, side: Side) -> None:
        config = side.policy.causal_lm.config
        settings = side.settings
        self.layers, self.hidden = config.num_hidden_layers, config.hidden_size
        head_size = side.policy.causal_lm.base_model.layers[0].self_attn.head_dim
        self.keys = config.num_key_value_heads * head_size
        queries, inner = config.num_attention_heads * head_size, config.intermediate_size
        self.vocabulary = config.vocab_size
        self.parameters = sum(weight.numel() for weight in side.policy.model.parameters())
        self.decoded = [
            (self.hidden, queries + 2 * self.keys), (queries, self.hidden), (self.hidden, 2 * inner), (inner, self.hidden)
        ]  # fmt: skip
        self.trained = [
            (self.hidden, queries), (self.hidden, self.keys), (self.hidden, self.keys), (queries, self.hidden),
            (self.hidden, inner), (self.hidden, inner), (inner, self.hidden),
        ]  # fmt: skip
        prompts = [len(side.policy.render(one.messages)) for one in side.problems(1)]
        self.rows = settings["num_problems"] * settings["num_generations"]
        self.length = settings["max_completion_length"]
        self.prompt_tokens = sum(prompts)
        self.micro_tokens = settings["micro_tokens"]
        self.fed = self.prompt_tokens + self.rows * (self.length - 1)


def floors(shape: Shape, ceilings: Ceilings, bytes_a_second: float) -> dict[str, dict[str, float]]:
    """Seconds by products and seconds by bytes of each station."""
    prefill = shape.layers * sum(ceilings.take("forward", shape.prompt_tokens, *one) for one in shape.trained)
    one_step = shape.layers * sum(ceilings.take("decode", shape.rows, *one) for one in shape.decoded)
    one_head = ceilings.take("head", shape.rows, shape.hidden, shape.vocabulary)
    weights = 2 * (shape.layers * sum(a * b for a, b in shape.decoded) + shape.hidden * shape.vocabulary)
    kept = 2 * 2 * shape.keys * shape.layers * (shape.prompt_tokens + shape.rows * shape.length / 2)
    micro = min(shape.micro_tokens, shape.fed)
    trunk = shape.layers * sum(ceilings.take("train", micro, *one) for one in shape.trained)
    chunk = min(256, shape.rows * shape.length)
    head = ceilings.take("train", chunk, shape.hidden, shape.vocabulary)
    return {
        "generate": {
            "products": prefill + (shape.length - 1) * one_step + shape.length * one_head,
            "bytes": shape.length * (weights + kept) / bytes_a_second,
        },
        "forward_backward": {
            "products": trunk * shape.fed / micro + head * shape.rows * shape.length / chunk,
            "bytes": shape.fed / micro * 3 * 2 * shape.parameters / bytes_a_second,
        },
        "optimizer": {"products": 0.0, "bytes": UPDATE_BYTES * shape.parameters / bytes_a_second},
    }


def measure(args: argparse.Namespace) -> dict[str, Any]:
    told = argparse.Namespace(
        size=args.size, steps=args.steps, threads=args.threads, micro_tokens=1024, trl_batch_size=None,
        trl_checkpointing=False, trl_mixed=False,
    )  # fmt: skip
    settings = {**workload(told), "mode": "forced"}
    if args.quick:
        settings |= {"model": "builtin:tiny", "max_completion_length": 8}
    about = machine()
    side = Side(settings)
    rows = [side.step(number) for number in range(args.steps + 1)][1:]
    budget = 0.05 if args.quick else 0.5
    shape, ceilings, speed = Shape(side), Ceilings(budget), bandwidth(budget)
    least = floors(shape, ceilings, speed)
    measured = {key: median_of(rows, key) for key in (*least, "seconds")}
    return {
        "command": " ".join(["python benchmarks/floor.py", *sys.argv[1:]]),
        "machine": about, "threads": args.threads, "steps": args.steps, "size": args.size,
        "versions": f"guerdon {__version__}, torch {torch.__version__}, transformers {transformers.__version__}",
        "rows": shape.rows, "length": shape.length, "prompt_tokens": shape.prompt_tokens,
        "bandwidth_gb_s": speed / 1e9, "products": ceilings.told(), "floors": least, "measured": measured,
    }  # fmt: skip


NAMES = {"generate": "generate", "forward_backward": "forward + backward", "optimizer": "clip + optimiser"}


def table(found: dict[str, Any]) -> str:
    """Stations against their floors, the largest gap first."""
    lines = [
        f"`{found['command']}`: {found['rows']} answers of {found['length']} tokens, {found['prompt_tokens']} prompt "
        f"tokens; medians of {found['steps']} steps, {found['threads']} threads. {place(found['machine'])}. "
        f"{found['versions']}.",
        "",
        "| station | seconds | products alone, s | bytes alone, s | floor, s | above the floor, s | times the floor |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    gaps = []
    for name, parts in found["floors"].items():
        seconds, floor = found["measured"][name], max(parts.values())
        gaps.append((seconds - floor, name, seconds, parts, floor))
    for gap, name, seconds, parts, floor in sorted(gaps, reverse=True):
        lines.append(
            f"| {NAMES[name]} | {seconds:.2f} | {parts['products']:.2f} | {parts['bytes']:.2f} | {floor:.2f} | {gap:.2f} | "
            f"{seconds / floor:.2f} |"
        )
    total, least = found["measured"]["seconds"], sum(gap[-1] for gap in gaps)
    lines.append(
        f"| whole step | {total:.2f} | | | {least:.2f} | {total - least:.2f} | {total / least:.2f} |"
    )
    fastest = max(found["products"], key=lambda one: one["gflops"])
    lines += [
        "",
        f"Memory is read at {found['bandwidth_gb_s']:.1f} GB/s; the fastest of the products reaches "
        f"{fastest['gflops']:,.0f} GFLOP/s ({fastest['kind']}, {' x '.join(map(str, fastest['shape']))}).",
        "",
    ]
    return "\n".join(lines)


def markdown(found: dict[str, Any]) -> str:
    lines = [
        "# Where a step's seconds go against its floor",
        "",
        table(found),
        "| product | rows x inputs x outputs | ms | GFLOP/s |",
        "|---|---|---:|---:|",
    ]
    lines += [
        f"| {one['kind']} | {' x '.join(map(str, one['shape']))} | {one['ms']:.2f} | {one['gflops']:,.0f} |"
        for one in found["products"]
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=["small", "large"], default="small")
    parser.add_argument("--steps", type=int, default=3, help="timed steps after one warm-up")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="the tiny model, and the log stays as it is")
    args = parser.parse_args()
    if not 1 <= args.steps < MAX_STEPS:
        parser.error(f"--steps: expected 1 to {MAX_STEPS - 1}, got {args.steps}")
    found = measure(args)
    write("floor", found, markdown(found))
    if not args.quick:
        put_between(LOG, "floor", table(found))


if __name__ == "__main__":
    main()
