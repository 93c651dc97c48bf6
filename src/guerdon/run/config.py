"""A recipe, validated: everything a run needs, torch-free.

A recipe is a sparse TOML with at most ten tables: model, data, rollout, rewards, reward, algorithm, train,
sft, rm, eval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from guerdon.core.config import Config, EntryError, Issue
from guerdon.core.errors import ConfigError, did_you_mean
from guerdon.data.config import DataConfig, MixtureConfig
from guerdon.models.config import ModelConfig
from guerdon.rewards.config import VerifierConfig, parse_rewards
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.spec import RewardSpec
from guerdon.rollout.config import RolloutConfig
from guerdon.run.config_rm import RewardStageConfig, label_problems, own_judges, verdict_problems
from guerdon.run.settings import RunSettings
from guerdon.train.config import AlgorithmConfig, SftConfig, TrainConfig
from guerdon.train.table import Row, resolve_row

Stage = Literal["sft", "rm", "grpo"]


class EvalConfig(Config):
    """Evaluation on held-out problems, before the first stage and after each."""

    num_problems: int = Field(default=200, ge=0)
    """Held-out problems; 0 turns evaluation off."""
    num_samples: int = Field(default=8, ge=1)
    """Sampled answers per problem, for sampled accuracy and pass@k (k = this number)."""
    before: bool = True
    """Also evaluate the untouched model, before the first stage."""
    greedy: bool = True
    """Also one greedy answer per problem."""
    temperature: float = Field(default=1.0, gt=0.0)
    """Temperature of the sampled answers."""
    accuracy: str | dict[str, str] = "math"
    """Name of the reward part that says whether an answer is right (value >= 1); where sets are mixed, one for each
    set: { sums = "math", lists = "listing" }."""
    format: str | None = "format"
    """Name of the reward part that says whether the layout is right; without it, no such row."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that say what is right, each once."""
        return (
            (self.accuracy,)
            if isinstance(self.accuracy, str)
            else tuple(dict.fromkeys(self.accuracy.values()))
        )


