"""A run folder, read: the recipe, the evaluations, and one bounded curve per metric of each stage.

    config.json ----> Run.config, Run.provenance
    evals.jsonl ----> Run.evals          tuple[Evaluation]
    metrics.jsonl --> Run.stages         tuple[Stage]; streamed, never held whole

A run may be unfinished, or cut off in the middle of a line. What cannot be read is passed over and becomes a
sentence in `Run.notices`; only a folder without a readable config.json is refused. Rollouts: rollouts.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from guerdon.core.errors import UserError
from guerdon.core.types import Json
from guerdon.explain.curves import Curve, CurveBuilder
from guerdon.rewards.rubric_config import RubricConfig

MAX_METRICS = 300
"""Different metrics of one stage that are kept; the rest is not drawn."""
REWARD_MODEL = "rm"
"""The stage, and the folder inside the run's, of a reward model that the run trains itself."""
_STEPS_KEY = {"sft": "sft", "grpo": "train"}
"""Stage to the recipe's table that holds its `max_steps`."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its 95 % interval; the interval is None where it could not be estimated."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One line of evals.jsonl."""

    label: str
    stage: str
    step: int
    num_problems: int
    metrics: Mapping[str, Interval]
    changes: Mapping[str, Interval]
    """Against the evaluation before, paired on the same problems."""
    per_problem: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Stage:
    """The steps of one stage."""

    name: str
    curves: Mapping[str, Curve]
    last_step: int
    planned_steps: int | None
    seconds: float
    """From the first recorded step to the last, plus the first one's own time."""

    @property
    def is_supervised(self) -> bool:
        """Whether it imitates: its rewards and groups, though recorded, say nothing."""
        return self.name == "sft" or "reward" not in self.curves


@dataclass(frozen=True, slots=True)
class Event:
    """One line of events.jsonl: something that happened in a step and is no number."""

    stage: str
    step: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """What the report is made from, besides rollouts."""

    folder: Path
    config: Mapping[str, Json]
    provenance: Mapping[str, Json]
    stages: tuple[Stage, ...]
    evals: tuple[Evaluation, ...]
    notices: tuple[str, ...]
    """Sentences about what is missing or damaged."""
    reward_evals: tuple[Evaluation, ...] = ()
    """Of the reward model that the run trained for itself; none if it did not."""
    events: tuple[Event, ...] = ()

    def setting(self, *path: str) -> Json:
        """A value of the recipe, or None: `run.setting("eval", "accuracy")`."""
        found: Json = dict(self.config)
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    @property
    def accuracy_part(self) -> str:
        """Name of the reward part that says whether an answer is right."""
        return str(self.setting("eval", "accuracy") or "math")

    @property
    def weights(self) -> dict[str, float]:
        """Reward part to its weight in the reward."""
        try:
            if isinstance(self.config.get("reward"), dict):
                return RubricConfig.parse(self.config).weights()
        except UserError:  # a plug-in that is not here, or a run of another version
            pass
        table = self.setting("rewards")
        entries = table if isinstance(table, dict) else {}
        found = {}
        for name, entry in entries.items():
            weight = entry.get("weight") if isinstance(entry, dict) else None
            found[name] = float(weight) if isinstance(weight, int | float) else 1.0
        return found


def read_run(folder: Path) -> Run:
    """Everything but the rollouts.

    Raises:
        UserError: no run stands there, or its config.json cannot be read.
    """
    config, provenance = _read_config(folder / "config.json", folder)
    notices: list[str] = []
    evals = _read_evals(folder / "evals.jsonl", notices)
    stages = _read_stages(folder / "metrics.jsonl", config, notices)
    events = _read_events(folder / "events.jsonl", notices)
    return Run(
        folder=folder,
        config=config,
        provenance=provenance,
        stages=stages,
        evals=evals,
        notices=tuple(notices),
        reward_evals=_read_evals(folder / REWARD_MODEL / "evals.jsonl", []),
        events=events,
    )


def parse_evaluation(record: Mapping[str, Any]) -> Evaluation:
    """One line of evals.jsonl as an object; numbers that are not there are left out.

    Raises:
        KeyError, TypeError, ValueError: not such a line.
    """
    per_problem = record.get("per_problem") or {}
    return Evaluation(
        label=str(record["label"]),
        stage=str(record.get("stage", "")),
        step=int(record.get("step", 0)),
        num_problems=int(record.get("num_problems", 0)),
        metrics=_intervals(record["metrics"]),
        changes=_intervals(record.get("changes") or {}),
        per_problem={
            str(name): tuple(float(item) for item in items)
            for name, items in per_problem.items()
            if all(_is_number(item) for item in items)
        },
    )


