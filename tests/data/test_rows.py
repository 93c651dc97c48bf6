from __future__ import annotations

import os
import random
import resource
import tempfile
import tracemalloc
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guerdon.core.errors import DataError
from guerdon.core.types import Message, Problem
from guerdon.data import rows
from guerdon.data.rows import Rows, chosen, joined, spooled

text = st.text(st.characters(), max_size=9)  # half characters too: a column may hold them
infos = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
problems_of_any_kind = st.builds(
    Problem,
    id=text,
    messages=st.lists(st.builds(Message, role=text, content=text), min_size=1, max_size=3).map(tuple),
    target=st.none() | text,
    info=st.dictionaries(text, infos, max_size=3),
)


@pytest.fixture(autouse=True)
def in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rows, "MAX_BYTES", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def some(count: int, *, length: int = 20) -> Iterator[Problem]:
    for number in range(count):
        message = Message(role="user", content=f"{number} " * length)
        yield Problem(id=f"p{number}", messages=(message,), target=str(number), info={"level": number % 3})


def marked(problem: Problem) -> Problem:
    return Problem(id=f"{problem.id}!", messages=problem.messages)


@given(st.lists(problems_of_any_kind, max_size=5))
@example([Problem(id="\ud800", messages=(), info={"two halves": "\ud83d\ude00"})])
@settings(max_examples=40, deadline=None)
def test_problems_come_back_as_they_were_in_memory_and_from_a_file(found: list[Problem]) -> None:
    padded = [*found, *some(20)]
    assert list(spooled(found)) == found
    in_file = spooled(padded)
    assert isinstance(in_file, Rows)
    assert list(in_file) == padded


def test_a_place_a_slice_and_the_end_are_those_of_a_tuple() -> None:
    whole, found = tuple(some(60)), spooled(some(60))
    assert isinstance(found, Rows)
    assert len(found) == 60
    assert [found[at] for at in (0, 7, 59, -1, -60)] == [whole[at] for at in (0, 7, 59, -1, -60)]
    for part in slice(3, 9), slice(None, None, -7), slice(50, 99), slice(5, 5):
        assert tuple(found[part]) == whole[part]
    for beyond in 60, -61:
        with pytest.raises(IndexError):
            found[beyond]


@pytest.mark.parametrize("large", ["first", "second", "none"])
def test_joined_and_chosen_are_the_same_in_memory_and_from_a_file(large: str) -> None:
    parts: list[Sequence[Problem]] = [tuple(some(60)), (), tuple(some(40, length=3))]
    whole = (*parts[0], *parts[2])
    if large != "none":
        at = 0 if large == "first" else 2
        parts[at] = spooled(parts[at])
    order = list(range(len(whole)))
    random.Random(0).shuffle(order)
    found = joined(parts)
    picked = chosen(found, order, marked)
    assert tuple(found) == whole
    assert tuple(picked) == tuple(marked(whole[at]) for at in order)
    assert isinstance(found, tuple) == isinstance(picked, tuple) == (large == "none")


def test_of_many_rows_little_is_in_memory() -> None:
    tracemalloc.start()
    try:
        in_file = spooled(some(2000))
        small, _ = tracemalloc.get_traced_memory()
        in_memory = tuple(some(2000))
        large = tracemalloc.get_traced_memory()[0] - small
    finally:
        tracemalloc.stop()
    assert len(in_file) == len(in_memory) == 2000
    assert small / 2000 < 20
    assert large / 2000 > 400


def open_files(folder: Path) -> list[str]:
    links = [Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    return [
        str(link.readlink()) for link in links if link.is_symlink() and str(folder) in str(link.readlink())
    ]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_the_file_has_no_name_and_goes_with_the_last_rows_over_it(tmp_path: Path) -> None:
    found = chosen(spooled(some(60))[3:], [2, 1], marked)
    assert list(tmp_path.iterdir()) == []
    assert len(open_files(tmp_path)) == 1
    assert found[1].id == "p4!"
    del found
    assert open_files(tmp_path) == []


def test_threads_and_a_fork_may_read_at_once() -> None:
    found, whole = spooled(some(300)), list(some(300))

    def all_right(seed: int) -> bool:
        order = list(range(300))
        random.Random(seed).shuffle(order)
        return all(found[at] == whole[at] for at in order)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks in a process that may have threads
        child = os.fork()
    if not child:
        os._exit(0 if all(all_right(seed) for seed in range(8)) else 1)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(all_right, range(16)))
    assert os.waitpid(child, 0)[1] == 0


def refused(tmp_path: Path) -> str:
    with pytest.raises(DataError) as caught:
        spooled(some(3000))
    assert "\n" not in str(caught.value)
    assert "make room, or name another folder in the environment variable TMPDIR" in str(caught.value)
    return str(caught.value)


def test_a_disk_without_room_is_one_line(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        told = refused(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told.startswith(f"data: {tmp_path}: many rows need a temporary file there: File too large")


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert "gone: many rows need a temporary file there: No such file" in refused(tmp_path)
    assert len(spooled(some(3))) == 3, "few rows need none"


def test_what_breaks_while_rows_are_read_is_not_the_disks_fault() -> None:
    def broken() -> Iterator[Problem]:
        yield from some(100)
        raise OSError("the hub went away")

    with pytest.raises(OSError, match="the hub went away"):
        spooled(broken())
