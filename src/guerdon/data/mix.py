"""Several sets as one sequence: each spread evenly over it, in the shares that its weights say."""

from __future__ import annotations

import dataclasses
import heapq
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

from guerdon.core.seeds import derive_seed
from guerdon.core.types import Problem

T = TypeVar("T")

SET = "set"
"""Key of `Problem.info` under which a problem keeps the name of its set."""


def in_set(name: str, problem: Problem) -> Problem:
    """The problem as one of this set: ids of two sets never clash, and `info["set"]` says where it comes from."""
    return dataclasses.replace(problem, id=f"{name}/{problem.id}", info={**problem.info, SET: name})


def mix(
    sets: Mapping[str, Sequence[T]],
    weights: Mapping[str, float],
    *,
    seed: int | None,
    total: int | None = None,
) -> tuple[T, ...]:
    """One sequence of items; any beginning of it has about the same shares.

    Args:
        sets: items by name.
        weights: shares by name, in proportion; empty: every item counts the same.
        seed: for the order inside each set; None: as they come.
        total: how many; more than there are repeats whole sets. None: as many as can be had without
            repeating an item.

    >>> "".join(mix({"a": "12345678", "b": "xy"}, {}, seed=None))
    '12x3456y78'
    """
    sizes = {name: len(items) for name, items in sets.items()}
    shares = {name: Fraction(str(weights[name])) if weights else Fraction(sizes[name]) for name in sets}
    whole = sum(shares.values())
    if not any(sizes.values()):
        return ()
    if total is None:
        total = min(math.floor(size * whole / shares[name]) for name, size in sizes.items() if shares[name])
    counts = _apportioned({name: share / whole for name, share in shares.items()}, total)
    placed = (
        _placed(name, _order(sets[name], count, None if seed is None else derive_seed(seed, "mix", name)))
        for name, count in counts.items()
    )
    return tuple(item for _, _, item in heapq.merge(*placed, key=lambda entry: entry[:2]))


def _placed(name: str, items: Sequence[T]) -> Iterator[tuple[float, str, T]]:
    """The items, evenly from 0 to 1."""
    return (((index + 0.5) / len(items), name, item) for index, item in enumerate(items))


def _apportioned(shares: Mapping[str, Fraction], total: int) -> dict[str, int]:
    """Whole numbers in these proportions that add up to `total` (largest remainders)."""
    exact = {name: share * total for name, share in shares.items()}
    counts = {name: math.floor(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _order(items: Sequence[T], count: int, seed: int | None) -> list[T]:
    """`count` of the items: in passes over all of them, each in an order of its own."""
    order: list[T] = []
    passes = 0
    while len(order) < count:
        one = list(items)
        if seed is not None:
            random.Random(derive_seed(seed, "pass", passes)).shuffle(one)
        order += one[: count - len(order)]
        passes += 1
    return order
