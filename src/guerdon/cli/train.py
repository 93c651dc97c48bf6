"""`guerdon train`: a recipe to a trained model, its results and its report."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.cli.command import Command, add_overrides
from guerdon.core.errors import UserError

if TYPE_CHECKING:
    from guerdon.run.config import RunConfig
    from guerdon.run.settings import RunSettings


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe",
        nargs="?",
        metavar="RECIPE",
        help="a TOML file or the name of a shipped recipe (guerdon list recipes)",
    )
    add_overrides(parser)
    parser.add_argument(
        "--resume", metavar="RUN", type=Path, help="go on with this run folder; RECIPE may then be left out"
    )
    parser.add_argument(
        "--replay-rollouts",
        metavar="RUN",
        type=Path,
        dest="replay",
        help="train from the rollouts recorded in this run folder, without generating",
    )


def _run(args: argparse.Namespace) -> int:
    from guerdon.cli.extras import need_training
    from guerdon.run.config import RunOptions

    config = _config(args)
    need_training("guerdon train")
    from guerdon.cli.table import write_line
    from guerdon.explain.terminal import results_table
    from guerdon.run.build import run_recipe
    from guerdon.run.reward_report import write_reports

    started = time.time()
    try:
        result = run_recipe(config, RunOptions(resume=args.resume, replay=args.replay))
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(how_to_resume(args.resume, config, started, str(error))) from None
    if result.evals:
        write_line(results_table(result.evals))
    write_line(f"model   {result.model}")
    write_line(f"report  {write_reports(result.folder)}")
    return 0


def _config(args: argparse.Namespace) -> RunConfig:
    from guerdon.run.recipe import load_recipe, load_run

    if args.recipe is not None:
        return load_recipe(args.recipe, args.overrides)
    if args.resume is None:
        raise UserError(
            "guerdon train: which RECIPE? Try: guerdon train quickstart (guerdon list recipes shows all)"
        )
    return load_run(args.resume, args.overrides)


def how_to_resume(
    resumed: Path | None, config: RunSettings, started: float, what: str, *, command: str = "guerdon train"
) -> str:
    """What was interrupted, and the line that goes on with it."""
    folder = resumed or _newest_run(Path(config.output_dir), config.name, started)
    lead = what or "interrupted"
    if folder is None or not any((folder / "checkpoints").glob("checkpoint-*")):
        return f"{lead}; nothing is saved yet, so the same command starts again"
    return f"{lead}\nresume with: {command} --resume {folder}"


def _newest_run(output_dir: Path, name: str, since: float) -> Path | None:
    """The folder this run made: the newest one of its name that is not older than the command."""
    folders = [path for path in (output_dir / name, *output_dir.glob(f"{name}-*")) if path.is_dir()]
    fresh = [path for path in folders if path.stat().st_mtime >= since - 1.0]
    return max(fresh, key=lambda path: path.stat().st_mtime, default=None)


COMMAND = Command(
    summary="train a model by a recipe, and write its report",
    details="Evaluates before and after each stage. Ctrl-C finishes the step and saves; twice stops at once.",
    examples=(
        ("guerdon train quickstart", "the shipped recipe, under 20 minutes on two CPU cores"),
        ("guerdon train mine.toml --set train.max_steps=60", "a recipe of your own, one field changed"),
        ("guerdon train --resume runs/quickstart", "go on after an interruption, bit for bit"),
        ("guerdon train mine.toml --replay-rollouts runs/first", "another algorithm on the same rollouts"),
    ),
    configure=_configure,
    run=_run,
)
