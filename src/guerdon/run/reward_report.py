"""The report of a reward model's run, from its folder alone: its last evaluation, its training, accuracy by pairs seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guerdon.core.errors import UserError
from guerdon.explain.panels import reward_panels
from guerdon.explain.read import read_run
from guerdon.explain.report import write_report
from guerdon.explain.reward_model.page import write_page
from guerdon.explain.reward_model.rows import ScoredPair, read_pairs
from guerdon.explain.reward_model.summary import Summary, summarise
from guerdon.models.version import version_of
from guerdon.run.build_reward import pairs_file
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.config_rm import REWARD_MODEL
from guerdon.run.folder import CHECKPOINTS, EVALS, EVENTS, REPORT, read_config_of, read_records
from guerdon.run.reward_eval import SAMPLE


def write_reward_report(run_folder: Path) -> Path:
    """Write report.html of a run of `guerdon rm train`, finished or still going.

    Raises:
        UserError: no such run, nothing evaluated yet, or the page cannot be written.
    """
    summary = reward_summary(run_folder)
    run = read_run(run_folder)
    training = [panel for stage in run.stages for panel in reward_panels(run, stage)]
    return write_page(run_folder / REPORT, summary, training=training)


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
    runs = accuracy_by_pairs_seen(run_folder)
    pairs = read_pairs(pairs_file(run_folder, str(last["label"])))
    summary = summarise(
        pairs,
        name=config.name,
        version=_version(run_folder, int(str(last["step"]))),
        runs=runs if len(runs) > 1 else (),
    )
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


def accuracy_by_pairs_seen(run_folder: Path) -> list[tuple[int, list[ScoredPair]]]:
    """(different training pairs seen, held-out pairs as scored then): one model as it grows.

    Of evaluations after as many pairs, as in later passes over the same ones, the last counts.

    Raises:
        DataError: a file of scored pairs is damaged.
    """
    found = {}
    for line in sorted(_evaluations(run_folder), key=lambda line: int(str(line["step"]))):
        if number := int(str(line.get("pairs_seen", 0))):
            found[number] = pairs_file(run_folder, str(line["label"]))
    return [(number, read_pairs(path)) for number, path in sorted(found.items())]


def _version(run_folder: Path, step: int) -> str:
    """Of the model that was evaluated last; "" where no checkpoint holds it."""
    models = sorted((run_folder / CHECKPOINTS).glob(f"checkpoint-*-{step:05d}/model"))
    return version_of(models[-1]) if models else ""


def _evaluations(run_folder: Path) -> list[dict[str, object]]:
    return [
        line
        for line in read_records(run_folder / EVALS)
        if pairs_file(run_folder, str(line["label"])).is_file()
    ]
