"""A coin instead of a verdict: the negative control of a learning experiment."""

from __future__ import annotations

from dataclasses import dataclass

from guerdon.core.seeds import derive_seed
from guerdon.core.types import Evidence, Part, Problem, Rollout
from guerdon.rewards.config import RandomVerifierConfig


@dataclass(frozen=True, slots=True)
class RandomVerifier:
    """1 with the recipe's probability, else 0; depends on seed, problem, index and text, never on the truth."""

    config: RandomVerifierConfig

    def __call__(self, problem: Problem, rollout: Rollout) -> Part:
        """Toss."""
        toss = derive_seed(self.config.seed, "coin", problem.id, rollout.index, rollout.text) / 2**63
        return Part(
            name=self.config.name,
            value=float(toss < self.config.probability),
            evidence=Evidence(note="a coin, not a verdict"),
        )
