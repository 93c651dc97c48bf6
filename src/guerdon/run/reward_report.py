"""The report of a reward model's run, from its folder alone: its last evaluation, and accuracy against pairs seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guerdon.core.errors import UserError
from guerdon.explain.report import write_report
from guerdon.explain.reward_model.page import write_page
from guerdon.explain.reward_model.rows import ScoredPair, read_pairs
from guerdon.explain.reward_model.summary import Summary, summarise
from guerdon.run.build_reward import pairs_file
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.config_rm import REWARD_MODEL
from guerdon.run.folder import EVALS, EVENTS, REPORT, read_config_of, read_records
from guerdon.run.reward_eval import SAMPLE


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
    summary = summarise(pairs, name=config.name, runs=runs if len(runs) > 1 else ())
    return dataclasses.replace(summary, samples=_of_samples(last), alarms=_alarms(run_folder))


def _of_samples(line: Mapping[str, Any]) -> dict[str, float]:
    """What an evaluation found on the policy's samples."""
    return {
        name.removeprefix(SAMPLE): float(found["value"])
        for name, found in line["metrics"].items()
        if name.startswith(SAMPLE) and found["value"] is not None
    }


def _alarms(run_folder: Path) -> tuple[str, ...]:
    return tuple(
        f"at step {event['step']} it {event['message']}" for event in read_records(run_folder / EVENTS)
    )


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
