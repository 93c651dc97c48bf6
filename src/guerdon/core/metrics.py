"""Metrics that reduce once and correctly: a mean is a sum and a count to the end, never a mean of means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mean:
    """A weighted mean."""

    sum: float
    count: float

    def __add__(self, other: Mean) -> Mean:
        return Mean(self.sum + other.sum, self.count + other.count)

    @property
    def value(self) -> float | None:
        """`sum / count`, or None when nothing was counted."""
        return self.sum / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Sum:
    """A total."""

    sum: float

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.sum + other.sum)

    @property
    def value(self) -> float | None:
        """The total."""
        return self.sum


@dataclass(frozen=True, slots=True)
class Max:
    """A maximum."""

    max: float

    def __add__(self, other: Max) -> Max:
        return Max(max(self.max, other.max))

    @property
    def value(self) -> float | None:
        """The maximum."""
        return self.max


Metric = Mean | Sum | Max
Metrics = Mapping[str, Metric]


def merge(parts: Iterable[Metrics]) -> dict[str, Metric]:
    """Combine metrics of micro-batches or ranks.

    >>> merge([{"kl": Mean(1.0, 2)}, {"kl": Mean(5.0, 1)}])["kl"].value
    2.0
    """
    total: dict[str, Metric] = {}
    for part in parts:
        for name, metric in part.items():
            if name not in total:
                total[name] = metric
            elif type(total[name]) is not type(metric):
                raise TypeError(
                    f"metric {name!r} is both {type(total[name]).__name__} and {type(metric).__name__}"
                )
            else:
                total[name] = total[name] + metric  # type: ignore[operator]
    return total


def values(metrics: Metrics) -> dict[str, float]:
    """Plain numbers; what was never counted is left out."""
    return {name: value for name, metric in metrics.items() if (value := metric.value) is not None}
