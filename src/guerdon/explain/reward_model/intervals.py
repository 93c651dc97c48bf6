"""Shares and means with 95 % intervals, and correlations, on plain numbers.

a share of independent trials                    --wilson--> its interval; every accuracy of a reward model
means of several trials each, as nine an item    --wilson_of_means--> Wilson's, of as many trials as they amount to
a weighted sum of such numbers                   --combined--> from their intervals (MOVER)
anything else                                    --bootstrap--> percentiles of resampled means
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import pvariance

from guerdon.explain.read import Interval

Z95 = 1.959963984540054
RESAMPLES = 2000
SEED = 0
"""Of the bootstrap: the same rows always get the same interval."""


def wilson(hits: float, count: float) -> Interval:
    """The share of hits with its Wilson interval (1927): sound for small counts and for shares near 0 and 1.

    Equal scores are half a hit. Such a trial varies less than one that is won or lost, so the interval of shares with
    halves in them is a little too wide, never too narrow.

    Raises:
        ValueError: nothing was counted.

    >>> found = wilson(8, 10)
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.8, 0.49, 0.943)
    """
    if count < 1:
        raise ValueError("wilson needs at least one trial")
    share, square = hits / count, Z95**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = Z95 * math.sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    # Exactly 0 and 1 where nothing or all was hit: rounding would put the share outside of its own interval.
    return Interval(
        share, 0.0 if share == 0 else max(0.0, centre - half), 1.0 if share == 1 else min(1.0, centre + half)
    )


def wilson_of_means(means: Sequence[float], size: int) -> Interval:
    """The mean of means over `size` trials of one item each, which go together more or less.

    Wilson's interval for as many independent trials as would vary as much (Korn and Graubard 1998): at least one an item,
    at most all of them.

    Args:
        means: of each item, 0..1.
        size: trials of an item.

    Raises:
        ValueError: no items.

    >>> found, alone = wilson_of_means([1.0, 0.0, 1.0], 9), wilson(2, 3)  # each item says one thing nine times
    >>> round(found.low - alone.low, 9), round(found.high - alone.high, 9)
    (0.0, 0.0)
    """
    count, share = len(means), math.fsum(means) / max(1, len(means))
    if count < 2 or share in (0.0, 1.0):
        return wilson(math.fsum(means), count)
    spread, most = pvariance(means), count * size
    trials = max(count, min(most, count * share * (1 - share) / spread)) if spread else most
    return wilson(share * trials, trials)


def combined(parts: Iterable[tuple[float, Interval]]) -> Interval:
    """A weighted sum of independent numbers: square-and-add of how far their ends are away (MOVER, Zou and Donner 2008).

    Of one number with weight 1 it is that number's interval. None where a part has none.

    Args:
        parts: (weight, number); weights are not negative.

    >>> combined([(0.5, Interval(0.5, 0.2, 0.8)), (0.5, Interval(0.5, 0.1, 0.9))])
    Interval(value=0.5, low=0.25, high=0.75)
    """
    known = list(parts)
    value = math.fsum(weight * part.value for weight, part in known)
    below, above = [], []
    for weight, part in known:
        if part.low is None or part.high is None:
            return Interval(value)
        below.append((weight * (part.value - part.low)) ** 2)
        above.append((weight * (part.high - part.value)) ** 2)
    return Interval(value, value - math.sqrt(math.fsum(below)), value + math.sqrt(math.fsum(above)))


def bootstrap(values: Sequence[float]) -> Interval:
    """The mean with its bootstrap percentile interval; of a single value there is none.

    Raises:
        ValueError: no values.
    """
    if len(values) == 1:
        return Interval(values[0])
    import torch

    from guerdon.functional.stats import bootstrap_interval

    draw = torch.Generator().manual_seed(SEED)
    found = bootstrap_interval(
        torch.tensor(values, dtype=torch.float64), num_resamples=RESAMPLES, generator=draw
    )
    return Interval(*(bound.item() for bound in found))


def pearson(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Linear correlation; None where a side does not vary.

    >>> pearson([1, 2, 3], [2, 4, 6])
    1.0
    """
    if len(first) < 2:
        return None
    mean_1, mean_2 = math.fsum(first) / len(first), math.fsum(second) / len(second)
    away_1, away_2 = [item - mean_1 for item in first], [item - mean_2 for item in second]
    spread = math.fsum(item * item for item in away_1) * math.fsum(item * item for item in away_2)
    if spread <= 0:
        return None
    together = math.fsum(one * two for one, two in zip(away_1, away_2, strict=True))
    return max(-1.0, min(1.0, together / math.sqrt(spread)))


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Rank correlation, equal values sharing their mean rank; None where a side does not vary.

    >>> spearman([1, 2, 3], [1, 10, 100])
    1.0
    """
    return pearson(ranks(first), ranks(second))


def ranks(values: Sequence[float]) -> list[float]:
    """Rank of each value from 1; equal values share the mean of their ranks.

    >>> ranks([10, 30, 10])
    [1.5, 3.0, 1.5]
    """
    order = sorted(range(len(values)), key=lambda place: values[place])
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            found[place] = (start + end) / 2 + 1
        start = end + 1
    return found
