"""What rows say of responses: numbers, ranks, which of two is better, which of several is the best."""

from __future__ import annotations

import dataclasses
import math
import string
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from guerdon.core.errors import DataError
from guerdon.data.cells import ABSENT
from guerdon.data.preferences.columns import NamedRow, entry_value
from guerdon.data.preferences.pairing import SCORE

FIRST = frozenset(
    ["1", "a", "first", "left", "model_a", "response_1", "response_a", "answer_a", "assistant_a"]
)
SECOND = frozenset(
    ["2", "b", "second", "right", "model_b", "response_2", "response_b", "answer_b", "assistant_b"]
)
TIE = frozenset(
    ("tie", "both", "neither", "draw", "equal", "same", "tie (bothbad)", "both_bad", "tie_both_bad")
)
POSITIONS = ("winner", "preferred")
"""Columns whose whole numbers count the answers from 1, where others measure by how much the second is better."""


def number(value: Any, what: str, where: str) -> float | None:
    """A rating; None: there is none.

    >>> number("4", "helpfulness", "line 1"), number("N/A", "helpfulness", "line 1")
    (4.0, None)

    Raises:
        DataError: it is no finite number.
    """
    if (
        value is None
        or value is ABSENT
        or (isinstance(value, str) and value.strip().casefold() in ("", "n/a"))
    ):
        return None
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise DataError(
            f"data: {where}: {what} is {value!r:.60}; expected a finite number (or null: not rated)"
        )
    return found


def flag(value: Any, what: str, where: str) -> bool:
    """Yes or no; nothing means no.

    Raises:
        DataError: it is neither.
    """
    if value is None or value is ABSENT:
        return False
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise DataError(f"data: {where}: {what} is {value!r:.60}; expected true or false")


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Which of two responses is better."""

    second: float
    """By how much the second answer is better; negative: the first is."""
    is_scale: bool


def verdict_of(value: Any, column: str, where: str) -> Verdict:
    """What a column says of two responses.

    Raises:
        DataError: nothing that can be read.
    """
    if isinstance(value, str):
        word = value.strip().casefold()
        for words, second in ((FIRST, -1.0), (SECOND, 1.0), (TIE, 0.0)):
            if word in words:
                return Verdict(second, is_scale=False)
    elif column in POSITIONS and value in (0, 1, 2) and not isinstance(value, bool):
        return Verdict({0: 0.0, 1: -1.0, 2: 1.0}[value], is_scale=False)
    elif column not in POSITIONS and isinstance(value, int | float) and not isinstance(value, bool):
        return Verdict(number(value, column, where) or 0.0, is_scale=True)
    raise DataError(
        f"data: {where}: {column} is {value!r:.60}; expected which answer is better (a, b, tie) or a number, "
        "negative where the first is"
    )


class Judgement(NamedTuple):
    """What a row says of its responses."""

    scores: Sequence[float | None]
    """Larger is better."""
    rating: str
    """What its numbers are: a score, a rank; "": it only names the best."""
    only_best: bool = False
    """Whether it only names the best, so that nothing is said of the others among themselves."""


def judgement(named: NamedRow, entries: Sequence[Any], *, ranked: bool) -> Judgement:
    """Scores, else ranks, else the name of the best; of a ranked layout ranks, or simply the best first.

    Raises:
        DataError: they are no such thing, too few or too many, or there is no place for them.
    """
    scores = None if ranked else _numbers(named, entries, "score")
    if scores and any(score is not None for score in scores):
        return Judgement(scores, SCORE)
    ranks = _numbers(named, entries, "rank")
    if ranks and (ranked or any(rank is not None for rank in ranks)):
        return Judgement([None if rank is None else -rank for rank in ranks], "rank")
    if ranked:  # the recipe says so: best first
        return Judgement([-float(index) for index in range(1, len(entries) + 1)], "rank")
    best = named.get("preference")
    if best not in (None, ABSENT, ""):
        return _best(best, len(entries), named.where)
    if scores is None and ranks is None and best is ABSENT:
        raise DataError(
            f"data: {named.where}: responses without scores; expected a list scores, or a score in each "
            "(best first? layout = 'ranked')"
        )
    return Judgement([None] * len(entries), SCORE)  # nobody has judged it yet


def _numbers(named: NamedRow, entries: Sequence[Any], what: str) -> list[float | None] | None:
    """The scores or ranks of a list, beside it or in its entries; None: there is no place for them."""
    where, name = named.where, f"{what}s"
    if isinstance(values := named.get(name), list):
        if len(values) != len(entries):
            raise DataError(
                f"data: {where}: {len(values)} {name} for {len(entries)} responses; expected one for each"
            )
        return [number(value, f"{what} {index}", where) for index, value in enumerate(values)]
    key = "score" if what == "score" else "ranks"
    inside = [entry_value(entry, named, key) if isinstance(entry, Mapping) else ABSENT for entry in entries]
    if all(value is ABSENT for value in inside):
        return None
    return [number(value, f"{what} {index}", where) for index, value in enumerate(inside)]


def _best(value: Any, count: int, where: str) -> Judgement:
    """Which response is the best: a, b, c ... in their order, or a tie. The others are not compared."""
    word = value.strip().casefold() if isinstance(value, str) else ""
    if word in TIE:
        return Judgement([0.0] * count, "")
    letters = string.ascii_lowercase[:count]
    place = 0 if word in FIRST else 1 if word in SECOND else letters.find(word) if len(word) == 1 else -1
    if place < 0:
        raise DataError(
            f"data: {where}: preference is {value!r:.60}; expected the letter of the best response ({letters[0]} to "
            f"{letters[-1]}), or tie"
        )
    return Judgement([float(index == place) for index in range(count)], "", only_best=True)
