"""Sampling side by side: Guerdon's engine, transformers' generate and its continuous batching, and vLLM on this CPU.

    python benchmarks/rollout.py [--repeats 5] [--batches 1 8 64 256] [--new-tokens 64] [--without vllm continuous]

SmolLM2-135M-Instruct in bfloat16, temperature 1, nothing truncated; every answer has exactly the same number of new
tokens. Eight answers to a prompt (one at batch 1), as a GRPO step samples them; prompts of about 45 tokens. Each system in
a process of its own, asked in turn; medians. Guerdon's weights are laid out anew in every call, as after an update.
Results: benchmarks/results/rollout.{json,md}.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from peers import HERE, Worker, in_turn, machine, median_of, place, python_of, write

SIDES = {
    "guerdon": "rollout_guerdon.py",
    "generate": "rollout_generate.py",
    "continuous": "rollout_continuous.py",
    "vllm": "rollout_vllm.py",
}
LABELS = {
    "guerdon": "Guerdon",
    "generate": "transformers generate",
    "continuous": "transformers continuous",
    "vllm": "vLLM",
}


def prompts(count: int, model: str) -> list[list[int]]:
    """Token ids of different arithmetic problems, rendered."""
    from transformers import AutoTokenizer

    from guerdon.data.config import ArithConfig

    tokenizer = AutoTokenizer.from_pretrained(model)
    problems = ArithConfig(num_problems=count, max_operands=4).build(0)
    chats = [
        [
            {"role": "system", "content": "Think step by step, then answer."},
            {"role": "user", "content": problem.messages[-1].content},
        ]
        for problem in problems
    ]
    texts = [
        tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for chat in chats
    ]
    found: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return found


def batch(rows: int, available: list[list[int]]) -> list[list[int]]:
    """The prompt of each row."""
    group = min(8, rows)
    return [available[index // group] for index in range(rows)]


def preloads(python: str) -> dict[str, str]:
    """Intel's OpenMP runtime, which vLLM recommends and brings along."""
    library = Path(python).parent.parent / "lib" / "libiomp5.so"
    return {"LD_PRELOAD": str(library)} if library.is_file() else {}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    from guerdon.models.loading import _resolve

    model = str(_resolve("pypi:smollm2-135m", None))
    available = prompts(max(args.batches), model)
    settings = {
        "model": model, "threads": args.threads, "new_tokens": args.new_tokens,
        "max_rows": max(args.batches), "max_prompt": max(map(len, available)),
    }  # fmt: skip
    names = [name for name in SIDES if name not in args.without]
    pythons = {name: python_of("vllm") if name == "vllm" else sys.executable for name in names}
    about = machine()
    workers: dict[str, Worker] = {}
    for name in names:
        more = preloads(pythons[name]) if name == "vllm" else {}
        environment = {"OMP_NUM_THREADS": str(args.threads), **more}
        workers[name] = Worker(HERE / SIDES[name], pythons[name], settings, **environment)
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for size in args.batches:
        rows[str(size)] = in_turn(workers, {"prompts": batch(size, available)}, args.repeats)
        for name, found in rows[str(size)].items():
            check(found, size, args.new_tokens, name)
        told = {
            name: round(size * args.new_tokens / median_of(found, "seconds"))
            for name, found in rows[str(size)].items()
        }
        print(f"batch {size}: tokens per second {told}", flush=True)
    for worker in workers.values():
        worker.close()
    return {
        "command": " ".join(["python benchmarks/rollout.py", *sys.argv[1:]]),
        "machine": about,
        "versions": {name: worker.ready["versions"] for name, worker in workers.items()},
        "new_tokens": args.new_tokens,
        "threads": args.threads,
        "repeats": args.repeats,
        "prompt_tokens": len(available[0]),
        "rows": rows,
    }


def check(found: list[dict[str, Any]], size: int, new_tokens: int, name: str) -> None:
    """Stop unless every answer has the agreed length."""
    for answer in found:
        if answer["lengths"] != [new_tokens] * size:
            raise SystemExit(f"not comparable: {name} sampled lengths {sorted(set(answer['lengths']))}")


def speeds(found: dict[str, Any], size: str) -> dict[str, float]:
    """New tokens a second of each system at that batch."""
    sides = found["rows"][size]
    return {
        name: int(size) * found["new_tokens"] / median_of(rows, "seconds") for name, rows in sides.items()
    }


def markdown(found: dict[str, Any]) -> str:
    names = list(next(iter(found["rows"].values())))
    lines = [
        "# Sampling: tokens per second",
        "",
        f"`{found['command']}`: SmolLM2-135M-Instruct, bfloat16, prompts of about {found['prompt_tokens']} tokens, "
        f"{found['new_tokens']} new ones, temperature 1; medians of {found['repeats']} runs in turn, {found['threads']} "
        f"threads. {place(found['machine'])}.",
        "",
        f"| batch | {' | '.join(LABELS[name] for name in names)} | "
        + " | ".join(f"/ {LABELS[name]}" for name in names[1:])
        + " |",
        f"|---:|{'---:|' * (2 * len(names) - 1)}",
    ]
    for size in found["rows"]:
        speed = speeds(found, size)
        ratios = [f"{speed['guerdon'] / speed[name]:.2f}" for name in names[1:]]
        lines.append(
            f"| {size} | {' | '.join(f'{speed[name]:,.0f}' for name in names)} | {' | '.join(ratios)} |"
        )
    peaks = {
        name: max(row["peak_gb"] for sides in found["rows"].values() for row in sides[name]) for name in names
    }
    told = ", ".join(f"{LABELS[name]} {peaks[name]:.1f} GB" for name in names)
    versions = "; ".join(
        f"{LABELS[name]}: " + ", ".join(f"{k} {v}" for k, v in found["versions"][name].items())
        for name in names
    )
    return "\n".join([*lines, "", f"Peak memory over all batches: {told}.", "", f"{versions}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--without", nargs="*", default=[], choices=list(SIDES)[1:], help="peers to leave out"
    )
    args = parser.parse_args()
    found = measure(args)
    write("rollout", found, markdown(found))


if __name__ == "__main__":
    main()
