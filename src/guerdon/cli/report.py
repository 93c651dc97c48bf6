"""`guerdon report`: write a run's report.html again, from its folder alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from guerdon.cli.command import Command


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder, for example runs/quickstart")


def _run(args: argparse.Namespace) -> int:
    from guerdon.cli.table import write_line

    write_line(str(_write(args.run)))
    return 0


def _write(run: Path) -> Path:
    from guerdon.run.folder import kind_of
    from guerdon.run.reward_report import write_reports, write_reward_report

    return write_reward_report(run) if kind_of(run) == "reward_model" else write_reports(run)


COMMAND = Command(
    summary="write report.html of a run, finished or still going",
    examples=(("guerdon report runs/quickstart", "prints the path of the page: one file, works offline"),),
    configure=_configure,
    run=_run,
)
