"""A recipe for preference data, validated: what `guerdon prefs make` needs, torch-free.

Tables: model, data, sampling, rewards, reward, pairing. Without `rewards` people label the answers later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from guerdon.core.config import Config, EntryError, Issue
from guerdon.core.errors import did_you_mean
from guerdon.data.config import DataConfig
from guerdon.data.preferences.config import PairingConfig, Source
from guerdon.data.preferences.pairing import VERDICT
from guerdon.models.config import ModelConfig
from guerdon.rewards.config import VerifierConfig, parse_rewards
from guerdon.rewards.rubric_config import MODELS, RubricConfig
from guerdon.rewards.spec import RewardSpec
from guerdon.rollout.config import SamplingConfig


class CandidatesConfig(SamplingConfig):
    """The answers that are compared."""

    num_generations: int = Field(default=4, ge=1)
    """Answers that each model gives to one problem."""
    max_batch_rows: int = Field(default=256, ge=1)
    """Most rows decoded at once."""


class PreferencesRunConfig(Config):
    """Preferences made from models' own answers, labelled by the parts of a reward, or later by people."""

    kind: Literal["preferences"] = "preferences"
    """Tells this recipe from that of a policy."""
    seed: int = Field(default=0, ge=0)
    """Everything random derives from it."""
    source: Source | None = None
    """What the pairs say of who judged; left out: r1_like, or human where people label later."""
    num_problems: int = Field(default=200, ge=1)
    """Problems to answer, of the training side."""
    verdict: str | None = None
    """Part of `rewards` whose verdict stands beside the label, for reward models with `input.fields = ["verdict"]`. A
    rule, and not what labels: give it weight 0."""

    model: ModelConfig = Field(default_factory=ModelConfig)
    models: tuple[str, ...] = ()
    """Further models, by source: their answers join the first one's, so that a pair may be of two models."""
    data: DataConfig
    sampling: CandidatesConfig = Field(default_factory=CandidatesConfig)
    rewards: dict[str, SerializeAsAny[VerifierConfig]] | None = None
    """What labels the answers; verifiers, judges and their weights as in any recipe. Left out: people do, later."""
    reward: SerializeAsAny[RewardSpec] | None = None
    """How the parts become one label; left out: their weighted sum."""
    pairing: PairingConfig = Field(default_factory=PairingConfig)
    """Which answers become pairs."""

    @property
    def rubric(self) -> RubricConfig:
        """What labels."""
        return RubricConfig(self.rewards or {}, self.reward)

    @property
    def judged_by(self) -> Source:
        """What the pairs say of who judged."""
        return self.source or ("human" if self.rewards is None else "r1_like")

    def remarks(self) -> list[str]:
        """What is allowed and yet hardly meant; `guerdon check` and the command tell it."""
        if self.verdict is None or self.verdict not in labellers(self.rubric):
            return []
        return [
            f"verdict: {self.verdict!r} also labels the answers, so a reward model that is shown it sees part of the label"
        ]

    def sources(self) -> list[tuple[str, str]]:
        """Every model that answers: the key that names it, and its source."""
        return [("model.source", self.model.source), *(("models", source) for source in self.models)]

    @field_validator("rewards", mode="before")
    @classmethod
    def _rewards(cls, value: Any) -> Any:
        return parse_rewards(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        issues = list(self._label_issues()) + list(verdict_issues(self.verdict, self.rubric, at=("verdict",)))
        num_answers = self.sampling.num_generations * (1 + len(self.models))
        if num_answers < 2:
            issues.append(
                Issue(
                    ("sampling", "num_generations"), "1 answer to a problem is no pair; expected at least 2"
                )
            )
        if issues:
            raise EntryError(issues)
        return self

    def _label_issues(self) -> Iterator[Issue]:
        if self.rewards is None:
            if self.reward is not None:
                yield Issue(
                    ("reward",), "there are no [rewards] to make it of; add them, or remove the table"
                )
            return
        if not self.rewards:
            what = "name a part, such as [rewards.math], or leave the table out: then people label later"
            yield Issue(("rewards",), f"empty; {what}")
            return
        yield from self.rubric.issues()
        if not self.rubric.nodes and not self.rubric.shares():
            yield Issue(("rewards",), "at least one part needs a weight other than 0, or nothing is labelled")
        if self.rubric.calibrate and self.reward and self.reward.calibration is None:
            yield Issue(
                ("reward", "calibration"),
                "missing: a scale comes from a run; name the calibration.json in the folder of one",
            )
        if VERDICT in self.rewards and self.verdict != VERDICT:
            yield Issue(
                ("rewards", VERDICT), "this name is that of the rule's verdict in the pairs; choose another"
            )


def labellers(rubric: RubricConfig) -> list[str]:
    """Names of the parts that the label depends on."""
    if not rubric.nodes:
        return list(rubric.shares())
    used = {child.name for node in rubric.nodes.values() for child in node.children()}
    return [name for name in rubric.rewards if name in used]


def verdict_issues(name: str | None, rubric: RubricConfig, *, at: tuple[str, ...]) -> Iterator[Issue]:
    """Why a part cannot be the rule whose verdict stands beside a label.

    Args:
        name: of the part; None: there is none, which is fine.
        rubric: what labels.
        at: the key that names it.
    """
    if name is None:
        return
    if name not in rubric.rewards:
        yield Issue(at, f"no part of rewards is called {name!r}{did_you_mean(name, rubric.rewards)}")
    elif rubric.rewards[name].kind in MODELS:
        yield Issue(
            at, f"{name!r} is what a model thinks ({rubric.rewards[name].kind}); a verdict is a rule's"
        )
    elif labellers(rubric) == [name]:
        yield Issue(
            at,
            f"{name!r} alone labels the answers, so a reward model that is shown its verdict would only learn to copy it; "
            "let another part label, or remove the key",
        )
