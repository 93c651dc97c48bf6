from __future__ import annotations

import gzip
import json
import os
import sys
import types
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guerdon.core.errors import DataError
from guerdon.data.preferences.config import (
    HubPreferencesConfig,
    JsonlPreferencesConfig,
    ParquetPreferencesConfig,
)
from guerdon.data.preferences.reading import PreferenceSet, write_preferences

SHARED = Path(os.environ.get("GUERDON_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
GOOD = {"prompt": "q", "chosen": "a", "rejected": "b"}


def write(tmp_path: Path, *rows: dict[str, object]) -> str:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def read(tmp_path: Path, *rows: dict[str, object], **options: object) -> PreferenceSet:
    path = write(tmp_path, *rows)
    return JsonlPreferencesConfig.model_validate({"path": path, **options}).build(0)


def test_a_bad_row_is_refused_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"pairs\.jsonl, line 2: chosen and rejected are identical \('a'\); expected"
    ):
        read(tmp_path, GOOD, {**GOOD, "rejected": "a"})


def test_a_bad_row_is_left_out_and_recorded_where_the_recipe_says_so(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD, {**GOOD, "rejected": "a"}, {**GOOD, "chosen": ""}, bad_rows="leave_out")
    assert len(found.pairs) == 1
    assert found.num_rows == 3
    assert [bad.place for bad in found.bad_rows] == ["line 2", "line 3"]
    assert found.bad_rows[1].why == "an answer is empty; expected text on both sides"


def test_the_layout_of_the_first_row_holds_for_all(tmp_path: Path) -> None:
    hh = {side: f"\n\nHuman: q\n\nAssistant: {side}" for side in ("chosen", "rejected")}
    assert read(tmp_path, hh).layout == "transcripts"
    with pytest.raises(DataError, match="line 2: a transcript begins"):
        read(tmp_path, hh, {"chosen": "a", "rejected": "b"})


def test_one_answer_a_row_is_joined_by_prompt(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "response": "a", "helpfulness": 1},
        {"prompt": "q", "response": "c", "helpfulness": 3},
        {"prompt": "p ", "response": "b", "helpfulness": 4},
    ]
    found = read(tmp_path, *rows, margin_scale=2.0)
    (pair,) = found.pairs
    assert (pair.chosen, pair.rejected, pair.margin) == ("b", "a", 6.0)
    assert (pair.chosen_ratings, found.places) == ({"helpfulness": 4.0, "score": 4.0}, ("line 1",))
    assert found.left_out == {"prompts with one answer": 1}
    assert [len(one.answers) for one in found.lists] == [2, 1]


def test_judgements_of_different_sources_are_not_compared(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "response": text, "score": score, "source": source}
        for text, score, source in [
            ("a", 1, "human"),
            ("b", 9, "model"),
            ("c", 2, "human"),
            ("d", 8, "model"),
        ]
    ]
    found = read(tmp_path, *rows)
    assert [(pair.chosen, pair.rejected, pair.source) for pair in found.pairs] == [
        ("c", "a", "human"),
        ("b", "d", "model"),
    ]


def test_labels_make_pairs_of_good_and_bad(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "completion": text, "label": text in "ab"} for text in "abcd"]
    found = read(tmp_path, *rows)
    assert sorted(pair.chosen + pair.rejected for pair in found.pairs) == ["ac", "ad", "bc", "bd"]
    assert {pair.margin for pair in found.pairs} == {None}
    assert found.left_out == {"pairs with equal labels": 2}


def test_lists_follow_the_policy(tmp_path: Path) -> None:
    row = {"prompt": "p", "responses": ["a", "b", "c"], "scores": [1, 2, 3]}
    assert len(read(tmp_path, row).pairs) == 3
    assert len(read(tmp_path, row, pairing={"policy": "adjacent"}).pairs) == 2


def test_ties_can_be_dropped_and_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD, {**GOOD, "tie": True}, ties="drop")
    assert (len(found.pairs), found.left_out) == (1, {"ties": 1})


def test_nothing_to_learn_from_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 rows and no pair of answers \(1 ties\); expected at least one"):
        read(tmp_path, {**GOOD, "tie": True}, ties="drop")
    with pytest.raises(DataError, match="1 rows left out, first: an answer is empty"):
        read(tmp_path, {**GOOD, "chosen": ""}, bad_rows="leave_out")
    with pytest.raises(DataError, match="no rows; expected at least one pair"):
        read(tmp_path)
    with pytest.raises(
        DataError, match="no preferences: the first row has question, answer; expected chosen and"
    ):
        read(tmp_path, {"question": "q", "answer": "a"})
    with pytest.raises(DataError, match="no such file"):
        JsonlPreferencesConfig(path=str(tmp_path / "none.jsonl")).build(0)


def test_a_limit_counts_rows(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD, {**GOOD, "rejected": "a"}, limit=1).num_rows == 1


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rated = {**GOOD, "score_chosen": 3, "score_rejected": 1, "rater": "ann"}
    found = read(tmp_path, rated, {**GOOD, "tie": True}, source="model")
    assert write_preferences(tmp_path / "out.jsonl", found.pairs) == 2
    again = JsonlPreferencesConfig(path=str(tmp_path / "out.jsonl")).build(0)
    assert again.layout == "guerdon"
    assert again.pairs == found.pairs


def test_parquet_is_read_and_its_nulls_are_no_ratings(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    rows = [
        {"prompt": "p", "response": text, "helpfulness": score}
        for text, score in [("a", 1), ("b", None), ("c", 3)]
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = ParquetPreferencesConfig(path=str(path)).build(0)
    assert [(pair.chosen, pair.rejected) for pair in found.pairs] == [("c", "a")]
    assert found.left_out == {"answers without a rating": 1}


def test_the_hub_is_read_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def load_dataset(*args: object, **options: object) -> list[dict[str, object]]:
        asked.append((args, options))
        return [GOOD, {**GOOD, "rejected": "a"}]

    fake = types.ModuleType("datasets")
    fake.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", fake)
    with pytest.raises(DataError, match="data: me/prefs, row 1: chosen and rejected are identical"):
        HubPreferencesConfig(path="me/prefs", split="test").build(0)
    assert asked == [(("me/prefs", None), {"split": "test", "revision": None})]


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data")
def test_real_preferences_are_read_and_what_is_wrong_in_them_is_recorded(tmp_path: Path) -> None:
    with gzip.open(SHARED / "pref.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    some = rows[:300] + [row for row in rows if row["source"] == "pandalm"][:60]
    found = read(tmp_path, *some, bad_rows="leave_out")
    texts = [(row["chosen"], row["rejected"]) for row in some]
    sound = [
        (chosen, rejected)
        for chosen, rejected in texts
        if isinstance(chosen, str)
        and isinstance(rejected, str)
        and "" not in (chosen.strip(), rejected.strip())
        if chosen.strip() != rejected.strip()
    ]
    assert 300 < len(sound) < len(some)
    assert [(pair.chosen, pair.rejected) for pair in found.pairs] == sound
    assert found.num_rows == len(found.pairs) + len(found.bad_rows)
    assert 0 < sum(pair.tie for pair in found.pairs) <= sum(bool(row.get("tie")) for row in some)
    assert all(pair.problem.messages[-1].role == "user" for pair in found.pairs)
