"""reasoning_gym tasks by name: its generators only. Its scorers are never called, since some evaluate model text."""

from __future__ import annotations

from typing import Any

from guerdon.core.errors import DataError, MissingExtraError, did_you_mean
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Message, Problem
from guerdon.data.config import ReasoningGymConfig


def gym_problems(config: ReasoningGymConfig, seed: int) -> tuple[Problem, ...]:
    """Generate `config.num_problems` problems of one task.

    Raises:
        MissingExtraError: reasoning_gym is not installed.
        DataError: unknown task, refused options, or a task without one right textual answer.
    """
    try:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS
    except ImportError:
        raise MissingExtraError("data.kind = 'reasoning_gym'", "gym") from None
    if config.task not in DATASETS:
        raise DataError(
            f"data: unknown reasoning_gym task {config.task!r}{did_you_mean(config.task, DATASETS)}"
        )
    number = derive_seed(seed, "gym") % 2**31
    try:
        generated = reasoning_gym.create_dataset(
            config.task, size=config.num_problems, seed=number, **config.options
        )
    except (TypeError, ValueError, AssertionError) as error:
        raise DataError(f"data: reasoning_gym task {config.task}: options refused: {error}") from None
    return tuple(_problem(config.task, index, item) for index, item in enumerate(generated))


def _problem(task: str, index: int, item: dict[str, Any]) -> Problem:
    answer = item["answer"]
    if answer is None:
        raise DataError(
            f"data: reasoning_gym task {task} states no answer of its own (many are right, only its scorer can tell), "
            "and Guerdon does not run scorers that may evaluate model text; choose another task"
        )
    return Problem(
        id=f"{task}/{index}",
        messages=(Message(role="user", content=str(item["question"])),),
        target=str(answer),
        info={"task": task},
    )
