"""`guerdon check`: every mistake of a recipe and its data, found before training. Torch is never imported.

recipe --load--> all config errors at once     of any kind: policy, preferences, reward model (check_reward.py)
rows   --read--> how the columns are understood --prove--> each gold answer must score 1 (check_rows.py)
                        or, rows of preferences: --audit--> repetitions, contradictions, length bias, wrong labels
                 --twins--> what is asked twice; train against held-out: what has leaked
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guerdon.cli.command import Command, add_overrides
from guerdon.core.errors import ConfigError, DataError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guerdon.core.types import Problem
    from guerdon.data.config import DatasetConfig, JsonlConfig, ParquetConfig
    from guerdon.data.twins import Twin, Twins
    from guerdon.rewards.rubric_config import RubricConfig
    from guerdon.run.config import RunConfig
    from guerdon.run.config_preferences import PreferencesRunConfig

DATA_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
TESTS = ("tests", "inputs", "test_list")
"""Columns that make a row of a file a programming task."""
MAX_SHOWN = 10
"""Failures written out; the others are counted."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="RECIPE|DATA",
        help="a recipe (file or shipped name), or a .jsonl, .jsonl.gz or .parquet file",
    )
    add_overrides(parser)
    parser.add_argument(
        "--no-data", action="store_true", help="check the recipe only, for data that is elsewhere"
    )
    parser.add_argument(
        "--against", metavar="DATA", help="a file of held-out problems that DATA must not ask: finds leaks"
    )
    parser.add_argument(
        "--audit", metavar="DATA", help="a file of the same preferences, judged again: finds wrong labels"
    )


def _run(args: argparse.Namespace) -> int:
    from guerdon.cli.table import write_line

    if args.what.endswith(DATA_SUFFIXES):
        if args.overrides or args.no_data:
            raise UserError("guerdon check: --set and --no-data belong to a recipe, not to a data file")
        failed = _check_file(args.what, args.against, args.audit)
    elif args.against:
        raise UserError("guerdon check: --against belongs to a data file; a recipe has data.eval")
    elif args.audit:
        raise UserError("guerdon check: --audit belongs to a file of preferences; a recipe has data.audit")
    else:
        failed = _check_recipe(args.what, args.overrides, recipe_only=args.no_data)
    write_line(f"{failed} problem{'s' if failed != 1 else ''}" if failed else "all good")
    return 2 if failed else 0


def _check_file(path: str, against: str | None, audit: str | None) -> int:
    from guerdon.cli.check_preferences import check_preferences, has_preferences
    from guerdon.data.tables import table_rows
    from guerdon.rewards.config import VERIFIERS, parse_rewards
    from guerdon.rewards.rubric_config import RubricConfig

    config = _file(path)
    _, row = next(iter(table_rows(config)), ("", {}))
    if has_preferences(row):
        return check_preferences(path, against, audit)
    if audit:
        raise UserError(
            f"guerdon check: --audit belongs to preferences; {path} has {', '.join(row) or 'no rows'}"
        )
    is_code = any(row.get(name) for name in TESTS) and "code" in VERIFIERS.table()
    failed = _check_table("data", config, RubricConfig(parse_rewards({"code" if is_code else "math": {}})))
    return failed + (_check_against(path, against) if against else 0)


def _file(path: str) -> JsonlConfig | ParquetConfig:
    from guerdon.data.config import JsonlConfig, ParquetConfig

    return ParquetConfig(path=path) if path.endswith(".parquet") else JsonlConfig(path=path)


def _check_against(path: str, held_out: str) -> int:
    from guerdon.data.twins import find_leaks

    train = (problem for _, problem in _problems(_file(path)))
    leaks = find_leaks(train, [problem for _, problem in _problems(_file(held_out))])
    return write_leaks(f"leaks  of {held_out} into {path}", leaks)


def _problems(config: JsonlConfig | ParquetConfig) -> Iterable[tuple[str, Problem]]:
    """Place and problem of every row that can be read; `_check_table` has told of the others."""
    from guerdon.data.tables import table_rows, to_problem

    try:
        for place, row in itertools.islice(table_rows(config), config.limit):
            with contextlib.suppress(DataError):
                yield place, to_problem(row, config, place)
    except DataError:  # the file is damaged from here on
        return


