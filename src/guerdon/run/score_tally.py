"""What a scored file comes to: means, pass rates, reasons for "could not verify". Constant memory.

A pass is a value of at least 1 for a part, and everything that the weights allow for the reward.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from guerdon.rewards.rubric_config import Rewards, RubricConfig

REWARD = "reward"
MAX_REASONS = 1000
"""Different reasons counted by themselves."""
OTHER = "further reasons"
CLOSE = 1e-9
"""Sums of weights are floats."""


class Reason(NamedTuple):
    """Rows that a part could not verify for the same reason."""

    part: str
    why: str
    """The note as it is where all of them have the same, else without what differs from row to row."""
    rows: int
    example: str
    """Id of the first such row."""


class Column:
    """Values of one part, or of the reward."""

    def __init__(self, full: float) -> None:
        self.full = full
        """Value that counts as a pass."""
        self.count = 0
        self.total = 0.0
        self.passed = 0
        self.unverified = 0

    def add(self, value: float | None) -> None:
        """One row."""
        if value is None:
            self.unverified += 1
            return
        self.count += 1
        self.total += value
        self.passed += value >= self.full - CLOSE

    @property
    def mean(self) -> float | None:
        """Mean of what could be verified."""
        return self.total / self.count if self.count else None

    @property
    def pass_rate(self) -> float | None:
        """Share of passes among what could be verified."""
        return self.passed / self.count if self.count else None


class Tally:
    """Sums over all rows, those of an earlier, interrupted run included."""

    def __init__(self, rewards: Rewards) -> None:
        self.weights = RubricConfig.of(rewards).weights()
        self.parts = {name: Column(1.0) for name in self.weights}
        self.reward = Column(math.fsum(weight for weight in self.weights.values() if weight > 0))
        self.rows = 0
        self.timed = 0
        """Rows scored now, not by an earlier run."""
        self.seconds = 0.0
        """Spent in verifiers, over all workers."""
        self.slowest: tuple[float, str] = (0.0, "")
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}
        self._alike: dict[tuple[str, str], str | None] = {}
        """The note of all rows of a reason; None: they differ."""

    def add(self, row: Mapping[str, Any], seconds: float | None = None) -> None:
        """One output row; `seconds` if it was scored now."""
        self.rows += 1
        self.reward.add(row["value"])
        for part in row["parts"]:
            column = self.parts.get(part["name"])
            if column is None:
                continue
            column.add(part["value"])
            if part["value"] is None:
                self._blame(part["name"], str(part["evidence"]["note"]), str(row["id"]))
        if seconds is not None:
            self.timed += 1
            self.seconds += seconds
            self.slowest = max(self.slowest, (seconds, str(row["id"])))

    def reasons(self) -> list[Reason]:
        """Why rows could not be verified, the most frequent first."""
        return [
            Reason(key[0], self._alike[key] or key[1], count, self._examples[key])
            for key, count in self._reasons.most_common()
        ]

    def _blame(self, part: str, note: str, name: str) -> None:
        key = (part, general(note, name))
        if key not in self._reasons and len(self._reasons) >= MAX_REASONS:
            key = (part, OTHER)
        whole = _short(_without(note, name)) if key[1] != OTHER else None
        self._alike[key] = whole if self._alike.get(key, whole) == whole else None
        self._reasons[key] += 1
        self._examples.setdefault(key, name)


def general(note: str, name: str) -> str:
    """A note without what belongs to one row: its id, quoted text, numbers.

    >>> general("problem p17 has no target", "p17")
    'problem … has no target'
    >>> general("line 12: '3 apples' cannot be read", "x")
    "line …: '…' cannot be read"
    """
    text = re.sub(r"'[^']*'", "'…'", _without(note, name))
    text = re.sub(r'"[^"]*"', '"…"', text)
    return _short(re.sub(r"(?<![\w.])-?\d[\d.,/]*(?![\w])", "…", text))


def _without(note: str, name: str) -> str:
    """The note on one line, "…" for the row's id where that stands as a word: an id may be a letter."""
    return " ".join((re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", note) if name else note).split())


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:159] + "…"
