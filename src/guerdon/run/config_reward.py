"""A recipe for a reward model, validated: what `guerdon rm train` needs, torch-free.

Tables: model, data, head, input, loss, train, eval.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from guerdon.core.config import Config
from guerdon.core.errors import ConfigError
from guerdon.data.preferences.config import PreferenceDataConfig
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.run.settings import RunSettings
from guerdon.train.config import RewardLossConfig, RewardTrainConfig
from guerdon.train.losses import refuse_unread


class RewardEvalConfig(Config):
    """Evaluation on held-out pairs, before training, on the way, and after."""

    num_pairs: int | None = Field(default=None, ge=1)
    """Held-out pairs to use; left out: all."""
    before: bool = True
    """Also evaluate the untrained model: what its random head finds by luck, training has not found."""
    eval_steps: int | None = Field(default=None, ge=1)
    """Also evaluate every so many steps: accuracy against the number of pairs."""
    max_tokens: int = Field(default=4096, ge=16)
    """Token budget of one forward pass."""
    samples: str | None = None
    """Answers of the policy that the model will judge, on which the health of its scores is measured too: a file with
    columns prompt and completion. Left out: the backbone, where it can write, answers some held-out prompts before it
    learns."""
    num_sample_prompts: int = Field(default=32, ge=0)
    """Held-out prompts that the backbone answers, open-ended and closed ones in turn; 0: none."""
    num_generations: int = Field(default=2, ge=1)
    """Answers to each."""
    max_completion_length: int = Field(default=64, ge=1)
    """Most tokens of such an answer."""


class RewardRunConfig(RunSettings):
    """One run that trains a reward model."""

    kind: Literal["reward_model"] = "reward_model"
    """Tells this recipe from that of a policy."""
    name: str = "rm"
    """Folder of the run inside `output_dir`."""

    model: ModelConfig = Field(default_factory=ModelConfig)
    data: PreferenceDataConfig
    head: HeadConfig = Field(default_factory=HeadConfig)
    input: InputConfig | None = None
    """What it is shown; left out: as the reward model's folder that it starts from says, or the defaults."""
    loss: RewardLossConfig = Field(default_factory=RewardLossConfig)
    train: RewardTrainConfig = Field(default_factory=RewardTrainConfig)
    eval: RewardEvalConfig = Field(default_factory=RewardEvalConfig)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        loss = self.loss
        if loss.ranking == "none" and not (loss.pointwise or loss.listwise):
            raise ValueError(
                "loss: nothing to learn from; choose a ranking, or a weight for pointwise or listwise"
            )
        problems = refuse_unread(loss, self.head, self.input)
        if problems:
            raise ConfigError(problems)
        return self
