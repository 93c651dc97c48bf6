from __future__ import annotations

import asyncio
import dataclasses

import pytest

from guerdon.core.types import Problem
from guerdon.data.feed import Feed
from guerdon.models.policy import Policy
from guerdon.rewards.calibration import Calibration, Rank
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rollout.config import RolloutConfig
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.source import RolloutSource

REWARDS = {"sums": {"kind": "random"}, "open": {"kind": "random", "seed": 1}}
SAMPLING = RolloutConfig(num_generations=4, max_completion_length=4)


@pytest.fixture
def mixed(problems: list[Problem]) -> list[Problem]:
    """Four sums, then eight without a target."""
    names = [(one, f"{number}/{one.id}") for number in range(2) for one in problems]
    return [*problems, *(dataclasses.replace(one, id=name, target=None) for one, name in names)]


def first_step(
    policy: Policy, problems: list[Problem], mixed: list[Problem]
) -> tuple[Calibration, list[int], int]:
    """The scales, rollouts of each group, and where the feed stands afterwards."""
    reward = {"route": {"cases": {"yes": "sums", "no": "open"}}, "calibrate": {"open": "rank"}}
    rubric = Rubric.from_config(RubricConfig.parse({"rewards": REWARDS, "reward": reward}))
    feed = Feed(mixed, seed=0, shuffle=False)
    kept: list[Calibration] = []
    rollouter = Rollouter(policy, LocalEngine(policy))
    source = RolloutSource(rollouter, rubric, SAMPLING, seed=0, feed=feed, keep=kept.append)
    groups = asyncio.run(source.scored(1, problems))
    asyncio.run(source.scored(2, problems))
    assert len(kept) == 1
    return kept[0], [len(group.scores) for group in groups], feed.cursor


def test_a_routed_part_has_its_scale_from_problems_that_come_to_it(
    tiny: Policy, mixed: list[Problem]
) -> None:
    scales, sizes, cursor = first_step(tiny, mixed[1:5], mixed)  # one of the four comes to it
    scale = scales.scales["open"]
    assert isinstance(scale, Rank)
    assert scale.count == 16, "as many as the step has, all of open problems"
    assert (sizes, cursor) == ([4] * 4, 0)
    assert first_step(tiny, mixed[1:5], mixed)[0] == scales, "whenever it is made"


def test_a_step_with_enough_of_them_is_the_reference_itself(tiny: Policy, mixed: list[Problem]) -> None:
    assert first_step(tiny, mixed[4:], mixed)[0].scales["open"].count == 32
    assert first_step(tiny, mixed[4:6], mixed)[0].scales["open"].count == 8, "all of a small step"
