from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.core.config import parse_config
from guerdon.core.errors import ConfigError
from guerdon.core.types import Message, Problem
from guerdon.data.config import ArithConfig, DataConfig, MixtureConfig
from guerdon.data.mix import SET, in_set, mix

SETS = {"a": [f"a{i}" for i in range(90)], "b": [f"b{i}" for i in range(30)]}


@pytest.mark.parametrize(
    ("weights", "counts"),
    [
        ({}, {"a": 90, "b": 30}),
        ({"a": 1, "b": 1}, {"a": 30, "b": 30}),
        ({"a": 2, "b": 1}, {"a": 60, "b": 30}),
    ],
)
def test_weights_are_shares_and_nothing_is_repeated(
    weights: Mapping[str, float], counts: dict[str, int]
) -> None:
    mixed = mix(SETS, weights, seed=0)
    assert Counter(item[0] for item in mixed) == counts
    assert len(set(mixed)) == len(mixed)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3))
def test_any_beginning_has_the_same_shares(one: int, other: int, seed: int) -> None:
    mixed = mix({"a": ["a"] * one, "b": ["b"] * other}, {}, seed=seed)
    assert len(mixed) == one + other
    for end in range(1, len(mixed) + 1):
        assert abs(mixed[:end].count("a") - end * one / (one + other)) <= 1.0


def test_without_a_seed_each_set_keeps_its_order() -> None:
    mixed = mix(SETS, {}, seed=None)
    assert [item for item in mixed if item in SETS["b"]] == SETS["b"]
    assert [item for item in mix(SETS, {}, seed=1) if item in SETS["b"]] != SETS["b"]


def test_more_than_there_are_repeats_whole_sets() -> None:
    assert Counter(mix({"a": "xy", "b": "z"}, {"a": 1, "b": 1}, seed=0, total=8)) == {"x": 2, "y": 2, "z": 4}


def test_a_problem_says_which_set_it_is_of() -> None:
    problem = Problem(id="1", messages=(Message(role="user", content="?"),), info={"a": 1, SET: "old"})
    named = in_set("sums", problem)
    assert (named.id, dict(named.info)) == ("sums/1", {"a": 1, SET: "sums"})


SUMS, LISTS = {"kind": "arith", "num_problems": 20}, {"kind": "lists", "num_problems": 10}


def parsed(train: object) -> DataConfig:
    return parse_config(DataConfig, {"train": train})


def test_tables_under_names_are_a_mixture_and_come_back_as_they_were_written() -> None:
    config = parsed({"sums": SUMS, "lists": LISTS})
    assert isinstance(config.train, MixtureConfig)
    written = config.model_dump(mode="json")["train"]
    assert set(written) == {"sums", "lists"}
    assert DataConfig.model_validate_json(config.model_dump_json()) == config
    assert config.model_dump(mode="json", exclude_unset=True) == {"train": {"sums": SUMS, "lists": LISTS}}
    assert isinstance(parsed(SUMS).train, ArithConfig)


def test_ids_are_distinct_and_two_sets_of_one_kind_draw_differently() -> None:
    train = parsed({"one": SUMS, "two": SUMS}).train
    assert isinstance(train, MixtureConfig)
    sets = train.sets(0)
    assert {problem.info[SET] for problem in sets["one"]} == {"one"}
    assert [p.target for p in sets["one"]] != [p.target for p in sets["two"]]
    problems = train.build(0)
    assert len({problem.id for problem in problems}) == len(problems) == 40


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({}, "data.train.kind: missing"),
        ({"sums": SUMS, "lists": {"num": 1}}, "data.train.lists.kind: missing"),
        ({"sums": {**SUMS, "num_digits": 2}, "lists": LISTS}, "data.train.sums.num_digits: unknown key"),
        ({"sums": {**SUMS, "weight": 1.0}, "lists": LISTS}, "lists has no weight, but others have"),
        ({"sums": {**SUMS, "weight": 0.0}, "lists": LISTS}, "data.train.sums.weight: expected more than 0"),
        ({"kind": "mixture", "of": {}}, "data.train.of"),
    ],
)
def test_what_cannot_be_mixed_is_named(train: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(DataConfig, {"train": train}, where="data")
    assert message.removeprefix("data.") in str(caught.value)
