"""The whole set in short runs, under 30 minutes on two slow cores, and one table of its headline figures: `make bench`.

    python benchmarks/bench.py [--only NAME ...]      measure: results/bench.{json,md} and bench.svg
    python benchmarks/bench.py --publish              put that table into README.md and docs/benchmarks.md

Each benchmark runs through its own entry, with few repetitions and a limit on its time; what it wrote is read for the
figures that have a target. A full run of one benchmark (its own command) is surer, and its page in results/ says more.
What is missing here (TRL, vLLM, data) is told in the row of its benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import growth
import learner
import reward_model
import start
from figures import Bar, bars
from peers import HERE, RESULTS, machine, place, put_between, python_of, write

import rollout

TOTAL_S = 29 * 60.0
PAGES = {"README.md": "docs/assets/bench.svg", "docs/benchmarks.md": "assets/bench.svg"}
"""Pages that show the table, and where the picture stands for each."""


class Row(NamedTuple):
    """One headline figure."""

    label: str
    value: float | None
    """None: not measured; the note says why."""
    target: float | None = None
    """None: told without one."""
    at_most: bool = False
    """Less is better."""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is; None: nothing to compare."""
        if self.value is None or self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


class Bench(NamedTuple):
    """One benchmark in its short form."""

    name: str
    arguments: tuple[str, ...]
    limit_s: float
    read: Callable[[dict[str, Any]], Iterator[Row]]
    """Its JSON to rows."""
    peers: tuple[str, ...] = ()
    """What it cannot do without."""


def grpo_step(found: dict[str, Any]) -> Iterator[Row]:
    """Speed and memory against TRL."""
    ours, theirs = (found["results"][0]["summary"][side] for side in ("guerdon", "trl"))
    yield Row("GRPO step 8 x 8 x 64 / TRL", ours["tokens_per_s"] / theirs["tokens_per_s"], 5.0)
    yield Row("GRPO step, peak memory / TRL", ours["peak_gb"] / theirs["peak_gb"], 0.4, at_most=True)


def sampling(found: dict[str, Any]) -> Iterator[Row]:
    """Speed against generate where the batch is large, against vLLM everywhere."""
    for size in found["rows"]:
        pace = rollout.speeds(found, size)
        if int(size) >= 64:
            yield Row(f"Sampling, batch {size} / generate", pace["guerdon"] / pace["generate"], 2.0)
        if "vllm" in pace:
            yield Row(f"Sampling, batch {size} / vLLM", pace["guerdon"] / pace["vllm"], 1.0)


def learning(found: dict[str, Any]) -> Iterator[Row]:
    """Speed against the plain model, the faster of its sides."""
    for name, one in found["speed"]["workloads"].items():
        pace = learner.speeds(one)
        fastest = max(value for side, value in pace.items() if side != "guerdon")
        yield Row(f"Learner, {name} lengths / plain model", pace["guerdon"] / fastest, 2.5)


def reward(found: dict[str, Any]) -> Iterator[Row]:
    """Training and scoring against TRL."""
    for what, pace in (
        ("training", reward_model.training_speed(found)),
        ("scoring", reward_model.scoring_speed(found)),
    ):
        yield Row(f"Reward model, {what} / TRL", pace["guerdon"] / pace["trl"], 3.0)


def overlap(found: dict[str, Any]) -> Iterator[Row]:
    """The asynchronous pipeline against the synchronous loop."""
    arms = dict(found["results"])
    base = arms.pop("synchronous")
    pace = {
        arm: statistics.fmean(base[seed]["seconds"] / one["seconds"] for seed, one in runs.items())
        for arm, runs in arms.items()
    }
    fastest = max(pace, key=lambda arm: pace[arm])
    yield Row("Overlap / synchronous loop", pace[fastest], 1.3, note=fastest)


def grown(found: dict[str, Any]) -> Iterator[Row]:
    """The worst exponent, and what memory does."""
    worst = max(found["fits"], key=lambda fit: fit["measured"] - fit["theory"])
    yield Row(
        "Growth, worst exponent above theory",
        worst["measured"] - worst["theory"],
        growth.SLACK,
        at_most=True,
        note=f"{worst['sweep']}, {worst['model']}",
    )
    rate, steps = found["long"]["mb_per_10000"], found["long"]["steps"]
    if rate is not None:
        yield Row("Memory, MB per 10,000 steps", rate, note=f"over {steps:,} steps")


def begun(found: dict[str, Any]) -> Iterator[Row]:
    """Seconds until something happens."""
    for name, values in found["seconds"].items():
        limit = start.limit_of(name)
        if limit is not None:
            yield Row(f"{name}, s", statistics.median(values), limit, at_most=True)


def scored(found: dict[str, Any]) -> Iterator[Row]:
    """Seconds for the rows of a large file."""
    last = found["sizes"][-1]
    yield Row(f"guerdon score, {last['rows']:,} rows, s", last["seconds"], 60.0, at_most=True)


BENCHES = (
    Bench("grpo_step", ("--steps", "2", "--mode", "forced"), 480.0, grpo_step, ("trl",)),
    Bench("rollout", ("--repeats", "2", "--batches", "8", "64", "--new-tokens", "32"), 420.0, sampling),
    Bench(
        "learner",
        (
            "--only",
            "speed",
            "--mixes",
            "mixed",
            "--sides",
            "guerdon",
            "bf16",
            "--groups",
            "1",
            "--repeats",
            "2",
        ),
        240.0,
        learning,
    ),
    Bench("reward_model", ("--steps", "4", "--held-out", "24"), 240.0, reward, ("trl",)),
    Bench("overlap", ("--seeds", "0", "--steps", "10"), 240.0, overlap),
    Bench("growth", ("--quick", "--repeats", "2"), 240.0, grown),
    Bench("start", ("--repeats", "3"), 180.0, begun),
    Bench("score", ("--rows", "100000"), 120.0, scored),
)