def _check_recipe(what: str, overrides: Sequence[str], *, recipe_only: bool) -> int:
    from guerdon.cli.table import write_line
    from guerdon.models.fetch import why_missing
    from guerdon.run.config_preferences import PreferencesRunConfig
    from guerdon.run.recipe import COMMANDS, find_recipe, kind_of_recipe

    kind = kind_of_recipe(what)
    if kind == "reward_model":
        from guerdon.cli import check_reward

        reward_model, problems = check_reward.settle(check_reward.load(what, overrides))
        problems += check_sinks(reward_model.report_to)
        remarks: list[str] = []
        check_data = functools.partial(check_reward.check_data, reward_model)
    else:
        config = _load(kind, what, overrides)
        remarks = config.remarks()
        sources = config.sources() if isinstance(config, PreferencesRunConfig) else []
        missing = [f"{key}: {why}" for key, source in sources if (why := why_missing(source))]
        problems = missing + _check_plugins(config) + check_sinks(getattr(config, "report_to", ()))
        check_data = functools.partial(_check_data, config)
    write_line(f"recipe  {find_recipe(what)}: every key is right; its command: {COMMANDS[kind]}")
    for remark in remarks:
        write_line(remark)
    if problems:
        raise ConfigError(problems)
    return 0 if recipe_only else check_data()


def _load(kind: str | None, what: str, overrides: Sequence[str]) -> RunConfig | PreferencesRunConfig:
    from guerdon.run.config_preferences import PreferencesRunConfig
    from guerdon.run.recipe import load_recipe, load_recipe_of

    if kind == "preferences":
        return load_recipe_of(PreferencesRunConfig, what, overrides)
    return load_recipe(what, overrides)


def _check_data(config: RunConfig | PreferencesRunConfig) -> int:
    failed = 0
    for side, dataset in (("data.train", config.data.train), ("data.eval", config.data.eval)):
        if dataset is not None:
            failed += _check_dataset(side, dataset, config)
    return failed + _check_more(config) or _write_split(config)


def _check_more(config: RunConfig | PreferencesRunConfig) -> int:
    """The preferences that stage `rm` mixes with the run's own."""
    from guerdon.cli.check_reward import check_set, holds_lists
    from guerdon.cli.table import write_line
    from guerdon.run.config import RunConfig

    if not isinstance(config, RunConfig) or "rm" not in config.stages:
        return 0
    loss, more = config.rm.loss, config.rm.more
    failed = sum(
        check_set(f"rm.more.{name}", one, config.seed, alone=loss.pointwise > 0) for name, one in more.items()
    )
    if not failed and loss.listwise and not any(holds_lists(one, config.seed) for one in more.values()):
        write_line(
            "rm.loss.listwise: no set of rm.more holds a prompt with several ranked answers; remove the key"
        )
        return 1
    return failed


def check_sinks(names: Sequence[str]) -> list[str]:
    """Sinks that a recipe names and nobody has installed."""
    from guerdon.run.sinks import describe_sinks

    sinks = {sink.name: sink for sink in describe_sinks()}
    return [
        f"report_to: {name} is not installed; run: pip install 'guerdon[{sinks[name].extra}]'"
        for name in names
        if name in sinks and not sinks[name].installed
    ]


def _check_plugins(config: RunConfig | PreferencesRunConfig) -> list[str]:
    """Import the reward functions that a recipe names: all that cannot be had."""
    from guerdon.run.config import RunConfig
    from guerdon.run.config_rm import own_judges
    from guerdon.run.reward_setup import stage_problems

    problems = stage_problems(config) if isinstance(config, RunConfig) else []
    own = own_judges(config.rubric.rewards)
    for name, part in config.rubric.rewards.items():
        if name in own:  # the run will train it
            continue
        built = part.build()
        try:
            if hasattr(built, "check"):
                built.check()
        except UserError as error:
            problems.append(f"rewards.{name}: {error}")
        finally:
            if hasattr(built, "close"):
                built.close()
    return problems + _check_reward(config)


def _check_reward(config: RunConfig | PreferencesRunConfig) -> list[str]:
    """Read the files that the table `reward` names."""
    from guerdon.rewards.calibration import Calibration

    problems = []
    for name, node in config.rubric.nodes.items():
        try:
            node.build()
        except UserError as error:
            problems.append(f"reward.{name}: {error}")
    if config.reward and config.reward.calibration:
        try:
            Calibration.load(config.reward.calibration, config.reward.calibrate)
        except UserError as error:
            problems.append(str(error))
    return problems


def _check_dataset(side: str, dataset: DatasetConfig, config: RunConfig | PreferencesRunConfig) -> int:
    from guerdon.data.config import JsonlConfig, MixtureConfig, ParquetConfig

    if isinstance(dataset, MixtureConfig):
        return sum(_check_dataset(f"{side}.{name}", one, config) for name, one in dataset.of.items())
    if isinstance(dataset, JsonlConfig | ParquetConfig):
        return _check_table(side, dataset, config.rubric)
    from guerdon.cli.check_code import judge_code, write_code
    from guerdon.cli.check_rows import RowProofs
    from guerdon.data.twins import Twins

    problems = dataset.build(config.seed)
    rows = RowProofs(config.rubric)
    for problem in problems:
        rows.add(problem)
    rows.count = len(problems)
    failed = rows.write(side, dataset.kind)
    twins = Twins()
    for problem in problems:
        twins.add(problem, problem.id)
    wrong = _write_twins(side, twins) + write_code(
        side, judge_code(((problem.id, problem) for problem in problems), config.rubric.rewards)
    )
    return failed + wrong


