"""Where metrics go besides the screen. metrics.jsonl always; trackers through their own libraries, as extras.

Names and steps arrive as TRL spells them and are passed on verbatim. Each stage is a run of its own (SFT and
GRPO both count from step 1 and share names such as `loss`). Importing this page imports no tracker.

A tracker that breaks is told once and left out; it never stops a run, because metrics.jsonl has everything.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from guerdon.core.config import Config
from guerdon.core.errors import MissingExtraError, UserError
from guerdon.core.registry import Registry
from guerdon.core.types import Sink
from guerdon.run.durable import write_file

if TYPE_CHECKING:
    from guerdon.run.folder import RunFolder
    from guerdon.run.settings import RunSettings

SINKS = Registry(
    noun="sink",
    group="guerdon.sinks",
    builtins={
        "jsonl": "guerdon.run.sinks:JsonlConfig",
        "mlflow": "guerdon.run.sinks:MlflowConfig",
        "tensorboard": "guerdon.run.sinks:TensorBoardConfig",
        "wandb": "guerdon.run.sinks:WandbConfig",
    },
)

Notify = Callable[[str], None]


class SinkConfig(Config):
    """What a sink plug-in derives from."""

    kind: str
    extra: ClassVar[str | None] = None
    """The extra of ours that installs what it needs."""
    module: ClassVar[str | None] = None
    """The module that must be importable."""

    def build(self, run_folder: RunFolder, config: RunSettings) -> Sink:
        """Open the sink for one run."""
        raise NotImplementedError


class JsonlConfig(SinkConfig):
    """metrics.jsonl in the run folder; always on."""

    kind: Literal["jsonl"] = "jsonl"

    def build(self, run_folder: RunFolder, config: RunSettings) -> Sink:
        """The sink."""
        return JsonlSink(run_folder)


class TensorBoardConfig(SinkConfig):
    """Event files in the run folder's tensorboard/, one run a stage."""

    kind: Literal["tensorboard"] = "tensorboard"
    extra: ClassVar[str | None] = "tensorboard"
    module: ClassVar[str | None] = "tensorboard"

    def build(self, run_folder: RunFolder, config: RunSettings) -> Sink:
        """The sink."""
        return TensorBoardSink(run_folder.path / "tensorboard")


class WandbConfig(SinkConfig):
    """Weights & Biases, a group a run; offline unless you are logged in or WANDB_MODE says otherwise."""

    kind: Literal["wandb"] = "wandb"
    extra: ClassVar[str | None] = "wandb"
    module: ClassVar[str | None] = "wandb"

    def build(self, run_folder: RunFolder, config: RunSettings) -> Sink:
        """The sink."""
        return WandbSink(run_folder.path, config)


class MlflowConfig(SinkConfig):
    """MLflow at MLFLOW_TRACKING_URI, else files in the run folder's mlflow/."""

    kind: Literal["mlflow"] = "mlflow"
    extra: ClassVar[str | None] = "mlflow"
    module: ClassVar[str | None] = "mlflow"

    def build(self, run_folder: RunFolder, config: RunSettings) -> Sink:
        """The sink."""
        return MlflowSink(run_folder.path, config)


class SinkHelp(NamedTuple):
    """One row of `guerdon list sinks`."""

    name: str
    help: str
    extra: str | None
    """None: needs nothing beyond the base install."""
    installed: bool


def describe_sinks() -> list[SinkHelp]:
    """Every known sink, without importing any tracker."""
    rows = []
    for name in SINKS.table():
        cls = SINKS.get(name)
        summary = (cls.__doc__ or "").strip().split("\n")[0]
        rows.append(SinkHelp(name, summary, getattr(cls, "extra", None), _installed(cls)))
    return rows


def open_sink(name: str, run_folder: RunFolder, config: RunSettings) -> Sink:
    """The sink called `name`.

    Raises:
        ConfigError: no such sink.
        MissingExtraError: its library is not installed; says the line that installs it.
        UserError: its library refuses to start.
    """
    cls = SINKS.get(name, where="report_to")
    if not _installed(cls):
        raise MissingExtraError(f"report_to={name}", cls.extra or name)
    try:
        sink: Sink = cls().build(run_folder, config)
    except UserError:
        raise
    except Exception as error:  # whatever a tracker's library raises
        raise UserError(f"report_to: {name} cannot start: {_one_line(error)}") from error
    return sink


def open_sinks(run_folder: RunFolder, config: RunSettings, notify: Notify) -> list[Sink]:
    """metrics.jsonl, then all of `config.report_to`, the latter guarded: see `GuardedSink`."""
    names = [name for name in dict.fromkeys(config.report_to) if name != "jsonl"]
    guarded = [GuardedSink(name, open_sink(name, run_folder, config), notify) for name in names]
    return [open_sink("jsonl", run_folder, config), *guarded]


