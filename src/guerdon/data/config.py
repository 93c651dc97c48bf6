"""Where problems come from. Torch-free; `build()` of each dataset config imports what it needs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from guerdon.core.config import Config, parse_plugin, parse_plugins
from guerdon.core.errors import did_you_mean
from guerdon.core.registry import Registry
from guerdon.core.types import Problem

DATASETS = Registry(
    noun="dataset",
    group="guerdon.datasets",
    builtins={
        "arith": "guerdon.data.config:ArithConfig",
        "lists": "guerdon.data.config:ListsConfig",
        "code_world": "guerdon.data.config:CodeWorldConfig",
        "critiques": "guerdon.data.critiques.config:CritiquesConfig",
        "jsonl": "guerdon.data.config:JsonlConfig",
        "parquet": "guerdon.data.config:ParquetConfig",
        "hub": "guerdon.data.config:HubConfig",
        "reasoning_gym": "guerdon.data.config:ReasoningGymConfig",
        "mixture": "guerdon.data.config:MixtureConfig",
    },
)


class DatasetConfig(Config):
    """Base of every dataset: a `kind`, and `build()` that returns problems in a fixed order."""

    kind: str
    weight: Annotated[float, Field(gt=0.0)] | None = None
    """Share of this set where several are mixed, in proportion to the others' weights; give it to every set or none."""

    def build(self, seed: int) -> Sequence[Problem]:
        """Load or generate; the same `seed` gives the same problems in the same order."""
        raise NotImplementedError


class ArithConfig(DatasetConfig):
    """Synthetic arithmetic with exact answers and step-by-step worked solutions (algorithms: ArithWorld)."""

    kind: Literal["arith"] = "arith"
    num_problems: int = Field(default=2000, ge=1)
    """How many distinct problems to generate."""
    min_operands: int = Field(default=2, ge=2, le=6)
    """Fewest operands in one expression."""
    max_operands: int = Field(default=3, ge=2, le=6)
    """Most operands in one expression."""
    max_digits: int = Field(default=2, ge=1, le=4)
    """Most digits of one operand."""
    operators: str = Field(default="+-", pattern=r"^[+\-*]+$")
    """Which of + - * may appear."""
    style: Literal["symbols", "words"] = "symbols"
    """`symbols`: "Calculate 37 + 48 - 2."; `words`: a one-sentence story around the same numbers (+ and - only)."""
    layout: Literal["think_answer", "boxed", "hash"] = "think_answer"
    """How the worked solution ends; the same words as the format verifier's layouts."""

    @model_validator(mode="after")
    def _no_products_in_stories(self) -> Self:
        if self.style == "words" and "*" in self.operators:
            raise ValueError("style = 'words' tells sums in order, so operators may hold + and - only")
        return self

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if self.min_operands > self.max_operands:
            raise ValueError(
                f"min_operands = {self.min_operands} is more than max_operands = {self.max_operands}; swap them"
            )
        return self

    def build(self, seed: int) -> Sequence[Problem]:
        """Generate the problems."""
        from guerdon.data.worlds import arith_problems

        return arith_problems(self, seed)


class ListsConfig(DatasetConfig):
    """Open requests for lists of words: no one right answer, exact quality (verifier `listing`; algorithms: PrefWorld)."""

    kind: Literal["lists"] = "lists"
    num_problems: int = Field(default=1000, ge=1)
    """How many distinct requests to draw."""
    min_items: int = Field(default=2, ge=1, le=6)
    """Fewest words asked for."""
    max_items: int = Field(default=4, ge=1, le=6)
    """Most words asked for."""
    max_without: int = Field(default=2, ge=0, le=3)
    """Most words that must not stand there."""
    in_order: bool = True
    """Ask for half of the lists from a to z."""

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if self.min_items > self.max_items:
            raise ValueError(
                f"min_items = {self.min_items} is more than max_items = {self.max_items}; swap them"
            )
        return self

    def build(self, seed: int) -> Sequence[Problem]:
        """Generate the requests."""
        from guerdon.data.list_world import list_problems

        return list_problems(self, seed)


class CodeWorldConfig(DatasetConfig):
    """Small Python functions over lists to write, with exact tests and worked solutions (algorithms: CodeWorld)."""

    kind: Literal["code_world"] = "code_world"
    num_problems: int = Field(default=1000, ge=1)
    """How many distinct problems to draw."""

    def build(self, seed: int) -> Sequence[Problem]:
        """Generate the problems."""
        from guerdon.data.code_world import code_problems

        return code_problems(self, seed)


COLUMNS = ("prompt", "target", "solution", "id")
"""What a column can become; all others are kept under their own names."""


