from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guerdon.core.errors import DataError
from guerdon.data.config import HubConfig, JsonlConfig, ParquetConfig
from guerdon.data.tables import describe_columns

SHARED = Path(os.environ.get("GUERDON_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def one(tmp_path: Path, row: object, **options: object):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return JsonlConfig.model_validate({"path": str(path), **options}).build(0)[0]


def test_trl_layout_with_text_and_free_columns(tmp_path: Path) -> None:
    problem = one(tmp_path, {"prompt": "2+2?", "answer": 4, "level": "easy", "id": "x1"})
    assert (problem.id, problem.target, problem.messages[0].content) == ("x1", "4", "2+2?")
    assert problem.info["level"] == "easy"
    assert problem.info["prompt_format"] == "text"


def test_trl_layout_with_messages_and_a_worked_solution(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    problem = one(tmp_path, {"prompt": messages, "answer": "4", "solution": "2+2=4"})
    assert [message.role for message in problem.messages] == ["system", "user"]
    assert (problem.target, problem.info["solution"]) == ("4", "2+2=4")


def test_gsm8k_layout(tmp_path: Path) -> None:
    problem = one(tmp_path, {"question": "How many?", "answer": "3 + 4 = 7\n#### 7"})
    assert (problem.target, problem.info["solution"]) == ("7", "3 + 4 = 7\n#### 7")


def test_verl_layout_is_recognised(tmp_path: Path) -> None:
    row = {
        "data_source": "gsm8k",
        "prompt": [{"role": "user", "content": "u"}],
        "reward_model": {"style": "rule", "ground_truth": "72"},
        "extra_info": {"index": 3},
    }
    problem = one(tmp_path, row)
    assert problem.target == "72"
    assert problem.info["data_source"] == "gsm8k"
    assert problem.info["extra_info"] == {"index": 3}
    assert ("target", "reward_model.ground_truth") in describe_columns(row, JsonlConfig(path="x"))


def test_other_names_are_mapped(tmp_path: Path) -> None:
    row = {"task": {"text": "2+2?"}, "gold_value": 4}
    problem = one(tmp_path, row, columns={"prompt": "task.text", "target": "gold_value"})
    assert (problem.messages[0].content, problem.target) == ("2+2?", "4")
    with pytest.raises(DataError, match=r"no column 'nope' \(columns.prompt\); it has task, gold_value"):
        one(tmp_path, row, columns={"prompt": "nope"})


@pytest.mark.parametrize(
    ("value", "text"), [(42, "42"), (1.5, "1.5"), (3.0, "3"), (True, "True"), ("  x ", "  x ")]
)
def test_targets_become_text(tmp_path: Path, value: object, text: str) -> None:
    assert one(tmp_path, {"prompt": "p", "target": value}).target == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no rows"),
        ('{"answer": 1}\n', r"line 1: no prompt; expected a column prompt.*got answer"),
        ('{"prompt": "  "}\n', "line 1: the prompt is empty"),
        ('{"prompt": 3}\n', "prompt is int '3'; expected text or a list"),
        ('{"prompt": [{"role": "user"}]}\n', "a message needs role and content"),
        ('{"prompt": [{"role": "assistant", "content": "x"}]}\n', "no user message"),
        ('{"prompt": "p"}\n{"prompt": "q', "rows.jsonl:2: not JSON.*cut off here"),
        ("[1]\n", "rows.jsonl:1: got list, expected a JSON object"),
        ('{"prompt": "p", "answer": NaN}\n', "target is nan; expected text or a finite number"),
        ('{"prompt": "p", "answer": [1]}\n', r"target is \[1\]; expected"),
    ],
)
def test_unusable_files_are_named_by_their_place(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        JsonlConfig(path=str(path)).build(0)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_missing_and_truncated_files(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="not JSON"):
        JsonlConfig(path=str(path)).build(0)
    with pytest.raises(DataError, match="no such file"):
        JsonlConfig(path=str(tmp_path / "absent.jsonl")).build(0)
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"prompt": "p"}\n' * 5000)[:-20])
    with pytest.raises(DataError, match="the file is damaged"):
        JsonlConfig(path=str(packed)).build(0)


def test_parquet_file_and_folder(tmp_path: Path) -> None:
    for number in (1, 2):
        rows = [{"prompt": f"p{number}", "answer": number, "reward_model": None}]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"part-{number}.parquet")
    assert [p.target for p in ParquetConfig(path=str(tmp_path)).build(0)] == ["1", "2"]
    assert ParquetConfig(path=str(tmp_path / "part-2.parquet")).build(0)[0].messages[0].content == "p2"
    (tmp_path / "part-3.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="not readable Parquet") as caught:
        ParquetConfig(path=str(tmp_path)).build(0)
    assert "\n" not in str(caught.value)


def test_limit_stops_reading(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a"}\n{"prompt": "b"}\nbroken\n')
    assert len(JsonlConfig(path=str(path), limit=2).build(0)) == 2


def test_a_hub_name_offline_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    with pytest.raises(DataError, match="hub dataset nobody/nothing") as caught:
        HubConfig(path="nobody/nothing").build(0)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "math.jsonl.gz").exists(), reason="the shared data set is not here")
def test_real_data_loads_as_it_is() -> None:
    found = JsonlConfig(path=str(SHARED / "math.jsonl.gz")).build(0)
    assert len(found) > 17_000
    assert all(problem.target for problem in found)