class GuardedSink:
    """A sink whose failure is told once and then ignored, so that a tracker cannot stop a run."""

    def __init__(self, name: str, sink: Sink, notify: Notify) -> None:
        self._name = name
        self._sink: Sink | None = sink
        self._notify = notify

    def write(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        """Pass the metrics on, unless the sink has failed before."""
        if self._sink is None:
            return
        try:
            self._sink.write(stage, step, metrics)
        except Exception as error:  # a tracker's library may raise anything
            self._sink = None
            self._notify(
                f"report_to: {self._name} failed at {stage} step {step} and is left out: {_one_line(error)}"
            )

    def close(self) -> None:
        """Close the sink, unless it has failed before."""
        if self._sink is None:
            return
        try:
            self._sink.close()
        except Exception as error:  # as in `write`
            self._notify(f"report_to: {self._name} did not close cleanly: {_one_line(error)}")


class JsonlSink:
    """Appends to the run folder's metrics.jsonl. A full disk raises: without a record there is no run."""

    def __init__(self, run_folder: RunFolder) -> None:
        self._folder = run_folder

    def write(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        """One line."""
        self._folder.append_metrics(stage, step, metrics)

    def close(self) -> None:
        """Nothing is held open."""


class TensorBoardSink:
    """Event files through TensorBoard's own writer: neither TensorFlow nor torch is needed."""

    def __init__(self, folder: Path) -> None:
        # Here, not at the first write: a broken installation is told before the run starts.
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._open = EventFileWriter
        self._folder = folder
        self._writers: dict[str, Any] = {}

    def write(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        """One event with all scalars, flushed."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        writer = self._writers.get(stage) or self._start(stage, step)
        values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
        writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
        writer.flush()

    def close(self) -> None:
        """Flush and close the event files."""
        for writer in self._writers.values():
            writer.close()

    def _start(self, stage: str, step: int) -> Any:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        writer = self._writers[stage] = self._open(str(self._folder / stage))
        # Tells TensorBoard that whatever an interrupted process wrote from this step on is void.
        writer.add_event(
            Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START))
        )
        return writer


class WandbSink:
    """A W&B run per stage, in one group; resumed runs go on in the same W&B runs."""

    def __init__(self, folder: Path, config: RunSettings) -> None:
        import wandb

        self._wandb: Any = wandb
        self._folder = folder
        self._config = config
        self._runs: dict[str, Any] = {}
        self._mode = (
            None if os.environ.get("WANDB_MODE") else ("online" if _wandb_logged_in(wandb) else "offline")
        )

    def write(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        """One step of one stage."""
        run = self._runs.get(stage) or self._start(stage)
        run.log(dict(metrics), step=step)

    def close(self) -> None:
        """Finish every stage's run."""
        for run in self._runs.values():
            run.finish()

    def _start(self, stage: str) -> Any:
        identity = _remembered(self._folder, f"wandb/{stage}") or secrets.token_hex(4)
        run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", "guerdon"),
            group=self._config.name,
            name=f"{self._config.name}-{stage}",
            job_type=stage,
            dir=str(self._folder),
            config=self._config.model_dump(mode="json"),
            mode=self._mode,
            id=identity,
            resume="allow",
            reinit="create_new",
            # The terminal belongs to our progress bars.
            settings=self._wandb.Settings(console="off", silent=self._mode == "offline"),
        )
        _remember(self._folder, f"wandb/{stage}", identity)
        self._runs[stage] = run
        return run


class MlflowSink:
    """An MLflow run per stage, in the experiment "guerdon"; resumed runs go on in the same MLflow runs."""

    def __init__(self, folder: Path, config: RunSettings) -> None:
        self._folder = folder
        self._config = config
        self._runs: dict[str, str] = {}
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            # Plain files need no database package. MLflow keeps them working but asks to be told so.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a run without a server stays offline
            uri = (folder / "mlflow").resolve().as_uri()
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)

    def write(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        """One step of one stage."""
        from mlflow.entities import Metric

        run_id = self._runs.get(stage) or self._start(stage)
        now_ms = int(time.time() * 1000)
        # MLflow forbids some characters in names: pass@8 becomes pass_8.
        entries = [
            Metric(re.sub(r"[^\w/.\- :]", "_", name), value, now_ms, step) for name, value in metrics.items()
        ]
        self._client.log_batch(run_id, metrics=entries)

    def close(self) -> None:
        """Mark every stage's run as finished."""
        for run_id in self._runs.values():
            self._client.set_terminated(run_id)

    def _start(self, stage: str) -> str:
        from mlflow.entities import Param

        run_id = _remembered(self._folder, f"mlflow/{stage}")
        if run_id is None:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "guerdon")
            known = self._client.get_experiment_by_name(name)
            experiment = known.experiment_id if known else self._client.create_experiment(name)
            run = self._client.create_run(experiment, run_name=f"{self._config.name}-{stage}")
            run_id = str(run.info.run_id)
            params = [Param(key, value) for key, value in _flat(self._config.model_dump(mode="json"))]
            for first in range(0, len(params), 100):  # MLflow's limit for one call
                self._client.log_batch(run_id, params=params[first : first + 100])
            _remember(self._folder, f"mlflow/{stage}", run_id)
        self._runs[stage] = run_id
        return run_id


def _installed(cls: type[Any]) -> bool:
    module = getattr(cls, "module", None)
    return module is None or importlib.util.find_spec(module) is not None


def _wandb_logged_in(wandb: Any) -> bool:
    try:
        return bool(wandb.login(prompt=False))
    except Exception:  # no key, or a key that is refused: record offline, `wandb sync` uploads later
        return False


def _flat(tree: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Nested config to `train.learning_rate`-like names, values cut at MLflow's 6000 characters."""
    rows: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{path}{key}.")
        else:
            rows.append((path + key, str(value)[:6000]))
    return rows


_TRACKERS = "trackers.json"


def _remembered(folder: Path, key: str) -> str | None:
    """The tracker's own name of a run, from an earlier process of the same run folder."""
    path = folder / _TRACKERS
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return known.get(key)


def _remember(folder: Path, key: str, value: str) -> None:
    path = folder / _TRACKERS
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    write_file(path, json.dumps({**known, key: value}, indent=1).encode())


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