class TableConfig(DatasetConfig):
    """Fields shared by datasets that come as rows with columns."""

    layout: Literal["auto", "trl", "verl"] = "auto"
    """How to read a row: TRL's (`prompt` + free columns) or verl's (`data_source, prompt, reward_model, extra_info`)."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Which column is what, {ours = theirs}; ours: prompt, target, solution, id; theirs may be dotted."""
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


class JsonlConfig(TableConfig):
    """A JSON Lines file, plain or gzipped."""

    kind: Literal["jsonl"] = "jsonl"
    path: str
    """Path of the file, relative to the working directory; `~` is expanded."""

    def build(self, seed: int) -> Sequence[Problem]:
        """Read the file."""
        from guerdon.data.tables import read_jsonl

        return read_jsonl(self)


class ParquetConfig(TableConfig):
    """A Parquet file, or a folder of them."""

    kind: Literal["parquet"] = "parquet"
    path: str
    """Path of the file or folder."""

    def build(self, seed: int) -> Sequence[Problem]:
        """Read the file."""
        from guerdon.data.tables import read_parquet

        return read_parquet(self)


class HubConfig(TableConfig):
    """A Hugging Face hub dataset, through `datasets` (extra: train)."""

    kind: Literal["hub"] = "hub"
    path: str
    """Name on the hub, for example openai/gsm8k."""
    name: str | None = None
    """Configuration of the dataset, for example main."""
    split: str = "train"
    """Which split."""
    revision: str | None = None
    """Commit or tag."""

    def build(self, seed: int) -> Sequence[Problem]:
        """Download (or read from the cache) and convert."""
        from guerdon.data.tables import read_hub

        return read_hub(self)


class ReasoningGymConfig(DatasetConfig):
    """A generator of reasoning_gym by name (extra: gym). Its scorers are not used: some evaluate model text."""

    kind: Literal["reasoning_gym"] = "reasoning_gym"
    task: str
    """Name of the task, for example chain_sum."""
    num_problems: int = Field(default=1000, ge=1)
    """How many problems to generate."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Settings of the task's own generator, for example {min_terms = 2}."""

    def build(self, seed: int) -> Sequence[Problem]:
        """Generate the problems."""
        from guerdon.data.gym import gym_problems

        return gym_problems(self, seed)


class MixtureConfig(DatasetConfig):
    """Several datasets, each under a name of its own: `[data.train.NAME]`. Every problem keeps its set's name."""

    kind: Literal["mixture"] = "mixture"
    of: dict[str, SerializeAsAny[DatasetConfig]] = Field(min_length=1)
    """The datasets by name."""

    @field_validator("of", mode="before")
    @classmethod
    def _sets(cls, value: Any) -> Any:
        return parse_plugins(DATASETS, value)

    @model_validator(mode="after")
    def _all_weights_or_none(self) -> Self:
        without = [name for name, one in self.of.items() if one.weight is None]
        if without and len(without) < len(self.of):
            raise ValueError(f"{without[0]} has no weight, but others have; give one to every set or to none")
        return self

    @model_serializer(mode="wrap")
    def _by_name(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As it stands in a recipe: the tables under their names."""
        tables: dict[str, Any] = serialize(self)["of"]
        return tables

    def sets(self, seed: int) -> dict[str, Sequence[Problem]]:
        """The problems of each set, with its name in `info` and in their ids; two sets of one kind draw differently."""
        from guerdon.core.seeds import derive_seed
        from guerdon.data.mix import in_set
        from guerdon.data.rows import chosen

        built = {name: one.build(derive_seed(seed, "set", name)) for name, one in self.of.items()}
        return {
            name: chosen(problems, range(len(problems)), functools.partial(in_set, name))
            for name, problems in built.items()
        }

    def build(self, seed: int) -> Sequence[Problem]:
        """All sets, one after the other."""
        from guerdon.data.rows import joined

        return joined(list(self.sets(seed).values()))


class DataConfig(Config):
    """The problems of a run and how they are shown to the model."""

    train: SerializeAsAny[DatasetConfig]
    """Where training problems come from: one dataset, or several, each in a table under a name of its own."""
    eval: SerializeAsAny[DatasetConfig] | None = None
    """Where held-out problems come from; left out: split off the training set by content hash."""
    eval_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """Share of problems held out when there is no `data.eval`."""
    system_prompt: str | None = None
    """Put before every problem that has no system message of its own."""
    suffix: str = ""
    """Appended to the last user message, for example how to format the answer."""
    shuffle: bool = True
    """Draw problems in a seeded order, a new one each epoch; false: as they come."""

    @field_validator("train", "eval", mode="before")
    @classmethod
    def _dataset(cls, value: Any) -> Any:
        """Tables without a `kind` of their own are datasets under names."""
        if not isinstance(value, dict):
            return value
        if value and "kind" not in value and all(isinstance(table, dict) for table in value.values()):
            return MixtureConfig(of=parse_plugins(DATASETS, value))
        return parse_plugin(DATASETS, value)
