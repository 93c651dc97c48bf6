from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from guerdon.core.errors import DataError, UserError
from guerdon.core.types import CreditedGroup
from guerdon.run.config import RunConfig
from guerdon.run.folder import RunFolder, read_config, read_records
from guerdon.run.replay import read_rollouts


def made(path: Path, config: RunConfig) -> RunFolder:
    folder = RunFolder.create(path)
    folder.write_config(config)
    return folder


def evaluation(label: str, stage: str, step: int) -> dict[str, Any]:
    return {
        "label": label,
        "stage": stage,
        "step": step,
        "num_problems": 2,
        "time": 1.5,
        "metrics": {"greedy_accuracy": {"value": 0.5, "low": float("nan"), "high": 1.0}},
    }


def test_the_config_comes_back_equal(tmp_path: Path, run_config: RunConfig) -> None:
    made(tmp_path / "run", run_config).close()
    assert read_config(tmp_path / "run") == run_config
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert record["provenance"]["packages"]["pydantic"]


def test_an_existing_run_says_what_to_type(tmp_path: Path, run_config: RunConfig) -> None:
    path = tmp_path / "run"
    made(path, run_config).close()
    with pytest.raises(
        UserError, match=f"holds a run already; continue it with --resume {path}, or start anoth"
    ):
        RunFolder.create(path)
    RunFolder.open(path).close()  # and the refusal did not keep the lock


