"""`guerdon import`: a TRL or verl configuration to a recipe, with every key of theirs accounted for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from guerdon.cli.command import Command

if TYPE_CHECKING:
    from guerdon.interop.draft import Draft


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "framework", choices=("trl", "verl"), metavar="trl|verl", help="whose configuration it is"
    )
    parser.add_argument(
        "config",
        metavar="CONFIG",
        type=Path,
        help="YAML, a shell script, or (trl) a Python script; never executed",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write the recipe here instead of to stdout"
    )


def _run(args: argparse.Namespace) -> int:
    import sys

    from guerdon.core.config import parse_config
    from guerdon.core.errors import UserError
    from guerdon.interop.draft import to_toml
    from guerdon.run.config import RunConfig

    if args.output is not None and args.output.exists():
        raise UserError(f"{args.output}: exists already; choose another name, or delete it first")
    draft = _read(args.framework, args.config)
    # Theirs may hold what no recipe can: better told here than at the first training.
    parse_config(RunConfig, draft.recipe, where=f"{args.config}, translated")
    text = to_toml(draft.recipe, _header(draft, args.framework, args.config))
    if args.output is None:
        _write_mapping(draft, sys.stderr)
        sys.stdout.write(text)
    else:
        args.output.write_text(text, encoding="utf-8")
        _write_mapping(draft, sys.stdout)
        sys.stdout.write(f"\nrecipe  {args.output}\nnext    guerdon check {args.output}\n")
    return 0


def _read(framework: str, path: Path) -> Draft:
    from guerdon.interop.trl_files import read_trl
    from guerdon.interop.verl import read_verl

    return (read_trl if framework == "trl" else read_verl)(path)


def _write_mapping(draft: Draft, file: TextIO) -> None:
    from guerdon.cli.table import write_table
    from guerdon.interop.draft import Fate

    order = list(Fate)
    lines = sorted(draft.lines, key=lambda line: order.index(line.fate))
    rows = [(line.theirs, _shown(line.value), line.fate, line.ours, line.note) for line in lines]
    write_table(["theirs", "value", "", "ours", "note"], rows, file=file)


def _shown(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _header(draft: Draft, framework: str, path: Path) -> str:
    """The comment at the top of the recipe: where it is from, and what is still to do."""
    from guerdon.interop.draft import Fate

    lines = [f"Translated from {path.name} ({framework}) by guerdon import."]
    for fate in (Fate.BY_HAND, Fate.MISSING):
        lines += [
            f"{fate}: {line.theirs}: {line.ours} {line.note}" for line in draft.lines if line.fate is fate
        ]
    return "\n".join(" ".join(line.split()) for line in lines)


COMMAND = Command(
    summary="turn a TRL or verl configuration into a recipe",
    details="Prints what each of their keys became, what is not needed here, and what has no counterpart.",
    examples=(
        ("guerdon import trl grpo.yaml -o mine.toml", "a TRL YAML file"),
        ("guerdon import trl train.py -o mine.toml", "a script with GRPOConfig(...); it is read, not run"),
        ("guerdon import verl run.sh > mine.toml", "verl's key=value overrides in a shell script"),
    ),
    configure=_configure,
    run=_run,
)
