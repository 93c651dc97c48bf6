"""Two models, and one at several sizes, by hand."""

from __future__ import annotations

import pytest

from guerdon.explain.reward_model.agreement import agreement, agreement_matrix, kappa, scaling
from scored_rows import many_pairs, pair


def test_agreement_by_hand() -> None:
    first = [
        pair(1.0, 0.0, "a"),
        pair(0.0, 1.0, "b"),
        pair(3.0, 1.0, "c"),
        pair(1.0, 1.0, "d"),
        pair(None, 1.0, "e"),
    ]
    second = [
        pair(5.0, 0.0, "a"),
        pair(2.0, 1.0, "b"),
        pair(9.0, 1.0, "c"),
        pair(1.0, 1.0, "d"),
        pair(1.0, 0.0, "e"),
        pair(1.0, 0.0, "f"),
    ]
    found = agreement(first, second)
    assert found is not None
    assert (found.num_pairs, found.num_left_out) == (4, 2)
    assert found.same.value == 0.75
    # expected by chance: chosen 2/4 * 3/4, equal 1/4 * 1/4, rejected 1/4 * 0
    assert found.kappa == pytest.approx((3 / 4 - 7 / 16) / (1 - 7 / 16))
    # differences 1 -1 2 0 and 5 1 8 0: ranks 3 1 4 2 and 3 2 4 1
    assert found.spearman_differences == pytest.approx(0.8)
    # hits 1 0 1 1/2 and 1 1 1 1/2
    assert found.change is not None
    assert found.change.value == pytest.approx(0.25)


def test_a_model_agrees_with_itself() -> None:
    rows = many_pairs()
    found = agreement(rows, rows)
    assert found is not None
    assert (found.same.value, found.kappa) == (1.0, 1.0)
    assert found.spearman_scores == pytest.approx(1.0)
    other = agreement(rows, many_pairs(seed=7, skill=0.0))  # the control: another model, by chance
    assert other is not None
    assert abs(other.kappa or 0) < 0.2


def test_each_model_against_each() -> None:
    models = {
        "one": [pair(1.0, 0.0, "a"), pair(1.0, 0.0, "b")],
        "two": [pair(2.0, 0.0, "a"), pair(0.0, 2.0, "b")],
    }
    found = agreement_matrix({**models, "other pairs": [pair(1.0, 0.0, "c")]})
    assert found is not None
    assert found.names == ("one", "two", "other pairs")
    assert found.same == ((1.0, 0.5, None), (0.5, 1.0, None), (None, None, 1.0))
    assert [share.value for share in found.accuracy if share] == [1.0, 0.5, 1.0]
    assert agreement_matrix({"one": models["one"]}) is None


def test_kappa_of_one_answer_is_undefined() -> None:
    assert kappa([(1, 1), (1, 1)]) is None
    assert kappa([(1, -1), (-1, 1)]) == -1


def test_what_cannot_be_compared() -> None:
    assert agreement([pair(1.0, 0.0, "a")], [pair(1.0, 0.0, "b")]) is None
    with pytest.raises(ValueError, match="'a' stands twice"):
        agreement([pair(1.0, 0.0, "a")] * 2, [])


def test_scaling_by_hand() -> None:
    half, right = [pair(1.0, 0.0), pair(0.0, 1.0)], [pair(1.0, 0.0)] * 2
    found = scaling([(400, right), (100, half), (100, right), (200, [pair(None, 1.0)])])
    assert found is not None
    assert [(point.num_pairs, point.share.value) for point in found.points] == [
        (100, 0.5),
        (100, 1.0),
        (400, 1.0),
    ]
    assert found.means == ((100, 0.75), (400, 1.0))
    assert found.per_doubling == pytest.approx(0.125)
    alone = scaling([(100, half)])
    assert alone is not None
    assert alone.per_doubling is None
    assert scaling([]) is None
    with pytest.raises(ValueError, match="at least one training pair; got 0"):
        scaling([(0, half)])
