"""How much faster is a run whose rewards, sampling and learning overlap, and does it learn as much?

    python benchmarks/overlap.py [--seeds 0 1 2 3] [--steps 100]

The world: "list letters". A 0.4M-parameter policy whose answers differ much in length. Right is an answer with six
different letters and none twice, says a judge behind HTTP (overlap_judge.py); verdicts take 0.1 s in the median, at most 2.
Every arm makes the same number of steps of the same recipe on one core, one run at a time:

    synchronous        sample all, then score all, then learn
    while decoding     the same; groups are scored while others are being written
    staleness 1, 2     sampling and scoring of later steps while this one learns (`rollout.staleness`)

Accuracy: the share of right answers to held-out prompts at the end; two runs that differ in nothing but their seed end
several points apart, so intervals are over runs (seeds first, then prompts). Runs that are done are not made again
(--work), so an interrupted benchmark goes on where it stood. Results: benchmarks/results/overlap.{json,md} and
docs/assets/overlap.svg.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from figures import Panel, panels
from hacking import problems, small_model, write_rows
from overlap_judge import LETTERS, MAX_S, MEDIAN_S, is_right
from peers import RESULTS, machine, place

from guerdon.core.types import Message, Problem
from guerdon.models.config import ModelConfig
from guerdon.models.loading import load_policy
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run import build
from guerdon.run.config import RunConfig

ROOT = Path(__file__).parents[1]
MAX_LENGTH = 40
NUM_PROMPTS = 640
SYNCHRONOUS = "synchronous"
ARMS = {SYNCHRONOUS: 0, "while decoding": 0, "staleness 1": 1, "staleness 2": 2}
TARGET = 1.3
SPAN = 10
"""Steps that a point of the picture is the mean of."""
Found = dict[str, dict[str, dict[str, Any]]]
"""Arm to seed to what one run found."""


def answer(draw: random.Random) -> str:
    """As the policy begins: a few letters, and one answer in eight rambles on."""
    length = draw.randint(18, MAX_LENGTH - 6) if draw.random() < 0.125 else draw.randint(2, 7)
    said = draw.sample(LETTERS, min(length, 6))
    return "".join([*said, *(draw.choice(LETTERS) for _ in range(length - len(said)))])


def supervised(work: Path, seed: int) -> str:
    """The policy that every arm of a seed begins with."""
    folder = work / f"sft{seed}"
    done = folder / "done"
    if not done.exists():
        draw = random.Random(f"overlap/{seed}")
        rows = [{"prompt": text, "solution": answer(draw)} for text in trained()]
        start = small_model(work / f"start{seed}", seed)
        config = RunConfig.model_validate(
            {
                "name": folder.name, "output_dir": str(work), "seed": seed, "stages": ["sft"], "save_steps": 1000,
                "model": {"source": start, "dtype": "float32"},
                "data": {"train": {"kind": "jsonl", "path": write_rows(work / f"sft{seed}.jsonl", rows)}},
                "rewards": {"coin": {"kind": "random"}}, "rollout": {"max_completion_length": MAX_LENGTH},
                "sft": {"max_steps": 150, "batch_size": 32, "learning_rate": 3e-3, "warmup_steps": 5},
                "eval": {"num_problems": 0}, "log_completions": False,
            }
        )  # fmt: skip
        path = build.run_recipe(config).model
        done.write_text(str(path))
    return done.read_text()


def is_held(number: int) -> bool:
    """Whether this prompt is kept for the end."""
    return number % 10 == 0


def trained() -> list[str]:
    """The other prompts."""
    return [text for number, text in enumerate(problems(NUM_PROMPTS)) if not is_held(number)]


def accuracies(model: str) -> list[float]:
    """Share of right answers to each held-out prompt; the same random numbers every time."""
    policy = load_policy(ModelConfig(source=model, dtype="float32"))
    held = [
        Problem(id=f"held{number}", messages=(Message(role="user", content=f"{number}: list letters"),))
        for number in range(NUM_PROMPTS)
        if is_held(number)
    ]
    sampling = SamplingConfig(max_completion_length=MAX_LENGTH)
    groups = Rollouter(policy, LocalEngine(policy)).rollout(held, sampling, num_generations=16, seed=7)
    return [statistics.fmean(is_right(rollout.text) for rollout in group.rollouts) for group in groups]


RATIO = "sampling/importance_sampling_ratio/mean"
"""A step in which no group teaches has none."""


def never(rubric: Rubric) -> bool:
    """In place of `streams`."""
    return False


def run_one(arm: str, seed: int, url: str, args: argparse.Namespace) -> None:
    """One run, in this process; leaves result.json in its folder."""
    name = f"{arm.replace(' ', '_')}-{seed}"
    policy = supervised(args.work, seed)
    if arm == SYNCHRONOUS:  # what a recipe cannot ask for: score nothing before all is sampled
        build.streams = never  # type: ignore[attr-defined]
    rows = [{"prompt": text} for text in trained()]
    config = RunConfig.model_validate(
        {
            "name": name, "output_dir": str(args.work), "seed": seed, "stages": ["grpo"], "save_steps": 1000,
            "model": {"source": policy, "dtype": "float32"},
            "data": {"train": {"kind": "jsonl", "path": write_rows(args.work / f"prompts-{name}.jsonl", rows)}},
            "rollout": {
                "max_completion_length": MAX_LENGTH, "num_generations": 8, "generation_batch_size": 64,
                "max_batch_rows": 32, "staleness": ARMS[arm],
            },
            "rewards": {"judge": {"kind": "remote", "protocol": "openrlhf", "url": url, "cache_size": 0}},
            "algorithm": {"name": "grpo", "importance_sampling_correction": "truncate"},
            "train": {"max_steps": args.steps, "learning_rate": 3e-4, "lr_scheduler_type": "linear"},
            "eval": {"num_problems": 0, "accuracy": "judge"}, "log_completions": False,
        }
    )  # fmt: skip
    began = time.perf_counter()
    model = build.run_recipe(config).model
    whole = time.perf_counter() - began
    folder = args.work / name
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["metrics"] for line in lines]
    assert all(step["rewards/judge/unverified"] == 0 for step in steps), "the judge did not keep up"
    result = {
        "seconds": sum(step["step_time"] for step in steps), "whole_s": whole,
        "step_s": [step["step_time"] for step in steps], "reward": [step["reward"] for step in steps],
        "rollout_s": statistics.fmean(step["timing_s/rollout"] for step in steps),
        "score_s": statistics.fmean(step["timing_s/score"] for step in steps),
        "wait_s": statistics.fmean(step.get("timing_s/wait", 0.0) for step in steps),
        "learn_s": statistics.fmean(
            sum(step.get(f"timing_s/{name}", 0.0) for name in ("logprobs", "forward", "backward", "update"))
            for step in steps
        ),
        "staleness": statistics.fmean(step.get("sampling/staleness/mean", 0.0) for step in steps),
        "ratio": statistics.fmean(step[RATIO] for step in steps[3:] if RATIO in step),
        "before": accuracies(policy), "after": accuracies(str(model)),
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))


@contextlib.contextmanager
def judged() -> Iterator[str]:
    """Address of the judge."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("overlap_judge.py"))], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    if not url:
        raise SystemExit(f"the judge ended with code {process.wait()}")
    try:
        yield url
    finally:
        process.terminate()
        process.wait()