def _check_table(side: str, config: JsonlConfig | ParquetConfig, rubric: RubricConfig) -> int:
    """Read a file row by row, so that a bad row does not hide the next one."""
    from guerdon.cli.check_code import judge_code, write_code
    from guerdon.cli.check_rows import RowFailure, RowProofs
    from guerdon.cli.table import write_table
    from guerdon.data.tables import describe_columns, table_rows, to_problem
    from guerdon.data.twins import Twins

    rows = RowProofs(rubric)
    twins = Twins()
    try:
        for place, row in table_rows(config):
            if config.limit is not None and rows.count >= config.limit:
                break
            if rows.count == 0:
                write_table([side, config.path], describe_columns(row, config))
            rows.count += 1
            try:
                problem = to_problem(row, config, place)
                twins.add(problem, place)
                rows.add(problem, place)
            except DataError as error:
                rows.failures.append(RowFailure(place, str(error).removeprefix(f"data: {place}: ")))
    except DataError as error:  # the rest of the file cannot be read
        if not rows.count:
            raise
        rows.failures.append(RowFailure(f"after row {rows.count}", str(error).removeprefix("data: ")))
    if not rows.count and not rows.failures:
        rows.failures.append(RowFailure("-", f"{config.path}: no rows; expected at least one with a prompt"))
    failed = rows.write(side, config.kind)
    wrong = _write_twins(side, twins) + write_code(side, judge_code(_problems(config), rubric.rewards))
    return failed + wrong


def _write_twins(side: str, twins: Twins) -> int:
    """Repetitions are told of, contradictions are problems; how many of those."""
    from guerdon.cli.table import write_line, write_table

    wrong = "with another answer"
    if twins.counts:
        counts = ", ".join(f"{count} {how}" for how, count in sorted(twins.counts.items()))
        write_line(f"{side}  {twins.counts.total()} rows ask what an earlier one asks: {counts}")
        examples = sorted(twins.examples, key=lambda twin: twin.how != wrong)
        write_table(["row", "asks the same as", ""], examples)
    return twins.counts[wrong]


def write_leaks(what: str, leaks: Sequence[Twin]) -> int:
    """How many held-out problems stand in the training data but for spelling; likeness alone is only told."""
    from guerdon.cli.table import write_line, write_table

    same = [leak for leak in leaks if leak.how == "but for spelling"]
    write_line(f"{what}: {len(same)} held-out problems, and {len(leaks) - len(same)} that are much alike")
    if leaks:
        shown = sorted(leaks, key=lambda leak: leak.how != "but for spelling")
        write_table(["held out", "in training", "the same"], shown[:MAX_SHOWN])
    return len(same)


def _write_split(config: RunConfig | PreferencesRunConfig) -> int:
    from guerdon.cli.table import write_line
    from guerdon.data.split import load_problems
    from guerdon.data.twins import find_leaks
    from guerdon.run.config import RunConfig
    from guerdon.run.opening import unsolved

    split = load_problems(config.data, config.seed)
    write_line(
        f"split  {len(split.train)} to train on, {len(split.eval)} held out "
        f"({split.num_duplicates} duplicates and {split.num_overlap} overlapping left out)"
    )
    why = unsolved(config, split.train) if isinstance(config, RunConfig) else ""
    if why:
        write_line(why)
    return bool(why) + write_leaks("leaks", find_leaks(split.train, split.eval))


COMMAND = Command(
    summary="find every mistake of a recipe or a data file before training",
    details=(
        "Every row proves itself: its gold answer, and its worked solution if it has one, must score 1. Of code, the\n"
        "tests must pass on the worked solution and notice mistakes put into it. Of preferences (two answers and which\n"
        "is better, in any usual layout) both sides must be there and differ. Contradictions and leaks are problems."
    ),
    examples=(
        ("guerdon check mine.toml", "the recipe (of any kind), its plug-ins and every row of its data"),
        ("guerdon check rows.jsonl", "a data file: how its columns are read, which rows fail"),
        ("guerdon check train.jsonl --against test.jsonl", "also: which held-out problems have leaked"),
        (
            "guerdon check pairs.jsonl --audit again.jsonl",
            "preferences: length bias, and how many labels are wrong",
        ),
        ("guerdon check gsm8k_gpu --no-data", "a recipe whose data is on the hub"),
    ),
    configure=_configure,
    run=_run,
)
