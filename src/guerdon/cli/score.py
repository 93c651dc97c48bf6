"""`guerdon score`: a file of answers, scored. Torch is never imported.

DATA --rubric of a recipe, or verifiers by name--> OUT (one row an answer, with evidence) and a table
DATA --several verifiers--> where they disagree
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.cli.command import Command, add_overrides
from guerdon.core.errors import ConfigError, UserError

if TYPE_CHECKING:
    from guerdon.data.config import JsonlConfig, ParquetConfig
    from guerdon.rewards.config import VerifierConfig
    from guerdon.rewards.rubric_config import RubricConfig
    from guerdon.run.config import RunConfig
    from guerdon.run.score_compare import Comparison
    from guerdon.run.score_tally import Column, Tally

COLUMNS = ("prompt", "target", "id")
"""Columns that an option names; the answer's own stands apart, as no problem has it."""
MAX_REASONS = 12
"""Reasons written out; the others are counted."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", metavar="DATA", help="a .jsonl, .jsonl.gz or .parquet file with a column of answers"
    )
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument(
        "--recipe", metavar="R", help="score with the [rewards] of a recipe (file or shipped name)"
    )
    how.add_argument(
        "--verifier", metavar="A,B", help="score with these: a kind, math_verify, or file.py:function"
    )
    how.add_argument(
        "--compare", metavar="A,B,C", help="score with each of these, and show where they disagree"
    )
    parser.add_argument("--output", metavar="OUT", type=Path, help="rows with evidence: .jsonl or .parquet")
    parser.add_argument("--overwrite", action="store_true", help="begin the output again")
    parser.add_argument(
        "--completion-column", metavar="NAME", default="completion", help="where the answer stands"
    )
    for name in COLUMNS:
        parser.add_argument(f"--{name}-column", metavar="NAME", help=f"where the {name} stands")
    parser.add_argument(
        "--without",
        metavar="PART",
        action="append",
        default=[],
        help="leave a part of the recipe out, also of its [reward]",
    )
    parser.add_argument("--limit", metavar="N", type=int, help="score the first N rows only")
    parser.add_argument("--workers", metavar="N", type=int, help="processes; as many as there are processors")
    parser.add_argument(
        "--row-timeout",
        metavar="SECONDS",
        type=float,
        default=90.0,
        help="past it, the row's worker is killed and the row could not be verified",
    )
    add_overrides(parser)


def _run(args: argparse.Namespace) -> int:
    from guerdon.run.progress import Display
    from guerdon.run.score import ScoreJob, available_cpus, score_file
    from guerdon.run.score_compare import Comparison

    rewards, recipe = choose_rewards(args)
    job = ScoreJob(
        data=_data(args, recipe),
        rewards=rewards,
        completion=args.completion_column,
        output=args.output,
        overwrite=args.overwrite,
        num_workers=_positive("--workers", args.workers) or available_cpus(),
        timeout_s=_positive("--row-timeout", args.row_timeout),
    )
    comparison = Comparison(list(rewards.rewards)) if args.compare else None
    with Display() as display:
        tally = score_file(job, display, comparison)
    if comparison:
        _write_comparison(comparison)
    _write_tally(tally, reward=not args.compare)
    if args.output:
        from guerdon.cli.table import write_line

        write_line(f"\n{tally.rows:,} rows in {args.output}")
    return 0


def choose_rewards(args: argparse.Namespace) -> tuple[RubricConfig, RunConfig | None]:
    """What to score with, and the recipe if it comes from a whole one.

    Raises:
        ConfigError: every problem of the recipe or of the names.
    """
    from guerdon.core.config import EntryError
    from guerdon.rewards.pruning import pruned
    from guerdon.rewards.rubric_config import RubricConfig
    from guerdon.run.recipe import load_rewards

    if args.recipe:
        chosen, recipe = load_rewards(args.recipe, args.overrides)
    else:
        recipe = None
        chosen = RubricConfig(verifiers_by_name(args.verifier or args.compare, args.overrides))
        if args.compare and len(chosen.rewards) < 2:
            raise UserError(f"guerdon score: --compare {args.compare}: expected at least two, as a,b")
    for name in args.without:
        if name not in chosen.rewards:
            parts = ", ".join(chosen.rewards)
            raise UserError(f"guerdon score: --without {name}: no such part; there are {parts}")
    if not chosen.rewards.keys() - set(args.without):
        raise UserError("guerdon score: no part is left to score with")
    try:
        return pruned(chosen, args.without), recipe
    except EntryError as error:
        where = f"guerdon score --without {','.join(args.without)}"
        raise ConfigError([issue.line(where) for issue in error.issues]) from None


def verifiers_by_name(names: str, overrides: Sequence[str]) -> dict[str, VerifierConfig]:
    """Configs of "math,math_verify,file.py:function", with `--set math.extract=boxed` applied.

    Raises:
        ConfigError: a name that is none, or an override that does not fit.
    """
    from guerdon.core.config import EntryError
    from guerdon.rewards.config import parse_rewards
    from guerdon.run.recipe import parse_override

    table: dict[str, dict[str, Any]] = {}
    for word in filter(None, (part.strip() for part in names.split(","))):
        name, entry = _entry(word)
        while name in table:
            name += "'"
        table[name] = entry
    for text in overrides:
        path, value = parse_override(text)
        *owner, key = path[1:] if path[0] == "rewards" else path
        if len(owner) != 1 or owner[0] not in table:
            raise ConfigError(f"--set {text}: expected VERIFIER.FIELD=VALUE, with one of {', '.join(table)}")
        table[owner[0]][key] = value
    try:
        parsed: dict[str, VerifierConfig] = parse_rewards(table)
    except EntryError as error:
        raise ConfigError([issue.line() for issue in error.issues]) from None
    return parsed


def _entry(word: str) -> tuple[str, dict[str, Any]]:
    if word == "math_verify":
        from guerdon.interop.math_verify import PATH, need_math_verify

        need_math_verify()
        return word, {"kind": "function", "path": PATH}
    if ":" in word:
        return word.rpartition(":")[2], {"kind": "function", "path": word}
    return word, {"kind": word}


def _data(args: argparse.Namespace, recipe: RunConfig | None) -> JsonlConfig | ParquetConfig:
    """The file; its columns as the options say, else as the recipe's own training file has them."""
    from guerdon.data.config import JsonlConfig, ParquetConfig, TableConfig

    columns: dict[str, str] = {}
    layout: Any = "auto"
    if recipe and isinstance(recipe.data.train, TableConfig):
        columns, layout = dict(recipe.data.train.columns), recipe.data.train.layout
    named = {name: getattr(args, f"{name}_column") for name in COLUMNS}
    columns |= {name: value for name, value in named.items() if value}
    limit = _positive("--limit", args.limit)
    kind = ParquetConfig if args.data.endswith(".parquet") or Path(args.data).is_dir() else JsonlConfig
    return kind(path=args.data, columns=columns, layout=layout, limit=limit)


