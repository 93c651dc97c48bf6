"""Training and held-out problems that never share a problem.

A problem's side depends on its own content alone, so neither file order nor new rows move it.
"""

from __future__ import annotations

import dataclasses
import functools
from array import array
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import compress
from typing import NamedTuple

from guerdon.core.errors import DataError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Message, Problem
from guerdon.data.config import DataConfig, MixtureConfig
from guerdon.data.mix import SET, mix
from guerdon.data.rows import chosen


class Split(NamedTuple):
    """Problems of a run; of many rows only their places are in memory (`rows.py`)."""

    train: Sequence[Problem]
    eval: Sequence[Problem]
    num_duplicates: int
    """Problems that stood more than once in a dataset; kept once."""
    num_overlap: int
    """Training problems left out because the same is asked of the held-out side."""


def load_problems(config: DataConfig, seed: int) -> Split:
    """Build the datasets of a recipe, show them as it says, split.

    Problems that ask the same are never on both sides, even where their rows disagree about the answer.

    Raises:
        DataError: a dataset cannot be read, or one side would be empty.
    """
    found = _distinct(config.train.build(seed))
    duplicates = len(found.problems) - len(found.places)
    if config.eval is not None:
        held, rest = _distinct(config.eval.build(seed)), found
        duplicates += len(held.problems) - len(held.places)
    else:
        is_held = [is_held_out(f"{key:016x}", config.eval_fraction) for key in found.contents]
        held, rest = found.only(is_held), found.only(not one for one in is_held)
    asked = set(held.prompts)
    train = rest.only(key not in asked for key in rest.prompts)
    overlap = len(rest.places) - len(train.places)
    if not train.places or not held.places:
        raise DataError(_empty(config, len(train.places), len(held.places), overlap))
    order, held_order = train.places, held.places
    if isinstance(config.train, MixtureConfig):
        shares = {name: one.weight for name, one in config.train.of.items() if one.weight is not None}
        sets = _by_set(train)
        _need_sets(config.train, sets)
        order = _woven(sets, shares, seed if config.shuffle else None)
    if isinstance(config.eval or config.train, MixtureConfig):
        held_order = _woven(_by_set(held), {}, None)
    shown = _instructions(config)
    return Split(
        chosen(train.problems, order, shown), chosen(held.problems, held_order, shown), duplicates, overlap
    )


class _Side(NamedTuple):
    """Some problems of a dataset: their places in it, and hashes of what they ask."""

    problems: Sequence[Problem]
    places: array[int]
    contents: array[int]
    prompts: array[int]

    def only(self, wanted: Iterable[bool]) -> _Side:
        """Those that are wanted."""
        flags = bytes(wanted)
        return _Side(self.problems, *(array("Q", compress(column, flags)) for column in self[1:]))


def _distinct(problems: Sequence[Problem]) -> _Side:
    """Each problem where it stands first."""
    found = _Side(problems, array("Q"), array("Q"), array("Q"))
    seen: set[int] = set()
    for place, problem in enumerate(problems):
        asked = _asked(problem)
        content = int(content_hash(_content(asked, problem)), 16)
        if content not in seen:
            seen.add(content)
            found.places.append(place)
            found.contents.append(content)
            found.prompts.append(int(content_hash(asked), 16))
    return found


def _by_set(side: _Side) -> dict[str, array[int]]:
    """The places of each set's problems."""
    sets: dict[str, array[int]] = {}
    for place in side.places:
        sets.setdefault(str(side.problems[place].info.get(SET)), array("Q")).append(place)
    return sets


def _woven(sets: Mapping[str, array[int]], weights: Mapping[str, float], seed: int | None) -> array[int]:
    """The sets spread evenly, so that any beginning has about the same mix; a single set stays as it is."""
    return array("Q", mix(sets, weights, seed=seed)) if len(sets) > 1 else next(iter(sets.values()))


def _need_sets(config: MixtureConfig, there: Container[str]) -> None:
    """Refuse a mix of which a set is gone.

    Raises:
        DataError: no problem of a set is left to train on.
    """
    for name in config.of:
        if name not in there:
            raise DataError(
                f"data.train.{name}: no problem of it is left to train on (held out, or the same as another set's); "
                "give more of them, or leave the set out"
            )


def content_key(problem: Problem) -> str:
    """Hash of what is asked and what is right, white space aside."""
    return content_hash(_content(_asked(problem), problem))


def prompt_key(problem: Problem) -> str:
    """Hash of what is asked, white space aside."""
    return content_hash(_asked(problem))


def _content(asked: str, problem: Problem) -> str:
    return "\x1f".join([asked, " ".join((problem.target or "").split())])


def _asked(problem: Problem) -> str:
    return "\x1f".join([" ".join(message.content.split()) for message in problem.messages])


def _empty(config: DataConfig, train: int, held: int, overlap: int) -> str:
    side = "eval" if train else "train"
    if config.eval is not None:
        why = f"{overlap} of them stand in data.eval too" if overlap else "the dataset has none"
        return f"data: no {side} problems are left: {why}; give other problems to train on or to hold out"
    return (
        f"data: no {side} problems are left of {train + held + overlap} distinct ones "
        f"(eval_fraction={config.eval_fraction}); give more data, another fraction, or a data.eval"
    )


def is_held_out(key: str, fraction: float) -> bool:
    """Whether content of this hash belongs to the held-out side of that share."""
    return int(key, 16) / (1 << 4 * len(key)) < fraction


def _instructions(config: DataConfig) -> Callable[[Problem], Problem]:
    """How a problem is shown to the model."""
    system = Message(role="system", content=config.system_prompt) if config.system_prompt else None
    return functools.partial(_with_instructions, system=system, suffix=config.suffix)


def _with_instructions(problem: Problem, system: Message | None, suffix: str) -> Problem:
    messages = problem.messages
    if suffix:
        last = next(i for i in reversed(range(len(messages))) if messages[i].role == "user")
        changed = Message(role="user", content=messages[last].content + suffix)
        messages = (*messages[:last], changed, *messages[last + 1 :])
    if system is not None and messages[0].role != "system":
        messages = (system, *messages)
    return problem if messages is problem.messages else dataclasses.replace(problem, messages=messages)
