"""One GRPO step side by side: Guerdon and TRL's GRPOTrainer, same model, prompts, sampling and optimiser settings.

    python benchmarks/grpo_step.py [--steps 5] [--mode forced|natural|both] [--trl-python PATH]

Two worker processes, both loaded, are driven step by step in turn: they meet the same machine, and their peak memory
stays apart. In `forced` mode every completion has exactly the maximal length, because length differences fake speed.
The run stops if the two did not get the same prompt tokens or if weights stood still. TRL gets an environment of its
own (benchmarks/.venv-trl, made on first use). Results: benchmarks/results/grpo_step.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from grpo_step_table import markdown

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SIDES = {"guerdon": HERE / "grpo_step_guerdon.py", "trl": HERE / "grpo_step_trl.py"}
MAX_STEPS = 40


class Worker:
    """One system in a process of its own: JSON lines in and out."""

    def __init__(self, name: str, python: str, settings: dict[str, Any]) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [python, str(SIDES[name]), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "HF_HUB_OFFLINE": "1",
                "TOKENIZERS_PARALLELISM": "false",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            },
        )
        ready = self._read()
        self.versions: dict[str, str] = ready["versions"]
        self.loaded_gb: float = ready["loaded_gb"]

    def step(self) -> dict[str, Any]:
        """Run one step and return its figures."""
        assert self.process.stdin is not None
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the {self.name} worker ended early with code {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def trl_python(chosen: str | None) -> str:
    """An interpreter with TRL, made on first use."""
    if chosen:
        return chosen
    venv = HERE / ".venv-trl"
    if not (venv / "done").exists():
        print("making TRL's environment (once) ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin" / "pip"), "install", "-q"]
        subprocess.run([*pip, "torch==2.13.0"], check=True)
        subprocess.run([*pip, "trl==1.16.0", "transformers==5.23.0"], check=True)
        (venv / "done").touch()
    return str(venv / "bin" / "python")


def measure(mode: str, python: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Drive both sides in turn; the first step of each warms up."""
    sides = {
        name: Worker(name, sys.executable if name == "guerdon" else python, {**settings, "mode": mode})
        for name in SIDES
    }
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(settings["steps"]):
        for name, worker in sides.items():
            figures = worker.step()
            rows[name].append(figures)
            note = " (warm-up)" if number == 0 else ""
            print(f"  {mode:8} step {number} {name:8} {figures['seconds']:7.2f} s{note}", flush=True)
        check_fair({name: found[-1] for name, found in rows.items()}, mode, settings)
    for worker in sides.values():
        worker.close()
    return {
        "mode": mode,
        "versions": {name: worker.versions for name, worker in sides.items()},
        "loaded_gb": {name: worker.loaded_gb for name, worker in sides.items()},
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
    from guerdon.data.config import ArithConfig
    from guerdon.models.loading import _resolve

    problems = ArithConfig(num_problems=8 * (MAX_STEPS + 1), max_operands=4).build(0)
    return {
        "model": str(_resolve("pypi:smollm2-135m", None)),
        "problems": [problem.messages[-1].content for problem in problems],
        "system": "Think step by step, then answer.",
        "num_problems": 8,
        "num_generations": 8,
        "max_completion_length": 64,
        "learning_rate": 1e-6,
        "steps": args.steps + 1,
        "threads": args.threads,
        "micro_tokens": args.micro_tokens,
        "trl_batch_size": args.trl_batch_size,
        "trl_checkpointing": args.trl_checkpointing,
        "trl_mixed": args.trl_mixed,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each side, after one warm-up")
    parser.add_argument("--mode", choices=["forced", "natural", "both"], default="both")
    parser.add_argument("--trl-python", default=os.environ.get("TRL_PYTHON"), help="interpreter with TRL")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="torch threads of either side")
    parser.add_argument("--micro-tokens", type=int, default=1024, help="Guerdon: max_tokens_per_microbatch")
    parser.add_argument(
        "--trl-batch-size", type=int, default=64, help="TRL: per_device_train_batch_size, a divisor of 64"
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
    if args.trl_batch_size < 1 or 64 % args.trl_batch_size:
        parser.error(f"--trl-batch-size: expected a divisor of 64, got {args.trl_batch_size}")
    return args


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    args = arguments()
    settings = workload(args)
    python = trl_python(args.trl_python)
    load_before = os.getloadavg()[0]
    modes = ["forced", "natural"] if args.mode == "both" else [args.mode]
    results = [measure(mode, python, settings) for mode in modes]
    settings.pop("model")
    settings.pop("problems")
    found = {
        "command": " ".join(["python benchmarks/grpo_step.py", *_shown(sys.argv[1:])]),
        "machine": {
            "cpu": cpu_name(),
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "load_before": load_before,
        },
        "settings": settings,
        "results": results,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "grpo_step.json").write_text(json.dumps(found, indent=1) + "\n")
    text = markdown(found)
    (RESULTS / "grpo_step.md").write_text(text)
    print(text)


def _shown(words: list[str]) -> list[str]:
    """The command without the reader's-own-machine part: where TRL's interpreter is."""
    shown = [word for word in words if not word.startswith("--trl-python=")]
    if "--trl-python" in shown:
        at = shown.index("--trl-python")
        del shown[at : at + 2]
    return shown


if __name__ == "__main__":
    main()
