from __future__ import annotations

from typing import Any

import pytest

from guerdon.core.errors import DataError
from guerdon.data.preferences.columns import NamedRow
from guerdon.data.preferences.judgement import Judgement, flag, judgement, verdict_of

PLACE = "f.jsonl, line 7"


def judged(row: dict[str, Any], *, ranked: bool = False, count: int = 3) -> Judgement:
    entries = row.get("responses", [{"text": str(index), "score": None} for index in range(count)])
    return judgement(NamedRow({**row, "responses": entries}, {}, PLACE), entries, ranked=ranked)


def test_scores_go_before_ranks_and_ranks_before_the_best() -> None:
    everything = {"scores": [1, 2, 3], "ranks": [3, 2, 1], "preference": "a"}
    assert judged(everything) == Judgement([1.0, 2.0, 3.0], "score")
    assert judged({**everything, "scores": [None] * 3}) == Judgement([-3.0, -2.0, -1.0], "rank")
    assert judged({"preference": "B"}) == Judgement([0.0, 1.0, 0.0], "", only_best=True)
    assert judged({"preference": "tie"}) == Judgement([0.0, 0.0, 0.0], "")
    assert judged({}) == Judgement([None] * 3, "score")


def test_labels_may_stand_in_the_entries() -> None:
    scored = [{"text": "x", "score": 0.5}, {"text": "y", "score": None}]
    assert judged({"responses": scored}) == Judgement([0.5, None], "score")
    ranked = [{"text": "x", "rank": 2}, {"text": "y", "rank": 1}]
    assert judged({"responses": ranked}) == Judgement([-2.0, -1.0], "rank")
    assert judged({"responses": ["x", "y"]}, ranked=True) == Judgement([-1.0, -2.0], "rank")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"preference": "d"}, "preference is 'd'; expected the letter of the best response (a to c), or tie"),
        ({"preference": 1}, "preference is 1; expected the letter"),
        ({"scores": [1, 2]}, "2 scores for 3 responses"),
        ({"scores": ["good", 1, 1]}, "score 0 is 'good'"),
        ({"responses": ["x", "y"]}, "responses without scores"),
    ],
)
def test_what_cannot_be_read_is_refused(row: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError) as caught:
        judged(row)
    assert told in str(caught.value)


def test_which_of_two() -> None:
    assert [verdict_of(word, "winner", PLACE).second for word in ("a", "model_b", "tie")] == [-1.0, 1.0, 0.0]
    assert verdict_of(-2, "overall_preference", PLACE).second == -2.0


def test_flags() -> None:
    assert (flag(None, "tie", PLACE), flag(1, "tie", PLACE)) == (False, True)
    with pytest.raises(DataError, match="tie is 'yes'; expected true or false"):
        flag("yes", "tie", PLACE)
