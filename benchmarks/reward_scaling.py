"""How accurate is a reward model, by the number of pairs it was trained on? Nested subsets of real preferences.

    python benchmarks/reward_scaling.py [--seeds 3] [--minutes 60] [--model pypi:minilm-l6]

Human preferences of four sources (hh-rlhf harmless, Tulu, PandaLM, LLMBar) from the shared data folder, without ties and
without what does not fit; judgements that stand twice count once. A prompt is on one side only. Every model sees the same
held-out pairs; the smaller training sets are the beginnings of the larger ones, with the same mix of sources. The control
trains on pairs with sides swapped at random: it must stay at chance. The other yardstick takes the longer response.
Learning rate chosen on another split (--split).

Goes on where it was: every finished run stands in STATE/runs.jsonl with its verdict on each held-out pair, an unfinished
one in a run folder beside it that is resumed. After each run the results are written anew from what is there, so a day's
end or a Ctrl-C loses nothing. Results: benchmarks/results/reward_scaling.{json,md,svg}.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import platform
import random
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from peers import cpu_name

from guerdon.explain.read import Interval
from guerdon.explain.reward_model.agreement import scaling
from guerdon.explain.reward_model.intervals import wilson, wilson_of_means
from guerdon.explain.reward_model.rows import ScoredPair, read_pairs
from guerdon.run.build_reward import pairs_file, run_reward_recipe
from guerdon.run.config import RunOptions
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.folder import METRICS, read_records

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DATA = HERE.parent.parent / "shared" / "data" / "pref.jsonl.gz"
STATE = HERE.parent / "runs" / "reward_scaling"
SIZES = (85, 175, 350, 700, 1400)
MAX_CHARS = 600
"""Of the dialogue and the longer response: about 150 tokens."""
CONTROL = "sides swapped at random"
LENGTH = "the longer response"
SETTINGS = ("model", "epochs", "learning_rate", "split", "held_out", "max_tokens")
"""Runs under other ones are other experiments."""

Run = dict[str, Any]


def read(path: Path) -> dict[str, list[list[dict[str, Any]]]]:
    """Source to prompts, each with its pairs."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    with gzip.open(path, "rt") as file:
        for row in map(json.loads, file):
            sides = row["chosen"], row["rejected"]
            if row.get("tie") or not all(isinstance(side, str) and side.strip() for side in sides):
                continue
            said = sum(len(message["content"]) for message in row["prompt"])
            if sides[0] != sides[1] and said + max(map(len, sides)) <= MAX_CHARS:
                name = row["source"].split("-")[0]
                kept = {key: row[key] for key in ("prompt", "chosen", "rejected")}
                found[name][json.dumps(row["prompt"])].append(kept)
    return {name: list(prompts.values()) for name, prompts in found.items()}


def split(path: Path, num_held: int, seed: int) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """(source, pair) to train on and held out; either has the sources mixed evenly, so that any beginning has them too."""
    sides: tuple[list[tuple[float, str, Any]], list[tuple[float, str, Any]]] = ([], [])
    sources = read(path)
    total = sum(len(pairs) for prompts in sources.values() for pairs in prompts)
    for name, prompts in sources.items():
        draw = random.Random(f"{seed}/{name}")
        draw.shuffle(prompts)
        count = sum(map(len, prompts))
        here: tuple[list[Any], list[Any]] = ([], [])
        for pairs in prompts:
            here[len(here[1]) < num_held * count / total].extend(pairs)
        for side, pairs in zip(sides, here, strict=True):
            draw.shuffle(pairs)
            side.extend(((place + 0.5) / len(pairs), name, pair) for place, pair in enumerate(pairs))
    for side in sides:
        side.sort(key=lambda item: item[:2])
    train, held = ([(name, pair) for _, name, pair in side] for side in sides)
    return train, held