def test_two_processes_in_one_run_are_refused(tmp_path: Path, run_config: RunConfig) -> None:
    refused = pytest.raises(UserError, match=f"in use by process {os.getpid()}")
    with made(tmp_path / "run", run_config), refused:
        RunFolder.open(tmp_path / "run")
    RunFolder.open(tmp_path / "run").close()


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="not empty and not a run; choose another place with --set name="):
        RunFolder.create(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_run_killed_before_its_config_can_be_created_again(tmp_path: Path, run_config: RunConfig) -> None:
    RunFolder.create(tmp_path / "run").close()
    made(tmp_path / "run", run_config).close()


def test_resuming_nothing_names_the_runs_nearby(tmp_path: Path, run_config: RunConfig) -> None:
    made(tmp_path / "quickstart", run_config).close()
    with pytest.raises(UserError, match=r"quikstart: not a run folder .*runs in .*: quickstart$"):
        RunFolder.open(tmp_path / "quikstart")
    with pytest.raises(UserError, match="not a run folder"):
        read_config(tmp_path / "quikstart")


def test_a_config_of_a_future_version_is_refused_in_words(tmp_path: Path, run_config: RunConfig) -> None:
    made(tmp_path / "run", run_config).close()
    path = tmp_path / "run" / "config.json"
    record = json.loads(path.read_text())
    record["config"]["train"]["learning_rat"] = 1
    path.write_text(json.dumps(record))
    with pytest.raises(
        UserError, match=r"train.learning_rat: unknown key \(did you mean 'learning_rate'\?\)"
    ):
        read_config(tmp_path / "run")


def test_metrics_are_valid_json_even_when_they_are_not_numbers(tmp_path: Path, run_config: RunConfig) -> None:
    with made(tmp_path / "run", run_config) as folder:
        folder.append_metrics("grpo", 1, {"loss": float("nan"), "kl": float("inf"), "reward": 0.1})
        folder.append_metrics("grpo", 2, {"loss": 1})
        assert folder.num_nonfinite == 2
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    first, second = (json.loads(line, parse_constant=pytest.fail) for line in lines)
    assert (first["stage"], first["step"]) == ("grpo", 1)
    assert first["metrics"] == {"loss": None, "kl": None, "reward": 0.1}
    assert second["metrics"] == {"loss": 1.0}
    assert second["time"] >= first["time"] > 1.7e9


def test_a_repeated_evaluation_replaces_the_earlier(tmp_path: Path, run_config: RunConfig) -> None:
    with made(tmp_path / "run", run_config) as folder:
        folder.append_eval(evaluation("before", "start", 0))
        folder.append_eval({**evaluation("before", "start", 0), "num_problems": 3})
        (line,) = folder.read_evals()
    assert line["num_problems"] == 3
    assert line["metrics"]["greedy_accuracy"] == {"value": 0.5, "low": None, "high": 1.0}


def recorded(folder: RunFolder, credited: list[CreditedGroup], *, sft: int, grpo: int) -> None:
    """What a run of so many steps leaves behind, with an evaluation before and after SFT."""
    folder.append_eval(evaluation("before", "start", 0))
    folder.write_eval_completions("before", [("greedy", [credited[0].scored])])
    for step in range(1, sft + 1):
        folder.append_metrics("sft", step, {"loss": 1 / step})
    if grpo:
        folder.append_eval(evaluation("after sft", "sft", sft))
        folder.write_eval_completions("after sft", [("greedy", [credited[0].scored])])
    for step in range(1, grpo + 1):
        folder.append_metrics("grpo", step, {"loss": 1 / step})
        folder.write_completions("grpo", step, credited)


def contents(path: Path) -> dict[str, Any]:
    """Every file of the run, without the times."""
    found: dict[str, Any] = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.suffix == ".jsonl":
            found[name] = [{**record, "time": 0} for record in read_records(file)]
        elif file.is_file() and name not in {"config.json", ".lock"}:
            found[name] = file.read_bytes()
    return found


@pytest.mark.parametrize(
    ("kept", "reached"),
    [({}, (0, 0)), ({"sft": 2}, (2, 0)), ({"sft": 3, "grpo": 2}, (3, 2))],
)
def test_rewound_files_equal_those_of_a_run_that_came_just_so_far(
    tmp_path: Path,
    run_config: RunConfig,
    credited: list[CreditedGroup],
    *,
    kept: dict[str, int],
    reached: tuple[int, int],
) -> None:
    with made(tmp_path / "killed", run_config) as killed:
        recorded(killed, credited, sft=3, grpo=4)
        # and in the middle of writing: a line, a rollout file, a config
        with (tmp_path / "killed" / "metrics.jsonl").open("a") as file:
            file.write('{"stage": "grpo", "step": 5, "metr')
        (tmp_path / "killed" / "completions" / ".partial-completions_grpo_00005.parquet").write_bytes(b"PAR1")
        (tmp_path / "killed" / ".partial-evals.jsonl").write_bytes(b"{")
        killed.rewind(kept)
    with made(tmp_path / "short", run_config) as short:
        recorded(short, credited, sft=reached[0], grpo=reached[1])
        (tmp_path / "short" / "metrics.jsonl").touch()
    assert contents(tmp_path / "killed") == contents(tmp_path / "short")


def test_rewinding_to_where_it_stands_changes_no_byte(
    tmp_path: Path, run_config: RunConfig, credited: list[CreditedGroup]
) -> None:
    with made(tmp_path / "run", run_config) as folder:
        recorded(folder, credited, sft=2, grpo=2)
        before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
        folder.rewind({"sft": 2, "grpo": 2})
        assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before
        assert [step for step, _ in read_rollouts(tmp_path / "run")] == [1, 2]


def test_damage_in_the_middle_is_not_swept_away(tmp_path: Path, run_config: RunConfig) -> None:
    with made(tmp_path / "run", run_config) as folder:
        for step in (1, 2, 3):
            folder.append_metrics("sft", step, {})
        path = tmp_path / "run" / "metrics.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(lines[0] + b"\0\0\0\n" + lines[2])
        with pytest.raises(DataError, match=r"metrics.jsonl: line 2 is damaged"):
            folder.rewind({"sft": 3})


def filled_with_metrics(folder: RunFolder) -> None:
    for step in range(2, 5000):
        folder.append_metrics("sft", step, {f"metric {n}": 0.1 for n in range(20)})


def test_a_full_disk_is_one_line_with_what_to_do(
    tiny_disk: Path, run_config: RunConfig, credited: list[CreditedGroup]
) -> None:
    path = tiny_disk / "run"
    with made(path, run_config) as folder:
        folder.append_metrics("sft", 1, {"loss": 1.0})
        (tiny_disk / "filler").write_bytes(
            b"x" * (os.statvfs(tiny_disk).f_bavail * os.statvfs(tiny_disk).f_bsize)
        )
        advice = (
            f"No space left on device; nothing recorded so far is lost: make room, then .* --resume {path}"
        )
        with pytest.raises(UserError, match=advice):
            folder.write_completions("grpo", 1, credited)
        with pytest.raises(UserError, match=advice):
            filled_with_metrics(folder)
        (tiny_disk / "filler").unlink()
        records = read_records(path / "metrics.jsonl")
        assert [record["step"] for record in records] == list(range(1, len(records) + 1))
        folder.append_metrics("sft", len(records) + 1, {})
        assert not list(path.rglob(".partial-*"))


def test_versions_come_back_and_damage_is_told(tmp_path: Path, run_config: RunConfig) -> None:
    with made(tmp_path / "run", run_config) as folder:
        assert folder.read_versions() == {}
        folder.write_versions({"b": "2", "a": "1"})
        assert folder.read_versions() == {"a": "1", "b": "2"}
        (tmp_path / "run" / "versions.json").write_text("[")
        with pytest.raises(DataError, match=r"versions.json: damaged"):
            folder.read_versions()
