"""How answers are sampled. Torch-free. Names as in TRL's GRPOConfig where TRL has the thing."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from guerdon.core.config import Config
from guerdon.core.registry import Registry

ENGINES = Registry(
    noun="engine",
    group="guerdon.engines",
    builtins={"local": "guerdon.rollout.config:RolloutConfig"},
)


class SamplingConfig(Config):
    """The distribution sampled from."""

    temperature: float = Field(default=1.0, ge=0.0)
    """Divides the logits; 0 means greedy (evaluation only)."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Keep the smallest set of tokens whose probability reaches this."""
    top_k: int = Field(default=0, ge=0)
    """Keep the k likeliest tokens; 0 keeps all."""
    min_p: float | None = Field(default=None, gt=0.0, lt=1.0)
    """Keep tokens at least this share of the likeliest one's probability."""
    max_completion_length: int = Field(default=256, ge=1)
    """Most tokens of one completion."""
    stop: tuple[str, ...] = ()
    """Strings that end a completion; the string itself is kept."""


class RolloutConfig(SamplingConfig):
    """Rollouts for training."""

    engine: Literal["local"] = "local"
    """`local`: in this process, on the policy's own weights."""
    num_generations: int = Field(default=8, ge=2)
    """Rollouts of one problem (G); the group's mean is the baseline, so at least 2."""
    generation_batch_size: int = Field(default=64, ge=2)
    """Rollouts of one step (P x G), counted in completions as TRL does."""
    max_batch_rows: int = Field(default=256, ge=1)
    """Most rows decoded at once."""
    dynamic_sampling_rounds: int = Field(default=0, ge=0)
    """Up to so many times per step, groups without a learning signal are replaced by new problems (DAPO)."""
    staleness: int = Field(default=0, ge=0)
    """Steps by which the sampler's weights lag, so that sampling, scoring and learning overlap; 0: they take turns. Above
    0, `algorithm.importance_sampling_correction` is needed."""
    device: str | None = None
    """Where sampling computes (`staleness` above 0), for example `cuda:1`; left out: where the policy learns."""
    num_threads: int | None = Field(default=None, ge=1)
    """Cores that sampling computes on while the policy learns (`staleness` above 0); left out: as many as learning."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.generation_batch_size % self.num_generations:
            raise ValueError(
                f"generation_batch_size={self.generation_batch_size} counts completions and must be a multiple of "
                f"num_generations={self.num_generations}"
            )
        return self

    @property
    def num_problems(self) -> int:
        """Problems of one step (P)."""
        return self.generation_batch_size // self.num_generations
