from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.core.types import Message, Preference, Problem
from guerdon.data.preferences.config import PairingConfig
from guerdon.data.preferences.pairing import ALIKE, Answer, Candidates, pairs_of

PROBLEM = Problem(id="p", messages=(Message(role="user", content="2 + 2?"),))


def pairs(
    scores: dict[str, float | None], *, no_tie: str = "", is_scale: bool = True, **options: object
) -> tuple[list[Preference], Counter[str]]:
    answers = tuple(Answer(text=text, score=score, ratings={}) for text, score in scores.items())
    candidates = Candidates(problem=PROBLEM, answers=answers, no_tie=no_tie, is_scale=is_scale)
    left_out: Counter[str] = Counter()
    found = list(pairs_of(candidates, PairingConfig.model_validate(options), seed=0, left_out=left_out))
    return found, left_out


def names(found: list[Preference]) -> list[str]:
    return [f"{pair.chosen}>{pair.rejected}" for pair in found]


FOUR: dict[str, float | None] = {"c": 2.0, "a": 5.0, "d": 1.0, "b": 4.0}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("all", ["a>b", "a>c", "a>d", "b>c", "b>d", "c>d"]),
        ("adjacent", ["a>b", "b>c", "c>d"]),
        ("best_worst", ["a>d"]),
    ],
)
def test_the_policy_says_which_answers_meet(policy: str, expected: list[str]) -> None:
    found, left_out = pairs(FOUR, policy=policy)
    assert names(found) == expected
    assert not left_out


def test_the_margin_is_the_gap_where_scores_are_a_scale() -> None:
    assert [pair.margin for pair in pairs(FOUR, policy="adjacent")[0]] == [1.0, 2.0, 1.0]
    assert [pair.margin for pair in pairs(FOUR, policy="adjacent", is_scale=False)[0]] == [None] * 3


def test_equal_scores_are_a_tie_and_equal_labels_nothing() -> None:
    (tie,), _ = pairs({"a": 3.0, "b": 3.0})
    assert tie.tie
    assert tie.margin == 0.0
    found, left_out = pairs({"a": 1.0, "b": 1.0, "c": 0.0}, no_tie=ALIKE, is_scale=False)
    assert names(found) == ["a>c", "b>c"]
    assert left_out == {"pairs with equal labels": 1}


def test_the_sides_of_ties_are_in_random_order() -> None:
    firsts = {pairs({f"a{n}": 1.0, f"b{n}": 1.0})[0][0].chosen[0] for n in range(20)}
    assert firsts == {"a", "b"}


def test_what_is_too_close_too_uneven_or_too_many_is_counted() -> None:
    found, left_out = pairs(FOUR, min_gap=1.5)
    assert names(found) == ["a>c", "a>d", "b>c", "b>d"]
    assert left_out == {"pairs closer than min_gap": 2}
    _, left_out = pairs({"a" * 10: 2.0, "b": 1.0}, max_length_ratio=2.0)
    assert left_out == {"pairs beyond max_length_ratio": 1}
    found, left_out = pairs(FOUR, max_pairs=2)
    assert len(found) == 2
    assert found == pairs(FOUR, max_pairs=2)[0]
    assert left_out == {"pairs beyond max_pairs": 4}


def test_a_tie_is_no_close_call() -> None:
    assert pairs({"a": 1.0, "b": 1.0}, min_gap=1.0)[0][0].tie


def test_an_answer_without_a_rating_joins_no_pair() -> None:
    found, left_out = pairs({"a": 2.0, "b": None, "c": 1.0})
    assert names(found) == ["a>c"]
    assert left_out == {"answers without a rating": 1}


def test_repeated_answers_never_meet_each_other() -> None:
    found, left_out = pairs({"same": 2.0, " same": 1.0, "same ": 2.0, "other": 0.0})
    assert names(found) == ["same>other"]
    assert left_out == {"repeated answers with another rating": 1, "repeated answers": 1}


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 5), max_size=6))
def test_chosen_never_scores_less_and_sides_always_differ(scores: dict[str, int]) -> None:
    found, _ = pairs({text: float(score) for text, score in scores.items()})
    assert len(found) == len(scores) * (len(scores) - 1) // 2
    for pair in found:
        assert pair.chosen != pair.rejected
        assert scores[pair.chosen] >= scores[pair.rejected]
        assert pair.tie == (scores[pair.chosen] == scores[pair.rejected])
