"""Problems in a seeded order, epoch after epoch, with a cursor that a checkpoint can hold.

The order depends on the seed and the epoch alone, never on how many were taken at once.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from guerdon.core.errors import CheckpointError
from guerdon.core.seeds import content_hash, derive_seed
from guerdon.core.types import Json, Problem


class Feed:
    """An endless stream of problems."""

    def __init__(self, problems: Sequence[Problem], *, seed: int, shuffle: bool) -> None:
        if not problems:
            raise ValueError("a feed needs at least one problem")
        self.problems = problems
        self.seed = seed
        self.shuffle = shuffle
        self.cursor = 0
        self._epoch = -1
        self._order: Sequence[int] = range(len(problems))
        self.fingerprint = content_hash("\n".join(problem.id for problem in problems))

    def take(self, count: int) -> list[Problem]:
        """The next `count` problems."""
        taken = [self._at(self.cursor + offset) for offset in range(count)]
        self.cursor += count
        return taken

    def _at(self, position: int) -> Problem:
        epoch, index = divmod(position, len(self.problems))
        if self.shuffle and epoch != self._epoch:
            order = list(range(len(self.problems)))
            random.Random(derive_seed(self.seed, "feed", epoch)).shuffle(order)
            self._order, self._epoch = order, epoch
        return self.problems[self._order[index]]

    def state(self) -> dict[str, Json]:
        """Where the stream stands: tiny, JSON-ready."""
        return {"cursor": self.cursor, "fingerprint": self.fingerprint}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`.

        Raises:
            CheckpointError: the state belongs to other problems.
        """
        if state["fingerprint"] != self.fingerprint:
            raise CheckpointError(
                "the training problems are not those of the checkpoint (a dataset changed since); "
                "restore the data, or start a new run"
            )
        self.cursor = int(state["cursor"])
