"""A world of open requests with exact gold: "Name 3 animals, not cat, from a to z."

No request has one right answer, so there is no target; how good an answer is stands fixed all the same: `Problem.info`
holds under "listing" what the verifier `listing` counts. Worked solutions are one good answer each.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import NamedTuple

from guerdon.core.errors import DataError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Json, Message, Problem
from guerdon.data.config import ListsConfig

TOPICS = {
    "animals": ("ant", "bee", "cat", "cow", "dog", "elk", "fox", "hen", "owl", "pig", "rat", "yak"),
    "foods": ("bean", "beef", "bun", "corn", "egg", "fig", "jam", "kale", "oat", "pea", "pie", "rice"),
    "colours": ("blue", "cyan", "gold", "gray", "jade", "lime", "pink", "plum", "red", "rose", "ruby", "tan"),
    "tools": ("awl", "axe", "clamp", "drill", "file", "hoe", "jig", "nail", "pick", "rake", "saw", "vise"),
    "rooms": ("attic", "barn", "bath", "cabin", "den", "hall", "loft", "nook", "shed", "study", "vault", "yard"),
    "clothes": ("belt", "boot", "cap", "coat", "gown", "hat", "robe", "scarf", "shoe", "sock", "tie", "vest"),
}  # fmt: skip


class Request(NamedTuple):
    """What is asked."""

    topic: str
    num_words: int
    without: tuple[str, ...]
    """Words that must not stand in the list."""
    in_order: bool

    @property
    def words(self) -> tuple[str, ...]:
        """Words that may."""
        return tuple(word for word in TOPICS[self.topic] if word not in self.without)


def list_problems(config: ListsConfig, seed: int) -> tuple[Problem, ...]:
    """`config.num_problems` distinct requests in a random order.

    Raises:
        DataError: there are not so many.
    """
    space = list(_requests(config))
    if config.num_problems > len(space):
        raise DataError(
            f"data: lists has only {len(space)} distinct requests of this kind, but "
            f"num_problems={config.num_problems}; raise max_items or max_without, or ask for fewer"
        )
    generator = random.Random(derive_seed(seed, "lists"))
    return tuple(_problem(request, generator) for request in generator.sample(space, config.num_problems))


def _requests(config: ListsConfig) -> Iterator[Request]:
    orders = (False, True) if config.in_order else (False,)
    counts = range(config.min_items, config.max_items + 1)
    for topic, count, in_order in itertools.product(TOPICS, counts, orders):
        for size in range(config.max_without + 1):
            for without in itertools.combinations(TOPICS[topic], size):
                yield Request(topic, count, without, in_order)


def _problem(request: Request, generator: random.Random) -> Problem:
    answer = generator.sample(request.words, request.num_words)
    if request.in_order:
        answer.sort()
    without = "".join(f", not {word}" for word in request.without)
    order = ", from a to z" if request.in_order else ""
    listing: dict[str, Json] = {
        "words": list(request.words),
        "count": request.num_words,
        "in_order": request.in_order,
    }
    return Problem(
        id=f"lists/{request.topic}/{request.num_words}/{'-'.join(request.without) or 'all'}/{request.in_order:d}",
        messages=(
            Message(role="user", content=f"Name {request.num_words} {request.topic}{without}{order}."),
        ),
        info={"listing": listing, "solution": ", ".join(answer), "difficulty": request.num_words},
    )
