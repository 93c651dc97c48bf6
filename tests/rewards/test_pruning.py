"""Parts left out of a rubric, and what becomes of its tree."""

from __future__ import annotations

from typing import Any

import pytest

from guerdon.core.config import EntryError
from guerdon.rewards.pruning import pruned
from guerdon.rewards.rubric_config import RubricConfig

PARTS = {name: {"kind": "random"} for name in ("a", "b", "c", "d")}


def rubric(**reward: Any) -> RubricConfig:
    used = str(reward)
    parts = {name: part for name, part in PARTS.items() if not reward or f"'{name}'" in used}
    return RubricConfig.parse({"rewards": parts, **({"reward": reward} if reward else {})})


def refused(config: RubricConfig, *names: str) -> list[str]:
    with pytest.raises(EntryError) as caught:
        pruned(config, names)
    return list(caught.value.problems)


def test_of_a_plain_sum_the_rest_is_left() -> None:
    assert list(pruned(rubric(), ["b", "d"]).shares()) == ["a", "c"]


def test_of_a_sum_the_others_share_the_weight() -> None:
    found = pruned(rubric(mix={"kind": "sum", "of": {"a": 1.0, "b": 0.5, "c": 0.5}}), ["b"])
    assert found.shares() == pytest.approx({"a": 4 / 3, "c": 2 / 3})
    assert found.issues() == []
    assert RubricConfig.parse(found.to_table()).shares() == pytest.approx(found.shares())
    taking = rubric(mix={"kind": "sum", "of": {"a": 1.0, "b": -0.5}})
    assert refused(taking, "a") == ["reward.mix.of: only b would be left, which takes away"]


def test_a_node_of_which_nothing_is_left_goes_too() -> None:
    config = rubric(
        top={"kind": "sum", "of": {"a": 1.0, "mix": 1.0}}, mix={"kind": "sum", "of": {"b": 1.0, "c": 1.0}}
    )
    found = pruned(config, ["b", "c"])
    assert list(found.nodes) == ["top"]
    assert found.shares() == {"a": 2.0}
    assert "nothing is left" in refused(rubric(mix={"kind": "sum", "of": {"a": 1.0}}), "a")[0]


def test_a_minimum_and_a_conditional_keep_what_stands_alone() -> None:
    three = rubric(low={"kind": "minimum", "of": ["a", "b", "c"]})
    assert [child.name for child in pruned(three, ["b"]).nodes["low"].children()] == ["a", "c"]
    alone = pruned(three, ["a", "b"])
    assert (alone.nodes["low"].kind, alone.shares()) == ("sum", {"c": 1.0})
    conditional = rubric(node={"kind": "conditional", "hard": "a", "easy": "b"})
    assert pruned(conditional, ["b"]).shares() == {"a": 1.0}
    assert refused(conditional, "a") == [
        "reward.node.hard: a conditional needs 'a', so that cannot be left out"
    ]


@pytest.mark.parametrize(
    ("node", "gone", "field"),
    [
        ({"kind": "gate", "condition": "a", "then": "b"}, "a", "condition"),
        ({"kind": "gate", "condition": "a", "then": "b"}, "b", "then"),
        ({"kind": "gate", "condition": "a", "then": "b", "otherwise": "c"}, "c", "otherwise"),
        ({"kind": "route", "cases": {"yes": "a", "no": "b"}}, "b", "cases.no"),
        ({"kind": "learned", "path": "w.json", "of": ["a", "b"]}, "b", "of"),
    ],
)
def test_what_a_node_needs_is_refused_in_one_line(node: dict[str, Any], gone: str, field: str) -> None:
    assert refused(rubric(node=node), gone) == [
        f"reward.node.{field}: a {node['kind']} needs {gone!r}, so that cannot be left out"
    ]


def test_scales() -> None:
    node = {"kind": "sum", "of": {"a": 1.0, "b": 1.0}}
    top = {"kind": "sum", "of": {"c": 1.0, "mix": 1.0}}
    config = rubric(top=top, mix=node, calibrate={"b": "rank", "c": "rank"})
    assert pruned(config, ["b"]).calibrate == {"c": "rank"}
    deep = rubric(top=top, mix=node, calibrate={"mix": "rank"})
    assert refused(deep, "b") == ["reward.calibrate.mix: its scale was made with b"]
    assert pruned(deep, ["c"]).calibrate == {"mix": "rank"}


def test_what_another_part_reads_cannot_go() -> None:
    parts = {"math": {}, "format": {}, "rm": {"kind": "reward_model", "path": "x", "verdict": "math"}}
    config = RubricConfig.parse({"rewards": parts})
    assert refused(config, "math") == ["rewards.rm.verdict: reads 'math', so that cannot be left out"]
    assert list(pruned(config, ["math", "rm"]).rewards) == ["format"]