def _positive(option: str, value: Any) -> Any:
    if value is not None and not value > 0:
        raise UserError(f"guerdon score: {option} {value:g}: expected more than 0")
    return value


def _write_tally(tally: Tally, *, reward: bool) -> None:
    from guerdon.cli.table import write_line, write_table

    columns: Mapping[str, Column] = tally.parts | ({"reward": tally.reward} if reward else {})
    rows = [
        (
            name,
            f"{tally.weights[name]:g}" if name in tally.weights else "",
            _number(column.mean),
            _share(column.pass_rate),
            f"{column.unverified:,} ({_share(column.unverified / max(1, tally.rows))})",
        )
        for name, column in columns.items()
    ]
    write_table(["part", "weight", "mean", "pass", "could not verify"], rows)
    reasons = tally.reasons()
    if reasons:
        write_line()
        write_table(
            ["could not verify", "part", "rows", "for example"],
            [(r.why, r.part, f"{r.rows:,}", r.example) for r in reasons[:MAX_REASONS]],
        )
    if len(reasons) > MAX_REASONS:
        write_line(f"... and {len(reasons) - MAX_REASONS} further reasons")
    if tally.timed:
        seconds, slowest = tally.slowest
        mean = f"{1000 * tally.seconds / tally.timed:.3g} ms a row in verifiers"
        write_line(f"\n{mean}; the slowest, {slowest}, took {seconds:.3g} s")


def _write_comparison(comparison: Comparison) -> None:
    from guerdon.cli.table import write_line, write_table

    write_table(
        ["first", "second", "agree", "first higher", "second higher", "only first", "only second", "neither"],
        [[str(cell) for cell in pair] for pair in comparison.pairs()],
    )
    examples = comparison.examples()
    if examples:
        write_line(f"\n{comparison.disagreements:,} rows are judged differently, for example:\n")
        write_table(
            ["id", *comparison.names, "target", "answer"],
            [(e.id, *(_number(value) for value in e.values), e.target, e.answer) for e in examples],
        )
    write_line()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


COMMAND = Command(
    summary="score a file of answers with a recipe's rubric, or compare verifiers on it",
    details=(
        "Each row of OUT holds id, value (a number, or null where nobody could tell) and parts with their evidence.\n"
        "Stopped in the middle, the same command goes on where it was."
    ),
    examples=(
        ("guerdon score answers.jsonl --recipe mine.toml --output scored.jsonl", "with a recipe's rewards"),
        (
            "guerdon score answers.parquet --verifier math --target-column answer",
            "one verifier, only the table",
        ),
        ("guerdon score answers.jsonl --verifier math --set math.extract=boxed", "with another setting"),
        ("guerdon score answers.jsonl --compare math,math_verify,mine.py:check", "where they disagree"),
    ),
    configure=_configure,
    run=_run,
)
