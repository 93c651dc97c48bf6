from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import answered
from guerdon.core.types import Json
from guerdon.rewards.text.config import ListingVerifierConfig
from guerdon.rewards.text.listing import counted, items_of

ASKED: Json = {"words": ["ant", "bee", "cat"], "count": 2, "in_order": True}


def value(text: str, asked: Json = ASKED) -> float | None:
    group = answered([text])
    problem = dataclasses.replace(group.problem, info={"listing": asked})
    return ListingVerifierConfig(name="listing").build()(problem, group.rollouts[0]).value  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ant, bee", 1.0),
        ("Ant, Bee.", 1.0),
        ("ant\nbee", 1.0),
        ("bee, ant", 0.5),
        ("ant", 0.5),
        ("ant, ant", 0.0),
        ("ant, dog", 0.0),
        ("ant, bee, cat", 0.5),
        ("dog, elk", -1.0),
        ("elk, dog", -1.0),
        ("", -0.5),
        ("ant and bee", -0.5),
    ],
)
def test_by_hand(text: str, expected: float) -> None:
    assert value(text) == expected


def test_order_counts_only_where_it_is_asked_for() -> None:
    assert value("bee, ant", {"words": ["ant", "bee"], "count": 2}) == 1.0


@pytest.mark.parametrize("asked", [None, "ant", {"words": "ant", "count": 2}, {"words": [], "count": 0}, {}])
def test_a_request_that_says_nothing_cannot_be_verified(asked: Json) -> None:
    assert value("ant", asked) is None


@given(st.lists(st.sampled_from(["ant", "bee", "cat", "dog"]), max_size=8), st.integers(1, 4))
def test_every_item_is_good_or_bad(items: list[str], count: int) -> None:
    found = counted(items, ["ant", "bee", "cat"], count)
    assert found.good + found.bad == len(items)
    assert 0 <= found.good <= count
    assert value(", ".join(items), {"words": ["ant"], "count": count}) is not None


@given(st.text(max_size=300))
def test_any_text_has_a_value(text: str) -> None:
    found = value(text)
    assert found is not None
    assert -1.0 <= found <= 1.0
    assert len(items_of(text)) >= 1
