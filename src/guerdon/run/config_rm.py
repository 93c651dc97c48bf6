"""The stage `rm` of a policy's recipe: its table, and the two recipes it stands for. Torch-free.

policy --answers--> labelled by rules --pairs--> RUN/rm/pairs.jsonl --reward model--> RUN/rm/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from guerdon.core.config import Config, EntryError, Issue, parse_plugins
from guerdon.data.preferences.config import (
    PREFERENCES,
    JsonlPreferencesConfig,
    PairingConfig,
    PreferenceDataConfig,
    PreferenceSetConfig,
)
from guerdon.data.preferences.pairing import VERDICT
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.rewards.config import VerifierConfig
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.run.config_preferences import CandidatesConfig, PreferencesRunConfig, verdict_issues
from guerdon.run.config_reward import RewardEvalConfig, RewardRunConfig
from guerdon.train.config import RewardLossConfig, RewardTrainConfig
from guerdon.train.losses import refuse_unread

if TYPE_CHECKING:
    from guerdon.run.config import RunConfig

REWARD_MODEL = "rm"
"""Name of the stage, and of the folder inside the run's own that it leaves: a run of `guerdon rm train`."""
PAIRS = "rm_pairs.jsonl"
"""The pairs it is trained on, beside that folder."""
OWN = "own"
"""Name of this set of pairs among others."""


class RewardStageConfig(Config):
    """The stage `rm`: the policy's own answers are labelled by rules, paired, and a reward model learns from them."""

    num_problems: int = Field(default=200, ge=1)
    """Training problems whose answers are compared."""
    num_generations: int = Field(default=4, ge=2)
    """Answers to each."""
    labels: tuple[str, ...] = ()
    """Parts of `rewards` that label the answers by their weighted sum; left out: the one of `eval.accuracy`, or the
    one for each set."""
    verdict: str | None = None
    """As `verdict` of guerdon prefs make: the part whose verdict `input.fields` can show; a rule, and not what labels."""
    pairing: PairingConfig = Field(default_factory=PairingConfig)
    """Which answers become pairs."""
    more: dict[str, SerializeAsAny[PreferenceSetConfig]] = Field(default_factory=dict)
    """Further preferences to learn from, people's for example, each set under a name of its own; the run's is `own`."""
    weight: float | None = Field(default=None, gt=0.0)
    """Share of the run's own pairs in such a mix, relative to the weights in `more`."""
    eval_fraction: float = Field(default=0.1, gt=0.0, lt=1.0)
    """Share of these problems that is held out, to see what the reward model is worth."""
    model: ModelConfig | None = None
    """What the reward model starts from; left out: the policy as the stage before left it."""
    head: HeadConfig = Field(default_factory=HeadConfig)
    """As `[head]` of a reward model's recipe."""
    input: InputConfig | None = None
    """As `[input]` there."""
    loss: RewardLossConfig = Field(default_factory=RewardLossConfig)
    """As `[loss]` there."""
    train: RewardTrainConfig = Field(default_factory=RewardTrainConfig)
    """As `[train]` there."""
    eval: RewardEvalConfig = Field(default_factory=RewardEvalConfig)
    """As `[eval]` there."""

    @property
    def shown(self) -> InputConfig | None:
        """What the reward model is shown, where the recipe alone says it; None: the folder may that it starts from."""
        return self.input or (InputConfig() if self.model is None else None)

    @field_validator("more", mode="before")
    @classmethod
    def _sets(cls, value: Any) -> Any:
        return parse_plugins(PREFERENCES, value)

    @model_validator(mode="after")
    def _reads_its_losses(self) -> Self:
        problems = refuse_unread(self.loss, self.head, self.input)
        if self.loss.listwise and not self.more:
            problems.append(
                "loss.listwise: the run's own answers come as pairs; add a set of lists to rm.more, or remove the key"
            )
        if problems:
            raise EntryError([Issue.parse(problem) for problem in problems])
        return self

    @model_validator(mode="after")
    def _mixes(self) -> Self:
        if OWN in self.more:
            raise ValueError(f"more.{OWN}: this is what the run's own pairs are called; choose another name")
        weights = [
            ("weight", self.weight),
            *((f"more.{name}.weight", one.weight) for name, one in self.more.items()),
        ]
        without = [name for name, weight in weights if weight is None]
        if without and len(without) < len(weights):
            raise ValueError(
                f"{without[0]}: missing, but other sets have one; give one to every set or to none"
            )
        return self


def own_judges(rewards: Mapping[str, VerifierConfig]) -> list[str]:
    """Names of the parts that are the reward model of the run itself: they have no path."""
    return [
        name
        for name, part in rewards.items()
        if part.kind == "reward_model" and getattr(part, "path", None) is None
    ]


