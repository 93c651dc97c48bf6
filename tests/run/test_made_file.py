from __future__ import annotations

import json
from pathlib import Path

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import UserError
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.made_file import MadeFile, Versions

NOW: Versions = {"models": {"m": "1"}, "rewards": {"rm": "2"}}


def config(seed: int = 0) -> PreferencesRunConfig:
    table = {"seed": seed, "data": {"train": {"kind": "arith"}}, "rewards": {"math": {}}}
    return parse_config(PreferencesRunConfig, table)


def begun(tmp_path: Path) -> MadeFile:
    made = MadeFile(tmp_path / "p.jsonl", config())
    made.begin(NOW)
    made.add([{"a": 1}, {"a": 2}], 3)
    return made


def test_opening_writes_nothing(tmp_path: Path) -> None:
    MadeFile(tmp_path / "no" / "p.jsonl", config())
    assert list(tmp_path.iterdir()) == []


def test_what_is_beyond_the_state_is_cut_off(tmp_path: Path) -> None:
    first = begun(tmp_path)
    with first.output.open("ab") as file:
        file.write(b'{"a": 3}\n{"half')
    again = MadeFile(first.output, config())
    assert (again.done, again.num_pairs) == (3, 2)
    again.begin(NOW)
    again.add([{"a": 4}], 1)
    assert [json.loads(line)["a"] for line in first.output.read_text().splitlines()] == [1, 2, 4]
    state = json.loads(again.path.read_text())
    assert (state["done"], state["versions"]) == (4, NOW)


def test_whose_file_it_is(tmp_path: Path) -> None:
    made = begun(tmp_path)
    with pytest.raises(UserError, match="was begun by another recipe"):
        MadeFile(made.output, config(seed=1))
    changed: Versions = {"models": {"m": "9"}, "rewards": {"rm": "2"}}
    with pytest.raises(UserError, match="was begun with version 1 of model m, and now it is version 9"):
        MadeFile(made.output, config()).begin(changed)
    made.output.unlink()
    with pytest.raises(UserError, match="is gone, or shorter than it was"):
        MadeFile(made.output, config())
    made.path.write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        MadeFile(made.output, config())


def test_a_file_that_holds_nothing_is_anybody_s(tmp_path: Path) -> None:
    output = tmp_path / "p.jsonl"
    output.touch()  # a kill between the first two writes
    MadeFile(output, config()).begin(NOW)
    other = MadeFile(output, config(seed=1))
    other.begin(NOW)
    assert other.done == 0
    output.unlink()
    MadeFile(output, config(seed=2)).begin(NOW)
    assert output.read_bytes() == b""
