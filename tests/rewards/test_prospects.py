"""Which problems no answer can get a reward for."""

from __future__ import annotations

from typing import Any

import pytest

from guerdon.core.types import Message, Problem
from guerdon.rewards.prospects import Prospects
from guerdon.rewards.rubric_config import RubricConfig


def blind(table: dict[str, Any], target: str | None = None, **info: Any) -> str:
    problem = Problem(
        id="p",
        messages=(Message(role="user", content="Which of the two rivers is the longer one?"),),
        target=target,
        info=info,
    )
    return Prospects(RubricConfig.parse(table)).blind(problem)


@pytest.mark.parametrize(
    ("part", "lacks"),
    [
        ({"kind": "math"}, "no target"),
        ({"kind": "match"}, "no target"),
        ({"kind": "refusal", "column": "harmful"}, "neither true nor false"),
        ({"kind": "citations"}, "no passages"),
        ({"kind": "honesty"}, "no target"),
        ({"kind": "reasonable"}, "no target"),
        ({"kind": "cosine_length", "max_length": 9}, "no target"),
    ],
)
def test_a_rule_without_what_it_asks_for(part: dict[str, Any], lacks: str) -> None:
    found = blind({"rewards": {"x": part}})
    assert found.startswith("no answer can have a reward: x: ")
    assert lacks in found


@pytest.mark.parametrize(
    "part",
    [
        {"kind": "format"},
        {"kind": "overlong", "max_length": 9, "cache": 3},
        {"kind": "language"},
        {"kind": "language", "language": "zh"},
        {"kind": "refusal", "column": "harmful", "default": False},
        {"kind": "reward_model", "path": "not/there"},
        {"kind": "random"},
    ],
)
def test_parts_that_can_have_a_value(part: dict[str, Any]) -> None:
    assert blind({"rewards": {"x": part}}) == ""


def test_the_tree_decides_whether_it_matters() -> None:
    parts = {"math": {}, "style": {"kind": "format"}}
    assert blind({"rewards": parts})
    assert not blind({"rewards": {**parts, "math": {"when_missing": "skip"}}})
    renormalised = {"kind": "sum", "of": {"math": 1.0, "style": 1.0}, "missing": "renormalise"}
    assert not blind({"rewards": parts, "reward": {"mix": renormalised}})
    gate = {"condition": "style", "then": "math"}
    assert not blind({"rewards": parts, "reward": {"gate": gate}})  # closed, it has a value
    assert blind({"rewards": parts, "reward": {"gate": gate, "calibrate": {"math": "rank"}}}) == ""
    assert blind({"rewards": parts, "reward": {"gate": {"condition": "math", "then": "style"}}})
    assert not blind({"rewards": parts}, "4")
