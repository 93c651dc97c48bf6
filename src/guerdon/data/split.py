"""Training and held-out problems that never share a problem.

A problem's side depends on its own content alone, so neither file order nor new rows move it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from guerdon.core.errors import DataError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Message, Problem
from guerdon.data.config import DataConfig


class Split(NamedTuple):
    """Problems of a run."""

    train: tuple[Problem, ...]
    eval: tuple[Problem, ...]
    num_duplicates: int
    """Problems that stood more than once in a dataset; kept once."""
    num_overlap: int
    """Training problems left out because they are held out."""


def load_problems(config: DataConfig, seed: int) -> Split:
    """Build the datasets of a recipe, show them as it says, split.

    Raises:
        DataError: a dataset cannot be read, or one side would be empty.
    """
    found, duplicates = _distinct(config.train.build(seed))
    if config.eval is not None:
        held, more = _distinct(config.eval.build(seed))
        duplicates += more
        held_keys = set(held)
        train = {key: problem for key, problem in found.items() if key not in held_keys}
        overlap = len(found) - len(train)
    else:
        held = {key: problem for key, problem in found.items() if _is_held_out(key, config.eval_fraction)}
        train = {key: problem for key, problem in found.items() if key not in held}
        overlap = 0
    for side, problems in (("train", train), ("eval", held)):
        if not problems:
            raise DataError(
                f"data: no {side} problems are left of {len(found)} (eval_fraction={config.eval_fraction}); "
                "give more data or another fraction"
            )
    return Split(_shown(train.values(), config), _shown(held.values(), config), duplicates, overlap)


def content_key(problem: Problem) -> str:
    """Hash of what is asked and what is right, white space aside."""
    words = [" ".join(message.content.split()) for message in problem.messages]
    return content_hash("\x1f".join([*words, " ".join((problem.target or "").split())]))


def _distinct(problems: Sequence[Problem]) -> tuple[dict[str, Problem], int]:
    found: dict[str, Problem] = {}
    for problem in problems:
        found.setdefault(content_key(problem), problem)
    return found, len(problems) - len(found)


def _is_held_out(key: str, fraction: float) -> bool:
    return int(key, 16) / (1 << 4 * len(key)) < fraction


def _shown(problems: Iterable[Problem], config: DataConfig) -> tuple[Problem, ...]:
    return tuple(_with_instructions(problem, config) for problem in problems)


def _with_instructions(problem: Problem, config: DataConfig) -> Problem:
    messages = problem.messages
    if config.suffix:
        last = max(index for index, message in enumerate(messages) if message.role == "user")
        changed = dataclasses.replace(messages[last], content=messages[last].content + config.suffix)
        messages = (*messages[:last], changed, *messages[last + 1 :])
    if config.system_prompt and messages[0].role != "system":
        messages = (Message(role="system", content=config.system_prompt), *messages)
    return dataclasses.replace(problem, messages=messages)
