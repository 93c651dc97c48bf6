"""Measures on few pairs, by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest

from guerdon.explain.reward_model import measures
from guerdon.explain.reward_model.rows import ScoredPair
from scored_rows import many_pairs, pair


def test_missing_scores_and_ties_are_counted_apart() -> None:
    rows = [pair(0.9, 0.1), pair(0.1, 0.9), pair(0.5, 0.5), pair(0.9, 0.1), pair(None, 0.5), pair(0.5, None)]
    rows += [pair(0.5, 0.1, tie=True), pair(None, 0.1, tie=True)]
    found = measures.accuracy(rows)
    assert found.share is not None
    assert found.share.value == 2.5 / 4
    assert dataclasses.astuple(found)[1:] == (4, 1, 1, 3)
    nothing = measures.accuracy([pair(None, None)])
    assert (nothing.share, nothing.num_unscored) == (None, 1)


def test_a_missing_score_is_not_a_mistake() -> None:
    rows = [pair(1.0, 0.0)] * 3
    assert measures.accuracy([*rows, pair(None, 0.0)]).share == measures.accuracy(rows).share
    assert measures.accuracy([*rows, pair(0.0, 1.0)]).share != measures.accuracy(rows).share  # the control


def test_accuracy_of_slices() -> None:
    rows = [
        dataclasses.replace(pair(1.0, 0.0), source="b"),
        dataclasses.replace(pair(0.0, 1.0), source="a"),
        pair(1.0, 0.0),
    ]
    found = measures.accuracy_by(rows, lambda item: item.source)
    assert {name: item.share.value for name, item in found.items() if item.share} == {"a": 0.0, "b": 1.0}
    assert list(found) == ["a", "b"]


def test_which_is_longer() -> None:
    words = [measures.which_is_longer(pair(0.0, 0.0, lengths=both)) for both in ((2, 1), (1, 2), (1, 1))]
    assert words == ["chosen longer", "chosen shorter", "same length"]
    assert measures.which_is_longer(pair(0.0, 0.0)) is None


def test_length_buckets_are_equally_full_and_never_part_equal_lengths() -> None:
    rows = [pair(1.0, 0.0, lengths=(1, length)) for length in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)]

    def tokens(row: ScoredPair) -> tuple[int, int] | None:
        return row.tokens

    found = measures.accuracy_by_length(rows, tokens)
    assert list(found) == ["1 to 2", "3 to 4", "5 to 6", "7 to 8", "9 to 10"]
    assert [item.num_decided for item in found.values()] == [2] * 5
    same = measures.accuracy_by_length(
        [pair(1.0, 0.0, lengths=(7, 7))] * 6 + [pair(1.0, 0.0, lengths=(9, 1200))], tokens
    )
    assert {name: item.num_decided for name, item in same.items()} == {"7": 6, "8 to 1,200": 1}
    assert measures.accuracy_by_length([pair(1.0, 0.0)], tokens) == {}


def test_calibration_by_hand() -> None:
    sure = math.log(
        0.8 / 0.2
    )  # the sigmoid of this is 0.8, a hair below in floating point or not: bin 7 or 8
    gap = math.log(0.75 / 0.25)
    rows = [pair(gap, 0.0), pair(gap, 0.0), pair(0.0, gap), pair(0.0, gap), pair(None, 0.0)]
    found = measures.calibration(rows)
    assert found is not None
    assert [(item.count, item.share.value) for item in found.bins] == [(4, 0.5)]
    assert found.bins[0].confidence == pytest.approx(0.75)
    assert found.error == pytest.approx(0.25)
    better = measures.calibration([*[pair(sure, 0.0)] * 4, pair(0.0, sure)])
    assert better is not None
    assert better.error == pytest.approx(0.0, abs=1e-6)
    assert measures.calibration([pair(1.0, 0.0, tie=True)]) is None


def test_margins_by_hand() -> None:
    found = measures.margins(
        [pair(1.0, 0.0), pair(0.0, 1.0), pair(0.25, 0.0), pair(0.0, 0.0), pair(0.5, 0.0, tie=True)],
        num_columns=4,
    )
    assert found is not None
    assert found.edges == (-1.0, -0.5, 0.0, 0.5, 1.0)
    assert found.counts == {"decided": (1, 0, 2, 1), "tied": (0, 0, 0, 1)}
    assert found.clipped == 0
    assert measures.margins([pair(None, 1.0)]) is None
    equal = measures.margins([pair(0.5, 0.5)])
    assert equal is not None
    assert equal.edges[-1] == 1.0


def test_far_margins_go_into_the_end_columns() -> None:
    found = measures.margins([*[pair(1.0, 0.0)] * 199, pair(100.0, 0.0)], num_columns=2)
    assert found is not None
    assert (found.edges[-1], found.counts["decided"], found.clipped) == (1.0, (0, 200), 1)


def test_distribution_by_hand() -> None:
    found = measures.distribution([-1.0, 0.0, 0.99, 0.97])
    assert found is not None
    assert found.mean == pytest.approx(0.24)
    assert found.std == pytest.approx(math.sqrt((1 + 0.99**2 + 0.97**2 - 4 * 0.24**2) / 3))
    assert (found.saturated, found.low, found.high, found.count) == (0.5, -1.0, 0.99, 4)
    assert measures.distribution([]) is None
    alone = measures.distribution([0.5])
    assert alone is not None
    assert alone.std == 0.0


def test_ks_distance_by_hand() -> None:
    # at 1: 1/2 against 0; at 2: 1/2 against 1/3; at 3: 1 against 2/3
    assert measures.ks_distance([1.0, 3.0], [2.0, 3.0, 4.0]) == pytest.approx(0.5)
    assert measures.ks_distance([1.0, 2.0], [1.0, 2.0]) == 0
    assert measures.ks_distance([], [1.0]) is None


def test_scores_by_kind_of_prompt() -> None:
    rows = [
        dataclasses.replace(pair(0.1, None), open_ended=True),
        dataclasses.replace(pair(0.2, 0.3), open_ended=False),
        pair(0.4, 0.5),
    ]
    assert measures.scores_of(rows) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert measures.scores_of(rows, open_ended=True) == [0.1]
    assert measures.scores_of(rows, open_ended=False) == [0.2, 0.3]


def test_ties_by_hand() -> None:
    # ties differ by 0.1 and 0.5; the decided by 0.3 (beats one), -0.9 (none), 0.5 (one: equality counts as no)
    rows = [
        pair(0.1, 0.0, tie=True),
        pair(0.0, 0.5, tie=True),
        pair(0.3, 0.0),
        pair(0.0, 0.9),
        pair(0.5, 0.0),
    ]
    found = measures.ties(rows)
    assert found is not None
    assert found.correctness_preferred == pytest.approx(2 / 6)
    assert found.tied_gap == pytest.approx(0.3)
    assert found.decided_gap == pytest.approx(-0.1 / 3)
    assert measures.ties(rows[:2]) is None
    assert measures.ties(rows[2:]) is None


def with_members(chosen: tuple[float, ...], rejected: tuple[float, ...]) -> ScoredPair:
    mean = (sum(chosen) / len(chosen), sum(rejected) / len(rejected))
    return dataclasses.replace(pair(*mean), chosen_members=chosen, rejected_members=rejected)


def test_ensemble_by_hand() -> None:
    rows = [
        with_members((1, 1), (0, 0)),
        with_members((0, 0), (1, 2)),
        with_members((3, 0), (0, 1)),
        pair(1.0, 0.0),
    ]
    found = measures.ensemble([*rows, with_members((1, 1, 1), (0, 0, 0))])
    assert found is not None
    assert [item.value for item in found.members] == pytest.approx([2 / 3, 1 / 3])
    assert (found.num_unanimous, found.num_divided) == (2, 1)
    assert found.unanimous is not None
    assert found.divided is not None
    assert (found.unanimous.value, found.divided.value) == (0.5, 1.0)
    assert measures.ensemble([pair(1.0, 0.0)]) is None


def test_worst_mistakes_come_first() -> None:
    rows = [
        pair(0.0, 0.5, "b"),
        pair(0.0, 0.9, "a"),
        pair(1.0, 0.0, "right"),
        pair(0.0, 2.0, "tie", tie=True),
        pair(0.0, 0.5, "aa"),
    ]
    assert [item.id for item in measures.worst(rows, 2)] == ["a", "aa"]


def test_turning_every_label_round_mirrors_the_accuracy() -> None:
    rows = many_pairs()
    turned = [
        dataclasses.replace(
            row,
            chosen_score=row.rejected_score,
            rejected_score=row.chosen_score,
            chosen_u=row.rejected_u,
            rejected_u=row.chosen_u,
        )
        for row in rows
    ]
    one, two = measures.accuracy(rows).share, measures.accuracy(turned).share
    assert one is not None
    assert two is not None
    assert one.value == pytest.approx(1 - two.value)