def verdict_problems(config: RunConfig, shown: InputConfig) -> Iterator[str]:
    """Why the run's own reward model could be shown no verdict, or would be shown another than it learned from."""
    stage = config.rm
    is_shown = VERDICT in shown.fields
    for name in own_judges(config.rewards):
        given = config.rewards[name].reads.get("verdict")
        if is_shown and given is None:
            yield (
                f"rewards.{name}.verdict: missing; rm.input.fields shows a rule's verdict: name the part that gives it"
            )
        elif given is not None and not is_shown:
            yield f"rewards.{name}.verdict: has no use; rm.input.fields shows no verdict: add it there, or remove this"
        elif given is not None and stage.verdict not in (None, given):
            yield (
                f"rewards.{name}.verdict: {given!r}, but the pairs hold the verdict of {stage.verdict!r} (rm.verdict); "
                "name the same part in both"
            )
    if is_shown and REWARD_MODEL in config.stages and stage.verdict is None and not stage.more:
        yield (
            "rm.verdict: missing; the reward model is shown a rule's verdict, and the run's own pairs have none: name the "
            "rule, which must not be what labels, or show no verdict"
        )


def label_problems(config: RunConfig) -> Iterator[str]:
    """Why the answers cannot be labelled, or a rule's verdict cannot stand beside the label."""
    stage = config.rm
    labels = stage.labels or config.eval.parts
    unknown = [name for name in labels if name not in config.rewards]
    for name in unknown:
        yield f"rm.labels: {name!r} names no part of rewards ({', '.join(config.rewards)})"
    for name in own_judges(config.rewards):
        if name in labels:
            yield f"rm.labels: {name!r} is the reward model that is to be trained; choose another part"
    if VERDICT in labels and stage.verdict != VERDICT:
        yield f"rm.labels: {VERDICT!r} is the name of a rule's verdict in the pairs; give the part another"
    if stage.verdict is not None and stage.verdict not in config.rewards:
        yield f"rm.verdict: {stage.verdict!r} names no part of rewards ({', '.join(config.rewards)})"
    elif not unknown:
        for issue in verdict_issues(stage.verdict, RubricConfig(_labels(config)), at=("rm", "verdict")):
            yield issue.line()


def own_parts(rewards: Mapping[str, VerifierConfig], run_folder: Path) -> dict[str, VerifierConfig]:
    """Those parts, with the reward model that the run in this folder has trained, or will have."""
    path = str(run_folder / REWARD_MODEL)
    return {name: rewards[name].model_copy(update={"path": path}) for name in own_judges(rewards)}


def preferences_recipe(config: RunConfig, model: str) -> PreferencesRunConfig:
    """What the stage asks of `guerdon prefs make`; `model` answers."""
    stage = config.rm
    shared = {name: getattr(config.rollout, name) for name in CandidatesConfig.model_fields}
    return PreferencesRunConfig(
        seed=config.seed,
        num_problems=stage.num_problems,
        model=_backbone(config, model),
        data=config.data,
        sampling=CandidatesConfig(**{**shared, "num_generations": stage.num_generations}),
        rewards=_labels(config),
        verdict=stage.verdict,
        pairing=stage.pairing,
    )


def reward_recipe(config: RunConfig, model: str, run_folder: Path) -> RewardRunConfig:
    """What the stage asks of `guerdon rm train`; `model` is its backbone, unless it has its own."""
    stage = config.rm
    return RewardRunConfig(
        name=REWARD_MODEL,
        output_dir=str(run_folder),
        seed=config.seed,
        save_steps=config.save_steps,
        save_total_limit=config.save_total_limit,
        model=stage.model or _backbone(config, model),
        data=PreferenceDataConfig(
            train={
                OWN: JsonlPreferencesConfig(
                    path=str(run_folder / PAIRS), source="r1_like", weight=stage.weight
                ),
                **stage.more,
            },
            eval_fraction=stage.eval_fraction,
        ),
        head=stage.head,
        input=stage.input,
        loss=stage.loss,
        train=stage.train,
        eval=stage.eval,
    )


def _labels(config: RunConfig) -> dict[str, VerifierConfig]:
    """The parts that label; with weight 0 the rule beside them, and what they read."""
    labels = config.rm.labels or config.eval.parts
    rule = () if config.rm.verdict is None else (config.rm.verdict,)
    return {
        name: _label(config.rewards[name], config)
        if name in labels
        else config.rewards[name].model_copy(update={"weight": 0.0})
        for name in config.rubric.with_read([*labels, *rule])
    }


def _label(part: VerifierConfig, config: RunConfig) -> VerifierConfig:
    """A part that the policy does not learn from (weight 0) can still say which answer is better.

    Where each set has a part of its own, the others have nothing to say of it.
    """
    changes: dict[str, object] = {} if part.weight else {"weight": 1.0}
    if not config.rm.labels and len(config.eval.parts) > 1:
        changes["when_missing"] = "skip"
    return part.model_copy(update=changes)


def _backbone(config: RunConfig, model: str) -> ModelConfig:
    return config.model.model_copy(update={"source": model, "revision": None})