def write_sets(folder: Path, rows: list[tuple[str, Any]]) -> None:
    """One file a source."""
    folder.mkdir(parents=True)
    for name in sorted({name for name, _ in rows}):
        text = "".join(json.dumps(pair) + "\n" for one, pair in rows if one == name)
        (folder / f"{name}.jsonl").write_text(text)


def sets_in(folder: Path) -> dict[str, Any]:
    """Those files as tables of a recipe."""
    return {path.stem: {"kind": "jsonl", "path": str(path)} for path in sorted(folder.glob("*.jsonl"))}


def swapped(rows: list[tuple[str, Any]], seed: int) -> list[tuple[str, Any]]:
    """Half of the pairs, drawn at random, the other way round."""
    draw = random.Random(f"swap/{seed}")
    return [
        (name, {**pair, "chosen": pair["rejected"], "rejected": pair["chosen"]} if draw.random() < 0.5 else pair)
        for name, pair in rows
    ]  # fmt: skip


def train(
    rows: list[tuple[str, Any]], held: dict[str, Any], seed: int, folder: Path, args: Any
) -> tuple[list[ScoredPair], int]:
    """Held-out pairs as a model scores them that was trained on `rows`, and its seconds; an unfinished run is resumed."""
    place = folder / "rm"
    if not (place / "config.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        write_sets(folder / "train", rows)
    config = RewardRunConfig.model_validate(
        {
            "name": "rm", "output_dir": str(folder), "seed": seed, "report_to": [], "save_steps": 20,
            "save_total_limit": 1, "model": {"source": args.model},
            "data": {"train": sets_in(folder / "train"), "eval": held},
            "input": {"max_length": 512},
            "train": {
                "num_train_epochs": args.epochs, "batch_size": 8, "learning_rate": args.learning_rate,
                "warmup_steps": 5, "max_tokens_per_microbatch": args.max_tokens,
            },
            "eval": {"before": False, "max_tokens": args.max_tokens},
        }
    )  # fmt: skip
    resume = place if (place / "config.json").is_file() else None
    result = run_reward_recipe(config, RunOptions(resume=resume))
    steps = read_records(result.folder / METRICS)  # of all sessions
    seconds = round(sum(line["metrics"]["step_time"] for line in steps))
    return read_pairs(pairs_file(result.folder, "after rm")), seconds


def planned(args: argparse.Namespace, num_pairs: int) -> Iterator[tuple[int, bool, int]]:
    """(pairs, whether the control, seed) in the order of the work: seed by seed, so that what is there is balanced."""
    sizes = [size for size in args.sizes if size <= num_pairs]
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for size in sizes:
            yield size, False, seed
        if not args.no_control:
            yield min(args.control_size, num_pairs), True, seed


def experiment(args: argparse.Namespace) -> str:
    """A name for everything that two runs must share to stand in one table."""
    shared = {name: getattr(args, name) for name in SETTINGS}
    shared |= {"data": hashlib.sha256(args.data.read_bytes()).hexdigest(), "torch": torch.__version__}
    shared |= {"transformers": transformers.__version__}
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:12]


def finished(path: Path, name: str) -> list[Run]:
    """The runs of this experiment that are done."""
    lines = path.read_text().splitlines() if path.is_file() else []
    runs = [json.loads(line) for line in lines if line.endswith("}")]
    kept = [run for run in runs if run["experiment"] == name]
    if len(kept) < len(runs):
        print(f"{path}: {len(runs) - len(kept)} runs under other settings are left aside", flush=True)
    return kept