def missing_peer(name: str) -> str | None:
    """Why there is no such peer; its environment is made if it can be."""
    module = {"vllm": "vllm", "trl": "trl"}[name]
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    try:
        python = python_of(name)
        done = subprocess.run([python, "-c", code], check=False, capture_output=True)
    except (subprocess.CalledProcessError, OSError) as error:
        return f"{name} is missing: {error}"
    return f"{name} is missing in {python}" if done.returncode else None


def run(bench: Bench, folder: Path, limit_s: float) -> list[Row]:
    """Its rows, or one that says why there are none."""
    script = HERE / f"{bench.name}.py"
    why = next((told for told in map(missing_peer, bench.peers) if told), None)
    more: list[str] = []
    rows: list[Row] = []
    if bench.name == "rollout" and (lacking := missing_peer("vllm")):
        more = ["--without", "vllm"]
        rows.append(Row("Sampling / vLLM", None, note=lacking))
    if bench.name == "overlap":
        more = ["--work", str(folder / "work")]
    if bench.name == "score":
        more = ["--results", str(folder / "score.md")]
    why = why or ended(
        [sys.executable, str(script), *bench.arguments, *more], folder, min(limit_s, bench.limit_s)
    )
    if why:
        return [*rows, Row(bench.name, None, note=why)]
    return [*bench.read(json.loads((folder / f"{bench.name}.json").read_text())), *rows]


def ended(command: list[str], folder: Path, limit_s: float) -> str | None:
    """Run to the end; why that failed, or None."""
    if limit_s <= 0:
        return "no time was left"
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "BENCH_RESULTS": str(folder)},
        )  # fmt: skip
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"not done after {limit_s:.0f} s"
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if code == 0:
        return None
    said = [line for line in log.read_text().splitlines() if line.strip()]
    return f"exit code {code}: {said[-1][:160] if said else 'nothing said'}"


def measure(names: list[str]) -> dict[str, Any]:
    begun_at, about = time.monotonic(), machine()
    found: dict[str, Any] = {"machine": about, "benchmarks": {}}
    with tempfile.TemporaryDirectory() as place_of_runs:
        for bench in BENCHES:
            if bench.name not in names or not (HERE / f"{bench.name}.py").exists():
                continue
            folder = Path(place_of_runs) / bench.name
            folder.mkdir()
            started = time.monotonic()
            rows = run(bench, folder, TOTAL_S - (started - begun_at))
            seconds = time.monotonic() - started
            found["benchmarks"][bench.name] = {
                "command": " ".join(["python", f"benchmarks/{bench.name}.py", *bench.arguments]),
                "seconds": seconds,
                "rows": [row._asdict() for row in rows],
            }
            for row in rows:
                told = row.note if row.value is None else f"{row.value:.3g}"
                print(f"{bench.name} ({seconds:.0f} s): {row.label}: {told}", flush=True)
    found["minutes"] = (time.monotonic() - begun_at) / 60
    return found


def rows_of(found: dict[str, Any]) -> list[Row]:
    return [Row(**row) for one in found["benchmarks"].values() for row in one["rows"]]


def table(found: dict[str, Any], picture_at: str) -> str:
    """What README and the documentation show."""
    lines = [
        f"Short runs of {found['minutes']:.0f} minutes together (`make bench`). {place(found['machine'])}.",
        "",
        "| figure | measured | target | reached |",
        "|---|---:|---:|---|",
    ]
    for row in rows_of(found):
        measured = "not measured" if row.value is None else f"{row.value:.3g}"
        target = "" if row.target is None else f"{'at most' if row.at_most else 'at least'} {row.target:g}"
        verdict = {None: "", True: "yes", False: "no"}[row.reached]
        note = f" ({row.note})" if row.note else ""
        lines.append(f"| {row.label}{note} | {measured} | {target} | {verdict} |")
    return "\n".join([*lines, "", f"![Measured against the targets]({picture_at})", ""])


def picture(found: dict[str, Any]) -> str:
    """Each figure as a share of its target, so that longer is better in every row."""
    drawn = []
    for row in rows_of(found):
        if row.value is None or row.target is None:
            continue
        share = row.target / max(row.value, 0.2 * row.target) if row.at_most else row.value / row.target
        sign = "at most" if row.at_most else "at least"
        drawn.append(Bar(row.label, share, 1.0, f"{row.value:.3g}; {sign} {row.target:g}"))
    return bars(drawn, "Measured against the targets: longer is better")


def markdown(found: dict[str, Any]) -> str:
    commands = [f"- `{one['command']}`: {one['seconds']:.0f} s" for one in found["benchmarks"].values()]
    return "\n".join(["# Benchmarks", "", table(found, "bench.svg"), "What ran:", "", *commands, ""])


def publish(found: dict[str, Any], root: Path) -> None:
    """The table between the marks of each page, the picture among the documentation's assets."""
    for name, picture_at in PAGES.items():
        put_between(root / name, "bench", table(found, picture_at))
    (root / "docs" / "assets" / "bench.svg").write_text(picture(found))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [bench.name for bench in BENCHES]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--publish", action="store_true", help="measure nothing; show the last results")
    args = parser.parse_args()
    if args.publish:
        publish(json.loads((RESULTS / "bench.json").read_text()), HERE.parent)
        return
    found = measure(args.only)
    write("bench", found, markdown(found))
    (RESULTS / "bench.svg").write_text(picture(found))


if __name__ == "__main__":
    main()
