"""Two reward models on the same pairs, and one reward model from different numbers of pairs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from guerdon.explain.read import Interval
from guerdon.explain.reward_model.intervals import bootstrap, spearman, wilson
from guerdon.explain.reward_model.rows import ScoredPair


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two models say the same."""

    num_pairs: int
    """Scored by both; labels play no part, so ties are among them."""
    same: Interval
    """Share of the pairs in which both prefer the same side, or neither a side."""
    kappa: float | None
    """Cohen's: 0 is chance, 1 always; None: each always says the same one thing."""
    spearman_scores: float | None
    """Rank correlation of the values of all answers."""
    spearman_differences: float | None
    """Rank correlation of the differences."""
    change: Interval | None
    """Accuracy of the second less that of the first on the same decided pairs; None: there are none."""
    num_left_out: int
    """Pairs that only one of them scored or holds."""


def agreement(first: Iterable[ScoredPair], second: Iterable[ScoredPair]) -> Agreement | None:
    """Compare pair by pair, matched by id; None: no pair is scored by both.

    Raises:
        ValueError: an id that stands twice.
    """
    one, two = _by_id(first), _by_id(second)
    both = [(one[name], two[name]) for name in one if name in two]
    scored = [(a, b, a.values, b.values) for a, b in both]
    known = [(a, b, x, y) for a, b, x, y in scored if x is not None and y is not None]
    if not known:
        return None
    gaps = [(x[0] - x[1], y[0] - y[1]) for _, _, x, y in known]
    verdicts = [(_sign(left), _sign(right)) for left, right in gaps]
    changes = [b.hit - a.hit for a, b, _, _ in known if a.hit is not None and b.hit is not None]
    return Agreement(
        len(known),
        wilson(sum(left == right for left, right in verdicts), len(verdicts)),
        kappa(verdicts),
        spearman([v for _, _, x, _ in known for v in x], [v for _, _, _, y in known for v in y]),
        spearman([left for left, _ in gaps], [right for _, right in gaps]),
        bootstrap(changes) if changes else None,
        len(one.keys() | two.keys()) - len(known),
    )


@dataclass(frozen=True, slots=True)
class AgreementMatrix:
    """Every model against every other on the same pairs."""

    names: tuple[str, ...]
    accuracy: tuple[Interval | None, ...]
    """Of each model; None: no decided pair."""
    same: tuple[tuple[float | None, ...], ...]
    """Share of the pairs with the same verdict; symmetric, 1 against itself; None: no pair scored by both."""
    kappa: tuple[tuple[float | None, ...], ...]
    """Cohen's."""


def agreement_matrix(models: Mapping[str, Sequence[ScoredPair]]) -> AgreementMatrix | None:
    """Compare each with each; None: fewer than two models.

    Raises:
        ValueError: an id that stands twice.
    """
    if len(models) < 2:
        return None
    names = tuple(models)
    found = [[agreement(models[one], models[two]) for two in names] for one in names]
    shares = []
    for rows in models.values():
        hits = [pair.hit for pair in rows if pair.hit is not None]
        shares.append(wilson(math.fsum(hits), len(hits)) if hits else None)
    return AgreementMatrix(
        names,
        tuple(shares),
        tuple(tuple(item.same.value if item else None for item in row) for row in found),
        tuple(tuple(item.kappa if item else None for item in row) for row in found),
    )


def kappa(verdicts: Sequence[tuple[int, int]]) -> float | None:
    """Cohen's kappa of two raters: (observed - expected) / (1 - expected) agreement; None: expected is 1.

    >>> kappa([(1, 1), (1, 1), (-1, -1), (-1, 1)])
    0.5
    """
    count = len(verdicts)
    left, right = Counter(a for a, _ in verdicts), Counter(b for _, b in verdicts)
    observed = sum(a == b for a, b in verdicts) / count
    expected = sum(left[name] * right[name] for name in left) / count**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """The accuracy of a model trained on so many pairs."""

    num_pairs: int
    share: Interval


@dataclass(frozen=True, slots=True)
class Scaling:
    """Accuracy against the number of training pairs."""

    points: tuple[ScalingPoint, ...]
    """In order of the number; several runs (seeds) of the same number are several points."""
    means: tuple[tuple[int, float], ...]
    """Mean accuracy of each number."""
    per_doubling: float | None
    """Least-squares gain in accuracy of twice as many pairs; None: fewer than two numbers."""


def scaling(runs: Iterable[tuple[int, Iterable[ScoredPair]]]) -> Scaling | None:
    """One point for each run: the number of training pairs, and the scored held-out pairs.

    Runs in which nothing is decided are left out; None: all of them.

    Raises:
        ValueError: a number of pairs below 1.
    """
    points = []
    for num_pairs, pairs in runs:
        if num_pairs < 1:
            raise ValueError(f"a run needs at least one training pair; got {num_pairs}")
        hits = [pair.hit for pair in pairs if pair.hit is not None]
        if hits:
            points.append(ScalingPoint(num_pairs, wilson(math.fsum(hits), len(hits))))
    if not points:
        return None
    points.sort(key=lambda point: (point.num_pairs, point.share.value))
    numbers = sorted({point.num_pairs for point in points})
    means = [
        (number, fmean(point.share.value for point in points if point.num_pairs == number))
        for number in numbers
    ]
    return Scaling(tuple(points), tuple(means), _slope(means))


def _slope(means: Sequence[tuple[int, float]]) -> float | None:
    if len(means) < 2:
        return None
    places = [math.log2(number) for number, _ in means]
    middle, level = fmean(places), fmean(value for _, value in means)
    above = sum((at - middle) * (value - level) for at, (_, value) in zip(places, means, strict=True))
    return above / sum((at - middle) ** 2 for at in places)


def _by_id(pairs: Iterable[ScoredPair]) -> dict[str, ScoredPair]:
    found: dict[str, ScoredPair] = {}
    for pair in pairs:
        if pair.id in found:
            raise ValueError(f"pair {pair.id!r} stands twice; models are compared pair by pair")
        found[pair.id] = pair
    return found


def _sign(gap: float) -> int:
    return (gap > 0) - (gap < 0)
