from __future__ import annotations

import pytest

from guerdon.core.types import Message, Problem, RolloutGroup
from guerdon.models.policy import Policy
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter, greedy

SAMPLING = SamplingConfig(max_completion_length=6)


def test_groups_in_order_with_versions_and_aligned_arrays(tiny: Policy, problems: list[Problem]) -> None:
    tiny.version = 3
    groups = Rollouter(tiny, LocalEngine(tiny)).rollout(problems, SAMPLING, num_generations=3, seed=1)
    assert [group.problem.id for group in groups] == [problem.id for problem in problems]
    for group in groups:
        assert [rollout.index for rollout in group.rollouts] == [0, 1, 2]
        for rollout in group.rollouts:
            turn = rollout.turns[0]
            assert turn.version == 3
            assert len(turn.completion_ids) == len(turn.behavior_logprobs)
            assert turn.prompt_ids == tiny.render(group.problem.messages)


def test_answers_depend_on_the_problem_not_on_its_place(tiny: Policy, problems: list[Problem]) -> None:
    rollouter = Rollouter(tiny, LocalEngine(tiny))
    forward = rollouter.rollout(problems, SAMPLING, num_generations=2, seed=1)
    backward = rollouter.rollout(problems[::-1], SAMPLING, num_generations=2, seed=1)
    other = rollouter.rollout(problems, SAMPLING, num_generations=2, seed=2)
    assert texts(forward) == texts(backward[::-1])
    assert texts(forward) != texts(other)
    for one, two in zip(forward, backward[::-1], strict=True):
        for ours, theirs in zip(one.rollouts, two.rollouts, strict=True):
            # the last bits of a sum depend on the shape of the batch
            assert ours.turns[0].behavior_logprobs == pytest.approx(
                theirs.turns[0].behavior_logprobs, abs=1e-5
            )


def texts(groups: list[RolloutGroup]) -> list[list[tuple[int, ...]]]:
    return [[rollout.turns[0].completion_ids for rollout in group.rollouts] for group in groups]


def test_a_prompt_longer_than_the_context_is_a_recorded_failure(
    tiny: Policy, problems: list[Problem]
) -> None:
    long = Problem(id="long", messages=(Message(role="user", content="9" * 1030),), target="9")
    groups = Rollouter(tiny, LocalEngine(tiny)).rollout(
        [problems[0], long], SAMPLING, num_generations=2, seed=1
    )
    assert len(groups[0].rollouts) == 2
    assert groups[1].rollouts == ()
    failure = groups[1].failures[0]
    assert failure.kind == "prompt_too_long"
    assert "long" in failure.message
    assert "1024" in failure.message


def test_greedy_keeps_the_limits_only() -> None:
    config = greedy(SamplingConfig(temperature=0.7, top_p=0.5, max_completion_length=9, stop=("x",)))
    assert (config.temperature, config.top_p, config.max_completion_length, config.stop) == (
        0.0,
        1.0,
        9,
        ("x",),
    )
