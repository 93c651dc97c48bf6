"""`guerdon doctor`: what this machine and installation can do, and what is missing."""

from __future__ import annotations

import argparse

from guerdon.cli.command import Command


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs and bug reports")


def _run(args: argparse.Namespace) -> int:
    from guerdon.cli.machine import findings
    from guerdon.cli.table import write_json, write_table

    found = findings()
    if args.json:
        write_json([dict(item._asdict()) for item in found])
        return 0
    rows, topic = [], ""
    for item in found:
        rows.append((item.topic if item.topic != topic else "", item.name, item.found, item.todo))
        topic = item.topic
    write_table(["", "what", "found", "what to do"], rows)
    return 0


COMMAND = Command(
    summary="what this machine and installation can do, and what is missing",
    examples=(
        ("guerdon doctor", "a table to read"),
        ("guerdon doctor --json", "the same to paste into a bug report"),
    ),
    configure=_configure,
    run=_run,
)
