"""The reward model as one more signal of a recipe. Torch-free; the judge itself is in judge.py."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from guerdon.core.types import Judge
from guerdon.rewards.config import VerifierConfig


class RewardModelConfig(VerifierConfig):
    """A trained reward model, in this process: its score in [-1, 1]."""

    kind: Literal["reward_model"] = "reward_model"
    path: str | None = None
    """A reward model's folder, a run folder of `guerdon rm train`, or a sequence classifier with one label. Left out:
    the one that stage `rm` of this recipe trains."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of its trunk."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`."""
    max_tokens: int = Field(default=4096, ge=16)
    """Token budget of one forward pass."""
    num_cached: int = Field(default=100_000, ge=0)
    """Scores that are remembered by the content of problem and response."""

    def build(self) -> Judge:
        """The judge; it loads the model when it is first asked."""
        from guerdon.run.judge import RewardModelJudge

        return RewardModelJudge(self)
