"""What flows through the house. Frozen, standard library only, JSON both ways.

Problem --rollout--> RolloutGroup --score--> ScoredGroup --credit--> CreditedGroup --pack--> PackedBatch

Each station hands the next one a *new* object. `None` means "could not verify" or "the recipe left it
out", never "not yet". Axes: P problems, G rollouts of one problem, T completion tokens of one rollout.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
T = TypeVar("T")

_EMPTY: Mapping[str, Any] = types.MappingProxyType({})


class StopReason(enum.StrEnum):
    """Why a rollout ended."""

    EOS = "eos"
    """The model ended its turn itself."""
    STOP_STRING = "stop_string"
    """One of the recipe's stop strings appeared."""
    LENGTH = "length"
    """Cut off at the token limit: the answer may be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to answer: the messages to show, the gold target, and every further dataset column."""

    id: str
    messages: tuple[Message, ...]
    target: str | None = None
    info: Mapping[str, Json] = field(default_factory=lambda: _EMPTY)

    @property
    def is_open_ended(self) -> bool:
        """Whether many answers may be good: the column `open_ended` says so, else that there is no target."""
        return bool(self.info.get("open_ended", self.target is None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One generation by one agent: what it saw, what it wrote, and how likely that was when sampled."""

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    behavior_logprobs: tuple[float, ...]
    """Log-probability of each completion token under the distribution actually sampled from [Lc]."""
    text: str
    kept: tuple[tuple[int, ...], ...] | None = None
    """Per token, the ids that truncated sampling (top-k, top-p, min-p) left; None: nothing was truncated."""
    agent: str = "policy"
    replies: tuple[Message, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=lambda: _EMPTY)
    version: int = 0
    """Number of the weights that sampled this turn (0 = before the first update)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One sampled answer to one problem."""

    problem_id: str
    index: int
    turns: tuple[Turn, ...]
    stop: StopReason

    @property
    def text(self) -> str:
        """Everything the policy wrote, turn after turn; evidence spans index this string."""
        return "".join(turn.text for turn in self.turns)

    @property
    def num_tokens(self) -> int:
        """Completion tokens over all turns."""
        return sum(len(turn.completion_ids) for turn in self.turns)

    @property
    def truncated(self) -> bool:
        """Whether the token limit cut this rollout off."""
        return self.stop is StopReason.LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A rollout or a reward that broke. Data, not a crash."""

    stage: str
    kind: str
    message: str
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutGroup:
    """The G rollouts of one problem, and what went wrong on the way."""

    problem: Problem
    rollouts: tuple[Rollout, ...]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a part has its value: a sentence, the characters it came from, what was read there."""

    note: str
    span: tuple[int, int] | None = None
    """Half-open character range of `Rollout.text`."""
    extracted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One signal about one rollout. `value=None`: could not verify; masked, never 0."""

    name: str
    value: float | None
    weight: float = 1.0
    evidence: Evidence = field(default_factory=lambda: Evidence(note=""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The reward of one rollout with every part kept. `value=None`: this rollout is left out of its group."""

    value: float | None
    parts: tuple[Part, ...]
    token_values: tuple[tuple[float, ...], ...] | None = None
    """Optional reward per token, one tuple a turn; sums to `value`."""

    def part(self, name: str) -> Part | None:
        """The part called `name`, or None."""
        return next((part for part in self.parts if part.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredGroup:
    """A group and the score of each of its rollouts, in the same order."""

    group: RolloutGroup
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditedGroup:
    """A scored group and the advantage of every completion token (ragged, `[G][T]`)."""

    scored: ScoredGroup
    advantages_G_T: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Two answers to one problem, and which is better."""

    problem: Problem
    chosen: str
    rejected: str
    margin: float | None = None
    """By how much, on the scale of its source, never negative; None: nobody said."""
    tie: bool = False
    """Neither is better: which one is called chosen means nothing."""
    source: str = "human"
    """What judged: human, rule, model, or r1_like (answers with a chain of thought, labelled by rule)."""
    annotator: str | None = None
    chosen_ratings: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    """What the chosen answer was rated, by attribute ("helpfulness"); an overall rating is called "score"."""
    rejected_ratings: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    chosen_critique: str | None = None
    """What somebody wrote about the chosen answer: for reward models that write before they score."""
    rejected_critique: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What one optimiser step did: metrics under TRL's names, seconds per station under `timing_s/`."""

    metrics: Mapping[str, float]


class Verifier(Protocol):
    """A fast pure check of one rollout."""

    def __call__(self, problem: Problem, rollout: Rollout) -> Part:
        """Score one rollout; never raises on any text."""
        ...


class Judge(Protocol):
    """A scorer that waits or compares siblings: a model, a sandbox, a plain function, a person."""

    async def score(self, group: RolloutGroup) -> list[Part]:
        """One part for each rollout of the group, in order."""
        ...


class Sink(Protocol):
    """Where metrics go."""

    def write(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of one step of one stage."""
        ...

    def close(self) -> None:
        """Flush and release."""
        ...


def to_json(value: object) -> Json:
    """A JSON-ready copy of any of these types (dataclasses, tuples, mappings, enums, scalars)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return typing.cast(Json, value.value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"to_json: cannot write {type(value).__name__}")


def from_json(cls: type[T], data: Json) -> T:
    """The inverse of `to_json` for a dataclass of this module.

    >>> from_json(Message, to_json(Message(role="user", content="hi")))
    Message(role='user', content='hi')
    """
    return typing.cast(T, _read(cls, data))


def _read(hint: Any, data: Json) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if data is None:
            return None
        choices = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        return _read(choices[0], data) if len(choices) == 1 else data
    if origin is tuple:
        args = typing.get_args(hint)
        items = typing.cast(list[Json], data)
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_read(args[0], item) for item in items)
        return tuple(_read(arg, item) for arg, item in zip(args, items, strict=True))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        fields = typing.cast(dict[str, Json], data)
        unknown = set(fields) - set(hints)
        if unknown:
            raise ValueError(f"{hint.__name__}: unknown field {sorted(unknown)[0]!r}")
        return hint(**{name: _read(hints[name], item) for name, item in fields.items()})
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(data)
    return float(data) if hint is float and isinstance(data, int) else data
