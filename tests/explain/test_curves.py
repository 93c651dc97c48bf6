from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.explain.curves import MAX_POINTS, Curve, CurveBuilder, align, scaled, smooth


def built(values: list[float], max_points: int = MAX_POINTS) -> Curve:
    builder = CurveBuilder(max_points)
    for step, value in enumerate(values, start=1):
        builder.add(step, value)
    return builder.curve()


def test_a_short_curve_is_kept_exactly() -> None:
    curve = built([3.0, 1.0, 2.0])
    assert [(bucket.step, bucket.mean) for bucket in curve.buckets] == [(1, 3.0), (2, 1.0), (3, 2.0)]


def test_one_outlier_among_many_steps_survives() -> None:
    values = [1.0] * 50_000
    values[31_234], values[40_001] = 99.0, -7.0
    curve = built(values)
    assert len(curve.buckets) <= MAX_POINTS
    assert (curve.low, curve.high) == (-7.0, 99.0)
    assert curve.buckets[-1].last == 50_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(2, 40))
def test_joining_neither_loses_nor_invents(values: list[float], most: int) -> None:
    curve = built(values, most)
    assert len(curve.buckets) <= most
    assert sum(bucket.count for bucket in curve.buckets) == len(values)
    assert (curve.low, curve.high) == (min(values), max(values))
    assert curve.mean == pytest.approx(sum(values) / len(values), abs=1e-6)
    ends = [edge for bucket in curve.buckets for edge in (bucket.first, bucket.last)]
    assert ends == sorted(ends)


def test_the_moving_average_is_centred_and_keeps_a_straight_line() -> None:
    line = [float(step) for step in range(100)]
    middle = smooth(built(line))[10:-10]
    assert middle == pytest.approx(line[10:-10])  # a lagging average would lie below


def test_curves_with_gaps_are_stacked_at_the_right_steps() -> None:
    full, late = CurveBuilder(), CurveBuilder()
    for step in range(1, 5):
        full.add(step, 1.0)
    late.add(3, 5.0)
    steps, rows = align([full.curve(), late.curve()], 10)
    assert steps == [1, 2, 3, 4]
    assert rows == [[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 5.0, 5.0]]


def test_a_negative_weight_turns_the_curve_over() -> None:
    curve = scaled(built([1.0, 3.0]), -2.0)
    assert (curve.low, curve.high, curve.mean) == (-6.0, -2.0, -4.0)
