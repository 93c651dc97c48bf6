"""The tree by hand, node by node; and what is true of every tree."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.core.errors import UserError
from guerdon.core.types import Evidence, Message, Part, Problem, Score, from_json, to_json
from guerdon.rewards.calibration import Rank
from guerdon.rewards.learned import LearnedWeights
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.tree import RewardTree

Values = Mapping[str, float | None]
PROBLEM = Problem(
    id="p",
    messages=(Message(role="user", content="Why?"),),
    target="4",
    info={"kind": "open", "level": 3, "easy": True, "tags": ["a"]},
)
OPEN = Problem(id="o", messages=PROBLEM.messages)


def tree(reward: dict[str, Any], *names: str, skip: tuple[str, ...] = ()) -> RewardTree:
    rewards = {n: {"kind": "random", "when_missing": "skip" if n in skip else "mask"} for n in names}
    return RewardTree(RubricConfig.parse({"rewards": rewards, "reward": reward}))


def parts(values: Values) -> list[Part]:
    return [Part(name=n, value=v, weight=7.0, evidence=Evidence(note=f"raw {n}")) for n, v in values.items()]


def score(made: RewardTree, values: Values, problem: Problem = PROBLEM) -> Score:
    return made.score(problem, parts(values))


def weights(found: Score) -> dict[str, float]:
    return {part.name: part.weight for part in found.parts if part.weight}


def note(found: Score, name: str) -> str:
    part = found.part(name)
    assert part is not None
    return part.evidence.note


def test_a_sum_at_the_root_gives_its_weights_to_its_children() -> None:
    made = tree({"sum": {"of": {"math": 1.0, "format": 0.2}}}, "math", "format")
    found = score(made, {"math": 0.5, "format": 1.0})
    assert found.value == pytest.approx(0.7)
    assert weights(found) == {"math": 1.0, "format": 0.2}
    total = found.part("sum")
    assert total is not None
    assert (total.value, total.weight) == (found.value, 0.0)
    assert total.evidence.note == "1 * math (0.5) + 0.2 * format (1)"
    assert note(found, "math") == "raw math"


@pytest.mark.parametrize(
    ("values", "value", "said"),
    [
        ({"format": 1.0, "math": 0.5}, 0.5, "format is 1 >= 1: gate open, math (0.5)"),
        ({"format": 0.0, "math": 0.5}, -1.0, "format is 0 < 1: gate closed, -1"),
        ({"format": 0.0, "math": None}, -1.0, "format is 0 < 1: gate closed, -1"),
        ({"format": 1.0, "math": None}, None, "format is 1 >= 1: gate open, math (could not be verified)"),
        (
            {"format": None, "math": 0.5},
            None,
            "format could not be verified, so the gate is neither open nor closed",
        ),
    ],
)
def test_gate(values: Values, value: float | None, said: str) -> None:
    made = tree({"gate": {"condition": "format", "then": "math"}}, "format", "math")
    found = score(made, values)
    assert (found.value, note(found, "gate")) == (value, said)
    assert weights(found) == {"gate": 1.0}


def test_a_gate_may_be_closed_by_a_node() -> None:
    gate = {"condition": "format", "at_least": 0.5, "then": "math", "otherwise": "low"}
    made = tree({"gate": gate, "low": {"kind": "minimum", "of": ["math", "format"]}}, "format", "math")
    assert score(made, {"format": 0.25, "math": 1.0}).value == 0.25
    assert score(made, {"format": 0.5, "math": 1.0}).value == 1.0


@pytest.mark.parametrize(
    ("values", "value"),
    [
        ({"math": 1.0, "short": 0.5}, 1.1),  # 1 + 0.2 * 0.5
        ({"math": 0.5, "short": 1.0}, 0.5),
        ({"math": 0.5, "short": None}, 0.5),  # nobody asks the easy one
        ({"math": 1.0, "short": None}, None),
        ({"math": None, "short": 1.0}, None),
    ],
)
def test_conditional(values: Values, value: float | None) -> None:
    made = tree({"conditional": {"hard": "math", "easy": "short", "easy_weight": 0.2}}, "math", "short")
    assert score(made, values).value == (None if value is None else pytest.approx(value))


def test_conditional_says_why() -> None:
    made = tree({"conditional": {"hard": "math", "easy": "short"}}, "math", "short")
    assert (
        note(score(made, {"math": 0.0, "short": 1.0}), "conditional") == "math is 0 < 1: short does not count"
    )
    assert note(score(made, {"math": 1.0, "short": 1.0}), "conditional") == "math is 1 >= 1: short (1) counts"


def test_minimum() -> None:
    made = tree({"minimum": {"of": ["a", "b"]}}, "a", "b")
    found = score(made, {"a": 0.5, "b": -0.5})
    assert (found.value, note(found, "minimum")) == (-0.5, "b is the smallest of a, b")
    assert score(made, {"a": 0.5, "b": None}).value is None


def test_route_by_target() -> None:
    made = tree({"route": {"cases": {"yes": "math", "no": "rm"}}}, "math", "rm")
    assert score(made, {"math": 1.0, "rm": None}).value == 1.0
    found = score(made, {"math": None, "rm": 0.3}, OPEN)
    assert (found.value, note(found, "route")) == (0.3, "target is 'no': rm (0.3)")
    assert score(made, {"math": 1.0, "rm": None}, OPEN).value is None


@pytest.mark.parametrize(
    ("by", "cases", "default", "value", "why"),
    [
        ("kind", {"open": "rm"}, None, 0.3, "kind is 'open': rm (0.3)"),
        ("kind", {"closed": "rm"}, None, None, "kind is 'open': no case of this route"),
        ("kind", {"closed": "rm"}, "math", 1.0, "kind is 'open': math (1)"),
        ("level", {"3": "rm"}, "math", 0.3, "level is '3': rm (0.3)"),
        ("easy", {"true": "rm"}, "math", 0.3, "easy is 'true': rm (0.3)"),
        ("tags", {"a": "rm"}, "math", 1.0, "no tags: math (1)"),
        ("nothing", {"a": "rm"}, None, None, "no nothing: no case of this route"),
    ],
)
def test_route_by_column(
    by: str, cases: dict[str, str], default: str | None, value: float | None, why: str
) -> None:
    route = {"by": by, "cases": cases, "default": default}
    made = tree({"sum": {"of": {"route": 1.0, "math": 1e-9, "rm": 1e-9}}, "route": route}, "math", "rm")
    part = score(made, {"math": 1.0, "rm": 0.3}).part("route")
    assert part is not None
    assert (part.value, part.evidence.note) == (value, why)


def test_a_missing_child_masks_is_skipped_or_shares_its_weight_out() -> None:
    of = {"math": 1.0, "rm": 0.5}
    known = {"math": 0.8, "rm": None}
    masked = score(tree({"sum": {"of": of}}, "math", "rm"), known)
    assert masked.value is None
    assert note(masked, "sum") == "rm could not be verified"
    skipped = score(tree({"sum": {"of": of}}, "math", "rm", skip=("rm",)), known)
    assert skipped.value == pytest.approx(0.8)
    assert weights(skipped) == of  # as ever: its weight stays, it has no say
    shared = tree({"sum": {"of": of, "missing": "renormalise"}}, "math", "rm")
    found = score(shared, known)
    assert found.value == pytest.approx(1.2)  # 1.5 * 0.8
    assert weights(found) == {"math": pytest.approx(1.5)}
    assert note(found, "sum") == "renormalised, as rm could not be verified: 1.5 * math (0.8)"
    assert shared.renormalised(found)
    assert not shared.renormalised(score(shared, {"math": 0.8, "rm": 0.1}))
    nothing = score(shared, {"math": None, "rm": None})
    assert nothing.value is None
    assert not shared.renormalised(nothing)


def test_a_node_without_a_value_masks_its_parent_even_of_parts_that_may_be_skipped() -> None:
    reward = {"sum": {"of": {"both": 1.0, "a": 1.0}}, "both": {"kind": "minimum", "of": ["a", "b"]}}
    made = tree(reward, "a", "b", skip=("a", "b"))
    assert score(made, {"a": 1.0, "b": None}).value is None


def test_an_inner_sum_may_renormalise_too() -> None:
    reward = {
        "gate": {"condition": "format", "then": "mix"},
        "mix": {"kind": "sum", "of": {"a": 1.0, "b": 1.0}, "missing": "renormalise"},
    }
    made = tree(reward, "a", "b", "format")
    found = score(made, {"a": 0.5, "b": None, "format": 1.0})
    assert found.value == 1.0
    assert weights(found) == {"gate": 1.0}
    assert made.renormalised(found)


def gate_file(path: Path, logits: dict[int, list[float]]) -> str:
    LearnedWeights(("a", "b"), logits, num_features=64, temperature=1.0).save(path)
    return str(path)


def test_learned_weights_are_the_childrens_weights(tmp_path: Path) -> None:
    place = gate_file(tmp_path / "gate.json", {-1: [math.log(3.0), 0.0]})
    made = tree({"learned": {"path": place, "of": ["a", "b"]}}, "a", "b")
    found = score(made, {"a": 1.0, "b": -1.0})
    assert found.value == pytest.approx(0.5)  # 0.75 - 0.25
    assert weights(found) == {"a": pytest.approx(0.75), "b": pytest.approx(0.25)}


def test_a_gate_learned_for_other_parts_is_refused(tmp_path: Path) -> None:
    place = gate_file(tmp_path / "gate.json", {})
    with pytest.raises(UserError, match=r"learned for 2 parts \(a, b\); the recipe mixes 3 \(a, b, c\)"):
        tree({"learned": {"path": place, "of": ["a", "b", "c"]}}, "a", "b", "c")


def test_calibration_is_a_part_of_its_own_and_the_raw_value_stays() -> None:
    reward = {"sum": {"of": {"math": 1.0, "rm": 0.5}}, "calibrate": {"rm": "rank"}}
    made = tree(reward, "math", "rm")
    before = score(made, {"math": 1.0, "rm": 3.0})
    assert before.value is None
    assert made.needs_fit
    assert note(before, "rm_rank") == "not calibrated yet"
    made.fit([(PROBLEM, parts({"math": 0.0, "rm": v})) for v in (1.0, 2.0, 3.0, 4.0)])
    assert not made.needs_fit
    found = score(made, {"math": 1.0, "rm": 3.0})  # two below, one equal, one above: 0.25
    assert found.value == pytest.approx(1.125)
    assert weights(found) == {"math": 1.0, "rm_rank": 0.5}
    raw = found.part("rm")
    assert raw is not None
    assert raw.value == 3.0
    assert note(found, "rm_rank") == "rm is 3, rank against 4 reference rollouts"
    assert score(made, {"math": 1.0, "rm": None}).value is None


def test_a_node_is_calibrated_after_its_parts() -> None:
    reward = {
        "sum": {"of": {"a": 1.0, "b": 1.0}},
        "calibrate": {"a": "zscore", "b": "zscore", "sum": "zscore"},
    }
    made = tree(reward, "a", "b")
    reference = [
        (PROBLEM, parts({"a": x, "b": 10.0 * y})) for x, y in ((0.0, 0.0), (2.0, 0.0), (0.0, 2.0), (2.0, 2.0))
    ]
    found = made.fit(reference)
    numbers = {name: (s.mean, s.deviation) for name, s in found.scales.items() if s.kind == "zscore"}  # type: ignore[union-attr]
    # each part is -1 or 1, so their sum is -2, 0, 0 or 2: mean 0, variance 2
    assert numbers == {"a": (1.0, 1.0), "b": (10.0, 10.0), "sum": (0.0, pytest.approx(2**0.5))}
    top = score(made, {"a": 2.0, "b": 20.0})
    assert top.value == pytest.approx(2**0.5)
    assert weights(top) == {"sum_zscore": 1.0}
    assert json.loads(json.dumps(found.to_json()))


def test_a_scale_is_made_of_the_rollouts_that_a_route_leads_to_its_part() -> None:
    reward = {"route": {"cases": {"yes": "math", "no": "rm"}}, "calibrate": {"rm": "rank", "route": "zscore"}}
    made = tree(reward, "math", "rm")
    sums = [(PROBLEM, parts({"math": 1.0, "rm": value})) for value in (90.0, 91.0, 92.0, 93.0)]
    found = made.fit([*sums, *((OPEN, parts({"math": None, "rm": value})) for value in (1.0, 2.0, 3.0))])
    assert isinstance(found.scales["rm"], Rank)
    assert found.scales["rm"].reference == (1.0, 2.0, 3.0)
    assert found.scales["route"].count == 7, "the root counts everywhere"
    with pytest.raises(UserError, match=r"reward.calibrate.rm: no route leads a training problem to rm"):
        made.fit(sums)


def test_a_scale_of_a_part_that_is_only_recorded_is_made_of_all_rollouts() -> None:
    rewards = {"math": {"kind": "random"}, "rm": {"kind": "random", "weight": 0.0}}
    reward = {"route": {"cases": {"yes": "math"}}, "calibrate": {"rm": "rank"}}
    made = RewardTree(RubricConfig.parse({"rewards": rewards, "reward": reward}))
    found = made.fit(
        [(problem, parts({"math": 1.0, "rm": v})) for problem, v in ((PROBLEM, 1.0), (OPEN, 2.0))]
    )
    assert found.scales["rm"].count == 2


def test_only_calibration_and_no_nodes() -> None:
    rewards = {"a": {"kind": "random", "weight": 2.0}, "b": {"kind": "random"}}
    made = RewardTree(RubricConfig.parse({"rewards": rewards, "reward": {"calibrate": {"a": "zscore"}}}))
    made.fit([(PROBLEM, parts({"a": v, "b": 0.0})) for v in (0.0, 4.0)])
    found = score(made, {"a": 6.0, "b": 0.5})
    assert found.value == pytest.approx(4.5)  # 2 * 2 + 0.5
    assert weights(found) == {"a_zscore": 2.0, "b": 1.0}


def test_what_cannot_be_calibrated_is_refused() -> None:
    made = tree({"sum": {"of": {"a": 1.0}}, "calibrate": {"a": "zscore"}}, "a")
    with pytest.raises(UserError, match=r"reward.calibrate.a: 3 reference rollouts: a is 1 on all of them"):
        made.fit([(PROBLEM, parts({"a": 1.0}))] * 3)
    with pytest.raises(UserError, match="a has a value on 1 of 2 reference rollouts"):
        made.fit([(PROBLEM, parts({"a": value})) for value in (1.0, None)])


RICH: dict[str, Any] = {
    "total": {"kind": "sum", "of": {"safe": 1.0, "length": 0.25, "both": 0.5}},
    "safe": {"kind": "gate", "condition": "format", "then": "solved", "otherwise": -1.0},
    "solved": {
        "kind": "conditional",
        "hard": "routed",
        "easy": "length",
        "at_least": 0.5,
        "easy_weight": 0.5,
    },
    "routed": {"kind": "route", "cases": {"yes": "math", "no": "rm"}},
    "both": {"kind": "minimum", "of": ["math", "rm"]},
}
NAMES = ("math", "rm", "format", "length")
some_values = st.fixed_dictionaries(
    {n: st.none() | st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0]) for n in NAMES}
)


@functools.cache
def rich(missing: str) -> RewardTree:
    return tree({**RICH, "total": {**RICH["total"], "missing": missing}}, *NAMES, skip=("length",))


@settings(max_examples=60, deadline=None)
@given(some_values, st.booleans(), st.sampled_from(["obey", "renormalise"]))
def test_the_value_is_the_weighted_sum_of_the_parts(values: Values, has_target: bool, missing: str) -> None:
    made = rich(missing)
    found = score(made, {name: values[name] for name in NAMES}, PROBLEM if has_target else OPEN)
    assert [part.name for part in found.parts] == list(made.config.weights())
    assert from_json(Score, to_json(found)) == found
    if found.value is not None:
        heard = [part for part in found.parts if part.weight and part.value is not None]
        assert found.value == pytest.approx(sum(part.weight * (part.value or 0.0) for part in heard))
        assert made.renormalised(found) == (missing == "renormalise" and any(
            part.value is None for part in found.parts if part.name in RICH["total"]["of"]
        ))  # fmt: skip
