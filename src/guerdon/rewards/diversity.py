"""How varied texts are: a policy that hacks its reward repeats itself, within an answer and from one to the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guerdon.core.metrics import Mean, Metric
from guerdon.core.types import RolloutGroup


def grams(ids: Sequence[int], n: int) -> list[tuple[int, ...]]:
    """All runs of `n` neighbours.

    >>> grams((1, 2, 3), 2)
    [(1, 2), (2, 3)]
    """
    return [tuple(ids[start : start + n]) for start in range(len(ids) - n + 1)]


def distinct(rows: Iterable[Sequence[int]], n: int) -> float | None:
    """Share of different n-grams among all of all rows (distinct-n, arXiv:1510.03055); None: there are none.

    >>> distinct([(1, 2), (1, 2)], 2)
    0.5
    """
    found = [gram for ids in rows for gram in grams(ids, n)]
    return len(set(found)) / len(found) if found else None


def diversity_metrics(groups: Sequence[RolloutGroup], n: int = 2) -> dict[str, Metric]:
    """`completions/distinct_2` over the answers to one problem, `completions/repetition` within one answer.

    Both count n-grams of tokens; each is a mean, over problems and over answers.
    """
    rows = [
        [[token for turn in rollout.turns for token in turn.completion_ids] for rollout in group.rollouts]
        for group in groups
    ]
    across = [share for group in rows if (share := distinct(group, n)) is not None]
    within = [1.0 - share for group in rows for ids in group if (share := distinct([ids], n)) is not None]
    metrics: dict[str, Metric] = {}
    if across:
        metrics[f"completions/distinct_{n}"] = Mean(sum(across), len(across))
    if within:
        metrics["completions/repetition"] = Mean(sum(within), len(within))
    return metrics
