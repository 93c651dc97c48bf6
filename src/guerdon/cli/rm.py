"""`guerdon rm`: train a reward model, and measure one."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from guerdon.cli.command import Command, add_overrides


def _configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="train|eval")
    train = actions.add_parser("train", help="train a reward model by a recipe", allow_abbrev=False)
    train.add_argument(
        "recipe", nargs="?", metavar="RECIPE", help="a TOML file or the name of a shipped recipe"
    )
    add_overrides(train)
    train.add_argument("--resume", metavar="RUN", type=Path, help="go on with this run folder")
    measure = actions.add_parser(
        "eval", help="measure reward models on pairs, lists or a benchmark", allow_abbrev=False
    )
    _configure_eval(measure)


def _configure_eval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models",
        metavar="MODEL_OR_RUN",
        nargs="+",
        help="a reward model's folder, or a run folder of guerdon rm train; several are compared with each other",
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        action="append",
        default=[],
        help="preferences in any layout, or the rows of RewardBench, RewardBench 2 or RM-Bench, as JSON Lines or Parquet; "
        "default: the (first) run's own held-out pairs; may be repeated",
    )
    parser.add_argument(
        "--layout",
        metavar="NAME",
        default="auto",
        help="of the files, where their columns do not tell: pairs, rewardbench, rewardbench2, rm-bench",
    )
    parser.add_argument("--limit", metavar="N", type=int, help="at most so many rows of each file")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="also write every scored pair as JSON Lines"
    )
    parser.add_argument("--report", metavar="FILE.html", type=Path, help="also write a page with pictures")


def _run(args: argparse.Namespace) -> int:
    from guerdon.cli.extras import need_training

    need_training(f"guerdon rm {args.action}")
    return _train(args) if args.action == "train" else _eval(args)


def _train(args: argparse.Namespace) -> int:
    from guerdon.cli.table import write_line
    from guerdon.cli.train import how_to_resume
    from guerdon.core.errors import UserError
    from guerdon.run.build_reward import run_reward_recipe
    from guerdon.run.config import RunOptions
    from guerdon.run.config_reward import RewardRunConfig
    from guerdon.run.recipe import load_recipe_of, load_run_of

    if args.recipe is not None:
        config = load_recipe_of(RewardRunConfig, args.recipe, args.overrides)
    elif args.resume is not None:
        config = load_run_of(RewardRunConfig, args.resume, args.overrides)
    else:
        raise UserError(
            "guerdon rm train: which RECIPE? guerdon list recipes shows those that come with guerdon"
        )
    started = time.time()
    try:
        result = run_reward_recipe(config, RunOptions(resume=args.resume))
    except KeyboardInterrupt as error:
        told = how_to_resume(args.resume, config, started, str(error), command="guerdon rm train")
        raise KeyboardInterrupt(told) from None
    from guerdon.explain.terminal import reward_table
    from guerdon.run.reward_report import write_reward_report

    if result.evals:
        write_line(reward_table(result.evals))
    write_line(f"model   {result.model}")
    if result.evals:
        write_line(f"report  {write_reward_report(result.folder)}")
    return 0


def _eval(args: argparse.Namespace) -> int:
    from guerdon.cli.table import write_line
    from guerdon.core.errors import UserError, did_you_mean
    from guerdon.explain.reward_model.page import write_page
    from guerdon.explain.reward_model.text import matrix_table, summary_table
    from guerdon.explain.write import check_place
    from guerdon.run.measure_reward import matrices_of, measure_reward_models
    from guerdon.run.reward_files import LAYOUTS

    if args.layout not in LAYOUTS:
        raise UserError(
            f"guerdon rm eval: --layout {args.layout}: expected one of {', '.join(LAYOUTS)}"
            f"{did_you_mean(args.layout, LAYOUTS)}"
        )
    if args.limit is not None and args.limit < 1:
        raise UserError(f"guerdon rm eval: --limit {args.limit}: expected at least 1")
    if args.report:
        check_place(args.report, "--report")
    found = measure_reward_models(
        args.models, data=args.data, layout=args.layout, limit=args.limit, output=args.output
    )
    for summary in found:
        if len(found) > 1:
            write_line(f"== {summary.name}")
        write_line(summary_table(summary))
        if len(found) > 1:
            write_line()
    for label, matrix in matrices_of(found):
        write_line(f"== agreement on {label}")
        write_line(matrix_table(matrix))
    if args.report:
        for number, summary in enumerate(found):
            place = args.report if not number else args.report.with_stem(f"{args.report.stem}-{number + 1}")
            write_line(f"report  {write_page(place, summary)}")
    return 0


COMMAND = Command(
    summary="train a reward model on preferences, and measure one",
    details="Preferences come in any usual layout (guerdon check DATA tells which). Ctrl-C finishes the step and saves.",
    examples=(
        ("guerdon rm train reward_model", "the shipped recipe"),
        ("guerdon rm train mine.toml --set train.max_steps=200", "a recipe of your own, one field changed"),
        ("guerdon rm train --resume runs/rm", "go on after an interruption, bit for bit"),
        ("guerdon rm eval runs/rm", "the trained model on the run's held-out pairs"),
        (
            "guerdon rm eval runs/rm --data rewardbench2.jsonl --report rm.html",
            "a benchmark's official numbers",
        ),
        ("guerdon rm eval runs/rm ./other-rm --data pairs.jsonl", "several models, and how far they agree"),
        ("guerdon rm eval ./my-rm --data pairs.jsonl", "any sequence classifier with one label, any pairs"),
    ),
    configure=_configure,
    run=_run,
)
