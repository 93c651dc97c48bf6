"""How accurate is a reward model, by the number of pairs it was trained on? Nested subsets of real preferences.

    python benchmarks/reward_scaling.py [--seeds 1] [--epochs 1] [--model pypi:minilm-l6]

Human preferences of four sources (hh-rlhf harmless, Tulu, PandaLM, LLMBar) from the shared data folder, without ties and
without what does not fit; judgements that stand twice count once. A prompt is on one side only. Every model sees the same
held-out pairs; the smaller training sets are the beginnings of the larger ones, with the same mix of sources. The control
trains on 700 pairs with sides swapped at random: it must stay at chance. The other yardstick takes the longer response.
Learning rate chosen on another split (--split). Results: benchmarks/results/reward_scaling.{json,md,svg}.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import platform
import random
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
import transformers
from peers import cpu_name

from guerdon.explain.reward_model.agreement import scaling
from guerdon.explain.reward_model.intervals import wilson
from guerdon.explain.reward_model.rows import ScoredPair, read_pairs
from guerdon.run.build_reward import pairs_file, run_reward_recipe
from guerdon.run.config_reward import RewardRunConfig

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DATA = HERE.parent.parent / "shared" / "data" / "pref.jsonl.gz"
SIZES = (85, 175, 350, 700, 1400)
MAX_CHARS = 600
"""Of the dialogue and the longer response: about 150 tokens."""
CONTROL = "sides swapped at random"
LENGTH = "the longer response"


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


def write_sets(folder: Path, rows: list[tuple[str, Any]]) -> dict[str, Any]:
    """One file a source, as tables of a recipe."""
    folder.mkdir(parents=True)
    tables = {}
    for name in sorted({name for name, _ in rows}):
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(pair) + "\n" for one, pair in rows if one == name))
        tables[name] = {"kind": "jsonl", "path": str(path)}
    return tables


def swapped(rows: list[tuple[str, Any]], seed: int) -> list[tuple[str, Any]]:
    """Half of the pairs, drawn at random, the other way round."""
    draw = random.Random(f"swap/{seed}")
    return [
        (name, {**pair, "chosen": pair["rejected"], "rejected": pair["chosen"]} if draw.random() < 0.5 else pair)
        for name, pair in rows
    ]  # fmt: skip


def train(rows: list[tuple[str, Any]], held: dict[str, Any], seed: int, args: Any) -> list[ScoredPair]:
    """The held-out pairs as a model scores them that was trained on `rows`."""
    with tempfile.TemporaryDirectory() as place:
        config = RewardRunConfig.model_validate(
            {
                "name": "rm", "output_dir": place, "seed": seed, "report_to": [],
                "model": {"source": args.model},
                "data": {"train": write_sets(Path(place) / "train", rows), "eval": held},
                "input": {"max_length": 512},
                "train": {
                    "num_train_epochs": args.epochs, "batch_size": 8, "learning_rate": args.learning_rate,
                    "warmup_steps": 5, "max_tokens_per_microbatch": args.max_tokens,
                },
                "eval": {"before": False, "max_tokens": args.max_tokens},
            }
        )  # fmt: skip
        result = run_reward_recipe(config)
        return read_pairs(pairs_file(result.folder, "after rm"))


def share(pairs: list[ScoredPair]) -> dict[str, float]:
    hits = [pair.hit for pair in pairs if pair.hit is not None]
    found = wilson(math.fsum(hits), len(hits))
    return {"value": found.value, "low": found.low or 0.0, "high": found.high or 0.0, "pairs": len(hits)}


def by_source(pairs: list[ScoredPair]) -> dict[str, dict[str, float]]:
    names = sorted({pair.domain for pair in pairs})
    return {
        "all": share(pairs),
        **{name: share([p for p in pairs if p.domain == name]) for name in names},
    }


def by_length(held: list[tuple[str, Any]]) -> list[ScoredPair]:
    """Scores that are lengths."""
    return [
        ScoredPair(
            id=str(number),
            domain=name,
            chosen_score=float(len(pair["chosen"])),
            rejected_score=float(len(pair["rejected"])),
        )
        for number, (name, pair) in enumerate(held)
    ]


def measure(args: argparse.Namespace) -> dict[str, Any]:
    pool, held = split(args.data, args.held_out, args.split)
    held = list(
        {json.dumps(item): item for item in held}.values()
    )  # judged alike twice: once, as training reads it
    sizes = [size for size in args.sizes if size <= len(pool)]
    runs: list[dict[str, Any]] = []
    kept: list[tuple[int, list[ScoredPair]]] = []
    started = time.time()
    with tempfile.TemporaryDirectory() as place:
        tables = write_sets(Path(place) / "held", held)
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            for size in (*sizes, *([CONTROL] if seed == args.first_seed and not args.no_control else [])):
                number = size if isinstance(size, int) else min(args.control_size, len(pool))
                rows = pool[:number] if isinstance(size, int) else swapped(pool[:number], seed)
                begun = time.time()
                pairs = train(rows, tables, seed, args)
                found = {
                    "size": number,
                    "control": size == CONTROL,
                    "seed": seed,
                    "seconds": time.time() - begun,
                }
                runs.append({**found, "accuracy": by_source(pairs)})
                if size != CONTROL:
                    kept.append((number, pairs))
                print(size, seed, runs[-1]["accuracy"]["all"], round(runs[-1]["seconds"]), flush=True)
    trend = scaling(kept)
    names = ("model", "epochs", "learning_rate", "split", "seeds", "first_seed")
    return {
        "machine": cpu_name(), "python": platform.python_version(), "torch": torch.__version__,
        "transformers": transformers.__version__, "settings": {name: getattr(args, name) for name in names},
        "seconds": time.time() - started, "train_pairs": len(pool), "held_out_pairs": len(held), "runs": runs,
        "length": by_source(by_length(held)), "per_doubling": trend.per_doubling if trend else None,
    }  # fmt: skip


def markdown(found: dict[str, Any]) -> str:
    settings = found["settings"]
    sources = list(found["length"])
    lines = [
        "# Accuracy of a reward model by the number of training pairs",
        "",
        f"`python benchmarks/reward_scaling.py --seeds {settings['seeds']} --epochs {settings['epochs']:g}` "
        f"({settings['model']}, all weights, scalar head, learning rate {settings['learning_rate']:g}, one thread, "
        f"{found['seconds'] / 60:.0f} minutes in all). {found['machine']}, Python {found['python']}, torch "
        f"{found['torch']}, transformers {found['transformers']}. Human preferences; {found['held_out_pairs']} held-out "
        "pairs about prompts of their own, the same for every model. Accuracy in %, with Wilson's 95 % interval over the "
        "held-out pairs.",
        "",
        "![Accuracy by the number of training pairs](reward_scaling.svg)",
        "",
        f"| training pairs | seed | {' | '.join(sources)} |",
        f"|---|---:|{'---:|' * len(sources)}",
    ]

    def row(name: str, seed: str, accuracy: dict[str, dict[str, float]]) -> None:
        cells = [
            f"{100 * cell['value']:.1f} ({100 * cell['low']:.0f}-{100 * cell['high']:.0f})"
            for cell in (accuracy[source] for source in sources)
        ]
        lines.append(f"| {name} | {seed} | {' | '.join(cells)} |")

    for run in sorted(found["runs"], key=lambda run: (run["control"], run["size"], run["seed"])):
        name = f"{run['size']:,}" + (f", {CONTROL}" if run["control"] else "")
        row(name, str(run["seed"]), run["accuracy"])
    row(LENGTH, "-", found["length"])
    counts = ", ".join(f"{name} {cell['pairs']}" for name, cell in found["length"].items())
    lines += ["", f"Held-out pairs: {counts}."]
    if found["per_doubling"] is not None:
        lines += ["", f"Least-squares gain per doubling: {100 * found['per_doubling']:+.1f} points."]
    return "\n".join(lines) + "\n"


def picture(found: dict[str, Any]) -> str:
    """Runs with their intervals over a logarithmic axis, chance dashed, the control in grey."""
    width, height, left, top = 560, 280, 52, 30
    runs = found["runs"]
    sizes = sorted({run["size"] for run in runs})
    low, high = 0.4, max(0.75, max(run["accuracy"]["all"]["high"] for run in runs))
    reach = math.log2(sizes[-1] / sizes[0]) or 1.0

    def at(size: float, value: float) -> tuple[float, float]:
        x = left + 24 + (width - 48) * math.log2(size / sizes[0]) / reach
        return x, top + height * (high - value) / (high - low)

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
    parts.append(
        f'<text x="{left + width}" y="{top + height + 38}" text-anchor="end">training pairs; grey: {CONTROL}</text>'
    )
    means = []
    for size in sizes:
        here = [run["accuracy"]["all"]["value"] for run in runs if run["size"] == size and not run["control"]]
        means.append(at(size, sum(here) / len(here)))
    parts.append(f'<path class="m" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in means)}"/>')
    for run in runs:
        cell = run["accuracy"]["all"]
        shift = 8 if run["control"] else 4 * (run["seed"] - found["settings"]["first_seed"])
        (x, y), top_y, end_y = (
            at(run["size"], cell["value"]),
            at(1, cell["high"])[1],
            at(1, cell["low"])[1],
        )
        parts.append(
            f'<g class="{"c" if run["control"] else "l"}"><circle cx="{x + shift:.1f}" cy="{y:.1f}" r="3"/>'
            f'<path d="M{x + shift:.1f} {top_y:.1f}V{end_y:.1f}"/></g>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seeds", type=int, default=1)
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
    parser.add_argument("--no-control", action="store_true")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(args)
    print(markdown(found))
    if not args.dry_run:
        (RESULTS / "reward_scaling.json").write_text(json.dumps(found, indent=1) + "\n")
        (RESULTS / "reward_scaling.md").write_text(markdown(found))
        (RESULTS / "reward_scaling.svg").write_text(picture(found))


if __name__ == "__main__":
    main()
