"""A recipe for preference data, validated: what `guerdon prefs make` needs, torch-free.

Tables: model, data, sampling, rewards, reward, pairing.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from guerdon.core.config import Config, EntryError
from guerdon.data.config import DataConfig
from guerdon.data.preferences.config import PairingConfig, Source
from guerdon.models.config import ModelConfig
from guerdon.rewards.config import VerifierConfig, parse_rewards
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.spec import RewardSpec
from guerdon.rollout.config import SamplingConfig


class CandidatesConfig(SamplingConfig):
    """The answers that are compared."""

    num_generations: int = Field(default=4, ge=1)
    """Answers that each model gives to one problem."""
    max_batch_rows: int = Field(default=256, ge=1)
    """Most rows decoded at once."""


class PreferencesRunConfig(Config):
    """Preferences made from models' own answers, labelled by the parts of a reward."""

    kind: Literal["preferences"] = "preferences"
    """Tells this recipe from that of a policy."""
    seed: int = Field(default=0, ge=0)
    """Everything random derives from it."""
    source: Source = "r1_like"
    """What the pairs say of where they come from."""
    num_problems: int = Field(default=200, ge=1)
    """Problems to answer, of the training side."""

    model: ModelConfig = Field(default_factory=ModelConfig)
    models: tuple[str, ...] = ()
    """Further models, by source: their answers join the first one's, so that a pair may be of two models."""
    data: DataConfig
    sampling: CandidatesConfig = Field(default_factory=CandidatesConfig)
    rewards: dict[str, SerializeAsAny[VerifierConfig]]
    """What labels the answers; verifiers, judges and their weights as in any recipe."""
    reward: SerializeAsAny[RewardSpec] | None = None
    """How the parts become one label; left out: their weighted sum."""
    pairing: PairingConfig = Field(default_factory=PairingConfig)
    """Which answers become pairs."""

    @property
    def rubric(self) -> RubricConfig:
        """What labels."""
        return RubricConfig(self.rewards, self.reward)

    @field_validator("rewards", mode="before")
    @classmethod
    def _rewards(cls, value: Any) -> Any:
        return parse_rewards(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if issues := self.rubric.issues():
            raise EntryError(issues)
        return self
