"""A recipe in the making: what each of their keys became, and why.

    theirs {key: value} --rules of trl.py or verl.py--> Draft --to_toml--> recipe

Every key of theirs ends as exactly one `Line`, so nothing is dropped in silence.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from guerdon.core.types import Json


class Fate(enum.StrEnum):
    """What became of one of their keys."""

    MAPPED = "mapped"
    UNUSED = "not needed"
    """Guerdon does it always, or has no such part to configure."""
    MISSING = "no counterpart"
    """It changed something there that will be different here."""
    BY_HAND = "set by hand"
    """It means something here, and its value could not be read."""


class Kind(enum.Enum):
    """What a value of theirs is, however it is written ("1e-6" in YAML is text)."""

    WHOLE = "a whole number"
    NUMBER = "a number"
    SWITCH = "true or false"
    TEXT = "text"


class Line(NamedTuple):
    """One row of the mapping table."""

    fate: Fate
    theirs: str
    value: Json
    """Theirs; None for one of their defaults."""
    ours: str
    """`path = value`, or empty."""
    note: str = ""


class Unreadable(str):
    """A value that is code or an unset variable: the text of it, to be shown and never evaluated."""

    __slots__ = ()


@dataclass(slots=True)
class Draft:
    """Their keys on one side, our recipe on the other."""

    theirs: Mapping[str, Any]
    recipe: dict[str, Any] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def take(self, key: str, default: Any = None) -> Any:
        """Their value of `key`, from now on accounted for; `default` where it is absent or unreadable."""
        if key not in self.theirs:
            return default
        self.seen.add(key)
        value = self.theirs[key]
        if isinstance(value, Unreadable):
            self.line(Fate.BY_HAND, key, "", f"not a plain value there: {value}")
            return default
        return value

    def put(self, path: str, value: Any, theirs: str, note: str = "") -> None:
        """Set a field of ours and say where it came from."""
        *tables, last = path.split(".")
        owner = self.recipe
        for name in tables:
            owner = owner.setdefault(name, {})
        owner[last] = value
        self.line(Fate.MAPPED, theirs, f"{path} = {_toml(value)}", note)

    def line(self, fate: Fate, theirs: str, ours: str = "", note: str = "") -> None:
        """Add a row to the table; `theirs` may name several keys joined by ` x `."""
        self.lines.append(Line(fate, theirs, self.theirs.get(theirs), ours, note))

    def same(self, table: Mapping[str, tuple[str, Kind]]) -> None:
        """Keys that mean the same under another path, each with what its value is."""
        for key, (path, kind) in table.items():
            value = self.take(key)
            if value is None:
                continue
            found = None if isinstance(value, dict | list) else _READERS[kind](value)
            if found is None:
                self.line(Fate.BY_HAND, key, path, f"expected {kind.value}; got {value}")
            else:
                self.put(path, found, key)

    def unused(self, table: Mapping[str, str]) -> None:
        """Keys that need no counterpart; a key ending in `*` stands for all that begin so."""
        for pattern, note in table.items():
            for key in self._matching(pattern):
                self.seen.add(key)
                self.line(Fate.UNUSED, key, "", note)

    def missing(self, table: Mapping[str, tuple[Any, str]]) -> None:
        """Keys without counterpart, each with the value at which it changes nothing, and a note."""
        for pattern, (neutral, note) in table.items():
            for key in self._matching(pattern):
                self.seen.add(key)
                value = self.theirs[key]
                fate = Fate.UNUSED if value == neutral or value is None else Fate.MISSING
                self.line(fate, key, "", "has no effect at this value" if fate is Fate.UNUSED else note)

    def finish(self) -> None:
        """Name every key that no rule took."""
        for key in sorted(set(self.theirs) - self.seen):
            self.line(Fate.MISSING, key, "", "not known to this translation; check what it did")

    def _matching(self, pattern: str) -> list[str]:
        if not pattern.endswith("*"):
            return [pattern] if pattern in self.theirs and pattern not in self.seen else []
        return [key for key in self.theirs if key.startswith(pattern[:-1]) and key not in self.seen]


def number(value: Any) -> float | None:
    """A number, also from text such as "1e-6", which YAML reads as a string."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def whole(value: Any) -> int | None:
    """A whole number, or None."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def truth(value: Any) -> bool:
    """A switch: true, "True", "yes", 1 and a flag without a value."""
    return value is True or str(value).lower() in ("true", "yes", "1", "on")


_READERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.WHOLE: whole,
    Kind.NUMBER: number,
    Kind.SWITCH: truth,
    Kind.TEXT: str,
}


def to_toml(recipe: Mapping[str, Any], header: str) -> str:
    """A recipe as TOML: plain keys first, then one table after another.

    >>> print(to_toml({"seed": 1, "train": {"max_steps": 2}}, "mine"), end="")
    # mine
    seed = 1
    <BLANKLINE>
    [train]
    max_steps = 2
    """
    # A control character in a comment is not TOML.
    lines = ["".join(char if char.isprintable() else "?" for char in line) for line in header.split("\n")]
    comment = "\n".join(f"# {line}".rstrip() for line in lines)
    return "\n".join([comment, *_tables(recipe, "")]).rstrip("\n") + "\n"


def _tables(table: Mapping[str, Any], path: str) -> list[str]:
    plain = [f"{_key(key)} = {_toml(value)}" for key, value in table.items() if not isinstance(value, dict)]
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    lines = [f"[{path}]"] if path and (plain or not inner) else []
    lines += [*plain, ""] if plain or lines else []
    for key, value in inner.items():
        lines += _tables(value, f"{path}.{_key(key)}" if path else _key(key))
    return lines


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quoted(key)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return _quoted(str(value))


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, except for DEL
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
