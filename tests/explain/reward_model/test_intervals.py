"""Intervals and correlations, by hand."""

from __future__ import annotations

import math
import random

import pytest

from guerdon.explain.read import Interval
from guerdon.explain.reward_model.intervals import (
    bootstrap,
    combined,
    pearson,
    ranks,
    spearman,
    wilson,
    wilson_of_means,
)


def test_wilson_by_hand() -> None:
    # 1 of 1: centre (1 + z^2/2) / (1 + z^2) and half z * sqrt(z^2/4) / (1 + z^2) meet at 1; below 1 / (1 + z^2)
    found = wilson(1, 1)
    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(1 / (1 + 1.959963984540054**2))
    assert wilson(0, 4).low == 0.0
    assert wilson(2.5, 5).value == 0.5
    with pytest.raises(ValueError, match="at least one"):
        wilson(0, 0)


def test_wilson_covers_as_often_as_it_says() -> None:
    draw = random.Random(0)
    inside = 0
    for _ in range(1000):
        found = wilson(sum(draw.random() < 0.9 for _ in range(40)), 40)
        inside += (found.low or 0) <= 0.9 <= (found.high or 0)
    assert 0.92 < inside / 1000 < 0.99


def test_wilson_ends_exactly_where_all_or_nothing_was_hit() -> None:
    # 10 of 10 gave 0.9999999999999999 above and 0 of 3 a hair below nothing: a share outside of its own interval
    for count in range(1, 200):
        assert wilson(count, count).high == 1.0
        assert wilson(0, count).low == 0.0


def test_wilson_of_means_counts_trials_that_go_together() -> None:
    # One trial an item, or nine that all say the same: as many trials as items.
    one = wilson_of_means([1.0, 0.0, 1.0, 1.0], 9)
    assert (one.low, one.high) == pytest.approx((wilson(3, 4).low, wilson(3, 4).high))
    # Item means 0.25 and 0.75: they vary by 1/16, a single trial of share 1/2 by 1/4: four trials an item, of two items 8.
    some = wilson_of_means([0.25, 0.75], 9)
    assert (some.low, some.high) == pytest.approx((wilson(4, 8).low, wilson(4, 8).high))
    # Items that do not vary at all: all trials, never more.
    same = wilson_of_means([0.5, 0.5], 9)
    assert (same.low, same.high) == pytest.approx((wilson(9, 18).low, wilson(9, 18).high))
    assert wilson_of_means([1.0, 1.0], 9) == wilson(2, 2)
    with pytest.raises(ValueError, match="at least one"):
        wilson_of_means([], 9)


def test_combined_by_hand() -> None:
    # below: sqrt((0.75 * 0.4)^2 + (0.25 * 0.4)^2) = sqrt(0.09 + 0.01); above: sqrt((0.75 * 0.1)^2 + (0.25 * 0.3)^2)
    found = combined([(0.75, Interval(0.8, 0.4, 0.9)), (0.25, Interval(0.4, 0.0, 0.7))])
    assert found.value == pytest.approx(0.7)
    assert found.low == pytest.approx(0.7 - math.sqrt(0.1))
    assert found.high == pytest.approx(0.7 + 0.075 * math.sqrt(2))
    assert combined([(1.0, wilson(3, 4))]) == Interval(
        *map(pytest.approx, (0.75, wilson(3, 4).low, wilson(3, 4).high))
    )
    assert combined([(0.5, wilson(3, 4)), (0.5, Interval(0.25))]) == Interval(0.5)


def test_combined_covers_as_often_as_it_says() -> None:
    draw = random.Random(1)
    inside = 0
    for _ in range(1000):
        easy, hard = (sum(draw.random() < chance for _ in range(30)) for chance in (0.95, 0.4))
        found = combined([(0.8, wilson(easy, 30)), (0.2, wilson(hard, 30))])
        inside += (found.low or 0) <= 0.8 * 0.95 + 0.2 * 0.4 <= (found.high or 0)
    assert 0.92 < inside / 1000 < 0.985


def test_bootstrap() -> None:
    assert bootstrap([2.0]).low is None
    found = bootstrap([0.0, 1.0] * 50)
    assert found.value == 0.5
    assert found.low == pytest.approx(0.4, abs=0.03)
    assert bootstrap([0.0, 1.0] * 50) == found


def test_correlations_by_hand() -> None:
    # away: -1 0 1 and -1 1 0: together 1, spreads 2 and 2
    assert pearson([1, 2, 3], [0, 2, 1]) == pytest.approx(0.5)
    assert pearson([1, 2, 3], [3, 2, 1]) == -1
    assert pearson([1, 1], [1, 2]) is None
    assert pearson([1], [2]) is None
    assert ranks([3, 1, 3, 2]) == [3.5, 1, 3.5, 2]
    # ranks 1 2 3 and 1.5 1.5 3: together 1.5, spreads 2 and 1.5
    assert spearman([1, 2, 9], [4, 4, 5]) == pytest.approx(1.5 / math.sqrt(3))
