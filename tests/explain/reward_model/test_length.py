"""Length bias: found where it is, not where it is not."""

from __future__ import annotations

import dataclasses
import random

import pytest

from guerdon.explain.reward_model.length import MAX_POINTS, length_bias
from guerdon.explain.reward_model.rows import ScoredPair
from scored_rows import pair


def rows_with(weight: float, *, skill: float, count: int = 150) -> list[ScoredPair]:
    """Scores of length * weight + quality; chosen answers are better by `skill` and no longer than others."""
    draw = random.Random(0)
    rows = []
    for index in range(count):
        lengths = draw.randint(1, 100), draw.randint(1, 100)
        quality = skill + draw.gauss(0, 0.5), draw.gauss(0, 0.5)
        scores = [q + weight * n for q, n in zip(quality, lengths, strict=True)]
        rows.append(pair(scores[0], scores[1], str(index), lengths=lengths))
    return rows


def test_a_model_of_length_alone_by_hand() -> None:
    # the score is the length: LOWESS explains all of it, and what is left says nothing
    both = [(4, 2), (1, 3), (5, 6), (8, 7), (9, 9), (2, 10), (12, 11), (14, 13)]
    found = length_bias([pair(float(a), float(b), lengths=(a, b)) for a, b in both], span=1.0)
    assert found is not None
    assert found.before is not None
    assert found.longer_is_better is not None
    assert found.longer_preferred is not None
    assert found.pearson == pytest.approx(1.0)
    assert found.spearman == pytest.approx(1.0)
    assert found.within == pytest.approx(1.0)
    # four chosen are longer, three shorter, one is as long: half a hit
    assert found.longer_is_better.value == pytest.approx(4 / 7)
    assert found.longer_preferred.value == 1.0
    assert found.before.value == pytest.approx(4.5 / 8)
    assert [value for _, value in found.curve] == pytest.approx(
        [length for length, _ in found.curve], abs=1e-4
    )


def test_removing_length_helps_a_biased_model_and_leaves_an_unbiased_one() -> None:
    biased = length_bias(rows_with(0.05, skill=0.8))
    assert biased is not None
    assert biased.change is not None
    assert biased.change.low is not None
    assert biased.change.low > 0.05
    assert abs(biased.pearson_after or 1) < 0.1 < 0.8 < (biased.pearson or 0)
    honest = length_bias(rows_with(0.0, skill=0.8))  # the control
    assert honest is not None
    assert honest.change is not None
    assert abs(honest.change.value) < 0.03


def test_ties_shape_the_curve_but_no_accuracy() -> None:
    rows = rows_with(0.05, skill=0.8, count=20)
    tied = [dataclasses.replace(row, tie=True) for row in rows]
    found = length_bias([*rows, *tied])
    alone = length_bias(tied)
    assert found is not None
    assert alone is not None
    assert found.num_pairs == 40
    assert found.before == getattr(length_bias(rows), "before", None)
    assert (alone.before, alone.change) == (None, None)


def test_where_nothing_can_be_said() -> None:
    rows = rows_with(0.0, skill=1.0, count=10)
    assert length_bias(rows[:7]) is None
    assert length_bias([dataclasses.replace(row, chosen_tokens=None) for row in rows]) is None
    assert (
        length_bias(
            [*rows, dataclasses.replace(rows[0], chosen_tokens=None, chosen_chars=9, rejected_chars=9)]
        )
        is None
    )


def test_what_is_drawn_does_not_grow() -> None:
    found = length_bias(rows_with(0.01, skill=1.0, count=300))
    assert found is not None
    assert len(found.sample) == MAX_POINTS
    assert found.sample[0][0] <= found.curve[0][0] <= found.sample[-1][0]
