"""One GRPO step side by side: Guerdon and TRL's GRPOTrainer, same model, prompts, sampling and optimiser settings.

    python benchmarks/grpo_step.py [--size small|large] [--steps 5] [--mode forced|natural|both]

Two worker processes, both loaded, are driven step by step in turn: they meet the same machine, and their peak memory
stays apart. In `forced` mode every completion has exactly the maximal length, because length differences fake speed.
The run stops if the two did not get the same prompt tokens or if weights stood still. TRL gets an environment of its
own (benchmarks/.venv-trl, made on first use). Results: benchmarks/results/grpo_step{,_large}.{json,md}.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from typing import Any

from grpo_step_table import markdown
from peers import HERE, Worker, machine, python_of, write

SIDES = {"guerdon": "grpo_step_guerdon.py", "trl": "grpo_step_trl.py"}
MAX_STEPS = 40
SIZES: dict[str, dict[str, Any]] = {
    "small": {"num_problems": 8, "max_completion_length": 64, "examples": [0]},
    "large": {"num_problems": 16, "max_completion_length": 256, "examples": [0, 1, 3, 7]},
}
"""8 x 8 answers of at most 64 tokens; 16 x 8 of at most 256, to prompts with 0, 1, 3 or 7 worked examples before them."""


def measure(mode: str, python: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Drive both sides in turn; the first step of each warms up."""
    told = {**settings, "mode": mode}
    sides = {
        name: Worker(HERE / script, sys.executable if name == "guerdon" else python, told)
        for name, script in SIDES.items()
    }
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(settings["steps"]):
        for name, worker in sides.items():
            figures = worker.ask({})
            rows[name].append(figures)
            note = " (warm-up)" if number == 0 else ""
            print(f"  {mode:8} step {number} {name:8} {figures['seconds']:7.2f} s{note}", flush=True)
        check_fair({name: found[-1] for name, found in rows.items()}, mode, settings)
    for worker in sides.values():
        worker.close()
    return {
        "mode": mode,
        "versions": {name: worker.ready["versions"] for name, worker in sides.items()},
        "loaded_gb": {name: worker.ready["loaded_gb"] for name, worker in sides.items()},
        "summary": {name: summary(found) for name, found in rows.items()},
        "steps": rows,
    }


