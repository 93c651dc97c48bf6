"""Measures on scored pairs: who wins, how surely, how the scores are spread.

Pairs tied by label and pairs without both scores belong to no accuracy: they are counted beside it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from guerdon.explain.read import Interval
from guerdon.explain.reward_model.intervals import wilson
from guerdon.explain.reward_model.rows import ScoredPair

SATURATED = 0.98
"""Scores beyond this, either way, cannot say how much better."""
NUM_BINS = 10
"""Bins of confidence over 0..1; the upper half can hold something."""
NUM_LENGTH_BUCKETS = 5
EXTREME = 0.99
"""Share of differences that the margin histogram spans; the rest goes into its end columns."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the chosen answer wins."""

    share: Interval | None
    """Over the decided pairs, equal scores counting half; None: there are none."""
    num_decided: int
    num_equal: int
    """Of the decided pairs, those with equal scores on both sides."""
    num_ties: int
    """Pairs that are ties by label."""
    num_unscored: int
    """Pairs of which a side has no score."""


def accuracy(pairs: Iterable[ScoredPair]) -> Accuracy:
    """Accuracy with its Wilson interval.

    >>> pair = ScoredPair(id="1", chosen_score=0.5, rejected_score=0.25)
    >>> accuracy([pair]).share.value
    1.0
    """
    hits: list[float] = []
    ties = unscored = 0
    for pair in pairs:
        hit = pair.hit
        if pair.difference is None:
            unscored += 1
        elif hit is None:
            ties += 1
        else:
            hits.append(hit)
    share = wilson(math.fsum(hits), len(hits)) if hits else None
    return Accuracy(share, len(hits), sum(hit == 0.5 for hit in hits), ties, unscored)


def accuracy_by(
    pairs: Iterable[ScoredPair], name_of: Callable[[ScoredPair], str | None]
) -> dict[str, Accuracy]:
    """Accuracy of each group, in the order of their names; what has no name is in no group."""
    groups: dict[str, list[ScoredPair]] = {}
    for pair in pairs:
        name = name_of(pair)
        if name:
            groups.setdefault(name, []).append(pair)
    return {name: accuracy(groups[name]) for name in sorted(groups)}


def which_is_longer(pair: ScoredPair) -> str | None:
    """Whether the chosen answer is the longer one, in words."""
    if pair.lengths is None:
        return None
    chosen, rejected = pair.lengths
    return "same length" if chosen == rejected else "chosen longer" if chosen > rejected else "chosen shorter"


