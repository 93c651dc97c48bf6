"""Scored rows: pairs with the score of either side, and lists of answers to one prompt. JSON Lines both ways.

{"id": "a/1", "source": "human", "chosen_score": 0.4, "rejected_score": null, "chosen_tokens": 31, ...}
{"id": "b/7", "scores": [0.1, 0.9], "gold": [0.0, 1.0]}

A score that is absent, null, NaN or infinite is None: it could not be scored. The rows of `guerdon rm eval` are read
as they are. Lengths are in tokens where those were counted, else in characters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from guerdon.core.errors import DataError
from guerdon.core.types import Json
from guerdon.explain.write import replace_file

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPair:
    """Two answers to one prompt, which of them is better, and what a reward model gave them."""

    id: str
    chosen_score: float | None
    rejected_score: float | None
    chosen_u: float | None = None
    """The utility behind the score, where the score is a squashed one: verdicts and confidence rest on it."""
    rejected_u: float | None = None
    source: str = ""
    """What judged: human, rule, model ..."""
    set: str = ""
    """Name of its set in the recipe."""
    data_set: str = ""
    """Where the row says it comes from: hh-harmless, tulu-human ..."""
    domain: str = ""
    subset: str = ""
    chosen_tokens: int | None = None
    """By the tokenizer of the model that scored."""
    rejected_tokens: int | None = None
    chosen_chars: int | None = None
    rejected_chars: int | None = None
    tie: bool = False
    """Neither is better: which one is called chosen means nothing."""
    margin: float | None = None
    open_ended: bool | None = None
    """Whether many answers may be good; None: nobody said."""
    chosen_members: tuple[float, ...] = ()
    """Scores of an ensemble's members, in the same order on both sides."""
    rejected_members: tuple[float, ...] = ()
    prompt: str = ""
    chosen: str = ""
    rejected: str = ""

    @property
    def values(self) -> tuple[float, float] | None:
        """What decides, chosen first: the utilities, else the scores; None: a side has none."""
        for pair in ((self.chosen_u, self.rejected_u), (self.chosen_score, self.rejected_score)):
            if pair[0] is not None and pair[1] is not None:
                return pair[0], pair[1]
        return None

    @property
    def difference(self) -> float | None:
        """By how much the chosen answer is preferred."""
        found = self.values
        return None if found is None else found[0] - found[1]

    @property
    def hit(self) -> float | None:
        """1: the chosen answer wins, 0: it loses, one half: equal; None: a tie by label, or not scored."""
        gap = self.difference
        if gap is None or self.tie:
            return None
        return 0.5 if gap == 0 else float(gap > 0)

    @property
    def tokens(self) -> tuple[int, int] | None:
        """Of the chosen and of the rejected answer; None: not counted."""
        return _both(self.chosen_tokens, self.rejected_tokens)

    @property
    def chars(self) -> tuple[int, int] | None:
        """As `tokens`."""
        return _both(self.chosen_chars, self.rejected_chars)

    @property
    def lengths(self) -> tuple[int, int] | None:
        """The tokens, else the characters."""
        return self.tokens or self.chars

    @property
    def length_unit(self) -> str:
        """What `lengths` counts."""
        return "tokens" if self.tokens else "characters"

    def record(self) -> dict[str, Json]:
        """The row as JSON; what says nothing is left out."""
        return _record(self, keep=("id", "chosen_score", "rejected_score"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredList:
    """Several answers to one prompt: what a reward model gave them (the proxy), and what they are worth (the gold)."""

    id: str
    scores: tuple[float | None, ...]
    gold: tuple[float | None, ...]
    source: str = ""
    domain: str = ""
    prompt: str = ""

    @property
    def usable(self) -> list[tuple[float, float]]:
        """(score, gold) of the answers that have both."""
        both = zip(self.scores, self.gold, strict=True)
        return [(score, gold) for score, gold in both if score is not None and gold is not None]

    def record(self) -> dict[str, Json]:
        """The row as JSON; what says nothing is left out."""
        return _record(self, keep=("id", "scores", "gold"))


def pair_from(row: Mapping[str, Json], where: str) -> ScoredPair:
    """A row as a pair; unknown columns are passed over.

    Raises:
        DataError: a column of the wrong kind, or neither id nor scores.
    """
    read = _Cells(row, where)
    if "chosen_score" not in row or "rejected_score" not in row:
        raise DataError(
            f"{where}: a scored pair needs chosen_score and rejected_score; got {', '.join(row) or 'nothing'}"
        )
    chosen_members, rejected_members = read.numbers("chosen_members"), read.numbers("rejected_members")
    if len(chosen_members) != len(rejected_members):
        raise DataError(
            f"{where}: chosen_members has {len(chosen_members)} scores and rejected_members "
            f"{len(rejected_members)}; both need one of every member of the ensemble"
        )
    return ScoredPair(
        id=read.text("id") or where,
        chosen_score=read.number("chosen_score"),
        rejected_score=read.number("rejected_score"),
        chosen_u=read.number("chosen_u"),
        rejected_u=read.number("rejected_u"),
        source=read.text("source"),
        set=read.text("set"),
        data_set=read.text("data_set"),
        domain=read.text("domain"),
        subset=read.text("subset"),
        chosen_tokens=read.count("chosen_tokens"),
        rejected_tokens=read.count("rejected_tokens"),
        chosen_chars=read.count("chosen_chars"),
        rejected_chars=read.count("rejected_chars"),
        tie=bool(read.flag("tie")),
        margin=read.number("margin"),
        open_ended=read.flag("open_ended"),
        chosen_members=chosen_members,
        rejected_members=rejected_members,
        prompt=read.text("prompt"),
        chosen=read.text("chosen"),
        rejected=read.text("rejected"),
    )


def list_from(row: Mapping[str, Json], where: str) -> ScoredList:
    """A row as a list of answers.

    Raises:
        DataError: a column of the wrong kind, or not one gold value for each score.
    """
    read = _Cells(row, where)
    scores, gold = read.maybe_numbers("scores"), read.maybe_numbers("gold")
    if len(scores) != len(gold):
        raise DataError(f"{where}: {len(scores)} scores and {len(gold)} gold values; each answer needs both")
    return ScoredList(
        id=read.text("id") or where,
        scores=scores,
        gold=gold,
        source=read.text("source"),
        domain=read.text("domain"),
        prompt=read.text("prompt"),
    )


def read_pairs(path: Path) -> list[ScoredPair]:
    """The pairs of a JSON Lines file.

    Raises:
        DataError: no such file, or a line that is no scored pair.
    """
    return _read(path, pair_from)


def read_lists(path: Path) -> list[ScoredList]:
    """The lists of a JSON Lines file.

    Raises:
        DataError: no such file, or a line that is no scored list.
    """
    return _read(path, list_from)


def write_rows(path: Path, rows: Iterable[ScoredPair | ScoredList]) -> Path:
    """Write rows as JSON Lines, replacing an older file in one step.

    Raises:
        UserError: the file cannot be written.
    """
    return replace_file(path, "".join(json.dumps(row.record(), allow_nan=False) + "\n" for row in rows))


def _read(path: Path, parse: Callable[[Mapping[str, Json], str], Row]) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{where}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected an object, got {type(row).__name__}")
        rows.append(parse(row, where))
    return rows


def _both(chosen: int | None, rejected: int | None) -> tuple[int, int] | None:
    return None if chosen is None or rejected is None else (chosen, rejected)


def _record(row: ScoredPair | ScoredList, keep: tuple[str, ...]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.name in keep or value != field.default:
            found[field.name] = list(value) if isinstance(value, tuple) else value
    return found


class _Cells:
    """The cells of one row, checked as they are read."""

    def __init__(self, row: Mapping[str, Json], where: str) -> None:
        self._row, self._where = row, where

    def text(self, name: str) -> str:
        value = self._row.get(name)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        if isinstance(value, int) and name == "id":
            return str(value)
        raise self._wrong(name, "text", value)

    def flag(self, name: str) -> bool | None:
        value = self._row.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(name, "true or false", value)

    def count(self, name: str) -> int | None:
        value = self._row.get(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise self._wrong(name, "a length", value)

    def number(self, name: str) -> float | None:
        return self._finite(name, self._row.get(name))

    def maybe_numbers(self, name: str) -> tuple[float | None, ...]:
        value = self._row.get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list of numbers", value)
        return tuple(self._finite(name, item) for item in value)

    def numbers(self, name: str) -> tuple[float, ...]:
        if self._row.get(name) is None:
            return ()
        known = self.maybe_numbers(name)
        # An ensemble with a member missing is not that ensemble.
        return () if None in known else tuple(item for item in known if item is not None)

    def _finite(self, name: str, value: Json) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, "a number or null", value)
        return float(value) if math.isfinite(value) else None

    def _wrong(self, name: str, expected: str, value: Json) -> DataError:
        return DataError(f"{self._where}: {name}: expected {expected}, got {json.dumps(value)[:80]}")
