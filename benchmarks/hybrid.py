"""Two experiments on rewards that are put together: a mixed stream, and two rewards of different difficulty.

    python benchmarks/hybrid.py [--only mixed|parts] [--seeds 1 2] [--work FOLDER]      two hours, one CPU thread

All runs start from one policy, `builtin:tiny`, cold-started on worked solutions of both kinds (seed 0).

mixed  recipes/mixed.toml with its reward changed. The policy meets sums, which have a gold answer, and requests for
       lists, which have none. `rules` pays for right sums and cannot judge lists; `model` pays by a reward model for
       everything; `hybrid` routes sums to the rule and lists to the model; `control` tosses a coin. The reward model
       learns from pairs of the cold-started policy's own answers of both kinds, labelled exactly.
       Asked: does the hybrid improve both kinds, do the others improve one each, does the hybrid beat the best of them?
parts  Sums alone, two rewards of weight 1: the right answer (hard) and a boxed answer (easy: the cold start shows two
       layouts in equal parts). `gdpo` normalises each in the group and adds, `grpo` adds and normalises; `control` tosses
       a coin. Asked: are answers right more often, and the easy reward no worse?

A seed is one draw of problems and rollouts. Its arms see the same problems and are measured on the same held-out ones
with the same random numbers; intervals are paired bootstraps over held-out problems of all seeds. What is done is kept in
--work: the same command goes on where it was. Results: benchmarks/results/hybrid.{json,md} and docs/assets/hybrid.svg.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from figures import Panel, panels

from guerdon.core.config import parse_config
from guerdon.functional.stats import bootstrap_interval
from guerdon.run.build import run_recipe
from guerdon.run.build_reward import run_reward_recipe
from guerdon.run.config import RunConfig
from guerdon.run.config_rm import PAIRS, preferences_recipe, reward_recipe
from guerdon.run.folder import newest_model
from guerdon.run.make_preferences import make_preferences
from guerdon.run.measure import evaluate_recipe
from guerdon.run.recipe import load_recipe

ROOT = Path(__file__).parents[1]
START = "start"
RIGHT = {"extract": "auto"}
"""Either layout: the cold start shows two."""
COIN = {"kind": "random"}
PROBE = {"kind": "listing", "weight": 0.0}
MIXED: dict[str, dict[str, Any]] = {
    "rules": {"rewards": {"math": RIGHT, "listing": PROBE}},
    "model": {
        "rewards": {
            "math": {**RIGHT, "weight": 0.0}, "judge": {"kind": "reward_model"}, "listing": PROBE
        }
    },
    "hybrid": {},
    "control": {"rewards": {"math": {**RIGHT, "weight": 0.0}, "coin": COIN, "listing": PROBE}},
}  # fmt: skip
"""What each arm changes in the recipe; the hybrid is the recipe."""
SUMS = {"kind": "arith", "max_digits": 1, "max_operands": 3, "operators": "+-", "num_problems": 2500}
RIGHT_AND_BOXED = {"math": RIGHT, "format": {"layout": "boxed"}}
PARTS: dict[str, dict[str, Any]] = {
    "gdpo": {"rewards": RIGHT_AND_BOXED, "algorithm": {"name": "gdpo", "beta": 0.02}},
    "grpo": {"rewards": RIGHT_AND_BOXED, "algorithm": {"name": "grpo", "beta": 0.02}},
    "control": {
        "rewards": {
            "coin": COIN, **{name: {**part, "weight": 0.0} for name, part in RIGHT_AND_BOXED.items()}
        }
    },
}  # fmt: skip
EVAL = {"num_problems": 800, "num_samples": 8, "greedy": False}
Arms = dict[str, dict[str, list[float]]]
"""Arm, metric: a value a held-out problem."""
Runs = dict[str, dict[str, dict[str, list[float]]]]
"""Arm, seed, metric: a value a held-out problem."""


def mixed_recipe(work: Path, seed: int, **changes: Any) -> dict[str, Any]:
    """The recipe as a table, for one arm and seed."""
    config = load_recipe(str(ROOT / "recipes" / "mixed.toml")).model_dump(mode="json", exclude_unset=True)
    config["rewards"] = {**config["rewards"], "math": RIGHT}
    return {**config, "seed": seed, "output_dir": str(work), **changes}


def parts_recipe(work: Path, seed: int, **changes: Any) -> dict[str, Any]:
    """Sums alone, and room for a box; otherwise as the mixed recipe."""
    config = mixed_recipe(work, seed, rewards=RIGHT_AND_BOXED)
    config.pop("reward")
    config["data"] = {"train": SUMS}
    config["rollout"] = {**config["rollout"], "max_completion_length": 40}
    config["eval"] = {**config["eval"], "accuracy": "math"}
    return {**config, **changes}


def cold_start(work: Path) -> Path:
    """The policy that all runs start from: lists, and sums in two layouts. Its own held-out problems are theirs, too."""
    config = parts_recipe(work, 0, name="start", stages=["sft"])
    sets: dict[str, Any] = {name: {**SUMS, "layout": name} for name in ("hash", "boxed")}
    config["data"] = {"train": {**sets, "lists": mixed_recipe(work, 0)["data"]["train"]["lists"]}}
    config["eval"] = {"num_problems": 0}
    return newest_model(run(config, work)).resolve()


def run(config: Mapping[str, Any], work: Path) -> Path:
    """A whole run, or the folder of one that is done."""
    folder = work / str(config["name"])
    if (folder / "done").exists():
        return folder
    if folder.exists():
        raise SystemExit(f"{folder} is half done; delete it")
    run_recipe(parse_config(RunConfig, config))
    (folder / "done").touch()
    return folder


def reward_model(config: Mapping[str, Any], start: Path, folder: Path) -> Path:
    """Pairs of the cold-started policy's answers, labelled exactly, and a reward model of them; as stage rm does it."""
    recipe = parse_config(RunConfig, config)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "done").exists():
        make_preferences(preferences_recipe(recipe, str(start)), folder / PAIRS)
        run_reward_recipe(reward_recipe(recipe, str(start), folder))
        (folder / "done").touch()
    return folder / "rm"