def measure(args: argparse.Namespace, report: Any) -> None:
    """What is left of the work; `report` is called with all that is done after each run."""
    started = time.monotonic()
    pool, held = split(args.data, args.held_out, args.split)
    held = list(
        {json.dumps(item): item for item in held}.values()
    )  # judged alike twice: once, as training reads it
    name = experiment(args)
    state = args.state / name
    state.mkdir(parents=True, exist_ok=True)
    done = finished(args.state / "runs.jsonl", name)
    if not (state / "held").is_dir():
        write_sets(state / "held", held)
    tables = sets_in(state / "held")
    jobs = list(planned(args, len(pool)))

    def told() -> dict[str, Any]:
        wanted = [run for run in done if (run["size"], run["control"], run["seed"]) in jobs]
        settings = {key: getattr(args, key) for key in SETTINGS}
        return {
            "settings": settings, "planned": len(jobs), "train_pairs": len(pool), "held_out_pairs": len(held),
            "python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
            "runs": wanted, "length": by_length(held),
        }  # fmt: skip

    report(told())
    for size, control, seed in jobs:
        if any((run["size"], run["control"], run["seed"]) == (size, control, seed) for run in done):
            continue
        if args.minutes and time.monotonic() - started > 60 * args.minutes:
            print("time is up; run it again to go on", flush=True)
            return
        rows = swapped(pool[:size], seed) if control else pool[:size]
        folder = state / f"{size}-{seed}{'-control' if control else ''}"
        pairs, seconds = train(rows, tables, seed, folder, args)
        run = {
            "experiment": name, "size": size, "control": control, "seed": seed, "seconds": seconds,
            "machine": cpu_name(), "verdicts": [[pair.set, pair.hit] for pair in pairs],
        }  # fmt: skip
        with (args.state / "runs.jsonl").open("a") as file:
            file.write(json.dumps(run) + "\n")
        shutil.rmtree(folder)
        done.append(run)
        print(size, CONTROL if control else "", seed, share(run["verdicts"]), run["seconds"], "s", flush=True)
        report(told())


def by_length(held: list[tuple[str, Any]]) -> list[list[Any]]:
    """[source, verdict] of each held-out pair, if the longer response were the better one."""
    gaps = [(name, len(pair["chosen"]) - len(pair["rejected"])) for name, pair in held]
    return [[name, 0.5 if gap == 0 else float(gap > 0)] for name, gap in gaps]


def share(verdicts: list[list[Any]], source: str = "all") -> Interval | None:
    hits = [hit for name, hit in verdicts if hit is not None and source in ("all", name)]
    return wilson(math.fsum(hits), len(hits)) if hits else None


def mean_share(runs: list[Run], source: str = "all") -> Interval | None:
    """Over seeds: the same held-out pairs, judged by several models, are no more pairs than one model's."""
    rows = zip(*([tuple(entry) for entry in run["verdicts"]] for run in runs), strict=True)
    means = [
        sum(hit for _, hit in row) / len(runs)
        for row in rows
        if all(hit is not None for _, hit in row) and source in ("all", row[0][0])
    ]
    return wilson_of_means(means, len(runs)) if means else None


def per_doubling(runs: list[Run]) -> float | None:
    """Least-squares gain over the means of the seeds."""

    def pairs(run: Run) -> list[ScoredPair]:
        known = [hit for _, hit in run["verdicts"] if hit is not None]
        return [ScoredPair(id=str(n), chosen_score=hit, rejected_score=0.5) for n, hit in enumerate(known)]

    found = scaling((run["size"], pairs(run)) for run in runs if not run["control"])
    return found.per_doubling if found else None


def groups(found: dict[str, Any]) -> dict[tuple[bool, int], list[Run]]:
    """(whether the control, pairs) to its runs, one a seed; controls last."""
    rows: dict[tuple[bool, int], list[Run]] = defaultdict(list)
    for run in sorted(found["runs"], key=lambda run: (run["control"], run["size"], run["seed"])):
        rows[run["control"], run["size"]].append(run)
    return dict(rows)


