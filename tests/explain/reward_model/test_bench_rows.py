"""Rows of the public benchmarks, read."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import Json, Message
from guerdon.explain.reward_model.bench_rows import check_subsets, read_pair_rows, recognise_bench
from guerdon.explain.reward_model.benches import bench


def test_prompts_may_be_messages() -> None:
    prompt: Json = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    found = read_pair_rows([{"prompt": prompt, "chosen": "c", "rejected": "d", "subset": "s"}])[0]
    assert found.messages == (Message(role="user", content="a"), Message(role="assistant", content="b"))
    assert (found.answers, found.num_correct) == (("c", "d"), 1)


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("rewardbench", {"chosen": ["a"]}, "row 1: chosen: expected text, got list"),
        ("rewardbench", {"prompt": 3}, "row 1: prompt: expected text or messages"),
        ("rewardbench", {"prompt": [{"role": "user"}]}, "prompt: expected"),
        ("rewardbench2", {"chosen": ["a"], "rejected": []}, "rejected: expected a list of texts, not empty"),
        ("rm-bench", {"chosen": ["a"] * 3, "rejected": ["b"]}, "got 3 and 1"),
        ("rm-bench", {"chosen": ["a"] * 3, "rejected": ["b"] * 3}, "domain: expected text"),
        ("rm-bench", {"chosen": ["a"] * 3, "rejected": ["b"] * 3, "domain": "poetry"}, "domain: expected chat, math"),
    ],
)  # fmt: skip
def test_rows_of_another_layout_are_refused(name: str, row: Mapping[str, Json], message: str) -> None:
    with pytest.raises(DataError, match=message):
        bench(name).items([{"prompt": "q", "chosen": "a", "rejected": "b", "subset": "s", **row}])


def test_a_benchmark_is_known_by_its_columns() -> None:
    pair: dict[str, Json] = {"prompt": "q", "chosen": "a", "rejected": "b"}
    assert recognise_bench({**pair, "subset": "hep-go"}) == "rewardbench"
    assert recognise_bench({**pair, "subset": "mine"}) is None
    assert (
        recognise_bench({"prompt": "q", "chosen": ["a"], "rejected": ["b"] * 3, "subset": "mine"})
        == "rewardbench2"
    )


def test_pairs_that_are_nothing_of_rewardbench_are_refused() -> None:
    row: dict[str, Json] = {"prompt": "q", "chosen": "a", "rejected": "b"}
    mine = [{**row, "subset": name} for name in ("one", "two", "three", "four")]
    with pytest.raises(
        DataError, match=r"got 'four', 'one', 'three' ..., and none of its 27 subsets .* --layout pairs"
    ):
        check_subsets(read_pair_rows(mine))
    check_subsets(read_pair_rows([*mine, {**row, "subset": "hep-go"}]))
