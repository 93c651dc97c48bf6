"""Where preferences come from, how lists of answers become pairs, and how sets are mixed and split.

```toml
[data.train.people]                   # any number of sets, each under a name of its own
kind = "jsonl"
path = "hh.jsonl.gz"                  # the layout is recognised
weight = 0.5                          # share of the mix; leave all weights out to take everything

[data.train.reasoning]
kind = "jsonl"
path = "r1_like.jsonl"
source = "r1_like"
weight = 0.5
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from guerdon.core.config import Config, parse_plugins
from guerdon.core.errors import did_you_mean
from guerdon.core.registry import Registry

if TYPE_CHECKING:
    from guerdon.data.preferences.reading import PreferenceSet

PREFERENCES = Registry(
    noun="set of preferences",
    group="guerdon.preferences",
    builtins={
        "jsonl": "guerdon.data.preferences.config:JsonlPreferencesConfig",
        "parquet": "guerdon.data.preferences.config:ParquetPreferencesConfig",
        "hub": "guerdon.data.preferences.config:HubPreferencesConfig",
        "arith": "guerdon.data.preferences.config:ArithPreferencesConfig",
    },
)

Source = Literal["r1_like", "human", "rule", "model"]
Layout = Literal[
    "auto", "guerdon", "pairs", "transcripts", "comparison", "ratings", "list", "ranked", "pointwise"
]
MAX_LABEL_NOISE = 0.45
"""At one half, labels say nothing; a little below, nothing can be learned in a reasonable time."""


class PairingConfig(Config):
    """How the answers to one prompt become pairs; pairs and comparisons of a file stay what they are."""

    policy: Literal["all", "adjacent", "best_worst"] = "all"
    """`all`: each with each; `adjacent`: each with the next in rank; `best_worst`: the best with the worst."""
    min_gap: float = Field(default=0.0, ge=0.0)
    """Ratings that differ by less are too close to tell apart: no pair. Equal ratings are a tie, not a close call."""
    max_length_ratio: float | None = Field(default=None, ge=1.0)
    """Length-matched pairs: the longer answer has at most so many times the characters of the shorter one."""
    max_pairs: int | None = Field(default=None, ge=1)
    """At most so many pairs of one prompt, drawn at random; many pairs of one prompt say little more than a few."""


class PreferenceSetConfig(Config):
    """Base of every set of preferences: a `kind`, and `build(seed)`."""

    kind: str
    source: Source = "human"
    """What judged, where a row does not say it itself: human, rule, model, or r1_like."""
    weight: Annotated[float, Field(gt=0.0)] | None = None
    """Share of this set in the mix, in proportion to the other sets' weights; give it to every set or to none."""
    ties: Literal["keep", "drop"] = "keep"
    """Whether pairs that were judged equally good stay in."""
    pairing: PairingConfig = Field(default_factory=PairingConfig)
    """How lists of answers become pairs."""

    def build(self, seed: int) -> PreferenceSet:
        """Load or generate; the same `seed` gives the same pairs in the same order."""
        raise NotImplementedError


COLUMNS = (
    "prompt",
    "chosen",
    "rejected",
    "chosen_score",
    "rejected_score",
    "chosen_critique",
    "rejected_critique",
    "first",
    "second",
    "preference",
    "responses",
    "scores",
    "ranks",
    "response",
    "score",
    "label",
    "margin",
    "tie",
    "source",
    "annotator",
    "target",
    "id",
)
"""What a column can become; all others are kept in the problem's `info`."""


class PreferenceTableConfig(PreferenceSetConfig):
    """Fields shared by sets that come as rows with columns."""

    layout: Layout = "auto"
    """How to read a row; `auto` goes by the columns of the first one. See the page on preference data."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Which column is what, {ours = theirs}; ours: chosen, rejected, responses, score ...; theirs may be dotted."""
    attributes: dict[str, float] = Field(default_factory=dict)
    """Layout `ratings`: columns that rate an answer, and their weights in its score; empty: helpfulness alone."""
    margin_scale: float = Field(default=1.0, gt=0.0)
    """Multiplies margins, so that sets rated on different scales fit together."""
    bad_rows: Literal["refuse", "leave_out"] = "refuse"
    """A row that cannot be used stops the reading, or is left out, told, and recorded with its place and its reason."""
    limit: int | None = Field(default=None, ge=1)
    """Read at most so many rows."""

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in columns if name not in COLUMNS]
        if unknown:
            raise ValueError(
                f"unknown column {unknown[0]!r}{did_you_mean(unknown[0], COLUMNS)}; write ours = 'theirs', "
                f"ours being one of {', '.join(COLUMNS)}"
            )
        return columns

    @field_validator("attributes")
    @classmethod
    def _some_weight(cls, attributes: dict[str, float]) -> dict[str, float]:
        if attributes and not any(attributes.values()):
            raise ValueError("every attribute has weight 0, so no answer could be better; give one a weight")
        return attributes

    @property
    def place(self) -> str:
        """File, folder or name on the hub; for messages."""
        raise NotImplementedError

    def build(self, seed: int) -> PreferenceSet:
        """Read the rows and make pairs of them."""
        from guerdon.data.preferences.reading import read_preferences

        return read_preferences(self, seed)


