"""The reward model as one more signal of a recipe. Torch-free; the judge itself is in judge.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from guerdon.core.errors import ModelError
from guerdon.core.types import Judge
from guerdon.rewards.config import Runs, VerifierConfig
from guerdon.rewards.shaping import ShapingName

EnsembleName = Literal["trained", "mean", "mean_minus_variance", "worst_case"]


class RewardModelConfig(VerifierConfig):
    """A trained reward model, in this process: its score in [-1, 1]."""

    runs: ClassVar[Runs] = "device"
    kind: Literal["reward_model"] = "reward_model"
    path: str | None = None
    """A reward model's folder, a run folder of `guerdon rm train`, or a sequence classifier with one label. Left out:
    the one that stage `rm` of this recipe trains."""
    verdict: str = ""
    """Of a reward model that is shown a rule's verdict: the part that gives it, computed first; value >= 1 is right. The
    same rule as in the pairs that it learned from."""
    version: str = ""
    """The version of the weights that must be there, as scores carry it; empty: whatever is. `guerdon serve` sets it."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of its trunk."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`."""
    max_tokens: int = Field(default=4096, ge=16)
    """Token budget of one forward pass."""
    votes: int | None = Field(default=None, ge=1)
    """Of a reward model that writes critiques: how many of each response; left out: as it was trained with."""
    num_cached: int = Field(default=100_000, ge=0)
    """Scores that are remembered by the content of problem and response."""

    ensemble: EnsembleName = "trained"
    """How an ensemble's members become one utility: as it was trained, their `mean`, the mean minus `variance_weight`
    times their variance, or the `worst_case` (arXiv:2310.02743)."""
    variance_weight: float = Field(default=1.0, gt=0.0)
    """Of `mean_minus_variance`."""
    scale: Literal["score", "utility"] = "score"
    """`score`: squashed, in [-1, 1]; `utility`: u itself, which pairs are compared by and which has no bound."""
    shaping: tuple[ShapingName, ...] = ()
    """Steps against reference responses, in this order: `contrast` or `par`, `length`, `clip`."""
    num_references: int = Field(default=8, ge=1)
    """Reference responses of a prompt (M), sampled from the policy as it was before its first update."""
    references: str | None = None
    """File of reference responses, such as references/NAME.jsonl of another run; without it, the run samples its own."""
    clip: float = Field(default=1.0, gt=0.0)
    """Bound of the step `clip`."""

    @model_validator(mode="after")
    def _sensible_shaping(self) -> Self:
        if len(set(self.shaping)) != len(self.shaping):
            raise ValueError(f"shaping: a step stands twice in {', '.join(self.shaping)}")
        if {"contrast", "par"} <= set(self.shaping):
            raise ValueError(
                "shaping: par compares with the same references as contrast, so contrast changes nothing; keep one"
            )
        if "par" in self.shaping and (self.scale == "score" or self.shaping[0] != "par"):
            raise ValueError(
                "shaping: par is the chance to win under Bradley-Terry, which is about utilities: set scale = 'utility' "
                "and let par come first"
            )
        if self.references and not self.shaping:
            raise ValueError("references: nothing compares with them; set shaping, or remove the key")
        return self

    @property
    def measure(self) -> str:
        """What a value of this part is, for those who compare two."""
        weight = f"({self.variance_weight:g})" if self.ensemble == "mean_minus_variance" else ""
        return (
            f"{self.scale}, {self.ensemble}{weight}{f', verdict of {self.verdict}' if self.verdict else ''}"
        )

    @property
    def reads(self) -> Mapping[str, str]:
        """The part that gives the verdict."""
        return {"verdict": self.verdict} if self.verdict else {}

    def check_fields(self) -> None:
        """Whether the model is shown a verdict exactly where the recipe names one; its weights are not loaded.

        Raises:
            ModelError: it lacks one, or has no use for it, or nothing is there, or it is damaged.
        """
        from guerdon.models.reward_meta import read_meta

        meta = read_meta(self.folder())
        shown = meta is not None and "verdict" in meta.shown.fields
        if shown and not self.verdict:
            raise ModelError(
                f"{self.path}: this reward model was trained to be shown a rule's verdict, and gets none; name the part "
                'that gives it, for example verdict = "math"'
            )
        if self.verdict and not shown:
            raise ModelError(
                f"{self.path}: this reward model is shown no verdict, so verdict = {self.verdict!r} has no use; remove "
                'that key, or train one with input.fields = ["verdict"]'
            )

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