def accuracy_by_length(
    pairs: Sequence[ScoredPair], lengths_of: Callable[[ScoredPair], tuple[int, int] | None]
) -> dict[str, Accuracy]:
    """Accuracy in buckets of about equally many pairs, by the length of the longer answer; shortest first."""
    known = [(max(lengths), pair) for pair in pairs if (lengths := lengths_of(pair)) is not None]
    if not known:
        return {}
    ordered = sorted(length for length, _ in known)
    count = min(NUM_LENGTH_BUCKETS, len(ordered))
    # The last length of each bucket; equal lengths never part, so there may be fewer buckets.
    ends = sorted({ordered[(index + 1) * len(ordered) // count - 1] for index in range(count)})
    buckets: list[list[ScoredPair]] = [[] for _ in ends]
    for length, pair in known:
        buckets[bisect_left(ends, length)].append(pair)
    starts = [ordered[0], *(end + 1 for end in ends[:-1])]
    return {
        f"{start:,}" if start == end else f"{start:,} to {end:,}": accuracy(bucket)
        for start, end, bucket in zip(starts, ends, buckets, strict=True)
    }


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often each stated confidence was right; confidence is the sigmoid of the difference, 0.5 to 1."""

    error: float
    """Expected calibration error."""
    bins: tuple[ReliabilityBin, ...]
    """Those that hold something, in order."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pairs of about the same confidence."""

    confidence: float
    """Mean."""
    share: Interval
    """Of right verdicts."""
    count: int


def calibration(pairs: Iterable[ScoredPair], *, num_bins: int = NUM_BINS) -> Calibration | None:
    """Reliability of the verdicts under Bradley-Terry; None: nothing is decided."""
    decided = [(pair.difference, pair.hit) for pair in pairs]
    known = [(gap, hit) for gap, hit in decided if gap is not None and hit is not None]
    if not known:
        return None
    import torch

    from guerdon.functional.calibrate import reliability

    sure = torch.tensor([abs(gap) for gap, _ in known], dtype=torch.float64).sigmoid()
    found = reliability(sure, torch.tensor([hit for _, hit in known], dtype=torch.float64), num_bins=num_bins)
    rows = zip(found.confidence_B.tolist(), found.accuracy_B.tolist(), found.count_B.tolist(), strict=True)
    bins = (
        ReliabilityBin(stated, wilson(right * count, round(count)), round(count))
        for stated, right, count in rows
        if count
    )
    return Calibration(float(found.error), tuple(bins))


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts in columns of equal width, one row of counts for each kind."""

    edges: tuple[float, ...]
    """One more than columns."""
    counts: Mapping[str, tuple[int, ...]]
    clipped: int = 0
    """How many values lie beyond the edges; they are counted in the columns at the ends."""


def histogram(kinds: Mapping[str, Sequence[float]], low: float, high: float, num_columns: int) -> Histogram:
    """Count each kind's values; the upper edge belongs to the last column.

    >>> histogram({"a": [0.0, 0.9, 5.0]}, 0.0, 1.0, 2)
    Histogram(edges=(0.0, 0.5, 1.0), counts={'a': (1, 2)}, clipped=1)
    """
    width = (high - low) / num_columns
    rows, clipped = {}, 0
    for name, values in kinds.items():
        row = [0] * num_columns
        for value in values:
            clipped += not low <= value <= high
            row[max(0, min(num_columns - 1, math.floor((value - low) / width)))] += 1
        rows[name] = tuple(row)
    return Histogram(tuple(low + index * width for index in range(num_columns + 1)), rows, clipped)


def margins(pairs: Iterable[ScoredPair], *, num_columns: int = 24) -> Histogram | None:
    """Histogram of the differences around 0: pairs decided by label, and ties; None: nothing is scored."""
    decided: list[float] = []
    tied: list[float] = []
    for pair in pairs:
        if pair.difference is not None:
            (tied if pair.tie else decided).append(pair.difference)
    sizes = sorted(abs(gap) for gap in decided + tied)
    if not sizes:
        return None
    reach = sizes[math.ceil(EXTREME * len(sizes)) - 1] or sizes[-1] or 1.0
    kinds = {"decided": decided, "tied": tied} if tied else {"decided": decided}
    return histogram(kinds, -reach, reach, num_columns)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Where scores lie."""

    count: int
    mean: float
    std: float
    low: float
    high: float
    saturated: float
    """Share beyond +-0.98; means something for scores in -1..1 only."""


def distribution(scores: Sequence[float]) -> Distribution | None:
    """Mean, standard deviation (Bessel's, as everywhere here), range and saturation; None without scores.

    >>> distribution([-1.0, 0.0, 1.0]).std
    1.0
    """
    if not scores:
        return None
    saturated = sum(abs(score) > SATURATED for score in scores) / len(scores)
    std = stdev(scores) if len(scores) > 1 else 0.0
    return Distribution(len(scores), fmean(scores), std, min(scores), max(scores), saturated)


def scores_of(pairs: Iterable[ScoredPair], *, open_ended: bool | None = None) -> list[float]:
    """Every score there is; of open-ended prompts or of closed ones only, where asked."""
    wanted = (pair for pair in pairs if open_ended is None or pair.open_ended is open_ended)
    return [
        score for pair in wanted for score in (pair.chosen_score, pair.rejected_score) if score is not None
    ]


def ks_distance(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kolmogorov-Smirnov distance of two samples, 0..1; None where one is empty.

    >>> ks_distance([0.0, 1.0], [2.0, 3.0])
    1.0
    """
    if not first or not second:
        return None
    one, two = sorted(first), sorted(second)
    return max(
        abs(bisect_right(one, at) / len(one) - bisect_right(two, at) / len(two)) for at in {*one, *two}
    )


@dataclass(frozen=True, slots=True)
class Ties:
    """Whether a model sees that two answers are equally good, in the manner of RewardBench 2."""

    num_ties: int
    tied_gap: float
    """Mean size of the difference within a tie; should be small."""
    decided_gap: float
    """Mean difference in favour of the chosen answer elsewhere; should be large."""
    correctness_preferred: float
    """Chance that a decided pair's margin, negative where the verdict is wrong, exceeds a tie's difference."""


def ties(pairs: Iterable[ScoredPair]) -> Ties | None:
    """The scores of ties by label against those of the decided pairs; None where one of the two is missing.

    RewardBench 2 asks of a prompt whether its margin between right and wrong exceeds the spread among right answers.
    Pairs do not come by prompt, so every decided pair is asked against every tie; equality counts as no.
    """
    known = [(pair.tie, pair.difference) for pair in pairs]
    tied = sorted(abs(gap) for tie, gap in known if tie and gap is not None)
    decided = [gap for tie, gap in known if not tie and gap is not None]
    if not tied or not decided:
        return None
    exceeded = sum(bisect_left(tied, gap) for gap in decided)
    return Ties(len(tied), fmean(tied), fmean(decided), exceeded / (len(tied) * len(decided)))


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Whether disagreement between the members of an ensemble warns of mistakes."""

    members: tuple[Interval, ...]
    """Accuracy of each member alone."""
    unanimous: Interval | None
    """Accuracy where all members agree; None: nowhere."""
    divided: Interval | None
    """Accuracy of the ensemble's verdict where they do not; None: nowhere."""
    num_unanimous: int
    num_divided: int


def ensemble(pairs: Iterable[ScoredPair]) -> Ensemble | None:
    """Accuracy of members and of agreement; None: no decided pair holds the scores of several members.

    Pairs with another number of members than the first one are left out.
    """
    known = [pair for pair in pairs if pair.hit is not None and len(pair.chosen_members) > 1]
    if not known:
        return None
    size = len(known[0].chosen_members)
    hits: list[list[float]] = [[] for _ in range(size)]
    unanimous: list[float] = []
    divided: list[float] = []
    for pair in known:
        if len(pair.chosen_members) != size or pair.hit is None:
            continue
        gaps = [one - two for one, two in zip(pair.chosen_members, pair.rejected_members, strict=True)]
        for column, gap in zip(hits, gaps, strict=True):
            column.append(0.5 if gap == 0 else float(gap > 0))
        agree = all(gap > 0 for gap in gaps) or all(gap < 0 for gap in gaps)
        (unanimous if agree else divided).append(pair.hit)
    return Ensemble(
        tuple(_share(column) for column in hits),
        _share(unanimous) if unanimous else None,
        _share(divided) if divided else None,
        len(unanimous),
        len(divided),
    )


def worst(pairs: Iterable[ScoredPair], count: int) -> list[ScoredPair]:
    """The wrong verdicts, most confident first."""
    wrong = [
        (pair.difference, pair.id, pair) for pair in pairs if pair.hit == 0 and pair.difference is not None
    ]
    return [pair for _, _, pair in sorted(wrong, key=lambda item: item[:2])[:count]]


def _share(hits: Sequence[float]) -> Interval:
    return wilson(math.fsum(hits), len(hits))
