"""The generative reward model as one more signal of a recipe. Torch-free; the judge itself is in critic.py."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from guerdon.core.types import Judge
from guerdon.rewards.config import Runs, VerifierConfig


class GenerativeConfig(VerifierConfig):
    """A generative reward model, in this process: it critiques and scores in words, several times; in [-1, 1]."""

    runs: ClassVar[Runs] = "device"
    kind: Literal["generative"] = "generative"
    path: str
    """A policy's folder, or a run folder of `guerdon train` on data of kind `critiques`."""
    votes: int = Field(default=4, ge=1)
    """Critiques of each response; each vote sees the responses in another order."""
    responses: int = Field(default=2, ge=1, le=16)
    """Responses that one critique compares; as the model was trained."""
    temperature: float = Field(default=1.0, ge=0.0)
    """Of the critiques; 0 is greedy, and then only the order differs between votes."""
    max_completion_length: int = Field(default=256, ge=8)
    """Longest critique."""
    meta: str | None = None
    """A reward model that says how good a critique is; left out: every vote counts."""
    kept_votes: int | None = Field(default=None, ge=1)
    """With `meta`: only so many votes of each response count, those with the best critiques."""
    show_reference: bool = False
    """Also show the gold answer, where there is one."""
    system_prompt: str | None = None
    """The `data.system_prompt` it was trained with."""
    seed: int = Field(default=0, ge=0)
    """Of orders and critiques."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of its trunk."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`."""
    max_batch_rows: int = Field(default=256, ge=1)
    """Most critiques written at once."""
    num_cached: int = Field(default=100_000, ge=0)
    """Groups whose scores are remembered."""

    @model_validator(mode="after")
    def _meta_chooses(self) -> Self:
        if (self.meta is None) != (self.kept_votes is None):
            raise ValueError("meta and kept_votes belong together: who chooses critiques, and how many")
        if self.kept_votes is not None and self.kept_votes > self.votes:
            raise ValueError(f"kept_votes = {self.kept_votes} is more than votes = {self.votes}")
        return self

    def build(self) -> Judge:
        """The judge; it loads the model when it is first asked."""
        from guerdon.run.critic import GenerativeJudge

        return GenerativeJudge(self)
