"""`guerdon prefs`: make preference data from models' own answers, and learn from it what each part of a reward weighs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.cli.command import Command, add_overrides

if TYPE_CHECKING:
    from collections import Counter

    from guerdon.data.preferences.reading import PreferenceSet
    from guerdon.run.fit_weights import FittedWeights


def _configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="make|pair|weights")
    make = actions.add_parser("make", help="sample answers, label them, pair them", allow_abbrev=False)
    make.add_argument("recipe", metavar="RECIPE", help='a TOML file that begins with kind = "preferences"')
    make.add_argument(
        "--output", metavar="FILE", type=Path, required=True, help="where the pairs go, as JSON Lines"
    )
    add_overrides(make)
    pair = actions.add_parser(
        "pair", help="make pairs of lists that people have labelled since", allow_abbrev=False
    )
    pair.add_argument("recipe", metavar="RECIPE", help="the one that the lists were made with: its [pairing]")
    pair.add_argument("lists", metavar="FILE", help="lists of responses with scores, ranks or a preference")
    pair.add_argument(
        "--output", metavar="FILE", type=Path, required=True, help="where the pairs go, as JSON Lines"
    )
    add_overrides(pair)
    weights = actions.add_parser(
        "weights", help="learn which part of a reward matters for which prompt", allow_abbrev=False
    )
    weights.add_argument(
        "recipe", metavar="RECIPE", help="whose [rewards] are weighed, of a policy or of preferences"
    )
    weights.add_argument("data", metavar="DATA", help="preferences in any layout, as JSON Lines or Parquet")
    weights.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        required=True,
        help="where the weights go: path of [reward.learned]",
    )
    weights.add_argument(
        "--of", metavar="A,B", help="the parts; default: those of the recipe's learned node, or all"
    )
    weights.add_argument(
        "--held-out", metavar="SHARE", type=float, default=0.2, help="of the prompts, to judge the weights on"
    )
    add_overrides(weights)


def _run(args: argparse.Namespace) -> int:
    return {"make": _make, "pair": _pair, "weights": _weights}[args.action](args)


def _make(args: argparse.Namespace) -> int:
    from guerdon.cli.extras import need_training
    from guerdon.cli.table import write_line
    from guerdon.run.config_preferences import PreferencesRunConfig
    from guerdon.run.recipe import load_recipe_of

    config = load_recipe_of(PreferencesRunConfig, args.recipe, args.overrides)
    need_training("guerdon prefs make")
    from guerdon.run.make_preferences import make_preferences, why_no_pair

    made = make_preferences(config, args.output)
    later = config.rewards is None
    what = "lists that wait for labels" if later else "pairs"
    write_line(f"{made.path}: {made.num_pairs} {what} about {made.num_problems} problems")
    _tell_left_out(made.left_out)
    if not made.num_pairs:
        write_line(f"no {'list' if later else 'pair'}: {why_no_pair(made)}")
        return 2
    if later:
        write_line(
            "fill in score in each response (or ranks, or preference, in the row), then: "
            f"guerdon prefs pair {args.recipe} {made.path} --output pairs.jsonl"
        )
    return 0


def _pair(args: argparse.Namespace) -> int:
    from guerdon.cli.table import write_line
    from guerdon.run.config_preferences import PreferencesRunConfig
    from guerdon.run.pair_lists import pair_lists
    from guerdon.run.recipe import load_recipe_of

    config = load_recipe_of(PreferencesRunConfig, args.recipe, args.overrides)
    found = pair_lists(config, args.lists, args.output)
    write_line(
        f"{args.output}: {len(found.pairs)} pairs of {found.num_rows} lists, judged by {_judges(found)}"
    )
    _tell_left_out(found.left_out)
    return 0 if found.pairs else 2


def _judges(found: PreferenceSet) -> str:
    return ", ".join(dict.fromkeys(pair.source for pair in found.pairs)) or "nobody"


def _tell_left_out(left_out: Counter[str]) -> None:
    from guerdon.cli.table import write_line

    for reason, count in left_out.most_common():
        write_line(f"left out: {count} {reason}")


def _weights(args: argparse.Namespace) -> int:
    from guerdon.cli.extras import need_training
    from guerdon.core.errors import UserError
    from guerdon.run.recipe import load_rubric

    if not 0.0 < args.held_out < 1.0:
        raise UserError(
            f"guerdon prefs weights: --held-out {args.held_out:g}: expected more than 0 and less than 1"
        )
    rewards = load_rubric(args.recipe, args.overrides)
    need_training("guerdon prefs weights")
    from guerdon.run.fit_weights import fit_weights, parts_to_mix
    from guerdon.run.reward_files import PAIRS, read_eval_file

    names = [name.strip() for name in args.of.split(",")] if args.of else []
    parts = parts_to_mix(rewards, names)
    pairs = read_eval_file(args.data, layout=PAIRS).pairs
    found = fit_weights(rewards, parts, pairs, held_out=args.held_out)
    _tell(found)
    try:
        found.gate.save(args.output)
    except OSError as error:
        raise UserError(f"{args.output}: cannot be written: {error.strerror or error}") from None
    _tell_use(args.output, parts)
    return 0


def _tell(found: FittedWeights) -> None:
    from guerdon.cli.table import write_line, write_table
    from guerdon.explain.words import change, plain, span

    write_line(f"{found.num_train} comparisons to learn from, {found.num_held_out} held out")
    _tell_left_out(found.left_out)
    rows = [
        (
            row.name,
            f"{plain(row.held_out.value, '%')} ({span(row.held_out, '%')})",
            plain(row.train.value, "%"),
            row.weights,
        )
        for row in found.rows
    ]
    write_table(["", "held out, %", "training, %", "mean weights"], rows)
    ends = f" ({span(found.change, '%')})" if found.change.low is not None else ""
    write_line(
        f"gate against {found.best_fixed} (best on the training side): {change(found.change.value, '%')} points{ends}"
    )
    if found.change.low is None or found.change.low <= 0.0:
        write_line(
            "the gain is not distinguishable from none: use a sum with fixed weights, or give more pairs"
        )


def _tell_use(path: Path, parts: tuple[str, ...]) -> None:
    from guerdon.cli.table import write_line

    names = ", ".join(f'"{part}"' for part in parts)
    write_line(f'{path}; in a recipe: [reward.learned] path = "{path}", of = [{names}]')


COMMAND = Command(
    summary="make preference data from models' own answers; learn a reward's weights from preferences",
    details="Answers are sampled from one or more models, labelled by the recipe's rewards (without any: by people,\n"
    "later) and paired. The same command goes on after an interruption.",
    examples=(
        ("guerdon prefs make preferences --output pairs.jsonl", "the shipped recipe"),
        (
            "guerdon prefs make mine.toml --output pairs.jsonl --set sampling.num_generations=8",
            "more answers a problem",
        ),
        (
            "guerdon prefs pair mine.toml lists.jsonl --output pairs.jsonl",
            "of a recipe without [rewards], after people have labelled the lists",
        ),
        (
            "guerdon prefs weights mine.toml pairs.jsonl --output weights.json",
            "which part of [rewards] matters for which prompt, on held-out pairs against fixed weights",
        ),
    ),
    configure=_configure,
    run=_run,
)