def check_fair(last: dict[str, dict[str, Any]], mode: str, settings: dict[str, Any]) -> None:
    """Stop unless both sides did the same work in this step."""
    count = settings["num_problems"] * settings["num_generations"]
    if len({figures["prompts"] for figures in last.values()}) != 1:
        raise SystemExit("not comparable: the two sides rendered different prompt tokens")
    for name, figures in last.items():
        if len(figures["lengths"]) != count:
            raise SystemExit(f"not comparable: {name} sampled {len(figures['lengths'])} answers, not {count}")
        if mode == "forced" and set(figures["lengths"]) != {settings["max_completion_length"]}:
            raise SystemExit(f"not comparable: {name} did not hold the forced length")
        if not figures["tensors_changed"]:
            raise SystemExit(f"not comparable: {name} changed no weight in this step")


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the steps after the warm-up; the peak over all."""
    timed = rows[1:]
    names = [name for name, value in timed[0].items() if isinstance(value, float) and name != "peak_gb"]
    found = {name: statistics.median(row[name] for row in timed) for name in names}
    found["other"] = statistics.median(
        row["seconds"] - sum(row[name] for name in ("generate", "reward", "logprobs"))
        - row["forward_backward"] - row["optimizer"]
        for row in timed
    )  # fmt: skip
    tokens = [sum(row["lengths"]) for row in timed]
    found["tokens"] = statistics.median(tokens)
    found["tokens_per_s"] = statistics.median(
        count / row["seconds"] for count, row in zip(tokens, timed, strict=True)
    )
    found["ms_per_token"] = 1000 * statistics.median(
        row["seconds"] / count for count, row in zip(tokens, timed, strict=True)
    )
    found["rows_without_signal"] = sum(row["rows_without_signal"] for row in timed)
    found["peak_gb"] = max(row["peak_gb"] for row in rows)
    return found


def workload(args: argparse.Namespace) -> dict[str, Any]:
    """Everything both workers are told."""
    from guerdon.models.loading import _resolve

    size = SIZES[args.size]
    return {
        "model": str(_resolve("pypi:smollm2-135m", None)),
        "problems": questions(size["num_problems"] * (MAX_STEPS + 1), size["examples"]),
        "system": "Think step by step, then answer.",
        "num_problems": size["num_problems"],
        "num_generations": 8,
        "max_completion_length": size["max_completion_length"],
        "learning_rate": 1e-6,
        "steps": args.steps + 1,
        "threads": args.threads,
        "micro_tokens": args.micro_tokens,
        "trl_batch_size": args.trl_batch_size or 8 * size["num_problems"],
        "trl_checkpointing": args.trl_checkpointing,
        "trl_mixed": args.trl_mixed,
    }


def questions(count: int, examples: list[int]) -> list[str]:
    """Problems, each behind as many worked ones as its turn says."""
    from guerdon.data.config import ArithConfig

    found = list(ArithConfig(num_problems=count + max(examples), max_operands=4).build(0))
    asked, shown = found[:count], found[count:]
    worked = [f"{one.messages[-1].content}\n{one.info['solution']}" for one in shown]
    return [
        "\n\n".join([*worked[: examples[index % len(examples)]], one.messages[-1].content])
        for index, one in enumerate(asked)
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each side, after one warm-up")
    parser.add_argument(
        "--size", choices=[*SIZES], default="small", help="small: 8 x 8 x 64; large: 16 x 8 x 256"
    )
    parser.add_argument("--mode", choices=["forced", "natural", "both"], default="both")
    parser.add_argument("--trl-python", help="interpreter with TRL; default: TRL_PYTHON, or one that is made")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="torch threads of either side")
    parser.add_argument("--micro-tokens", type=int, default=1024, help="Guerdon: max_tokens_per_microbatch")
    parser.add_argument(
        "--trl-batch-size", type=int, help="TRL: per_device_train_batch_size; default: the whole step"
    )
    parser.add_argument(
        "--trl-checkpointing", action="store_true", help="TRL: gradient checkpointing, its default"
    )
    parser.add_argument(
        "--trl-mixed", action="store_true", help="TRL: float32 weights under bf16 autocast, its default"
    )
    args = parser.parse_args()
    if not 1 <= args.steps <= MAX_STEPS:
        parser.error(f"--steps: expected 1 to {MAX_STEPS}, got {args.steps}")
    rows = 8 * SIZES[args.size]["num_problems"]
    if args.trl_batch_size is not None and (args.trl_batch_size < 1 or rows % args.trl_batch_size):
        parser.error(f"--trl-batch-size: expected a divisor of {rows}, got {args.trl_batch_size}")
    return args


def main() -> None:
    args = arguments()
    settings = workload(args)
    python = python_of("trl", args.trl_python)
    about = machine()
    modes = ["forced", "natural"] if args.mode == "both" else [args.mode]
    results = [measure(mode, python, settings) for mode in modes]
    settings.pop("model")
    settings.pop("problems")
    found = {
        "command": " ".join(["python benchmarks/grpo_step.py", *_shown(sys.argv[1:])]),
        "machine": about,
        "size": args.size,
        "settings": settings,
        "results": results,
    }
    write("grpo_step" if args.size == "small" else f"grpo_step_{args.size}", found, markdown(found))


def _shown(words: list[str]) -> list[str]:
    """The command without the reader's-own-machine part: where TRL's interpreter is."""
    shown = [word for word in words if not word.startswith("--trl-python=")]
    if "--trl-python" in shown:
        at = shown.index("--trl-python")
        del shown[at : at + 2]
    return shown


if __name__ == "__main__":
    main()
