"""Problems in a seeded order, epoch after epoch, with a cursor that a checkpoint can hold.

The order depends on the seed and the epoch alone, never on how many were taken at once.
"""

from __future__ import annotations

import copy
import hashlib
import random
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from guerdon.core.errors import CheckpointError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Json, Problem
from guerdon.data.split import content_key


class Feed:
    """An endless stream of problems; beside them it holds one epoch's order, 8 bytes a problem."""

    def __init__(self, problems: Sequence[Problem], *, seed: int, shuffle: bool) -> None:
        if not problems:
            raise ValueError("a feed needs at least one problem")
        self.problems = problems
        self.seed = seed
        self.shuffle = shuffle
        self.cursor = 0
        self._epoch = -1
        self._order: Sequence[int] = range(len(problems))
        self.fingerprint = _fingerprint(problems)

    def take(self, count: int) -> list[Problem]:
        """The next `count` (0 or more) problems."""
        assert count >= 0
        taken = [self._at(self.cursor + offset) for offset in range(count)]
        self.cursor += count
        return taken

    def _at(self, position: int) -> Problem:
        epoch, index = divmod(position, len(self.problems))
        if self.shuffle and epoch != self._epoch:
            order = array("Q", range(len(self.problems)))
            random.Random(derive_seed(self.seed, "feed", epoch)).shuffle(order)
            self._order, self._epoch = order, epoch
        return self.problems[self._order[index]]

    def fork(self) -> Feed:
        """Another stream that goes on from here; this one stays where it is."""
        return copy.copy(self)

    def shuffled(self, seed: int) -> Feed:
        """The same problems from the beginning, in an order of their own."""
        other = copy.copy(self)
        other.seed, other.shuffle, other.cursor, other._epoch = seed, True, 0, -1
        return other

    def state(self) -> dict[str, Json]:
        """Where the stream stands: tiny, JSON-ready."""
        return {"cursor": self.cursor, "fingerprint": self.fingerprint}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`.

        Raises:
            CheckpointError: the state belongs to other problems, or is none.
        """
        cursor = state.get("cursor")
        if type(cursor) is not int or cursor < 0:
            raise CheckpointError(
                f"the data cursor of the checkpoint is {cursor!r}; expected a whole number, 0 or more"
            )
        if state.get("fingerprint") != self.fingerprint:
            raise CheckpointError(
                "the training problems are not those of the checkpoint (a dataset changed since); "
                "restore the data, or start a new run"
            )
        self.cursor = cursor


def _fingerprint(problems: Sequence[Problem]) -> str:
    """A hash of every problem's name and content, in order."""
    digest = hashlib.blake2b(digest_size=8)
    for problem in problems:
        digest.update(f"{problem.id}\x1f{content_key(problem)}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()