def mixed(work: Path, seed: int) -> Arms:
    """All arms of one seed."""
    start = cold_start(work)
    judge = reward_model(mixed_recipe(work, 0), start, work / "judge")
    shown = mixed_recipe(work, seed, rewards=MIXED["rules"]["rewards"])
    shown.pop("reward")
    found = {START: measured(shown, start, work / f"mixed_{seed}_start.json")}
    for arm, changes in MIXED.items():
        config = mixed_recipe(work, seed, name=f"mixed_{seed}_{arm}", stages=["grpo"])
        if arm != "hybrid":
            config.pop("reward")
        config |= changes
        if "judge" in config["rewards"]:
            config["rewards"] = {**config["rewards"], "judge": {"kind": "reward_model", "path": str(judge)}}
        folder = run(from_start(config, start), work)
        found[arm] = measured(shown, newest_model(folder), folder / "measured.json")
    return found


def parts(work: Path, seed: int) -> Arms:
    """All arms of one seed."""
    start = cold_start(work)
    shown = parts_recipe(work, seed)
    found = {START: measured(shown, start, work / f"parts_{seed}_start.json")}
    for arm, changes in PARTS.items():
        config = parts_recipe(work, seed, name=f"parts_{seed}_{arm}", stages=["grpo"], **changes)
        folder = run(from_start(config, start), work)
        found[arm] = measured(shown, newest_model(folder), folder / "measured.json")
        found[arm]["advantages"] = distinct_advantages(folder)
    return found


def from_start(config: dict[str, Any], start: Path) -> dict[str, Any]:
    """The recipe, from the cold-started weights; what it is worth is measured afterwards."""
    model = {**config["model"], "source": str(start)}
    return {**config, "model": model, "eval": {**config["eval"], "num_problems": 0}}


def measured(config: dict[str, Any], model: Path, kept: Path) -> dict[str, list[float]]:
    """By rules alone, problem by problem; kept in a file."""
    if not kept.exists():
        asked = parse_config(RunConfig, {**config, "eval": {**config["eval"], **EVAL}})
        kept.write_text(json.dumps(evaluate_recipe(asked, model=str(model))["per_problem"]))
    found: dict[str, list[float]] = json.loads(kept.read_text())
    return found


def distinct_advantages(folder: Path) -> list[float]:
    """How many different advantages the groups had, of each group in all steps."""
    counts = []
    for file in sorted((folder / "completions").glob("completions_grpo_*.parquet")):
        groups: dict[int, set[float]] = defaultdict(set)
        for row in pq.read_table(file, columns=["group", "advantage"]).to_pylist():
            groups[row["group"]].add(round(row["advantage"], 6))
        counts += [float(len(values)) for values in groups.values()]
    return counts


def pooled(runs: Runs, arm: str, metric: str) -> list[float]:
    """Of all seeds, one after the other."""
    return [value for seed in sorted(runs[arm]) for value in runs[arm][seed][metric]]


def change(runs: Runs, arm: str, baseline: str, metric: str) -> tuple[float, float, float]:
    """Mean of the paired differences and its 95 % interval."""
    gaps = [
        after - before
        for after, before in zip(pooled(runs, arm, metric), pooled(runs, baseline, metric), strict=True)
    ]
    found = bootstrap_interval(
        torch.tensor(gaps, dtype=torch.float64),
        num_resamples=4000,
        generator=torch.Generator().manual_seed(0),
    )
    return float(found.mean), float(found.low), float(found.high)


def shown(found: tuple[float, float, float], scale: float = 1.0) -> str:
    value, low, high = (scale * item for item in found)
    digits = 1 if scale > 1 else 2
    mark = "**" if low > 0 or high < 0 else ""
    return f"{mark}{value:+.{digits}f}{mark} [{low:+.{digits}f}, {high:+.{digits}f}]"