def _read_config(path: Path, folder: Path) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder}: not a run folder (no config.json)") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    config = record.get("config") if isinstance(record, dict) else None
    if not isinstance(config, dict):
        raise UserError(
            f'{path}: expected an object with the recipe under "config"; not a run folder of ours'
        )
    provenance = record.get("provenance")
    return config, provenance if isinstance(provenance, dict) else {}


def _lines(path: Path, notices: list[str]) -> Iterator[dict[str, Any]]:
    """The whole lines of a JSONL file, one at a time."""
    damaged, torn = 0, False
    if not path.is_file():
        return
    with path.open("rb") as file:
        for line in file:
            record = _record(line)
            damaged += torn  # a bad line is a half-written one only if it is the last
            torn = False
            if record is not None:
                yield record
            elif line.strip():
                torn = True
    if damaged:
        notices.append(f"{damaged} damaged line{'s' * (damaged > 1)} of {path.name} passed over.")
    if torn:
        notices.append(f"The last line of {path.name} is half-written and was passed over.")


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _read_evals(path: Path, notices: list[str]) -> tuple[Evaluation, ...]:
    found: dict[str, Evaluation] = {}
    for record in _lines(path, notices):
        try:
            evaluation = parse_evaluation(record)
        except (KeyError, TypeError, ValueError, AttributeError):
            notices.append(f"A line of {path.name} is not an evaluation and was passed over.")
            continue
        found[evaluation.label] = evaluation
    return tuple(found.values())


def _read_events(path: Path, notices: list[str]) -> tuple[Event, ...]:
    found = []
    for record in _lines(path, notices):
        try:
            said = (str(record[name]) for name in ("kind", "message"))
            found.append(Event(str(record["stage"]), int(record["step"]), *said))
        except (KeyError, TypeError, ValueError):
            notices.append(f"A line of {path.name} is not an event and was passed over.")
    return tuple(found)


def _intervals(table: Mapping[str, Any]) -> dict[str, Interval]:
    found = {}
    for name, entry in table.items():
        if isinstance(entry, Mapping) and _is_number(entry.get("value")):
            low, high = entry.get("low"), entry.get("high")
            ends = (float(low), float(high)) if _is_number(low) and _is_number(high) else (None, None)
            found[str(name)] = Interval(float(entry["value"]), *ends)
    return found


@dataclass(slots=True)
class _StageBuilder:
    """A stage while its lines are read."""

    builders: dict[str, CurveBuilder] = field(default_factory=dict)
    last_step: int = 0
    started: float | None = None
    ended: float = 0.0
    num_missing: int = 0

    def add(self, record: Mapping[str, Any]) -> None:
        step, metrics, moment = record["step"], record["metrics"], record.get("time")
        self.last_step = max(self.last_step, step)
        for name, value in metrics.items():
            if not _is_number(value):
                self.num_missing += 1
            elif name in self.builders or len(self.builders) < MAX_METRICS:
                self.builders.setdefault(name, CurveBuilder()).add(step, float(value))
        if _is_number(moment):
            own = metrics.get("step_time")
            self.ended = float(moment)
            if self.started is None:
                self.started = self.ended - (float(own) if _is_number(own) else 0.0)

    def finish(self, name: str, planned: int | None) -> Stage:
        return Stage(
            name=name,
            curves={key: builder.curve() for key, builder in self.builders.items()},
            last_step=self.last_step,
            planned_steps=planned,
            seconds=max(0.0, self.ended - self.started) if self.started is not None else 0.0,
        )


def _read_stages(path: Path, config: Mapping[str, Json], notices: list[str]) -> tuple[Stage, ...]:
    builders: dict[str, _StageBuilder] = {}
    for record in _lines(path, notices):
        step, metrics = record.get("step"), record.get("metrics")
        if isinstance(record.get("stage"), str) and type(step) is int and isinstance(metrics, dict):
            builders.setdefault(record["stage"], _StageBuilder()).add(record)
    missing = sum(builder.num_missing for builder in builders.values())
    if missing:
        notices.append(f"{missing} metric value{'s' * (missing > 1)} were not finite and are not drawn.")
    return tuple(builder.finish(name, _planned(config, name)) for name, builder in builders.items())


def _planned(config: Mapping[str, Json], stage: str) -> int | None:
    table = config.get(_STEPS_KEY.get(stage, stage))
    steps = table.get("max_steps") if isinstance(table, dict) else None
    return steps if isinstance(steps, int) else None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
