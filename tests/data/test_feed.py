from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.core.errors import CheckpointError
from guerdon.core.types import Message, Problem
from guerdon.data.feed import Feed


def problems(count: int) -> list[Problem]:
    return [Problem(id=f"p{i}", messages=(Message(role="user", content=str(i)),)) for i in range(count)]


def ids(taken: list[Problem]) -> list[str]:
    return [problem.id for problem in taken]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 13), st.booleans())
@settings(max_examples=40, deadline=None)
def test_order_does_not_depend_on_how_it_is_taken(sizes: list[int], count: int, shuffle: bool) -> None:
    pieces, whole = (Feed(problems(count), seed=1, shuffle=shuffle) for _ in range(2))
    taken = [name for size in sizes for name in ids(pieces.take(size))]
    assert taken == ids(whole.take(sum(sizes)))


@given(st.integers(0, 40), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_restored_feed_goes_on_where_it_stopped(before: int, after: int) -> None:
    straight = Feed(problems(7), seed=3, shuffle=True)
    straight.take(before)
    state = json.loads(json.dumps(straight.state()))
    resumed = Feed(problems(7), seed=3, shuffle=True)
    resumed.restore(state)
    assert ids(resumed.take(after)) == ids(straight.take(after))


def test_every_epoch_has_every_problem_once_in_a_new_order() -> None:
    feed = Feed(problems(20), seed=0, shuffle=True)
    first, second = ids(feed.take(20)), ids(feed.take(20))
    assert sorted(first) == sorted(second) == sorted(ids(problems(20)))
    assert first != second
    assert ids(Feed(problems(20), seed=1, shuffle=True).take(20)) != first


def test_without_shuffling_problems_come_as_they_are() -> None:
    assert ids(Feed(problems(3), seed=9, shuffle=False).take(7)) == ["p0", "p1", "p2", "p0", "p1", "p2", "p0"]


def test_a_state_of_other_problems_is_refused() -> None:
    state = Feed(problems(3), seed=0, shuffle=True).state()
    with pytest.raises(CheckpointError, match="not those of the checkpoint"):
        Feed(problems(4), seed=0, shuffle=True).restore(state)


def test_a_fork_goes_on_from_here_and_moves_nothing() -> None:
    feed = Feed(problems(5), seed=1, shuffle=True)
    feed.take(3)
    other = feed.fork()
    ahead = ids(other.take(9))
    assert feed.state()["cursor"] == 3
    assert ids(feed.take(9)) == ahead


def test_shuffled_begins_anew_in_an_order_of_its_own() -> None:
    feed = Feed(problems(30), seed=1, shuffle=False)
    feed.take(7)
    one, two = feed.shuffled(1), feed.shuffled(2)
    first = ids(one.take(30))
    assert sorted(first) == sorted(ids(two.take(30)))
    assert first != ids(feed.shuffled(2).take(30))
    assert first == ids(feed.shuffled(1).take(30))
    assert ids(feed.take(1)) == ["p7"]
