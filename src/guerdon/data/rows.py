"""Problems of a file: objects while they are few; many lie in a temporary file, and each is read when it is taken.

    rows --spooled--> tuple | Rows --joined, chosen--> tuple | Rows

Only rows of tables go through here, so all of a problem is JSON. The file has no name; it is gone with the last `Rows`.
"""

from __future__ import annotations

import bisect
import itertools
import json
import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import overload

from guerdon.core.errors import DataError
from guerdon.core.types import Message, Problem

MAX_BYTES = 16 * 2**20
"""Of packed problems: more are not kept as objects."""

_ENCODE = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_DECODE = json.JSONDecoder().raw_decode  # half the time of `json.loads`


class Rows(Sequence[Problem]):
    """Problems that are made anew each time they are taken; a slice is `Rows`, too."""

    def __init__(self, take: Callable[[int], Problem], places: Sequence[int]) -> None:
        self.take = take
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Problem]:
        return map(self.take, self.places)

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Problem | Rows:
        if isinstance(index, slice):
            return Rows(self.take, self.places[index])
        return self.take(self.places[index])


def spooled(problems: Iterable[Problem]) -> Sequence[Problem]:
    """All of the problems, which may be more than memory holds.

    Raises:
        DataError: there is no room for the temporary file.
    """
    ends, text, file = array("Q", [0]), bytearray(), None
    for problem in problems:
        packed = _packed(problem)
        text += packed
        ends.append(ends[-1] + len(packed))
        if len(text) > MAX_BYTES:
            file = file or _File(ends)
            file.write(text)
    if file is None:
        return tuple(_unpacked(text[start:end]) for start, end in itertools.pairwise(ends))
    file.write(text)
    return Rows(file.take, range(len(ends) - 1))


def chosen(
    problems: Sequence[Problem], places: Sequence[int], change: Callable[[Problem], Problem]
) -> Sequence[Problem]:
    """The problems at these places, in this order, each changed."""
    if isinstance(problems, Rows):
        take, at = problems.take, problems.places
        return Rows(lambda place: change(take(at[place])), places)
    return tuple(change(problems[place]) for place in places)


def joined(parts: Sequence[Sequence[Problem]]) -> Sequence[Problem]:
    """All of the first part, then all of the next."""
    starts = [0, *itertools.accumulate(map(len, parts))]

    def take(place: int) -> Problem:
        part = bisect.bisect(starts, place) - 1
        return parts[part][place - starts[part]]

    found = Rows(take, range(starts[-1]))
    return found if any(isinstance(part, Rows) for part in parts) else tuple(found)


class _File:
    """Packed problems, end to end. Reading moves nothing in it, so threads and forks may read at once."""

    def __init__(self, ends: Sequence[int]) -> None:
        self.ends = ends
        with _disk(), tempfile.TemporaryFile(prefix="guerdon-") as file:
            self.number = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.number).atexit = False

    def write(self, text: bytearray) -> None:
        """Move `text` to the end of the file."""
        with _disk():
            while text:
                del text[: os.write(self.number, text)]

    def take(self, place: int) -> Problem:
        """The problem at this place."""
        start, end = self.ends[place], self.ends[place + 1]
        return _unpacked(os.pread(self.number, end - start, start))


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"data: {tempfile.tempdir or 'TMPDIR'}: many rows need a temporary file there: {error.strerror or error}; "
            "make room, or name another folder in the environment variable TMPDIR"
        ) from None


def _packed(problem: Problem) -> bytes:
    messages = [[message.role, message.content] for message in problem.messages]
    return _ENCODE([problem.id, messages, problem.target, problem.info]).encode(errors="surrogatepass")


def _unpacked(text: bytes | bytearray) -> Problem:
    (name, messages, target, info), _ = _DECODE(text.decode(errors="surrogatepass"))
    shown = tuple(Message(role=role, content=content) for role, content in messages)
    return Problem(id=name, messages=shown, target=target, info=info)