def figures(found: dict[str, Any]) -> dict[str, Any]:
    """The JSON of the results: shares instead of single verdicts."""
    sources = ["all", *sorted({name for name, _ in found["length"]})]

    def shares(verdicts: list[list[Any]]) -> dict[str, Any]:
        known = {source: share(verdicts, source) for source in sources}
        return {source: one and [one.value, one.low, one.high] for source, one in known.items()}

    runs = [
        {
            **{key: value for key, value in run.items() if key != "verdicts"},
            "accuracy": shares(run["verdicts"]),
        }
        for run in found["runs"]
    ]
    return {
        **found,
        "runs": runs,
        "length": shares(found["length"]),
        "per_doubling": per_doubling(found["runs"]),
    }


def cell(found: Interval | None) -> str:
    if found is None or found.low is None or found.high is None:
        return "-"
    return f"{100 * found.value:.1f} ({100 * found.low:.0f}-{100 * found.high:.0f})"


def markdown(found: dict[str, Any], args: argparse.Namespace) -> str:
    settings, runs = found["settings"], found["runs"]
    sources = ["all", *sorted({name for name, _ in found["length"]})]
    seconds, machines = sum(run["seconds"] for run in runs), sorted({run["machine"] for run in runs})
    left = found["planned"] - len(runs)
    lines = [
        "# Accuracy of a reward model by the number of training pairs",
        "",
        f"`python benchmarks/reward_scaling.py --seeds {args.seeds} --epochs {settings['epochs']:g}` ({settings['model']}, "
        f"all weights, scalar head, learning rate {settings['learning_rate']:g}, one thread, {seconds / 60:.0f} minutes in "
        f"all). {', '.join(machines)}, Python {found['python']}, torch {found['torch']}, transformers "
        f"{found['transformers']}. Human preferences; {found['held_out_pairs']} held-out pairs about their own prompts, "
        "the same for every model. Accuracy in %, with a Wilson 95 % interval over the held-out pairs; of several seeds "
        "the mean, as of as many verdicts as they amount to.",
        *(["", f"Not finished: {left} of {found['planned']} runs are missing."] if left else []),
        "",
        "![Accuracy by the number of training pairs](reward_scaling.svg)",
        "",
        f"| training pairs | seeds | {' | '.join(sources)} |",
        f"|---|---:|{'---:|' * len(sources)}",
    ]
    rows = groups(found)
    for (control, size), group in rows.items():
        name = f"{size:,}" + (f", {CONTROL}" if control else "")
        cells = [cell(mean_share(group, source)) for source in sources]
        lines.append(f"| {name} | {len(group)} | {' | '.join(cells)} |")
    lines.append(
        f"| {LENGTH} | - | {' | '.join(cell(share(found['length'], source)) for source in sources)} |"
    )
    counts = [sum(source in ("all", name) for name, _ in found["length"]) for source in sources]
    told = ", ".join(f"{source} {count}" for source, count in zip(sources, counts, strict=True))
    lines += ["", f"Held-out pairs: {told}."]
    gain = per_doubling(runs)
    if gain is not None:
        lines += [
            "",
            f"Least-squares gain per doubling, over the means of the seeds: {100 * gain:+.1f} points.",
        ]
    if any(len(group) > 1 for group in rows.values()):
        seeds = sorted({run["seed"] for run in runs})
        lines += [
            "",
            f"| all, seed by seed | {' | '.join(map(str, seeds))} |",
            f"|---|{'---:|' * len(seeds)}",
        ]
        for (control, size), group in rows.items():
            by_seed = {run["seed"]: cell(share(run["verdicts"])) for run in group}
            name = f"{size:,}" + (f", {CONTROL}" if control else "")
            lines.append(f"| {name} | {' | '.join(by_seed.get(seed, '-') for seed in seeds)} |")
    return "\n".join(lines) + "\n"