MIXED_METRICS = {
    "sums: right, %": ("sampled_accuracy/sums", 100.0),
    "lists: quality in [-1, 1]": ("sampled_value/lists", 1.0),
    "lists: perfect, %": ("sampled_accuracy/lists", 100.0),
    "all: right or perfect, %": ("sampled_accuracy", 100.0),
}
PARTS_METRICS = {
    "right, %": ("sampled_accuracy", 100.0),
    "boxed, %": ("format_rate", 100.0),
}
Metrics = Mapping[str, tuple[str, float]]


def table(runs: Runs, metrics: Metrics) -> list[str]:
    """Means of each seed, and changes from the start."""
    lines = [f"| arm | {' | '.join(metrics)} |", f"|---|{'---|' * len(metrics)}"]
    for arm, seeds in runs.items():
        cells = []
        for metric, scale in metrics.values():
            means = [scale * statistics.fmean(seeds[seed][metric]) for seed in sorted(seeds)]
            cell = " / ".join(f"{mean:.1f}" if scale > 1 else f"{mean:.2f}" for mean in means)
            cells.append(
                cell if arm == START else f"{cell}, {shown(change(runs, arm, START, metric), scale)}"
            )
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return lines


def claims(runs: Runs, comparisons: Sequence[tuple[str, str, str]], metrics: Metrics) -> list[str]:
    """One arm against another, in words and numbers."""
    return [
        f"- {arm} minus {baseline}, {label}: {shown(change(runs, arm, baseline, metrics[label][0]), metrics[label][1])}"
        for arm, baseline, label in comparisons
    ]


def mixed_text(runs: Runs) -> list[str]:
    comparisons = [("hybrid", arm, label) for label in MIXED_METRICS for arm in ("rules", "model", "control")]
    return [
        f"## A mixed stream, seeds {', '.join(runs[START])}",
         "", *table(runs, MIXED_METRICS), "", *claims(runs, comparisons, MIXED_METRICS)
    ]  # fmt: skip


def parts_text(runs: Runs) -> list[str]:
    comparisons = [("gdpo", arm, label) for label in PARTS_METRICS for arm in ("grpo", "control")]
    counts = {arm: statistics.fmean(pooled(runs, arm, "advantages")) for arm in ("gdpo", "grpo")}
    return [
        f"## Two rewards of different difficulty, seeds {', '.join(runs[START])}",
         "", *table(runs, PARTS_METRICS), "",
        *claims(runs, comparisons, PARTS_METRICS),
        f"- different advantages in a group of 8, mean: gdpo {counts['gdpo']:.2f}, grpo {counts['grpo']:.2f}",
    ]  # fmt: skip


def picture(runs: Runs) -> str:
    """Change on sums against change on lists: from the start a line to every arm, a panel a seed."""

    def moved(arm: str, seed: str) -> tuple[float, float]:
        x, y = (
            statistics.fmean(runs[arm][seed][metric]) - statistics.fmean(runs[START][seed][metric])
            for metric in ("sampled_accuracy/sums", "sampled_value/lists")
        )
        return round(100.0 * x), y

    arms = [arm for arm in runs if arm != START]
    found = [
        Panel(
            title=f"seed {seed}: lists, change of quality",
            x_label="sums, change of right answers in points",
            series={arm: [(0.0, 0.0), moved(arm, seed)] for arm in arms},
            log=False,
        )
        for seed in runs[START]
    ]
    return panels(found, "A mixed stream: what each reward taught")


Experiment = tuple[Callable[[Path, int], Arms], Callable[[Runs], list[str]]]
EXPERIMENTS: dict[str, Experiment] = {"mixed": (mixed, mixed_text), "parts": (parts, parts_text)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=[*EXPERIMENTS], help="one of the two experiments")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--work", type=Path, default=Path("runs/hybrid"), help="folder of the runs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results = ROOT / "benchmarks" / "results"
    path = results / "hybrid.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for seed in args.seeds:
        for name in [args.only] if args.only else EXPERIMENTS:
            begun = time.time()
            runs = record.setdefault(name, {})
            for arm, found in EXPERIMENTS[name][0](args.work, seed).items():
                runs.setdefault(arm, {})[str(seed)] = found
            print(f"{name}, seed {seed}: {time.time() - begun:.0f} s", flush=True)
            path.write_text(json.dumps(record) + "\n")
            write(record, results)


def write(record: dict[str, Any], results: Path) -> None:
    """Tables and picture of all that has been measured."""
    text = [line for name, runs in record.items() for line in (*EXPERIMENTS[name][1](runs), "")]
    if "mixed" in record:
        (ROOT / "docs" / "assets" / "hybrid.svg").write_text(picture(record["mixed"]))
    machine = f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}"
    note = "A value a seed, then the change from the start with its interval, bold where it leaves out 0."
    lines = ["# Rewards put together", "", str(__doc__), f"{note} {machine}, one thread.", "", *text]
    (results / "hybrid.md").write_text("\n".join(lines))
    print("\n".join(text), flush=True)


if __name__ == "__main__":
    main()
