from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guerdon.core.errors import DataError
from guerdon.run.reward_files import read_eval_file, read_eval_files

ONE = {"id": 1, "prompt": "q", "chosen": "good", "rejected": "bad", "subset": "math-prm"}
TWO = {"id": "a", "prompt": "q", "chosen": ["good"], "rejected": ["bad", "worse", "worst"], "subset": "Focus"}
STYLES = {"id": "a", "prompt": "q", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"], "domain": "math"}


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize(
    ("row", "name", "answers"),
    [
        (ONE, "rewardbench", ("good", "bad")),
        (TWO, "rewardbench2", ("good", "bad", "worse", "worst")),
        (STYLES, "rm-bench", ("a", "b", "c", "d", "e", "f")),
    ],
)
def test_a_benchmark_is_known_by_its_columns(
    tmp_path: Path, row: dict[str, Any], name: str, answers: tuple[str, ...]
) -> None:
    found = read_eval_file(write(tmp_path / "rows.jsonl", row, row))
    assert (found.bench, found.label, len(found.items)) == (name, "rows.jsonl", 2)
    assert found.items[0].answers == answers
    assert len(read_eval_file(write(tmp_path / "rows.jsonl", row, row), limit=1).items) == 1


def test_what_is_no_benchmark_is_preferences(tmp_path: Path) -> None:
    pairs = read_eval_file(
        write(tmp_path / "p.jsonl", {"prompt": "q", "chosen": "a", "rejected": "b", "subset": "mine"})
    )
    assert (pairs.bench, len(pairs.pairs), pairs.lists) == ("", 1, ())
    asked = read_eval_file(
        write(tmp_path / "p.jsonl", ONE), layout="pairs"
    )  # said so: its columns notwithstanding
    assert len(asked.pairs) == 1
    said = [{"role": "assistant", "content": "a"}], [{"role": "assistant", "content": "b"}]
    chat = read_eval_file(
        write(tmp_path / "p.jsonl", {"prompt": "q", "chosen": said[0], "rejected": said[1], "subset": "x"})
    )
    assert (chat.bench, len(chat.pairs)) == ("", 1)
    listed = {"prompt": "q", "responses": ["a", "b", "c"], "scores": [1, 3, 2]}
    lists = read_eval_file(write(tmp_path / "l.jsonl", listed)).lists
    assert [[answer.score for answer in one.answers] for one in lists] == [[1, 3, 2]]


def test_answers_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    alone = write(tmp_path / "p.jsonl", {"prompt": "q", "completion": "a", "label": True})
    with pytest.raises(DataError, match=r"1 rows and no pair of answers \(1 prompts with one answer\)"):
        read_eval_file(alone)


def test_parquet_and_json_arrays_are_read_too(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([TWO, TWO]), tmp_path / "two.parquet")
    assert len(read_eval_file(str(tmp_path / "two.parquet")).items) == 2
    (tmp_path / "rm.json").write_text(json.dumps([STYLES]))
    assert read_eval_file(str(tmp_path / "rm.json")).bench == "rm-bench"


@pytest.mark.parametrize(
    ("text", "layout", "said"),
    [
        (json.dumps({**STYLES, "chosen": ["a"]}), "rm-bench", "as RM-Bench: row 1: RM-Bench has 3 chosen"),
        (json.dumps({"prompt": "q"}), "rewardbench2", "as RewardBench 2: row 1: chosen: expected a list"),
        ("", "rewardbench", "no rows; expected those of RewardBench"),
        ("{", "auto", "not JSON"),
        (
            json.dumps({**ONE, "subset": "mine"}),
            "rewardbench",
            "as RewardBench: subset: got 'mine', and none of its 27",
        ),
    ],
)
def test_bad_rows_are_told_with_file_and_row(tmp_path: Path, text: str, layout: str, said: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_eval_file(str(path), layout=layout)


def test_files_are_called_by_as_much_of_their_paths_as_tells_them_apart(tmp_path: Path) -> None:
    names = ("x/a/p.jsonl", "y/a/p.jsonl", "y/b/p.jsonl", "q.jsonl")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, ONE)
    found = read_eval_files([str(tmp_path / name) for name in names])
    assert [file.label for file in found] == ["x/a/p.jsonl", "y/a/p.jsonl", "b/p.jsonl", "q.jsonl"]


def test_a_json_array_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    for text, said in (
        ("{}", "expected a JSON array"),
        ("[{}]", "no benchmark by its columns"),
        ("[", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=said):
            read_eval_file(str(path))
