"""The report of a reward model's run, from its folder alone: its last evaluation, and accuracy against pairs seen."""

from __future__ import annotations

from pathlib import Path

from guerdon.core.errors import UserError
from guerdon.explain.report import write_report
from guerdon.explain.reward_model.page import write_page
from guerdon.explain.reward_model.rows import ScoredPair, read_pairs
from guerdon.explain.reward_model.summary import Summary, summarise
from guerdon.run.build_reward import pairs_file
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.config_rm import REWARD_MODEL
from guerdon.run.folder import EVALS, REPORT, read_config_of, read_records


def write_reward_report(run_folder: Path) -> Path:
    """Write report.html of a run of `guerdon rm train`, finished or still going.

    Raises:
        UserError: no such run, nothing evaluated yet, or the page cannot be written.
    """
    return write_page(run_folder / REPORT, reward_summary(run_folder))


def write_reports(run_folder: Path) -> Path:
    """Write report.html of a policy's run, and that of the reward model it trained for itself, if it has one.

    Raises:
        UserError: no such run, or a page cannot be written.
    """
    if read_records(run_folder / REWARD_MODEL / EVALS):
        write_reward_report(run_folder / REWARD_MODEL)
    return write_report(run_folder)


def reward_summary(run_folder: Path) -> Summary:
    """All that can be said of a run's held-out pairs.

    Raises:
        UserError: no such run, or nothing evaluated yet.
    """
    config = read_config_of(RewardRunConfig, run_folder)
    records = _evaluations(run_folder)
    if not records:
        raise UserError(f"{run_folder}: nothing evaluated yet; the report is made from held-out pairs")
    last = max(records, key=lambda line: int(str(line["step"])))
    runs = accuracy_by_pairs_seen(run_folder, config)
    pairs = read_pairs(pairs_file(run_folder, str(last["label"])))
    return summarise(pairs, name=config.name, runs=runs if len(runs) > 1 else ())


def accuracy_by_pairs_seen(run_folder: Path, config: RewardRunConfig) -> list[tuple[int, list[ScoredPair]]]:
    """(pairs seen, held-out pairs as scored then) of each evaluation after the first step: one model as it grows.

    Raises:
        DataError: a file of scored pairs is damaged.
    """
    return [
        (
            int(str(line["step"])) * config.train.batch_size,
            read_pairs(pairs_file(run_folder, str(line["label"]))),
        )
        for line in sorted(_evaluations(run_folder), key=lambda line: int(str(line["step"])))
        if line["step"]
    ]


def _evaluations(run_folder: Path) -> list[dict[str, object]]:
    return [
        line
        for line in read_records(run_folder / EVALS)
        if pairs_file(run_folder, str(line["label"])).is_file()
    ]
