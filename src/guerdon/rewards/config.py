"""Which signals make the reward. Torch-free; each config *is* its plug-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from guerdon.core.config import Config, EntryError, Issue, parse_plugin
from guerdon.core.registry import Registry
from guerdon.core.types import Judge, Verifier

VERIFIERS = Registry(
    noun="verifier",
    group="guerdon.verifiers",
    builtins={
        "math": "guerdon.rewards.maths.config:MathVerifierConfig",
        "second_opinion": "guerdon.rewards.maths.config:SecondOpinionConfig",
        "reward_model": "guerdon.run.judge_config:RewardModelConfig",
        "generative": "guerdon.run.critic_config:GenerativeConfig",
        "code": "guerdon.rewards.code.config:CodeVerifierConfig",
        "format": "guerdon.rewards.text.config:FormatVerifierConfig",
        "tags": "guerdon.rewards.text.config:TagsVerifierConfig",
        "json": "guerdon.rewards.text.config:JsonVerifierConfig",
        "regex": "guerdon.rewards.text.config:RegexVerifierConfig",
        "match": "guerdon.rewards.text.config:MatchVerifierConfig",
        "repetition": "guerdon.rewards.text.config:RepetitionVerifierConfig",
        "listing": "guerdon.rewards.text.config:ListingVerifierConfig",
        "cosine_length": "guerdon.rewards.text.config:CosineLengthVerifierConfig",
        "refusal": "guerdon.rewards.text.config:RefusalVerifierConfig",
        "citations": "guerdon.rewards.text.config:CitationsVerifierConfig",
        "honesty": "guerdon.rewards.text.config:HonestyVerifierConfig",
        "reasonable": "guerdon.rewards.text.config:ReasonableVerifierConfig",
        "overlong": "guerdon.rewards.text.config:OverlongVerifierConfig",
        "instructions": "guerdon.rewards.text.config:InstructionsVerifierConfig",
        "language": "guerdon.rewards.text.config:LanguageVerifierConfig",
        "remote": "guerdon.rewards.judges.config:RemoteConfig",
        "llm_judge": "guerdon.rewards.judges.config:LlmJudgeConfig",
        "function": "guerdon.rewards.config:FunctionRewardConfig",
        "spct": "guerdon.rewards.config:SpctVerifierConfig",
        "random": "guerdon.rewards.config:RandomVerifierConfig",
    },
)


Runs = Literal["inline", "elsewhere", "device"]
"""Where a verifier works. `inline`: Python in this process. `elsewhere`: it waits for other processes or servers, so that
answers are judged while others are still being written. `device`: a model in this process, which wants whole batches."""


class VerifierConfig(Config):
    """Base of every signal. Its name in the report is its key in the recipe's `rewards` table."""

    wrong: ClassVar[float | None] = None
    """Up to this value an answer is wrong, where the part says right or wrong and 1 is right. None: it grades, and no
    value of it means wrong."""
    runs: ClassVar[Runs] = "inline"
    """Where it works."""
    kind: str
    name: str = ""
    """Name of the part; filled from the recipe's key."""
    weight: float = 1.0
    """Weight in the rubric's sum; 0 makes it a metric that is recorded but not learned from."""
    when_missing: Literal["mask", "skip"] = "mask"
    """What a verdict "could not verify" does: `mask` leaves the rollout out of its group, `skip` lets the other
    parts decide (TRL's meaning of None)."""

    @property
    def reads(self) -> Mapping[str, str]:
        """Key of this config to another part of the rubric: that one is computed first, and the judge that this builds
        is called `score(group, parts)`, with those parts of each rollout by name.
        """
        return {}

    def build(self) -> Verifier | Judge:
        """The verifier itself."""
        raise NotImplementedError


class FunctionRewardConfig(VerifierConfig):
    """A plain Python function with TRL's signature `(prompts, completions, **columns) -> list[float | None]`."""

    runs: ClassVar[Runs] = "elsewhere"
    kind: Literal["function"] = "function"
    path: str
    """`module:function` or `file.py:function`."""
    timeout_s: float = Field(default=60.0, gt=0.0)
    """Hard wall-clock limit of one call; past it the function is named and the rollouts are unverifiable."""
    when_missing: Literal["mask", "skip"] = "skip"
    """As for every verifier; `skip` is TRL's meaning of None."""

    def build(self) -> Judge:
        """The judge that calls the function."""
        from guerdon.rewards.functions import FunctionReward

        return FunctionReward(self)


class RandomVerifierConfig(VerifierConfig):
    """A seeded coin instead of a verdict: the negative control of a learning experiment."""

    wrong = 0.0
    kind: Literal["random"] = "random"
    probability: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Chance of 1."""
    seed: int = 0
    """Seed of the coin; the verdict depends on it, the problem, the rollout's index and its text."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.chance import RandomVerifier

        return RandomVerifier(self)


class SpctVerifierConfig(VerifierConfig):
    """Trains a generative reward model: 1 where its scores agree with the label, else -1 (DeepSeek-GRM)."""

    wrong = -1.0
    kind: Literal["spct"] = "spct"

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.spct import SpctVerifier

        return SpctVerifier(self)


def parse_rewards(table: Any) -> Any:
    """The recipe's `rewards` table {name: {...}}: each entry's kind defaults to its name.

    Raises:
        EntryError: the problems of every entry at once.
    """
    if not isinstance(table, dict):
        return table
    parsed: dict[str, Any] = {}
    issues: list[Issue] = []
    for name, entry in table.items():
        if not isinstance(entry, dict):
            if not isinstance(entry, VerifierConfig):
                issues.append(Issue((name,), f"expected a table such as {{ kind = 'math' }}; got {entry!r}"))
            parsed[name] = entry
            continue
        if entry.get("name", name) not in ("", name):
            issues.append(Issue((name, "name"), "unknown key; the name of a part is its key in `rewards`"))
        try:
            parsed[name] = parse_plugin(VERIFIERS, {**entry, "name": name}, at=name, kind=name)
        except EntryError as error:
            issues += error.issues
    if issues:
        raise EntryError(issues)
    return parsed
