"""Training and held-out problems that never share a problem.

A problem's side depends on its own content alone, so neither file order nor new rows move it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from guerdon.core.errors import DataError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Message, Problem
from guerdon.data.config import DataConfig, MixtureConfig
from guerdon.data.mix import SET, mix


class Split(NamedTuple):
    """Problems of a run."""

    train: tuple[Problem, ...]
    eval: tuple[Problem, ...]
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
    found, duplicates = _distinct(config.train.build(seed))
    if config.eval is not None:
        held, more = _distinct(config.eval.build(seed))
        duplicates += more
        rest = found
    else:
        held = {key: problem for key, problem in found.items() if is_held_out(key, config.eval_fraction)}
        rest = {key: problem for key, problem in found.items() if key not in held}
    del found
    asked = {prompt_key(problem) for problem in held.values()}
    train = {key: problem for key, problem in rest.items() if prompt_key(problem) not in asked}
    overlap = len(rest) - len(train)
    del rest
    if not train or not held:
        raise DataError(_empty(config, len(train), len(held), overlap))
    if isinstance(config.train, MixtureConfig):
        shares = {name: one.weight for name, one in config.train.of.items() if one.weight is not None}
        _need_sets(config.train, train)
        train = _mixed(train, shares, seed if config.shuffle else None)
    if isinstance(config.eval or config.train, MixtureConfig):
        held = _mixed(held, {}, None)
    return Split(_shown(train, config), _shown(held, config), duplicates, overlap)


def _mixed(
    problems: dict[str, Problem], weights: Mapping[str, float], seed: int | None
) -> dict[str, Problem]:
    """The sets spread evenly, so that any beginning has about the same mix; a single set stays as it is."""
    sets: dict[str, list[tuple[str, Problem]]] = {}
    for key, problem in problems.items():
        sets.setdefault(str(problem.info.get(SET)), []).append((key, problem))
    return dict(mix(sets, weights, seed=seed)) if len(sets) > 1 else problems


def _need_sets(config: MixtureConfig, train: Mapping[str, Problem]) -> None:
    """Refuse a mix of which a set is gone.

    Raises:
        DataError: no problem of a set is left to train on.
    """
    there = {problem.info.get(SET) for problem in train.values()}
    for name in config.of:
        if name not in there:
            raise DataError(
                f"data.train.{name}: no problem of it is left to train on (held out, or the same as another set's); "
                "give more of them, or leave the set out"
            )


def content_key(problem: Problem) -> str:
    """Hash of what is asked and what is right, white space aside."""
    return content_hash("\x1f".join([_asked(problem), " ".join((problem.target or "").split())]))


def prompt_key(problem: Problem) -> str:
    """Hash of what is asked, white space aside."""
    return content_hash(_asked(problem))


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


def _distinct(problems: Sequence[Problem]) -> tuple[dict[str, Problem], int]:
    found: dict[str, Problem] = {}
    for problem in problems:
        found.setdefault(content_key(problem), problem)
    return found, len(problems) - len(found)


def is_held_out(key: str, fraction: float) -> bool:
    """Whether content of this hash belongs to the held-out side of that share."""
    return int(key, 16) / (1 << 4 * len(key)) < fraction


def _shown(problems: dict[str, Problem], config: DataConfig) -> tuple[Problem, ...]:
    """The problems with the recipe's instructions; empties `problems`, so that only one copy stays."""
    system = Message(role="system", content=config.system_prompt) if config.system_prompt else None
    return tuple(_with_instructions(problems.pop(key), system, config.suffix) for key in list(problems))


def _with_instructions(problem: Problem, system: Message | None, suffix: str) -> Problem:
    messages = problem.messages
    if suffix:
        last = next(i for i in reversed(range(len(messages))) if messages[i].role == "user")
        changed = Message(role="user", content=messages[last].content + suffix)
        messages = (*messages[:last], changed, *messages[last + 1 :])
    if system is not None and messages[0].role != "system":
        messages = (system, *messages)
    return problem if messages is problem.messages else dataclasses.replace(problem, messages=messages)
