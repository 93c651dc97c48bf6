"""Reward models small enough for tests, and pairs of which one side is plainly better."""

from __future__ import annotations

import functools
import random

from guerdon.core.types import CreditedGroup, Message, Preference, Problem, ScoredGroup
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.models.reward import RewardModel
from guerdon.models.reward_loading import load_reward_model


def problem(name: str = "p", *, target: str | None = None, **info: object) -> Problem:
    return Problem(
        id=name, messages=(Message(role="user", content=f"Say {name}."),), target=target, info=dict(info)
    )


def pair(name: str = "p", chosen: str = "good", rejected: str = "bad", **fields: object) -> Preference:
    return Preference(problem=problem(name), chosen=chosen, rejected=rejected, **fields)  # type: ignore[arg-type]


def digits_pairs(count: int, *, seed: int, noise: float = 0.0) -> list[Preference]:
    """The better answer holds more nines than zeros."""
    draw = random.Random(seed)
    found = []
    for index in range(count):
        sides = ["".join(draw.choice(letters) for _ in range(6)) for letters in ("9991", "0001")]
        if draw.random() < noise:
            sides.reverse()
        found.append(pair(f"{seed}-{index}", *sides))
    return found


@functools.cache
def _fresh(kind: str) -> HeadConfig:
    more = {"attributes": ("clear", "true")} if kind == "attributes" else {}
    return HeadConfig.model_validate({"kind": kind, **more})


def tiny_reward_model(kind: str = "scalar", *, seed: int = 0, **reading: object) -> RewardModel:
    return load_reward_model(
        ModelConfig(source="builtin:tiny"), _fresh(kind), InputConfig.model_validate(reading), seed=seed
    )


def judged(groups: list[ScoredGroup]) -> list[CreditedGroup]:
    """As the spine hands them on; a reward model reads no advantages."""
    return [CreditedGroup(scored=group, advantages_G_T=tuple(() for _ in group.scores)) for group in groups]
