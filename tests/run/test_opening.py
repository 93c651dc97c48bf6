from __future__ import annotations

import json
import os
import signal
import threading
import tracemalloc
from pathlib import Path

import pytest

from guerdon.core.errors import ConfigError
from guerdon.run.config import RunConfig
from guerdon.run.opening import check_compatible, interrupts, open_folder, unsolved
from guerdon.run.progress import Display
from guerdon.run.settings import RunSettings


def settings(tmp_path: Path, **fields: object) -> RunSettings:
    return RunSettings.model_validate({"output_dir": str(tmp_path), "name": "x", **fields})


def critic(preferences: dict[str, object], **fields: object) -> str:
    data = {"kind": "critiques", "preferences": preferences}
    table = {"data": {"train": data}, "rewards": {"spct": {}}, "eval": {"num_problems": 0}, **fields}
    config = RunConfig.model_validate(table)
    return unsolved(config, config.data.train.build(0))


def test_what_stage_sft_cannot_imitate_is_told_with_what_helps(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    row = {"prompt": "Name a colour.", "chosen": "red", "rejected": "three", "chosen_critique": "fine"}
    pairs.write_text(json.dumps(row) + "\n")
    own: dict[str, object] = {"kind": "jsonl", "path": str(pairs)}
    told = critic(own)
    assert told.startswith("data.train: 1 of 1 problems have no worked critique for stage sft to imitate")
    assert "for pairs of kind arith alone" in told
    assert 'stages = ["grpo"]' in told
    assert critic(own, stages=["grpo"]) == ""
    assert critic({"kind": "arith", "num_pairs": 20}) == ""


def test_what_stage_sft_cannot_imitate_is_counted_without_holding_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"{at} " * 40, "answer": 1}) + "\n" for at in range(2000)))
    data = {"train": {"kind": "jsonl", "path": str(path)}}
    config = RunConfig.model_validate({"data": data, "rewards": {"math": {}}, "stages": ["sft", "grpo"]})
    monkeypatch.setattr("guerdon.data.rows.MAX_BYTES", 1000)
    problems = config.data.train.build(0)
    tracemalloc.start()
    try:
        told = unsolved(config, problems)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told.startswith("data.train: 2000 of 2000 problems have no worked solution")
    assert f"the first: {problems[0].id}" in told
    assert peak / len(problems) < 100, "bytes a row"


def test_a_second_run_of_a_recipe_never_touches_the_first(tmp_path: Path) -> None:
    for wanted in ("x", "x-2", "x-3"):
        with open_folder(settings(tmp_path), None) as folder:
            assert folder.path == tmp_path / wanted


def test_a_run_goes_on_only_under_its_own_recipe(tmp_path: Path) -> None:
    with open_folder(settings(tmp_path), None) as folder:
        place = folder.path
    with open_folder(settings(tmp_path, save_steps=3), place) as again:
        assert again.path == place  # how often it is saved may change
    with (
        pytest.raises(ConfigError, match="differs from the run's own in seed"),
        open_folder(settings(tmp_path, seed=5), place),
    ):
        pass
    check_compatible(settings(tmp_path), settings(tmp_path / "elsewhere"))


def test_ctrl_c_asks_once_and_stops_the_second_time() -> None:
    with Display() as display, interrupts(display) as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    found: list[bool] = []

    def work() -> None:
        with Display() as display, interrupts(display) as asked:
            found.append(asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
