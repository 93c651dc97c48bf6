from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import scored_group
from guerdon.core.metrics import values
from guerdon.core.types import Part, Score, ScoredGroup
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.signal import account, describe, has_signal, signal_of, spread


def group(rewards: list[float | None], *, truncated: list[int] | None = None) -> ScoredGroup:
    """Scored by one part of weight 1."""
    found = scored_group("a", rewards, truncated=truncated or [])
    scores = tuple(Score(value=value, parts=(Part(name="math", value=value),)) for value in rewards)
    return dataclasses.replace(found, scores=scores)


@pytest.mark.parametrize(
    ("rewards", "truncated", "reason"),
    [
        ([1.0, 0.0], [], "learning"),
        ([1.0, 1.0], [], "all_right"),
        ([0.0, 0.0], [], "all_wrong"),
        ([0.4, 0.4], [], "all_equal"),
        ([0.3, 0.1 + 0.2], [], "all_equal"),  # float residue
        ([1.0, None], [], "unverifiable"),
        ([None, None], [], "unverifiable"),
        ([0.0, 0.0], [0, 1], "truncated"),
        ([1.0, 0.0], [0, 1], "learning"),
    ],
)
def test_every_group_has_its_reason(rewards: list[float | None], truncated: list[int], reason: str) -> None:
    assert signal_of(group(rewards, truncated=truncated)) == reason
    assert has_signal(group(rewards, truncated=truncated)) == (reason == "learning")


def parted(*rows: dict[str, tuple[float, float]]) -> ScoredGroup:
    """Rollouts by part: (value, weight)."""
    found = scored_group("a", [math.fsum(v * w for v, w in row.values()) for row in rows])
    scores = tuple(
        Score(value=score.value, parts=tuple(Part(name=n, value=v, weight=w) for n, (v, w) in row.items()))
        for score, row in zip(found.scores, rows, strict=True)
    )
    return dataclasses.replace(found, scores=scores)


def test_only_what_says_right_or_wrong_can_be_all_right_or_all_wrong() -> None:
    wrongs = RubricConfig.parse(
        {"rewards": {"math": {}, "rm": {"kind": "function", "path": "a:b"}, "honesty": {}}}
    ).wrongs
    for name, value, said in [
        ("math", 0.0, "all_wrong"),
        ("math", 1.0, "all_right"),
        ("rm", 0.0, "all_equal"),
        ("rm", -1.0, "all_equal"),
        ("rm", 1.0, "all_equal"),
        ("honesty", -1.0, "all_wrong"),
        ("honesty", 0.0, "all_equal"),
    ]:
        made = parted(*[{name: (value, 1.0)}] * 2)
        assert signal_of(made, wrongs=wrongs) == said, (name, value)
        counts = values(account([made], wrongs=wrongs))
        assert counts[f"signal/groups_{said}"] == 1.0


def test_the_heaviest_part_says_what_the_group_is() -> None:
    wrong = parted(*[{"math": (0.0, 1.0), "format": (1.0, 0.2)}] * 2)
    assert signal_of(wrong) == "all_wrong", "the format has earned its share"
    graded = parted(*[{"math": (1.0, 1.0), "rm": (-1.0, 1.5)}] * 2)
    assert signal_of(graded, wrongs=lambda problem: {"math": 0.0}) == "all_equal"
    outweighed = parted(*[{"math": (1.0, 1.0), "short": (-2.0, 0.5)}] * 2)
    assert signal_of(outweighed) == "all_equal", "a right answer that was too long: the reward is 0"


def test_no_rollout_at_all_is_failed() -> None:
    assert signal_of(group([])) == "failed"


def test_account_and_the_line_for_people() -> None:
    groups = [group([1.0, 0.0, None]), group([1.0, 1.0]), group([0.0, 0.0]), group([0.0, 0.0])]
    counts = account(groups)
    numbers = values(counts)
    assert numbers["signal/effective_samples"] == 2.0
    assert numbers["signal/unverified_samples"] == 1.0
    assert numbers["signal/groups_all_wrong"] == 2.0
    assert describe(counts) == "1 of 4 groups teach (2 samples); 1 all right, 2 all wrong"


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=8))
@settings(max_examples=60, deadline=None)
def test_spread_is_zero_exactly_for_equal_rewards(rewards: list[float]) -> None:
    found = spread(rewards)
    assert found is not None
    assert found >= 0.0
    if len(set(rewards)) == 1:
        assert found == 0.0
    if max(rewards) - min(rewards) > 1e-3:
        assert found > 0.0


def test_equal_sums_of_different_parts_teach_only_who_sees_parts() -> None:
    found = scored_group("a", [1.0, 1.0])
    parts = [{"math": 1.0, "style": 0.0}, {"math": 0.0, "style": 1.0}]
    scores = tuple(
        Score(value=1.0, parts=tuple(Part(name=name, value=value) for name, value in row.items()))
        for row in parts
    )
    equal = dataclasses.replace(found, scores=scores)
    assert signal_of(equal) == "all_equal"
    assert signal_of(equal, by_part=True) == "learning"
    assert values(account([equal], by_part=True))["signal/groups_learning"] == 1.0
    assert signal_of(group([1.0, 1.0]), by_part=True) == "all_right"
    metric = tuple(dataclasses.replace(score, parts=(*group([1.0]).scores[0].parts,)) for score in scores)
    assert signal_of(dataclasses.replace(found, scores=metric), by_part=True) == "all_right"