class JsonlPreferencesConfig(PreferenceTableConfig):
    """A JSON Lines file, plain or gzipped."""

    kind: Literal["jsonl"] = "jsonl"
    path: str
    """Path of the file, relative to the working directory; `~` is expanded."""

    @property
    def place(self) -> str:
        """The path."""
        return self.path


class ParquetPreferencesConfig(PreferenceTableConfig):
    """A Parquet file, or a folder of them."""

    kind: Literal["parquet"] = "parquet"
    path: str
    """Path of the file or folder."""

    @property
    def place(self) -> str:
        """The path."""
        return self.path


class HubPreferencesConfig(PreferenceTableConfig):
    """A Hugging Face hub dataset, through `datasets` (extra: train)."""

    kind: Literal["hub"] = "hub"
    path: str
    """Name on the hub, for example Anthropic/hh-rlhf."""
    name: str | None = None
    """Configuration of the dataset."""
    split: str = "train"
    """Which split."""
    revision: str | None = None
    """Commit or tag."""

    @property
    def place(self) -> str:
        """The name on the hub."""
        return self.path


class ArithPreferencesConfig(PreferenceSetConfig):
    """Synthetic: worked solutions of arithmetic against the same with a fault, so that the truth is known."""

    kind: Literal["arith"] = "arith"
    source: Source = "rule"
    """What judged."""
    num_pairs: int = Field(default=2000, ge=1)
    """How many pairs, each about another problem."""
    faults: tuple[Literal["step", "answer", "carried"], ...] = Field(
        default=("step", "answer", "carried"), min_length=1
    )
    """`step`: a wrong step under a right answer; `answer`: a wrong answer under right steps; `carried`: a wrong step
    and what follows from it. They take turns; results name them as subsets."""
    label_noise: float = Field(default=0.0, ge=0.0, le=0.5)
    """Share of pairs that are labelled the wrong way round; at 0.5 there is nothing to learn: a negative control."""
    min_operands: int = Field(default=2, ge=2, le=6)
    """Fewest operands in one expression."""
    max_operands: int = Field(default=4, ge=2, le=6)
    """Most operands in one expression."""
    max_digits: int = Field(default=2, ge=1, le=4)
    """Most digits of one operand."""
    operators: str = Field(default="+-", pattern=r"^[+\-*]+$")
    """Which of + - * may appear."""
    layout: Literal["think_answer", "boxed", "hash"] = "hash"
    """How a solution ends."""

    def build(self, seed: int) -> PreferenceSet:
        """Generate the pairs."""
        from guerdon.data.preferences.faults import faulty_preferences

        return faulty_preferences(self, seed)


class PreferenceDataConfig(Config):
    """The preferences of a run: sets to train on, what is held out, how the sets are mixed."""

    train: dict[str, SerializeAsAny[PreferenceSetConfig]] = Field(min_length=1)
    """Sets to train on, each under a name of its own."""
    eval: dict[str, SerializeAsAny[PreferenceSetConfig]] = Field(default_factory=dict)
    """Sets to hold out; left out: split off the training sets by the content of the prompt."""
    eval_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """Share of prompts held out when there is no `data.eval`."""
    split_by: Literal["prompt", "opening"] = "prompt"
    """What train and held-out side never share: a prompt, or even the first user message of a dialogue."""
    num_pairs: int | None = Field(default=None, ge=1)
    """Size of the mix to train on, a list counting as one; left out: all, or with weights as many as can be had without
    repeating. What is held out is bounded by `eval.num_pairs`."""
    audit: dict[str, SerializeAsAny[PreferenceSetConfig]] = Field(default_factory=dict)
    """Some of the same pairs, judged again with care: measures how many labels are wrong."""
    max_label_noise: Annotated[float, Field(gt=0.0, le=0.5)] = MAX_LABEL_NOISE
    """A training set that the audit contradicts in a larger share of its pairs is refused."""

    @field_validator("train", "eval", "audit", mode="before")
    @classmethod
    def _sets(cls, value: Any) -> Any:
        return parse_plugins(PREFERENCES, value)

    @model_validator(mode="after")
    def _all_weights_or_none(self) -> Self:
        without = [name for name, one in self.train.items() if one.weight is None]
        if without and len(without) < len(self.train):
            raise ValueError(
                f"train.{without[0]} has no weight, but others have; give one to every set or to none"
            )
        return self