def picture(found: dict[str, Any]) -> str:
    """Each run with its interval over a logarithmic axis, chance dashed, means joined; controls, if any, in grey."""
    width, height, left, top = 560, 280, 52, 30
    rows = groups(found)
    sizes = sorted({size for _, size in rows})
    first = min(run["seed"] for run in found["runs"])
    shares = {id(run): share(run["verdicts"]) for run in found["runs"]}
    low = min([0.4, *(one.low or 0.0 for one in shares.values() if one)])
    high = max([0.75, *(one.high or 0.0 for one in shares.values() if one)])
    reach = math.log2(sizes[-1] / sizes[0]) or 1.0

    def at(size: float, value: float) -> tuple[float, float]:
        x = left + 24 + (width - 48) * math.log2(size / sizes[0]) / reach
        return x, top + height * (high - value) / (high - low)

    words = "training pairs" + (f"; grey: {CONTROL}" if any(control for control, _ in rows) else "")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 16} {top + height + 46}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Accuracy by number of pairs">',
        "<style>text{fill:#333}.g{stroke:#ccc;stroke-width:.7}.d{stroke:#999;stroke-dasharray:4 3}"
        ".c{stroke:#999;fill:#999}.l{stroke:#2a6fb0;fill:#2a6fb0;stroke-width:1.4}.m{fill:none;stroke:#2a6fb0;"
        "stroke-width:1.6}@media(prefers-color-scheme:dark){text{fill:#ddd}.g{stroke:#555}}</style>",
        f'<text x="{left}" y="16" font-weight="600">Held-out accuracy, %</text>',
    ]
    for tick in range(math.ceil(10 * low), math.floor(10 * high) + 1):
        y = at(sizes[0], tick / 10)[1]
        parts.append(
            f'<path class="{"d" if tick == 5 else "g"}" d="M{left} {y:.1f}h{width}"/>'
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{10 * tick}</text>'
        )
    parts += [
        f'<text x="{at(size, low)[0]:.1f}" y="{top + height + 18}" text-anchor="middle">{size:,}</text>'
        for size in sizes
    ]
    parts.append(f'<text x="{left + width}" y="{top + height + 38}" text-anchor="end">{words}</text>')
    means = {size: mean_share(group) for (control, size), group in rows.items() if not control}
    spots = [at(size, mean.value) for size, mean in means.items() if mean]
    if spots:
        parts.append(f'<path class="m" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in spots)}"/>')
    for run in found["runs"]:
        one = shares[id(run)]
        if one is None:
            continue
        x = at(run["size"], 0.5)[0] + 4 * (run["seed"] - first) + (14 if run["control"] else 0)
        y, above, below = (at(1, value or 0.0)[1] for value in (one.value, one.high, one.low))
        parts.append(
            f'<g class="{"c" if run["control"] else "l"}"><circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
            f'<path d="M{x:.1f} {above:.1f}V{below:.1f}"/></g>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=2)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--held-out", type=int, default=400)
    parser.add_argument("--max-tokens", type=int, default=1024, help="of one forward pass")
    parser.add_argument("--control-size", type=int, default=700)
    parser.add_argument(
        "--split", type=int, default=1, help="which prompts are held out; 0 was for the settings"
    )
    parser.add_argument("--model", default="pypi:minilm-l6")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--state", type=Path, default=STATE, help="where finished and unfinished runs are kept"
    )
    parser.add_argument("--minutes", type=float, help="begin no run after so long; the next call goes on")
    parser.add_argument("--no-control", action="store_true")
    parser.add_argument("--dry-run", action="store_true", help="write no results")
    args = parser.parse_args()
    torch.set_num_threads(1)

    def report(found: dict[str, Any]) -> None:
        if not found["runs"]:
            return
        text = markdown(found, args)
        print(text, flush=True)
        if not args.dry_run:
            (RESULTS / "reward_scaling.json").write_text(json.dumps(figures(found), indent=1) + "\n")
            (RESULTS / "reward_scaling.md").write_text(text)
            (RESULTS / "reward_scaling.svg").write_text(picture(found))

    measure(args, report)


if __name__ == "__main__":
    main()
