"""The run folder: everything a run leaves behind, readable without our code.

    runs/NAME/config.json      the resolved recipe and where it ran          written once
              metrics.jsonl    one optimiser step a line                     appended
              evals.jsonl      one evaluation a line                         appended
              events.jsonl     alarms: of hacking, of a collapse              appended, if any
              samples.jsonl    answers that a reward model's health is seen on    reward_samples.py
              references/      reference responses of shaped reward models    references.py
              calibration.json the scales of [reward].calibrate              written once, if asked for
              versions.json    the versions of the models that judge     written once, if there are any
              left_out.json    rows that a reward model is not trained on   written once, if there are any
              completions/     one Parquet file a step                       completions.py
              evals/           one Parquet file an evaluation
              checkpoints/     checkpoint.py
              report.html      explain/

One process owns the folder (lock.py). After a kill, `rewind` takes the records back to the checkpoint, so a
resumed run's files equal those of a run never interrupted, except for the times in them.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from guerdon.core.config import parse_config
from guerdon.core.errors import CheckpointError, DataError, UserError
from guerdon.core.types import CreditedGroup, Json, ScoredGroup
from guerdon.rewards.calibration import Calibration
from guerdon.run.completions import Entry, credited_entries, evaluated_entries, write_groups
from guerdon.run.config import RunConfig
from guerdon.run.durable import TEMPORARY, append_line, write_file
from guerdon.run.lock import FolderLock
from guerdon.run.provenance import provenance
from guerdon.run.settings import RunSettings

S = TypeVar("S", bound=RunSettings)

CONFIG = "config.json"
METRICS = "metrics.jsonl"
CALIBRATION = "calibration.json"
VERSIONS = "versions.json"
LEFT_OUT = "left_out.json"
EVALS = "evals.jsonl"
EVENTS = "events.jsonl"
REFERENCES = "references"
COMPLETIONS = "completions"
EVALUATIONS = "evals"
CHECKPOINTS = "checkpoints"
REPORT = "report.html"


def completions_file(run_folder: Path, stage: str, step: int) -> Path:
    """The rollouts of one step (1-based)."""
    return run_folder / COMPLETIONS / f"completions_{stage}_{step:05d}.parquet"


def evaluation_file(run_folder: Path, label: str) -> Path:
    """The rollouts of one evaluation: "after sft" stands in evals/after_sft.parquet."""
    return run_folder / EVALUATIONS / f"{re.sub(r'[^a-z0-9]+', '_', label.lower())}.parquet"


def read_config(run_folder: Path) -> RunConfig:
    """The resolved recipe of a policy's run.

    Raises:
        UserError: not a run folder, or a config.json that this version cannot read.
    """
    return read_config_of(RunConfig, run_folder)


def read_config_of(kind: type[S], run_folder: Path) -> S:
    """The resolved recipe of a run of any kind.

    Raises:
        UserError: not a run folder of this kind, or a config.json that this version cannot read.
    """
    path = run_folder / CONFIG
    try:
        data = json.loads(path.read_text(encoding="utf-8"))["config"]
    except FileNotFoundError:
        raise UserError(f"{run_folder}: not a run folder (no {CONFIG}){_runs_nearby(run_folder)}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    return parse_config(kind, data, where=str(path))


def kind_of(run_folder: Path) -> str | None:
    """What a run trains: "reward_model", or None for a policy and for what is no run."""
    try:
        kind = json.loads((run_folder / CONFIG).read_text(encoding="utf-8"))["config"].get("kind")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return str(kind) if kind else None


def newest_model(run_folder: Path) -> Path:
    """The model folder of a run's last checkpoint.

    Raises:
        CheckpointError: there is none.
    """
    models = [path for path in (run_folder / "checkpoints").glob("checkpoint-*/model") if path.is_dir()]
    if not models:
        raise CheckpointError(
            f"{run_folder}: no checkpoint with a model; train it first, or name a model's folder"
        )
    return max(models, key=lambda path: (path.parent.stat().st_mtime, path.parent.name))


def read_records(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl or evals.jsonl; none if the file is not there.

    What a kill or a power cut left half written at the end is passed over.

    Raises:
        DataError: a damaged line that is not the last.
    """
    return [record for _, record in _read_lines(path)]


