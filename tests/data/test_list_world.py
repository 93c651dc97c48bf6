from __future__ import annotations

import pytest

from factories import answered
from guerdon.core.errors import ConfigError, DataError
from guerdon.core.types import Problem
from guerdon.data.config import ListsConfig
from guerdon.data.list_world import TOPICS
from guerdon.rewards.text.config import ListingVerifierConfig


def quality(problem: Problem, text: str) -> float | None:
    """What the verifier that goes with the world says."""
    rollout = answered([text]).rollouts[0]
    part = ListingVerifierConfig(name="listing").build()(problem, rollout)
    return part.value  # type: ignore[union-attr]


def test_every_worked_solution_is_perfect_and_another_requests_is_rarely() -> None:
    problems = ListsConfig(num_problems=300).build(0)
    solutions = [str(problem.info["solution"]) for problem in problems]
    assert all(quality(p, text) == 1.0 for p, text in zip(problems, solutions, strict=True))
    others = [quality(p, text) for p, text in zip(problems, solutions[1:], strict=False)]
    assert sum(value == 1.0 for value in others) < 0.1 * len(others)


def test_requests_are_open_distinct_and_follow_the_seed() -> None:
    config = ListsConfig(num_problems=500)
    problems = config.build(1)
    assert problems == config.build(1)
    assert problems != config.build(2)
    assert all(problem.target is None for problem in problems)
    assert len({problem.messages[0].content for problem in problems}) == len({p.id for p in problems}) == 500


def test_words_are_distinct_and_cannot_be_mistaken() -> None:
    words = [word for topic in TOPICS.values() for word in topic]
    assert len(set(words)) == len(words)
    assert all(word.isalpha() and word.islower() for word in words)
    assert all(list(topic) == sorted(topic) for topic in TOPICS.values())


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="lists has only"):
        ListsConfig(num_problems=10**6).build(0)
    with pytest.raises((ConfigError, ValueError), match="swap them"):
        ListsConfig(min_items=4, max_items=2)


def test_without_words_and_order_a_request_is_short() -> None:
    problems = ListsConfig(num_problems=6, min_items=2, max_items=2, max_without=0, in_order=False).build(0)
    assert {problem.messages[0].content for problem in problems} == {f"Name 2 {topic}." for topic in TOPICS}
