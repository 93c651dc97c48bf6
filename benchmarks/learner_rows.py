"""The rows of learner.py: token ids, advantages, and the four workloads. Standard library only."""

from __future__ import annotations

import random
from typing import Any, NamedTuple


class Mix(NamedTuple):
    """How long the answers are."""

    told: str
    low: int
    high: int
    long: int = 0
    """Length of a few; 0: none."""
    every: int = 8
    """Of so many answers one is long."""
    prompt: int = 48
    group: int = 8
    """Answers to one prompt."""


MIXES = {
    "uniform": Mix("all answers of 256 tokens, 8 to a prompt of 48", 256, 256),
    "mixed": Mix("answers of 32 to 512 tokens, 8 to a prompt of 48", 32, 512),
    "long tail": Mix(
        "answers of 32 to 128 tokens and one in eight of 1024, 8 to a prompt of 48", 32, 128, 1024
    ),
    "mixed alone": Mix("answers of 32 to 512 tokens, each to a prompt of its own of 48", 32, 512, group=1),
}
"""Prompts of 48 tokens, as the quickstart's; the last one shares no prompt, so that it shows packing alone."""


def rows_of(mix: Mix, groups: int, vocabulary: int) -> list[dict[str, Any]]:
    """Rows with `prompt`, `completion` and `advantage`; as many answers as `groups` groups of the usual eight.

    The lengths are evenly spread over the range and shuffled, so that every pass has the same.
    """
    draw = random.Random(0)
    count = groups * MIXES["mixed"].group if mix.group == 1 and mix.prompt > 2 else groups * mix.group
    lengths = [mix.low + round((mix.high - mix.low) * number / max(1, count - 1)) for number in range(count)]
    if mix.long:
        lengths[:: mix.every] = [mix.long] * len(lengths[:: mix.every])
    draw.shuffle(lengths)
    rows = []
    for number, length in enumerate(lengths):
        if number % mix.group == 0:
            prompt = _ids(draw, mix.prompt, vocabulary)
        advantage = 1.0 if number % 2 else -1.0
        rows.append({"prompt": prompt, "completion": _ids(draw, length, vocabulary), "advantage": advantage})
    return rows


def mean_tokens(rows: list[dict[str, Any]]) -> float:
    """Tokens of a row, prompt and completion."""
    return sum(len(row["prompt"]) + len(row["completion"]) for row in rows) / len(rows)


def _ids(draw: random.Random, count: int, vocabulary: int) -> list[int]:
    return [draw.randrange(10, vocabulary) for _ in range(count)]
