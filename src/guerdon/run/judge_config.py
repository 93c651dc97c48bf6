"""The reward model as one more signal of a recipe. Torch-free; the judge itself is in judge.py."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from guerdon.core.errors import ModelError
from guerdon.core.types import Judge
from guerdon.rewards.config import VerifierConfig


class RewardModelConfig(VerifierConfig):
    """A trained reward model, in this process: its score in [-1, 1]."""

    kind: Literal["reward_model"] = "reward_model"
    path: str | None = None
    """A reward model's folder, a run folder of `guerdon rm train`, or a sequence classifier with one label. Left out:
    the one that stage `rm` of this recipe trains."""
    version: str = ""
    """The version of the weights that must be there, as scores carry it; empty: whatever is. `guerdon serve` sets it."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of its trunk."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`."""
    max_tokens: int = Field(default=4096, ge=16)
    """Token budget of one forward pass."""
    num_cached: int = Field(default=100_000, ge=0)
    """Scores that are remembered by the content of problem and response."""

    def folder(self) -> Path:
        """The model's folder; of a run, that of its last checkpoint.

        Raises:
            ModelError: there is none.
        """
        from guerdon.run.folder import newest_model

        if self.path is None:
            raise ModelError(
                "none given: this recipe trains its reward model itself, in stage rm; name the folder `rm` of such a run"
            )
        folder = Path(self.path).expanduser()
        if (folder / "checkpoints").is_dir():
            return newest_model(folder)
        if not folder.is_dir():
            raise ModelError(
                f"{self.path}: no such run and no such folder; train one: guerdon rm train RECIPE"
            )
        return folder

    def weights(self) -> str:
        """The version of what is there now; the model is not loaded.

        Raises:
            ModelError: nothing is there.
        """
        from guerdon.models.version import version_of

        return version_of(self.folder())

    def build(self) -> Judge:
        """The judge; it loads the model when it is first asked."""
        from guerdon.run.judge import RewardModelJudge

        return RewardModelJudge(self)