def _read_lines(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    whole: list[tuple[bytes, dict[str, Any]]] = []
    torn: int | None = None
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        if torn is not None:
            raise DataError(f"{path}: line {torn} is damaged; restore the file, or delete that line")
        record = _record(line)
        if record is None:
            torn = number
        else:
            whole.append((line, record))
    return whole


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(line)
        return record if isinstance(record["stage"], str) and isinstance(record["step"], int) else None
    except (ValueError, KeyError, TypeError):
        return None


class RunFolder:
    """A run folder that this process owns until `close`."""

    def __init__(self, path: Path, lock: FolderLock) -> None:
        self.path = path
        self.num_nonfinite = 0
        """Metric values that were NaN or infinite, and are null in metrics.jsonl."""
        self._lock = lock

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new run's folder.

        Raises:
            UserError: it holds a run already, holds something else, or is in use.
        """
        if path.exists() and not path.is_dir():
            raise UserError(
                f"{path}: a file stands where the run folder should be; choose --set name=NEW_NAME"
            )
        with _told_to_user(path):
            path.mkdir(parents=True, exist_ok=True)
        if any(not item.name.startswith(".") for item in path.iterdir()) and not (path / CONFIG).exists():
            raise UserError(f"{path}: not empty and not a run; choose another place with --set name=NEW_NAME")
        lock = FolderLock(path)
        if (path / CONFIG).exists():
            lock.release()
            raise UserError(
                f"{path}: holds a run already; continue it with --resume {path}, "
                "or start another one with --set name=NEW_NAME"
            )
        return cls(path, lock)

    @classmethod
    def open(cls, path: Path) -> Self:
        """An existing run's folder, to continue it.

        Raises:
            UserError: no run stands there, or it is in use.
        """
        if not (path / CONFIG).is_file():
            raise UserError(f"{path}: not a run folder (no {CONFIG}), nothing to resume{_runs_nearby(path)}")
        folder = cls(path, FolderLock(path))
        folder._make_subfolders()
        return folder

    @property
    def checkpoints(self) -> Path:
        """Where the run's `CheckpointStore` lives."""
        return self.path / CHECKPOINTS

    def close(self) -> None:
        """Give the folder free."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close()

    def write_config(self, config: RunSettings, recipe: Path | None = None) -> None:
        """The resolved recipe and its provenance; `recipe` is the file whose git commit is named."""
        record = {"config": config.model_dump(mode="json"), "provenance": provenance(recipe)}
        data = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        with _told_to_user(self.path):
            write_file(self.path / CONFIG, data.encode() + b"\n")
        self._make_subfolders()

    def write_calibration(self, calibration: Calibration) -> None:
        """The scales that every later score of the run stands on."""
        data = json.dumps(calibration.to_json(), indent=2, allow_nan=False)
        with _told_to_user(self.path):
            write_file(self.path / CALIBRATION, data.encode() + b"\n")

    def write_versions(self, versions: Mapping[str, str]) -> None:
        """Which version of each model judges in this run, by part."""
        data = json.dumps(dict(sorted(versions.items())), indent=2)
        with _told_to_user(self.path):
            write_file(self.path / VERSIONS, data.encode() + b"\n")

    def read_versions(self) -> dict[str, str]:
        """The inverse; empty if none were written.

        Raises:
            DataError: the file is damaged.
        """
        path = self.path / VERSIONS
        if not path.exists():
            return {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return {str(name): str(version) for name, version in found.items()}
        except (OSError, ValueError, AttributeError) as error:
            raise DataError(f"{path}: damaged: {error}; restore it, or start a new run") from None

    def append_metrics(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        """One step's metrics. JSON has no NaN: such a value is written as null and counted."""
        numbers = {name: float(value) for name, value in metrics.items()}
        finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        self.num_nonfinite += sum(value is None for value in finite.values())
        self._append(METRICS, {"stage": stage, "step": step, "time": time.time(), "metrics": finite})

    def append_event(self, stage: str, step: int, kind: str, message: str) -> None:
        """Something that happened in a step and is no number."""
        self._append(
            EVENTS, {"stage": stage, "step": step, "time": time.time(), "kind": kind, "message": message}
        )

    def append_eval(self, record: Mapping[str, Json]) -> None:
        """One evaluation: a record with at least `label`, `stage`, `step`, `num_problems`, `time`, `metrics`.

        An earlier line of the same label is replaced: a run killed between an evaluation and the next
        checkpoint may evaluate again. NaN, for example the interval of a single problem, becomes null.
        """
        self._keep(EVALS, lambda earlier: earlier.get("label") != record["label"])
        self._append(EVALS, {key: _finite(value) for key, value in record.items()})

    def read_evals(self) -> list[Mapping[str, Any]]:
        """The evaluations recorded so far, as in evals.jsonl."""
        return list(read_records(self.path / EVALS))

    def write_completions(self, stage: str, step: int, credited: Sequence[CreditedGroup]) -> None:
        """The rollouts of one training step, with their credit."""
        self._write(completions_file(self.path, stage, step), step, credited_entries(credited))

    def write_eval_completions(
        self, label: str, groups: Sequence[tuple[str, Sequence[ScoredGroup]]], *, step: int = 0
    ) -> None:
        """The rollouts of one evaluation as (mode, groups), after `step` steps of its stage."""
        self._write(evaluation_file(self.path, label), step, evaluated_entries(groups))

    def rewind(self, stage_steps: Mapping[str, int]) -> None:
        """Forget all that happened after the checkpoint.

        Args:
            stage_steps: stage to the steps it had done; a stage not named had done none.

        Raises:
            DataError: a record in the middle of a file is damaged.
        """
        self._sweep()
        for name in (METRICS, EVALS, EVENTS):
            self._keep(name, lambda record: record["step"] <= stage_steps.get(record["stage"], 0))
        for path in (self.path / COMPLETIONS).glob("completions_*.parquet"):
            stage, _, step = path.stem.removeprefix("completions_").rpartition("_")
            if step.isdecimal() and int(step) > stage_steps.get(stage, 0):
                path.unlink()
        evaluated = {evaluation_file(self.path, record["label"]) for record in self.read_evals()}
        for path in (self.path / EVALUATIONS).glob("*.parquet"):
            if path not in evaluated:
                path.unlink()

    def _make_subfolders(self) -> None:
        with _told_to_user(self.path):
            for name in (COMPLETIONS, EVALUATIONS, CHECKPOINTS):
                (self.path / name).mkdir(exist_ok=True)

    def _sweep(self) -> None:
        for folder in (self.path, self.path / COMPLETIONS, self.path / EVALUATIONS):
            for leftover in folder.glob(TEMPORARY + "*"):
                leftover.unlink()

    def _keep(self, name: str, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Drop the unwanted and the half-written lines of a file; untouched if there are none."""
        path = self.path / name
        if not path.exists():
            return
        data = b"".join(line + b"\n" for line, record in _read_lines(path) if wanted(record))
        if data != path.read_bytes():
            with _told_to_user(self.path):
                write_file(path, data)

    def _append(self, name: str, record: Mapping[str, Any]) -> None:
        with _told_to_user(self.path):
            append_line(self.path / name, json.dumps(record, allow_nan=False))

    def _write(self, path: Path, step: int, entries: Sequence[Entry]) -> None:
        with _told_to_user(self.path):
            write_groups(path, step, entries)


def _finite(value: Json) -> Json:
    """JSON has neither NaN nor infinity: null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


@contextlib.contextmanager
def _told_to_user(run_folder: Path) -> Iterator[None]:
    """A record that cannot be written stops the run in one line; what was written before is whole."""
    try:
        yield
    except OSError as error:
        where = error.filename or run_folder
        raise UserError(
            f"{where}: cannot be written: {error.strerror or error}; nothing recorded so far is lost: "
            f"make room, then continue with --resume {run_folder}"
        ) from error


def _runs_nearby(path: Path) -> str:
    runs = sorted(config.parent.name for config in path.parent.glob(f"*/{CONFIG}"))
    return f"; runs in {path.parent}: {', '.join(runs[:8])}" if runs else ""