def interval(runs: dict[str, dict[str, Any]], base: dict[str, dict[str, Any]]) -> tuple[float, float, float]:
    """Mean difference in accuracy to the runs of `base`; 95 % interval by two-level bootstrap: seeds, then prompts."""
    gaps = [
        [after - other for after, other in zip(runs[seed]["after"], base[seed]["after"], strict=True)]
        for seed in sorted(runs)
    ]
    draw = random.Random(0)
    means = sorted(
        statistics.fmean(
            statistics.fmean(draw.choices(one, k=len(one))) for one in draw.choices(gaps, k=len(gaps))
        )
        for _ in range(2000)
    )
    return statistics.fmean(map(statistics.fmean, gaps)), means[50], means[-51]


def pooled(runs: dict[str, dict[str, Any]], key: str) -> list[float]:
    return [value for seed in sorted(runs) for value in runs[seed][key]]


def table(found: Found) -> list[str]:
    lines = [
        "| arm | s a step | speedup (each seed) | sampling s | scoring after it s | learning s | waiting s | staleness "
        "| right before | right after (each seed) | difference to synchronous |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    base = found[SYNCHRONOUS]
    for arm, runs in found.items():
        seeds = [seed for seed in runs if seed in base]
        if not seeds:
            continue
        times = {seed: runs[seed]["seconds"] / len(runs[seed]["step_s"]) for seed in seeds}
        ratios = [base[seed]["seconds"] / runs[seed]["seconds"] for seed in seeds]
        mean = {
            key: statistics.fmean(runs[seed][key] for seed in seeds)
            for key in ("rollout_s", "score_s", "learn_s", "wait_s", "staleness")
        }
        after, before = pooled({seed: runs[seed] for seed in seeds}, "after"), pooled(runs, "before")
        each = ", ".join(f"{100 * statistics.fmean(runs[seed]['after']):.0f}" for seed in seeds)
        middle, low, high = interval({seed: runs[seed] for seed in seeds}, base)
        shown = f"{100 * middle:+.1f} % ({100 * low:+.1f} to {100 * high:+.1f})" if arm != SYNCHRONOUS else ""
        lines.append(
            f"| {arm} | {statistics.fmean(times.values()):.2f} | **{statistics.fmean(ratios):.2f}** "
            f"({', '.join(f'{ratio:.2f}' for ratio in ratios)}) | {mean['rollout_s']:.2f} | {mean['score_s']:.2f} "
            f"| {mean['learn_s']:.2f} | {mean['wait_s']:.2f} | {mean['staleness']:.2f} "
            f"| {100 * statistics.fmean(before):.1f} % | {100 * statistics.fmean(after):.1f} % ({each}) | {shown} |"
        )
    return lines


def verdict(found: Found) -> str:
    """In words: whether some arm is fast enough and has learned as much."""
    base = found[SYNCHRONOUS]
    good = []
    for arm, runs in found.items():
        if arm == SYNCHRONOUS or set(runs) != set(base):
            continue
        ratio = statistics.fmean(base[seed]["seconds"] / runs[seed]["seconds"] for seed in runs)
        _, low, high = interval(runs, base)
        if ratio >= TARGET and low <= 0.0 <= high:
            good.append(f"{arm} ({ratio:.2f})")
        elif ratio >= TARGET and low > 0.0:
            good.append(f"{arm} ({ratio:.2f}, and more accurate)")
    gain = statistics.fmean(pooled(base, "after")) - statistics.fmean(pooled(base, "before"))
    learned = f"The synchronous runs gain {100 * gain:.1f} points of accuracy, so there is something to lose."
    if not good:
        return f"{learned} No arm reaches {TARGET} times the synchronous loop without losing accuracy."
    return f"{learned} At least {TARGET} times as fast, with an accuracy that does not differ: {', '.join(good)}."


def picture(found: Found) -> str:
    """Mean reward of the last steps against seconds since the start, a panel a seed."""
    shown = []
    for seed in found[SYNCHRONOUS]:
        series = {
            arm: list(
                zip(itertools.accumulate(runs[seed]["step_s"]), smooth(runs[seed]["reward"]), strict=True)
            )
            for arm, runs in found.items()
        }
        shown.append(Panel(f"seed {seed}", "seconds since the start", series, log=False))
    return panels(shown, f"Reward, mean of the last {SPAN} steps")


def smooth(values: list[float]) -> list[float]:
    """The mean of each value and of those before it, `SPAN` at most."""
    return [statistics.fmean(values[max(0, at - SPAN + 1) : at + 1]) for at in range(len(values))]


def write(found: Found, args: argparse.Namespace, about: dict[str, Any]) -> None:
    command = f"python benchmarks/overlap.py --seeds {' '.join(map(str, args.seeds))} --steps {args.steps}"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "overlap.json").write_text(
        json.dumps({"command": command, "machine": about, "results": found}, indent=1) + "\n"
    )
    head = [
        "# Overlap: rewards while decoding, and sampling while learning",
        "",
        f"`{command}`: {args.steps} steps of GRPO (64 answers each, at most {MAX_LENGTH} tokens) of a 0.4M-parameter "
        f"policy on one core. The reward is a judge behind HTTP whose verdicts take {MEDIAN_S} s in the median and up to "
        f"{MAX_S:g} s, side by side; it sleeps meanwhile, for it stands for a model on another machine. Every arm makes "
        "the same number of steps. Seconds are wall-clock, all steps, means over steps and seeds; the speedup is against "
        "the synchronous run of the same seed. Waiting: seconds the learner waited for a step's scored answers. Right: "
        "share of right answers to 64 held-out prompts, 16 answers each, all seeds; differences with bootstrap 95 % "
        f"intervals over prompts. {place(about)}, torch {torch.__version__}.",
        "",
    ]
    (RESULTS / "overlap.md").write_text("\n".join([*head, *table(found), "", verdict(found)]) + "\n")
    (ROOT / "docs" / "assets" / "overlap.svg").write_text(picture(found))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--work", type=Path, default=Path("runs/overlap"), help="folder of the runs")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    if args.arm:
        run_one(args.arm, args.seeds[0], args.url, args)
        return
    about = machine()
    found: Found = {arm: {} for arm in ARMS}
    with judged() as url:
        for seed in args.seeds:
            supervised(args.work, seed)
            for arm in ARMS:
                result = args.work / f"{arm.replace(' ', '_')}-{seed}" / "result.json"
                if not result.exists():
                    once(arm, seed, url, args)
                found[arm][str(seed)] = json.loads(result.read_text())
            write(found, args, about)
    print((RESULTS / "overlap.md").read_text())


def once(arm: str, seed: int, url: str, args: argparse.Namespace) -> None:
    """One run in a process of its own; what an interrupted one has left is thrown away."""
    folder = args.work / f"{arm.replace(' ', '_')}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, __file__, "--arm", arm, "--seeds", str(seed), "--url", url]
    done = subprocess.run(
        [*command, "--steps", str(args.steps), "--work", str(args.work)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{arm}, seed {seed}: {done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
