"""How long it takes until something happens: `import guerdon`, `guerdon --help`, `guerdon train` to its first step.

    python benchmarks/start.py [--repeats 5] [--models tiny smollm2-135m] [--quick]

Every run is a process of its own, the files in the system's cache (one run before warms it up), the model in Guerdon's.
The first step begins at the time of its record less its own length, both as the run states them. What the time goes to:
`python -X importtime`, every module's own time added up by package. Results: benchmarks/results/start.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from peers import machine, place, write

RECIPES = {"tiny": "builtin:tiny", "smollm2-135m": "pypi:smollm2-135m"}
RECIPE = """# The quickstart's GRPO stage without what comes before it: how soon does it begin?
name = "start"
stages = ["grpo"]
output_dir = "{folder}"

[model]
source = "{model}"
lora = {{ r = 16, alpha = 32 }}

[data]
system_prompt = "Think step by step, then answer."

[data.train]
kind = "arith"
num_problems = 3000
max_operands = 4
max_digits = 1
layout = "hash"

[rollout]
num_generations = 8
generation_batch_size = 64
max_completion_length = 40

[rewards.math]
extract = "hash"

[rewards.format]
layout = "hash"
weight = 0.2

[train]
max_steps = 1
max_tokens_per_microbatch = 256

[eval]
num_problems = 0
"""
LIMITS = {"import guerdon": 0.1, "first step": 10.0}


def seconds_of(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def import_seconds() -> float:
    """Of `import guerdon` alone, without the interpreter's own start."""
    code = "import time; t = time.perf_counter(); import guerdon; print(time.perf_counter() - t)"
    return float(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    )


def first_step(model: str, *options: str) -> dict[str, Any]:
    """Seconds from the start of the process to the beginning and the end of the first step, and what it wrote on stderr."""
    with tempfile.TemporaryDirectory() as place_of_run:
        folder = Path(place_of_run)
        recipe = folder / "start.toml"
        recipe.write_text(RECIPE.format(folder=folder / "runs", model=RECIPES[model]))
        started = time.time()
        done = subprocess.run(
            [sys.executable, *options, "-m", "guerdon", "train", str(recipe)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"guerdon train failed:\n{done.stderr[-2000:]}")
        record = json.loads((folder / "runs" / "start" / "metrics.jsonl").read_text().splitlines()[0])
    ended = record["time"] - started
    return {"begins": ended - record["metrics"]["step_time"], "ends": ended, "stderr": done.stderr}


def packages(listing: str) -> list[tuple[str, float]]:
    """Seconds of import by package, from the listing of -X importtime; every module counts its own time.

    >>> packages("import time:      1500 |       2000 |   torch.nn")
    [('torch', 0.0015)]
    """
    total: Counter[str] = Counter()
    for line in listing.splitlines():
        if line.startswith("import time:") and "[us]" not in line:
            own, _, name = line.removeprefix("import time:").split("|")
            total[name.strip().partition(".")[0]] += int(own)
    return [(name, microseconds / 1e6) for name, microseconds in total.most_common()]


def measure(args: argparse.Namespace) -> dict[str, Any]:
    about = machine()
    help_command = [sys.executable, "-m", "guerdon", "--help"]
    found: dict[str, Any] = {
        "python -c pass": [seconds_of([sys.executable, "-c", "pass"]) for _ in range(args.repeats + 1)][1:],
        "import guerdon": [import_seconds() for _ in range(args.repeats + 1)][1:],
        "guerdon --help": [seconds_of(help_command) for _ in range(args.repeats + 1)][1:],
    }
    where: dict[str, Any] = {}
    for model in args.models:
        runs = [first_step(model) for _ in range(args.repeats + 1)][1:]
        found[f"guerdon train, {model}: first step begins"] = [run["begins"] for run in runs]
        found[f"guerdon train, {model}: first step ends"] = [run["ends"] for run in runs]
        watched = first_step(model, "-X", "importtime")
        where[model] = {"begins": watched["begins"], "packages": packages(watched["stderr"])}
        print(
            model,
            f"first step begins after {statistics.median(run['begins'] for run in runs):.2f} s",
            flush=True,
        )
    return {
        "command": " ".join(["python benchmarks/start.py", *sys.argv[1:]]),
        "machine": about, "repeats": args.repeats, "seconds": found, "where": where,
    }  # fmt: skip


def limit_of(name: str) -> float | None:
    if name in LIMITS:
        return LIMITS[name]
    return LIMITS["first step"] if name.endswith("first step begins") else None


def markdown(found: dict[str, Any]) -> str:
    lines = [
        "# Start",
        "",
        f"`{found['command']}`: medians of {found['repeats']} runs, files cached. {place(found['machine'])}.",
        "",
        "| what | seconds | slowest | target | reached |",
        "|---|---:|---:|---:|---|",
    ]
    for name, values in found["seconds"].items():
        limit = limit_of(name)
        middle = statistics.median(values)
        verdict = "" if limit is None else "yes" if middle < limit else "**no**"
        lines.append(
            f"| {name} | {middle:.3f} | {max(values):.3f} | {'' if limit is None else f'{limit:g}'} | {verdict} |"
        )
    lines += ["", "## What the time to the first step goes to", ""]
    for model, one in found["where"].items():
        shares = one["packages"]
        imports = sum(seconds for _, seconds in shares)
        shown = [(f"import {name}", seconds) for name, seconds in shares[:8]]
        rows = [
            *shown,
            ("other imports", imports - sum(seconds for _, seconds in shown)),
            ("everything else: data, checks, model, optimiser", one["begins"] - imports),
        ]
        lines += [f"| {model} | seconds (watched by -X importtime, which slows it) |", "|---|---:|"]
        lines += [f"| {name} | {seconds:.2f} |" for name, seconds in rows]
        lines += [f"| together | {one['begins']:.2f} |", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--quick", action="store_true", help="one run of each, the tiny model")
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.models = 1, ["tiny"]
    found = measure(args)
    write("start", found, markdown(found))


if __name__ == "__main__":
    main()
