from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from guerdon.core.types import CreditedGroup
from guerdon.run.completions import credited_entries, evaluated_entries, write_groups


def test_columns_start_as_trl_writes_them(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    path = tmp_path / "completions.parquet"
    write_groups(path, 5, credited_entries(credited[:1]))
    table = pq.read_table(path)
    # the part called "reward" must not overwrite the column of that name
    assert table.column_names[:6] == ["step", "prompt", "completion", "math", "rewards/reward", "advantage"]
    first, second = table.to_pylist()
    assert (first["step"], first["prompt"], first["completion"]) == (5, "1 + 1 = ?\n", "<answer>2</answer>")
    assert (first["math"], first["rewards/reward"], first["reward"]) == (1.0, 0.25, 2.125)
    assert (first["advantage"], first["advantages"]) == (0.375, [0.5, 0.25])  # (0.5 + 0.25) / 2
    assert (first["stop"], first["version"], first["target"], first["index"]) == ("eos", 7, "2", 0)
    assert json.loads(first["evidence"])["math"] == {"note": "equal", "span": [8, 9], "extracted": "2"}
    assert (second["math"], second["reward"], second["rewards/reward"]) == (None, None, None)
    assert second["completion"] == "äöü 🦙 </script>"


def test_a_conversation_is_readable_and_stays_one(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    path = tmp_path / "completions.parquet"
    write_groups(path, 1, credited_entries([credited[2]]))
    (row,) = pq.read_table(path).to_pylist()
    assert row["prompt"] == "system: Be brief.\n\nuser: Go"
    assert row["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Go"},
    ]
    assert row["completion_ids"] == [2, 3, 5]
    assert row["version"] == 2


def test_evaluations_have_a_mode_and_no_credit(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    path = tmp_path / "before.parquet"
    scored = [credited[0].scored]
    write_groups(path, 0, evaluated_entries([("greedy", scored), ("sampled", scored)]))
    table = pq.read_table(path)
    assert table.column("mode").to_pylist() == ["greedy", "greedy", "sampled", "sampled"]
    assert table.column("group").to_pylist() == [0, 0, 1, 1]
    assert not {"advantage", "advantages"} & set(table.column_names)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    path = tmp_path / "completions.parquet"
    write_groups(path, 1, credited_entries(credited[:1]))
    before = path.read_bytes()
    (tmp_path / ".partial-completions.parquet").mkdir()  # nothing can be written there
    with pytest.raises(OSError):  # noqa: PT011 - any system error will do
        write_groups(path, 2, credited_entries(credited))
    assert path.read_bytes() == before
