"""What a command is. Standard library only: `guerdon --help` imports every command and nothing heavier."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One word after `guerdon`. Third parties register theirs under the entry point `guerdon.commands`."""

    summary: str
    """One line for `guerdon --help`."""
    examples: tuple[tuple[str, str], ...]
    """Command lines and what each does, for the command's own help."""
    configure: Callable[[argparse.ArgumentParser], None]
    """Adds the arguments."""
    run: Callable[[argparse.Namespace], int]
    """Does the work, importing what it needs; returns the exit code."""
    details: str = ""
    """A paragraph for the command's own help."""


def make_parser(name: str, command: Command) -> argparse.ArgumentParser:
    """The parser of one command, with its examples below the options."""
    width = max((len(line) for line, _ in command.examples), default=0)
    shown = "\n".join(f"  {line:<{width}}  {what}" for line, what in command.examples)
    parser = argparse.ArgumentParser(
        prog=f"guerdon {name}",
        description="\n\n".join(part for part in (command.summary, command.details) if part),
        epilog=f"examples:\n{shown}" if shown else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.configure(parser)
    return parser


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """The one option that reaches every field of a recipe."""
    parser.add_argument(
        "--set",
        metavar="PATH=VALUE",
        dest="overrides",
        action="append",
        default=[],
        help="change a field of the recipe, e.g. --set rollout.num_generations=16; may be repeated",
    )
