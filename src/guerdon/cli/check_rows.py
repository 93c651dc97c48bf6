"""`guerdon check` of problems: what the rows of one set prove, and which of them no answer can get a reward for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from guerdon.core.types import Problem
    from guerdon.rewards.rubric_config import RubricConfig

MAX_SHOWN = 10
"""Failures written out; the others are counted."""


class RowFailure(NamedTuple):
    """One row that cannot be used, or does not prove itself."""

    row: str
    """Its id and, where it stands in a file, its place."""
    problem: str


class RowProofs:
    """The rows of one set, added one by one."""

    def __init__(self, rubric: RubricConfig) -> None:
        from guerdon.rewards.prospects import Prospects

        self.rubric = rubric
        self.failures: list[RowFailure] = []
        self.count = 0
        self._prospects = Prospects(rubric)
        self._proven: Counter[tuple[str, str]] = Counter()
        """By what was proved ("gold answer") and the part."""
        self._num_unproved = 0
        """Rows that no part could prove anything of."""
        self._reached: dict[str, None] = {}

    def add(self, problem: Problem, place: str = "") -> None:
        """One row that could be read."""
        name = f"{problem.id} ({place})" if place else problem.id
        found = [RowFailure(name, why) for why in self._faults(problem)]
        self.failures += found or [
            RowFailure(name, blind) for blind in [self._prospects.blind(problem)] if blind
        ]

    def _faults(self, problem: Problem) -> Iterator[str]:
        from guerdon.rewards.prove import prove

        reached = self.rubric.reached(problem)
        proofs = prove(problem, reached.parts)
        self._num_unproved += not proofs
        self._reached |= dict.fromkeys(reached.parts)
        for proof in proofs:
            if proof.holds:
                self._proven[proof.what, proof.part] += 1
            else:
                yield f"{proof.what} does not score 1 by {proof.part}: {proof.note}"
        for route in reached.dead_ends:
            yield f"reward.{route}: no case for this problem, so its rollouts have no reward"

    def write(self, side: str, kind: str) -> int:
        """What was proved and what was not; how many problems."""
        from guerdon.cli.table import write_line, write_table

        rows = len({failure.row for failure in self.failures})
        state = f"{rows} of them fail" if self.failures else self._state()
        write_line(f"{side}  {kind}, {self.count} rows: {state}")
        if self.failures:
            write_table(["row", "problem"], self.failures[:MAX_SHOWN])
        if len(self.failures) > MAX_SHOWN:
            write_line(f"... and {len(self.failures) - MAX_SHOWN} more")
        return len(self.failures)

    def _state(self) -> str:
        from guerdon.rewards.prove import GOLD_ANSWER

        parts = ", ".join(dict.fromkeys(part for _, part in self._proven))
        if not parts:
            names = ", ".join(self._reached)
            why = f"a gold answer proves parts of kind math, not {names}" if names else "no part labels here"
            return f"nothing was proved: {why}"
        num_golds = self.count - self._num_unproved
        golds = f"{num_golds} gold answers score" if self._num_unproved else "every gold answer scores"
        worked = {what for what, _ in self._proven} - {GOLD_ANSWER}
        num_worked = max((count for (what, _), count in self._proven.items() if what in worked), default=0)
        state = f"{golds} 1 by {parts}"
        state += f", {num_worked} worked solution{'s' * (num_worked > 1)} too" if num_worked else ""
        return state + (f"; nothing was proved of {self._num_unproved}" if self._num_unproved else "")
