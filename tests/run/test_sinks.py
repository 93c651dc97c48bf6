from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import ConfigError, MissingExtraError
from guerdon.run import sinks
from guerdon.run.config import RunConfig
from guerdon.run.folder import RunFolder
from guerdon.run.sinks import GuardedSink, describe_sinks, open_sink, open_sinks

METRICS = {"reward": 0.5, "rewards/math/mean": 0.25, "completions/mean_length": 12.0}


@pytest.fixture
def folder(tmp_path: Path, run_config: RunConfig) -> Iterator[RunFolder]:
    with RunFolder.create(tmp_path / "run") as folder:
        folder.write_config(run_config)
        yield folder


def test_the_list_names_the_extra_and_imports_no_tracker() -> None:
    code = (
        "import sys; from guerdon.run.sinks import describe_sinks; print([r.name for r in describe_sinks()]);"
        "print({'tensorboard', 'wandb', 'mlflow', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['jsonl', 'mlflow', 'tensorboard', 'wandb']", "set()"]
    rows = {row.name: row for row in describe_sinks()}
    assert rows["jsonl"].extra is None
    assert rows["jsonl"].installed
    assert rows["wandb"].extra == "wandb"
    assert all(row.help.endswith(".") for row in rows.values())


def test_an_unknown_sink_is_corrected(folder: RunFolder, run_config: RunConfig) -> None:
    with pytest.raises(
        ConfigError, match=r"report_to: unknown sink 'tensorbord' \(did you mean 'tensorboard'\?\)"
    ):
        open_sink("tensorbord", folder, run_config)


def test_a_recipe_with_an_unknown_sink_is_refused(run_config: RunConfig) -> None:
    data = {**run_config.model_dump(mode="json"), "report_to": ["tensorboard", "wanbd"]}
    with pytest.raises(ConfigError, match=r"report_to: unknown sink 'wanbd' \(did you mean 'wandb'\?\)"):
        parse_config(RunConfig, data)


def test_a_missing_library_says_the_line_that_installs_it(
    folder: RunFolder, run_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks.WandbConfig, "module", "not_installed_here")
    with pytest.raises(MissingExtraError, match=r"run: pip install 'guerdon\[wandb\]'"):
        open_sink("wandb", folder, run_config)


def test_jsonl_is_always_there_and_only_once(folder: RunFolder, run_config: RunConfig) -> None:
    config = run_config.model_copy(update={"report_to": ("jsonl",)})
    for sink in open_sinks(folder, config, pytest.fail):
        sink.write("grpo", 3, METRICS)
        sink.close()
    (line,) = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["metrics"] == METRICS


def test_a_broken_tracker_is_told_once_and_left_out() -> None:
    class Broken:
        calls = 0

        def write(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
            Broken.calls += 1
            raise ConnectionError("no\nnetwork")

        def close(self) -> None:
            raise AssertionError("a sink that failed is not asked again")

    told: list[str] = []
    sink = GuardedSink("wandb", Broken(), told.append)
    for step in (1, 2):
        sink.write("grpo", step, METRICS)
    sink.close()
    assert Broken.calls == 1
    assert told == ["report_to: wandb failed at grpo step 1 and is left out: ConnectionError: no network"]


def test_tensorboard_events_read_back(folder: RunFolder, run_config: RunConfig) -> None:
    pytest.importorskip("tensorboard")
    sink = open_sink("tensorboard", folder, run_config)
    sink.write("sft", 1, {"loss": 2.0})
    sink.write("grpo", 1, METRICS)
    sink.write("grpo", 2, {"reward": 0.75})
    sink.close()
    assert read_events(folder, "sft", "loss") == [(1, 2.0)]
    assert read_events(folder, "grpo", "reward") == [(1, 0.5), (2, 0.75)]
    assert read_events(folder, "grpo", "rewards/math/mean") == [(1, 0.25)]


def test_tensorboard_forgets_what_a_resumed_run_does_again(folder: RunFolder, run_config: RunConfig) -> None:
    pytest.importorskip("tensorboard")
    for first, last, value in ((1, 4, 1.0), (3, 5, 2.0)):  # killed after step 4, resumed at step 3
        sink = open_sink("tensorboard", folder, run_config)
        for step in range(first, last + 1):
            sink.write("grpo", step, {"reward": value})
        sink.close()
        # TensorBoard orders event files by the second in their names
        for event in (folder.path / "tensorboard" / "grpo").glob("events*"):
            if first == 1:
                event.rename(event.with_name(event.name.replace("tfevents.", "tfevents.0")))
    assert read_events(folder, "grpo", "reward") == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]


def read_events(folder: RunFolder, stage: str, tag: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder.path / "tensorboard" / stage)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


@pytest.mark.slow
def test_mlflow_reads_back_and_a_resumed_run_goes_on(
    folder: RunFolder, run_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # restores it afterwards, too
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    for step in (1, 2):  # two processes
        sink = open_sink("mlflow", folder, run_config)
        sink.write("grpo", step, {**METRICS, "pass@8": 1.0})
        sink.close()
    from mlflow.tracking import MlflowClient

    client = MlflowClient((folder.path / "mlflow").as_uri())
    experiment = client.get_experiment_by_name("guerdon")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "rewards/math/mean")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.25), (2, 0.25)]
    assert run.data.metrics["pass_8"] == 1.0
    assert run.data.params["rollout.num_generations"] == "8"
    assert (run.info.run_name, run.info.status) == ("demo-grpo", "FINISHED")


WANDB = """
import sys
from pathlib import Path
from guerdon.run.folder import RunFolder, read_config
from guerdon.run.sinks import open_sink

folder = RunFolder.open(Path(sys.argv[1]))
sink = open_sink("wandb", folder, read_config(folder.path))
sink.write("sft", 1, {"loss": 2.0})
sink.write("grpo", 1, {"rewards/math/mean": 0.25})
sink.close()
"""


@pytest.mark.slow
def test_wandb_records_offline(folder: RunFolder) -> None:
    pytest.importorskip("wandb")
    folder.close()
    # In a process of its own: wandb starts a service and its atexit hooks.
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false"}
    subprocess.run([sys.executable, "-c", WANDB, str(folder.path)], check=True, env=environment, timeout=120)
    identities = json.loads((folder.path / "trackers.json").read_text())
    assert sorted(identities) == ["wandb/grpo", "wandb/sft"]
    for identity in identities.values():
        (record,) = (folder.path / "wandb").glob(f"offline-run-*-{identity}/run-{identity}.wandb")
        stored = record.read_bytes()
        assert (b"rewards/math/mean" in stored) == (identity == identities["wandb/grpo"])
