"""Scored rows, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guerdon.core.errors import DataError, UserError
from guerdon.explain.reward_model.rows import (
    ScoredList,
    ScoredPair,
    list_from,
    pair_from,
    read_lists,
    read_pairs,
    write_rows,
)
from scored_rows import many_lists, many_pairs, pair


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    pairs, lists = many_pairs(60), many_lists(4)
    assert read_pairs(write_rows(tmp_path / "pairs.jsonl", pairs)) == pairs
    assert read_lists(write_rows(tmp_path / "lists.jsonl", lists)) == lists


def test_a_record_keeps_a_missing_score_and_drops_what_says_nothing() -> None:
    assert pair(None, 0.5).record() == {"id": "p", "chosen_score": None, "rejected_score": 0.5}


def test_verdicts() -> None:
    assert pair(0.5, 0.25).hit == 1
    assert pair(0.25, 0.5).hit == 0
    assert pair(0.5, 0.5).hit == 0.5
    assert pair(None, 0.5).hit is None
    assert pair(0.5, 0.25, tie=True).hit is None
    # Squashed to the same number, the utilities still decide.
    squashed = ScoredPair(id="s", chosen_score=1.0, rejected_score=1.0, chosen_u=9.0, rejected_u=10.0)
    assert (squashed.hit, squashed.difference) == (0, -1.0)


def test_rows_of_an_evaluation_are_read_as_they_are() -> None:
    row = {
        "id": "a", "set": "hh", "source": "human", "data_set": "hh-harmless",
        "domain": "code", "subset": None, "tie": False, "margin": None, "open_ended": True,
        "chosen_score": 0.5, "rejected_score": float("nan"), "chosen_u": 0.6, "rejected_u": None,
        "chosen_chars": 12, "rejected_chars": 7, "data": "held out",
    }  # fmt: skip
    found = pair_from(row, "here")
    assert (found.set, found.data_set, found.domain, found.subset) == ("hh", "hh-harmless", "code", "")
    assert (found.rejected_score, found.difference) == (None, None)
    assert (found.lengths, found.length_unit) == ((12, 7), "characters")


def test_tokens_come_before_characters() -> None:
    row = {"id": 3, "chosen_score": 1, "rejected_score": 0, "chosen_tokens": 2, "rejected_tokens": 4}
    found = pair_from({**row, "chosen_chars": 9, "rejected_chars": 20}, "here")
    assert (found.id, found.lengths, found.length_unit) == ("3", (2, 4), "tokens")
    assert (found.tokens, found.chars) == ((2, 4), (9, 20))


def test_infinity_is_no_score_and_an_ensemble_without_a_member_is_none() -> None:
    row = {
        "chosen_score": float("inf"),
        "rejected_score": 0,
        "chosen_members": [1, None],
        "rejected_members": [1, 2],
    }
    with pytest.raises(DataError, match="chosen_members has 0 scores and rejected_members 2"):
        pair_from(row, "here")
    assert pair_from({**row, "rejected_members": [None, 2]}, "here").chosen_members == ()
    assert pair_from({**row, "rejected_members": [None, 2]}, "here").chosen_score is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chosen_score": "0.5"}, "x:1: chosen_score: expected a number or null, got \"0.5\""),
        ({"chosen_score": True}, "chosen_score: expected a number"),
        ({"chosen_tokens": -1, "rejected_tokens": 3}, "chosen_tokens: expected a length, got -1"),
        ({"chosen": True}, "chosen: expected text, got true"),
        ({"tie": 1}, "tie: expected true or false"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        pair_from({"id": "a", "chosen_score": 0.1, "rejected_score": 0.2, **change}, "x:1")  # type: ignore[dict-item]


def test_rows_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"needs chosen_score and rejected_score; got id"):
        pair_from({"id": "a"}, "x:1")
    with pytest.raises(DataError, match="2 scores and 1 gold"):
        list_from({"scores": [1, 2], "gold": [1]}, "x:1")
    with pytest.raises(DataError, match="scores: expected a list"):
        list_from({"gold": [1]}, "x:1")
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(pair(0.1, 0.2).record()) + "\n\n[1]\n")
    with pytest.raises(DataError, match=r"rows.jsonl:3: expected an object, got list"):
        read_pairs(path)
    path.write_text("{")
    with pytest.raises(DataError, match=r"rows.jsonl:1: not JSON"):
        read_pairs(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_pairs(tmp_path / "no.jsonl")
    with pytest.raises(UserError, match="cannot be written"):
        write_rows(tmp_path / "no" / "rows.jsonl", [])


def test_usable_answers_have_both_numbers() -> None:
    item = ScoredList(id="1", scores=(1.0, None, 3.0), gold=(None, 2.0, 5.0))
    assert item.usable == [(3.0, 5.0)]
