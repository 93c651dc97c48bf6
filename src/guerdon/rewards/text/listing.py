"""How good is a list of words? Exact where there is no one right answer: every list that meets the request scores 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from guerdon.core.types import Evidence, Part, Problem, Rollout
from guerdon.rewards.text.config import ListingVerifierConfig

MAX_ITEMS = 1000
OUT_OF_ORDER = 0.5
"""What a list loses that is not in the order asked for."""


class Count(NamedTuple):
    """What stands in a list."""

    good: int
    """Distinct words that may stand there, up to as many as were asked for."""
    bad: int
    """All else: other words, repetitions, words too many."""
    in_order: bool


class ListingVerifier:
    """1 for a list that meets the request, down to -1."""

    def __init__(self, config: ListingVerifierConfig) -> None:
        self.config = config

    def __call__(self, problem: Problem, rollout: Rollout) -> Part:
        """Count the items, which commas or line ends part."""
        asked = problem.info.get(self.config.column)
        if not isinstance(asked, Mapping):
            return self._part(None, f"the problem has no column {self.config.column!r}")
        words, count, in_order = asked.get("words"), asked.get("count"), asked.get("in_order", False)
        if not isinstance(words, list | tuple) or type(count) is not int or count < 1:
            return self._part(None, f"column {self.config.column!r}: expected {{words, count, in_order}}")
        found = counted(items_of(rollout.text), [str(word).casefold() for word in words], count)
        loss = OUT_OF_ORDER if in_order and not found.in_order else 0.0
        note = f"{found.good} of {count} asked for, {found.bad} that should not be there"
        return self._part(
            max(-1.0, (found.good - found.bad) / count - loss), note + (", not in order" if loss else "")
        )

    def _part(self, value: float | None, note: str) -> Part:
        return Part(
            name=self.config.name, value=value, weight=self.config.weight, evidence=Evidence(note=note)
        )


def items_of(text: str) -> list[str]:
    """The items, small letters, without the full stop at the end.

    >>> items_of("Owl, hen, emu.")
    ['owl', 'hen', 'emu']
    """
    items = text.strip().removesuffix(".").casefold().replace("\n", ",").split(",", MAX_ITEMS)
    return [item.strip() for item in items]


def counted(items: Sequence[str], words: Sequence[str], count: int) -> Count:
    """What stands in the list.

    >>> counted(["owl", "owl", "tin"], ["hen", "owl"], 2)
    Count(good=1, bad=2, in_order=True)
    """
    good = min(count, len(set(items) & set(words)))
    return Count(good, len(items) - good, list(items) == sorted(items))
