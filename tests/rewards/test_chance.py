from __future__ import annotations

from factories import answered
from guerdon.rewards.chance import RandomVerifier
from guerdon.rewards.config import RandomVerifierConfig


def test_a_fair_coin_that_remembers() -> None:
    group = answered([f"answer {index}" for index in range(2000)], target="answer 1")
    verifier = RandomVerifier(RandomVerifierConfig(name="random", probability=0.3))
    values = [verifier(group.problem, rollout).value for rollout in group.rollouts]
    assert 0.26 < sum(value or 0.0 for value in values) / len(values) < 0.34
    assert values == [verifier(group.problem, rollout).value for rollout in group.rollouts]
    other = RandomVerifier(RandomVerifierConfig(name="random", probability=0.3, seed=1))
    assert values != [other(group.problem, rollout).value for rollout in group.rollouts]