class RunConfig(RunSettings):
    """One run that trains a policy."""

    stages: tuple[Stage, ...] = ("sft", "grpo")
    """What is trained, in order; `rm` makes pairs of the policy's own answers and trains a reward model on them."""
    log_completions: bool = True
    """Write every step's rollouts as Parquet with TRL's columns."""
    max_failed_steps: int = Field(default=3, ge=0)
    """Stop after so many steps in a row in which no rollout could be scored."""

    model: ModelConfig = Field(default_factory=ModelConfig)
    data: DataConfig
    rollout: RolloutConfig = Field(default_factory=RolloutConfig)
    rewards: dict[str, SerializeAsAny[VerifierConfig]]
    """Signals by name; an entry's `kind` defaults to its name."""
    reward: RewardSpec | None = None
    """How the signals become one reward; without it, their weighted sum."""
    algorithm: AlgorithmConfig = Field(default_factory=AlgorithmConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    sft: SftConfig = Field(default_factory=SftConfig)
    rm: RewardStageConfig = Field(default_factory=RewardStageConfig)
    eval: EvalConfig = Field(default_factory=EvalConfig)

    @property
    def rubric(self) -> RubricConfig:
        """The signals and how they become one reward."""
        return RubricConfig(self.rewards, self.reward)

    def remarks(self) -> list[str]:
        """What is allowed and yet hardly meant; `guerdon check` and the start of a run tell it."""
        shares = self.rubric.shares()
        if "grpo" not in self.stages or resolve_row(self.algorithm).advantage != "gdpo" or len(shares) > 1:
            return []
        (name,) = shares
        node = self.rubric.nodes.get(name)
        what = f"reward.{name}, a {node.kind}" if node else f"rewards.{name}"
        return [
            f"algorithm: gdpo normalises each part by itself, but the whole reward is one part here ({what}), so it sees "
            "no other; put a sum or a learned node at the root"
        ]

    @field_validator("rewards", mode="before")
    @classmethod
    def _rewards(cls, value: Any) -> Any:
        return parse_rewards(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        issues = self.rubric.issues()
        problems: list[str] = []
        row: Row | None = None
        try:
            row = resolve_row(self.algorithm)
        except ConfigError as error:
            problems += error.problems
        if self.model.lora and self.model.lora.dropout:
            problems.append(
                f"model.lora.dropout: {self.model.lora.dropout:g}, but a policy learns from the log-probabilities it "
                "sampled by, and dropout would change those; remove the key (a reward model may have it)"
            )
        if "grpo" in self.stages and not self.rubric.nodes and not self.rubric.shares():
            problems.append("rewards: at least one part needs a weight other than 0")
        problems += self._accuracy_problems() if self.eval.num_problems else ()
        problems += self._reward_stage_problems()
        problems += self._staleness_problems(row)
        issues += [Issue.parse(problem) for problem in problems]
        issues += self._monitor_issues()
        if issues:
            raise EntryError(issues)
        return self

    def _accuracy_problems(self) -> Iterator[str]:
        """Parts that say what is right but are none, sets without one, names that are no set."""
        for name in self.eval.parts:
            if name not in self.rewards:
                yield f"eval.accuracy: {name!r} names no part of rewards ({', '.join(self.rewards)})"
        if isinstance(self.eval.accuracy, str):
            return
        held = self.data.eval or self.data.train
        sets = set(held.of) if isinstance(held, MixtureConfig) else set()
        if not sets:
            yield "eval.accuracy: names a part for each set, but the problems are not mixed of sets; name one part"
        elif sets != set(self.eval.accuracy):
            yield (
                f"eval.accuracy: has {', '.join(self.eval.accuracy)}; expected a part for each set "
                f"({', '.join(sorted(sets))})"
            )

    def _reward_stage_problems(self) -> Iterator[str]:
        """What the stage `rm` lacks, and what lacks the stage."""
        own = own_judges(self.rewards)
        before = self.stages[: self.stages.index("grpo")] if "grpo" in self.stages else self.stages
        if "grpo" in self.stages and own and "rm" not in before:
            yield (
                f"rewards.{own[0]}.path: missing; name a reward model, or let this run train one: "
                'stages = ["sft", "rm", "grpo"]'
            )
        if self.rm.shown is not None:
            yield from verdict_problems(self, self.rm.shown)
        if "rm" not in self.stages:
            return
        if self.stages[-1] == "rm":
            yield "stages: ends with rm; a reward model alone is for: guerdon rm train RECIPE"
        yield from label_problems(self)

    def _staleness_problems(self, row: Row | None) -> Iterator[str]:
        """Older samples need a correction, and nothing that compares with weights of another time."""
        lag = self.rollout.staleness
        if not lag:
            for name in ("device", "num_threads"):
                if getattr(self.rollout, name) is not None:
                    yield (
                        f"rollout.{name}: while staleness is 0, sampling and learning take turns on the same weights; set "
                        "rollout.staleness, or remove the key"
                    )
            return
        if row and row.importance_sampling_correction == "none":
            yield (
                f"rollout.staleness: {lag}, but nothing corrects for samples of older weights; set "
                'algorithm.importance_sampling_correction = "truncate" (or "mask"), or staleness = 0'
            )
        for name, part in self.rewards.items():
            if getattr(part, "shaping", ()):
                yield (
                    f"rollout.staleness: {lag}, but rewards.{name}.shaping samples its references between the steps; "
                    "set staleness = 0, or remove shaping"
                )

    def _monitor_issues(self) -> Iterator[Issue]:
        """A probe must exist and stay out of the reward: one that is learned from is a probe no more."""
        monitor = self.train.monitor
        if monitor is None:
            return
        used = {child.name for node in self.rubric.nodes.values() for child in node.children()}
        for name in monitor.probes:
            at = ("train", "monitor", "probes")
            if name not in self.rewards:
                yield Issue(at, f"no part of rewards is called {name!r}{did_you_mean(name, self.rewards)}")
            elif name in used or (not self.rubric.nodes and self.rewards[name].weight):
                yield Issue(
                    at, f"{name!r} is in the reward, so its rise says nothing; take a part with weight = 0"
                )
        try:
            beta = resolve_row(self.algorithm).beta
        except ConfigError:  # told already
            return
        if monitor.action == "raise_beta" and not beta:
            yield Issue(
                ("train", "monitor", "action"),
                "raise_beta: algorithm.beta is 0, so no reference is kept; set algorithm.beta",
            )
        if monitor.action in ("raise_beta", "roll_back") and beta > monitor.max_beta:
            yield Issue(
                ("train", "monitor", "max_beta"),
                f"{monitor.max_beta:g}, but algorithm.beta is {beta:g} to begin with; set it higher",
            )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What one invocation of a recipe adds to it; not part of the recipe."""

    resume: Path | None = None
    """Run folder to go on with."""
    replay: Path | None = None
    """Run folder whose recorded rollouts are trained from, without generating."""
