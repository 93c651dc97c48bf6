"""Curves of bounded size: a series of any length becomes at most `MAX_POINTS` buckets, in one pass.

    value at step --add--> | bucket | bucket | ... |     full? neighbours merge, the bucket width doubles

A bucket keeps its mean, its lowest and its highest value, so an outlier of one step among 50,000 is still
drawn. As long as all steps fit, every bucket is one step and nothing is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MAX_POINTS = 240
SMOOTHING_SHARE = 0.04
"""Half-width of the moving average, as a share of the curve."""
MIN_TO_SMOOTH = 20
"""Points; a shorter curve is drawn as it is."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Neighbouring steps of one metric."""

    first: int
    """First step that fell in here."""
    last: int
    """Last step that fell in here."""
    total: float
    count: int
    low: float
    high: float

    @property
    def step(self) -> float:
        """Where it is drawn."""
        return (self.first + self.last) / 2

    @property
    def mean(self) -> float:
        """Mean value."""
        return self.total / self.count

    def joined(self, other: Bucket) -> Bucket:
        """Both as one."""
        return Bucket(
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            total=self.total + other.total,
            count=self.count + other.count,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
        )


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric over the steps of one stage."""

    buckets: tuple[Bucket, ...]

    @property
    def low(self) -> float:
        """Lowest value of any step."""
        return min(bucket.low for bucket in self.buckets)

    @property
    def high(self) -> float:
        """Highest value of any step."""
        return max(bucket.high for bucket in self.buckets)

    @property
    def mean(self) -> float:
        """Mean over all steps."""
        return sum(bucket.total for bucket in self.buckets) / sum(bucket.count for bucket in self.buckets)

    def start(self) -> float:
        """Mean over about the first tenth of the buckets."""
        return Curve(self.buckets[: self._tenth]).mean

    def end(self) -> float:
        """Mean over about the last tenth of the buckets."""
        return Curve(self.buckets[-self._tenth :]).mean

    @property
    def _tenth(self) -> int:
        return max(1, len(self.buckets) // 10)


class CurveBuilder:
    """Takes the values of one metric as they come; memory does not grow with their number."""

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        self._max_points = max_points
        self._width = 1
        self._buckets: list[Bucket] = []

    def add(self, step: int, value: float) -> None:
        """The value at one step (1-based); steps come in order."""
        new = Bucket(first=step, last=step, total=value, count=1, low=value, high=value)
        if self._buckets and self._place(self._buckets[-1]) == self._place(new):
            self._buckets[-1] = self._buckets[-1].joined(new)
            return
        self._buckets.append(new)
        while len(self._buckets) > self._max_points:
            self._halve()

    def curve(self) -> Curve:
        """What was added so far."""
        return Curve(tuple(self._buckets))

    def _place(self, bucket: Bucket) -> int:
        return (bucket.first - 1) // self._width

    def _halve(self) -> None:
        self._width *= 2
        merged: list[Bucket] = []
        for bucket in self._buckets:
            if merged and self._place(merged[-1]) == self._place(bucket):
                merged[-1] = merged[-1].joined(bucket)
            else:
                merged.append(bucket)
        self._buckets = merged


def smooth(curve: Curve) -> list[float]:
    """A centred moving average with triangular weights, one value a bucket; it does not lag behind.

    >>> smooth(Curve((Bucket(first=1, last=1, total=2.0, count=1, low=2.0, high=2.0),)))
    [2.0]
    """
    means = [bucket.mean for bucket in curve.buckets]
    reach = math.ceil(SMOOTHING_SHARE * len(means)) if len(means) >= MIN_TO_SMOOTH else 0
    smoothed = []
    for centre in range(len(means)):
        near = range(max(0, centre - reach), min(len(means), centre + reach + 1))
        weights = [(reach + 1 - abs(centre - place)) * curve.buckets[place].count for place in near]
        weighted = sum(weight * means[place] for weight, place in zip(weights, near, strict=True))
        smoothed.append(weighted / sum(weights))
    return smoothed


def align(curves: Sequence[Curve], num_bins: int) -> tuple[list[float], list[list[float]]]:
    """Several curves over the same equal bins of steps, to be stacked.

    Returns:
        The middle step of each bin, and for each curve its mean there (0 before its first value, the last
        value where it has none).
    """
    first = min(curve.buckets[0].first for curve in curves)
    last = max(curve.buckets[-1].last for curve in curves)
    num_bins = max(1, min(num_bins, last - first + 1, max(len(curve.buckets) for curve in curves)))
    width = (last - first + 1) / num_bins
    # Both ends are steps: with one step a bin, the middle is that very step.
    middles = [first + (index + 0.5) * width - 0.5 for index in range(num_bins)]
    rows = []
    for curve in curves:
        sums, counts = [0.0] * num_bins, [0] * num_bins
        for bucket in curve.buckets:
            place = min(num_bins - 1, int((bucket.step - first + 0.5) / width))
            sums[place] += bucket.total
            counts[place] += bucket.count
        row: list[float] = []
        for total, count in zip(sums, counts, strict=True):
            row.append(total / count if count else row[-1] if row else 0.0)
        rows.append(row)
    return middles, rows


def smoothed(curve: Curve) -> Curve:
    """The curve with every bucket at its moving average."""
    return Curve(
        tuple(
            Bucket(
                first=old.first, last=old.last, total=mean * old.count, count=old.count, low=mean, high=mean
            )
            for old, mean in zip(curve.buckets, smooth(curve), strict=True)
        )
    )


def scaled(curve: Curve, factor: float) -> Curve:
    """Every value times `factor`."""
    return Curve(
        tuple(
            Bucket(
                first=old.first,
                last=old.last,
                total=old.total * factor,
                count=old.count,
                low=min(old.low * factor, old.high * factor),
                high=max(old.low * factor, old.high * factor),
            )
            for old in curve.buckets
        )
    )
