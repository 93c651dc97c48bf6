"""`guerdon score` on GSM8K-like rows: rows a second, and whether memory grows with the file.

    python benchmarks/score.py [--rows 100000] [--workers 2] [--results benchmarks/results/score.md]

Rows are made from a seed: a question, a worked answer with its #### line, and a completion that is right in six of ten.
Every size runs in a fresh process tree; peak memory is the sum over its processes, read from /proc ten times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S = 60.0
WRONG = (1, -1, 10)


def write_rows(path: Path, count: int) -> None:
    draw = random.Random(0)
    with path.open("w") as file:
        for index in range(count):
            answer = draw.randint(1, 10 ** draw.randint(1, 6))
            got = answer if draw.random() < 0.6 else answer + draw.choice(WRONG)
            steps = " ".join(
                f"She has {(a := draw.randint(1, 99))} and gets {(b := draw.randint(1, 99))}: <<{a}+{b}={a + b}>>{a + b}."
                for _ in range(6)
            )
            row = {
                "id": f"r{index}",
                "question": "Natalia sold clips to 48 of her friends in April, and then half as many in May. "
                * 2,
                "answer": f"{steps}\n#### {answer:,}",
                "completion": f"{steps}\n#### {got}",
            }
            file.write(json.dumps(row) + "\n")


def tree_mb(root: int) -> float:
    """Resident memory of a process and all below it, proportional shares of what they share."""
    total, todo = 0, [root]
    while todo:
        pid = todo.pop()
        try:
            todo += [int(item) for item in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return total / 1024


def measure(data: Path, output: Path, verifier: str, workers: int) -> tuple[float, float, str]:
    """Seconds, peak megabytes, and the printed table."""
    command = [sys.executable, "-m", "guerdon", "score", str(data), "--verifier", verifier]
    command += ["--output", str(output), "--overwrite", "--workers", str(workers)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, tree_mb(process.pid))
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    assert process.stdout is not None
    shown = process.stdout.read()
    if process.returncode:
        sys.exit(f"guerdon score failed: exit code {process.returncode}\n{shown}")
    return seconds, peak, shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--verifier", default="math")
    parser.add_argument("--results", type=Path)
    args = parser.parse_args()
    lines = ["| rows | seconds | rows a second | peak memory, MB |", "|---|---|---|---|"]
    shown, seconds, sizes = "", 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        for count in (args.rows // 10, args.rows):
            data = Path(folder) / "rows.jsonl"
            write_rows(data, count)
            seconds, peak, shown = measure(data, Path(folder) / "out.jsonl", args.verifier, args.workers)
            sizes.append({"rows": count, "seconds": seconds, "peak_mb": peak})
            lines.append(f"| {count:,} | {seconds:.1f} | {count / seconds:,.0f} | {peak:.0f} |")
            print(lines[-1], flush=True)
    verdict = "reached" if seconds < LIMIT_S else "missed"
    load = os.getloadavg()[0]
    python, cores = platform.python_version(), len(os.sched_getaffinity(0))
    report = f"""# `guerdon score` on GSM8K-like rows

`python benchmarks/score.py --rows {args.rows} --workers {args.workers} --verifier {args.verifier}`, start-up included, on
{cores} shared processors ({platform.machine()}, Python {python}); load average after it: {load:.1f}.
Target: 100,000 rows in under {LIMIT_S:g} s on two processors, in constant memory: {verdict}.

{chr(10).join(lines)}

The table that the larger run ends in:

```text
{shown.strip().replace(folder, ".")}
```
"""
    print(report)
    if args.results:
        args.results.write_text(report)
        args.results.with_suffix(".json").write_text(json.dumps({"sizes": sizes}, indent=1) + "\n")


if __name__ == "__main__":
    main()
