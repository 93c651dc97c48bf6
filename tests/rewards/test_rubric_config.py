"""Parts and tree as one object, and every mistake of it at once."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from guerdon.core.config import EntryError
from guerdon.core.types import Problem
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.rubric_config import RubricConfig

REWARDS: dict[str, Any] = {"math": {}, "format": {}, "style": {"kind": "random"}}
GOOD: dict[str, Any] = {
    "total": {"kind": "gate", "condition": "format", "then": "mix"},
    "mix": {"kind": "sum", "of": {"math": 1.0, "style": 0.5}, "missing": "renormalise"},
}


def parsed(reward: Any, rewards: dict[str, Any] | None = None) -> RubricConfig:
    return RubricConfig.parse({"rewards": rewards or REWARDS, "reward": reward, "train": "not looked at"})


def problems(reward: Any, rewards: dict[str, Any] | None = None) -> list[str]:
    with pytest.raises(EntryError) as caught:
        parsed(reward, rewards)
    return [issue.line() for issue in caught.value.issues]


def test_a_table_survives_json() -> None:
    config = parsed({**GOOD, "calibrate": {"style": "rank"}})
    again = RubricConfig.parse(json.loads(json.dumps(config.to_table())))
    assert again == config
    assert again.to_table() == config.to_table()
    assert config.root == "total"
    assert config.order() == ["mix", "total"]


def test_without_nodes_it_is_todays_weighted_sum() -> None:
    rewards = parse_rewards(
        {"math": {}, "format": {"weight": 0.2}, "style": {"kind": "random", "weight": 0.0}}
    )
    config = RubricConfig.of(rewards)
    assert config.weights() == {"math": 1.0, "format": 0.2, "style": 0.0}
    assert config.to_table().keys() == {"rewards"}
    assert config.issues() == []


def test_what_means_wrong_goes_up_the_tree() -> None:
    rewards = {"math": {}, "honesty": {}, "format": {}, "rm": {"kind": "function", "path": "a:b"}}
    reward = {
        "total": {"kind": "gate", "condition": "rm", "then": "routed"},
        "routed": {"kind": "route", "cases": {"yes": "mix", "no": "rm"}},
        "mix": {"kind": "sum", "of": {"hard": 1.0, "honesty": 0.5}},
        "hard": {"kind": "conditional", "hard": "math", "easy": "rm"},
    }
    config = parsed(reward, {**rewards, "format": {"weight": 0.0}})
    with_answer = Problem(id="p", messages=(), target="4")
    nodes = {"hard": 0.0, "mix": -0.5, "routed": -0.5, "total": -0.5}
    parts = {"math": 0.0, "honesty": -1.0, "format": 0.0}
    assert config.wrongs(with_answer) == {**parts, **nodes}
    assert config.wrongs(Problem(id="p", messages=())) == {**parts, "hard": 0.0, "mix": -0.5}
    ranked = parsed({**reward, "calibrate": {"math": "rank"}}, {**rewards, "format": {"weight": 0.0}})
    assert ranked.wrongs(with_answer) == parts, "0 on a scale is the average"


def test_a_verdict_is_another_part_and_a_rule() -> None:
    model = {"kind": "reward_model", "path": "runs/rm"}

    def said(rm: dict[str, Any], **more: Any) -> list[str]:
        with pytest.raises(EntryError) as caught:
            RubricConfig.parse({"rewards": {"math": {}, "rm": rm, **more}})
        return [issue.line() for issue in caught.value.issues]

    (line,) = said({**model, "verdict": "maths"})
    assert (
        line == "rewards.rm.verdict: no other part is called 'maths' (did you mean 'math'?); there are math"
    )
    assert "no other part is called 'rm'" in said({**model, "verdict": "rm"})[0]
    assert "'other' is a reward_model part" in said({**model, "verdict": "other"}, other=model)[0]
    asked = {"kind": "llm_judge", "url": "http://127.0.0.1:1/v1", "model": "m"}
    assert "'asked' is a llm_judge part" in said({**model, "verdict": "asked"}, asked=asked)[0]
    fine = RubricConfig.parse({"rewards": {"math": {}, "format": {}, "rm": {**model, "verdict": "math"}}})
    assert fine.with_read(["rm"]) == ["math", "rm"]


def test_weights_name_every_part_of_a_score_in_its_order() -> None:
    mix = {"kind": "sum", "of": {"math": 1.0, "checked": 0.5}}
    checked = {"kind": "gate", "condition": "format", "then": "style"}
    config = parsed({"total": mix, "checked": checked, "calibrate": {"math": "rank"}})
    assert config.weights() == {
        "math": 0.0, "math_rank": 1.0, "format": 0.0, "style": 0.0, "checked": 0.5, "total": 0.0,
    }  # fmt: skip
    assert parsed(GOOD).weights() == {"math": 0.0, "format": 0.0, "style": 0.0, "mix": 0.0, "total": 1.0}
    scaled = parsed({**GOOD, "calibrate": {"total": "zscore"}})
    assert {name: w for name, w in scaled.weights().items() if w} == {"total_zscore": 1.0}


def test_a_cycle_is_shown_with_its_path() -> None:
    reward = {
        "a": {"kind": "sum", "of": {"b": 1.0, "math": 1.0, "format": 1.0, "style": 1.0}},
        "b": {"kind": "gate", "condition": "math", "then": "c"},
        "c": {"kind": "minimum", "of": ["a", "math"]},
    }
    assert problems(reward) == ["reward.a: a cycle: a -> b -> c -> a"]
    alone = {"a": {"kind": "minimum", "of": ["a", "math"]}}
    assert problems(alone, {"math": {}}) == ["reward.a: a cycle: a -> a"]


def test_a_cycle_below_a_root_is_found() -> None:
    reward = {
        "top": {"kind": "sum", "of": {"a": 1.0, "math": 1.0}},
        "a": {"kind": "minimum", "of": ["b", "math"]},
        "b": {"kind": "minimum", "of": ["a", "math"]},
    }
    assert problems(reward, {"math": {}}) == ["reward.a: a cycle: a -> b -> a"]


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        ({"sum": {"of": {"mth": 1.0}}}, "reward.sum.of: no part and no node 'mth' (did you mean 'math'?)"),
        ({"gate": {"condition": "math", "then": "math", "otherwise": "fromat"}},
         "reward.gate.otherwise: no part and no node 'fromat' (did you mean 'format'?)"),
        ({"calibrate": {"rm": "rank"}}, "reward.calibrate.rm: no part and no node 'rm'"),
        ({"math": {"kind": "sum", "of": {"math": 1.0}}}, "reward.math: a part of [rewards] has this name too"),
        ({"sum": {"of": {"math": 0.0}}}, "reward.sum.of.math: weight 0; remove it"),
        ({"sum": {"of": {"math": math.nan}}}, "reward.sum.of.math: expected a finite number; got nan"),
        ({"sum": {"of": {"math": math.inf}}}, "reward.sum.of.math: expected a finite number; got inf"),
        ({"sum": {"of": {"math": 1.0, "format": -1.5}}}, "reward.sum.of: the weights sum to -0.5"),
        ({"sum": {"of": {"math": 0.3, "format": -0.3}}}, "reward.sum.of: the weights sum to 0; expected more"),
        ({"conditional": {"hard": "math", "easy": "math"}}, "reward.conditional.easy: 'math' is hard, too"),
        ({"minimum": {"of": ["math"]}}, "reward.minimum.of: expected at least 2 of them; got ['math']"),
        ({"minimum": {"of": ["math", "math"]}}, "reward.minimum.of: 'math' stands there twice"),
        (
            {"gate": {"condition": "math", "then": "format", "otherwise": float("inf")}},
            "reward.gate.otherwise: expected text in quotes or a finite number; got inf",
        ),
        ({"sum": {"of": {"math": 1.0, "format": -0.5}, "missing": "renormalise"}},
         "reward.sum.of.format: a negative weight cannot be shared out"),
        ({"sum": {"of": {}}}, "reward.sum.of: empty"),
        ({"sum": {"of": {"math": 1.0}}}, "rewards.style: no node of [reward] uses it"),
        ({"sum": {"of": {"math": 1.0}}, "minimum": {"of": ["format", "style"]}},
         "reward: sum, minimum: no node uses these; exactly one"),
        ({"sum": {"off": {"math": 1.0}}}, "reward.sum.off: unknown key (did you mean 'of'?)"),
        ({"total": {"kind": "summ", "of": {}}}, "reward.total.kind: unknown reward node 'summ' (did you mean 'sum'?)"),
        ({"total": 3}, "reward.total: expected a table"),
        ({"sum": {"of": {"math": 1.0}, "name": "x"}}, "reward.sum.name: unknown key"),
        ({"route": {"cases": {}}}, "reward.route.cases: empty"),
        ({"route": {"cases": {"present": "math"}}}, "reward.route.cases.present: by = 'target' knows 'yes'"),
        ({"learned": {"path": "x.json", "of": ["math", "math"]}}, "reward.learned.of: 'math' stands there twice"),
        ({"calibrate": {"math": "z"}}, "reward.calibrate.math: expected 'zscore' or 'rank'; got 'z'"),
        ("sum", "reward: "),
    ],
)  # fmt: skip
def test_mistakes(reward: Any, expected: str) -> None:
    found = problems(reward)
    assert any(line.startswith(expected) for line in found), found


def test_all_mistakes_at_once() -> None:
    reward = {
        "a": {"kind": "sum", "of": {"mth": 1.0, "format": 0.0}},
        "b": {"kind": "minimum", "of": ["math", "b"]},
        "format": {"kind": "minimum", "of": ["math", "style"]},
    }
    found = problems(reward)
    assert len(found) == 4
    for part in ("reward.a.of.format", "reward.format: a part", "reward.a.of: no part", "b -> b"):
        assert any(part in line for line in found), part


def test_what_nobody_uses_is_no_mistake_of_its_own_after_a_wrong_name_or_a_cycle() -> None:
    typo = {"total": {"kind": "gate", "condition": "format", "then": "mxi"}, "mix": GOOD["mix"]}
    assert problems(typo) == ["reward.total.then: no part and no node 'mxi' (did you mean 'mix'?)"]
    assert problems({"sum": {"of": {"mth": 1.0, "format": 1.0, "style": 1.0}}}) == [
        "reward.sum.of: no part and no node 'mth' (did you mean 'math'?)"
    ]
    cycle = {"a": {"kind": "minimum", "of": ["b", "math"]}, "b": {"kind": "minimum", "of": ["a", "math"]}}
    assert problems(cycle) == ["reward.a: a cycle: a -> b -> a"]
    weighed = problems(cycle, {"math": {"weight": 0.5}})
    assert len(weighed) == 2, "what is wrong by itself is told all the same"


def test_a_scaled_part_needs_a_name_of_its_own() -> None:
    rewards = {"math": {}, "math_rank": {"kind": "random"}}
    reward = {"sum": {"of": {"math": 1.0, "math_rank": 1.0}}, "calibrate": {"math": "rank"}}
    assert problems(reward, rewards) == [
        "reward.calibrate.math: its scaled part would be 'math_rank', which is taken"
    ]


@pytest.mark.parametrize(("weight", "fine"), [(0.0, False), (0.5, False), (1.0, True)])
def test_nodes_weigh_parts_so_parts_do_not(weight: float, fine: bool) -> None:
    rewards = {"math": {"weight": weight}, "idle": {"kind": "random", "weight": 0.0}}
    reward = {"sum": {"of": {"math": 1.0}}}
    if fine:
        assert parsed(reward, rewards).weights() == {"math": 1.0, "idle": 0.0, "sum": 0.0}
    else:
        assert problems(reward, rewards)[0].startswith(
            f"rewards.math.weight: {weight:g}, but [reward] has nodes"
        )


def test_mistakes_of_parts_and_nodes_are_told_together() -> None:
    found = problems({"sum": {"off": 1}}, {"math": {"wieght": 1.0}})
    assert any("rewards.math.wieght" in line for line in found)
    assert any("reward.sum.off" in line for line in found)


def test_what_is_reached_depends_on_the_problem() -> None:
    reward = {
        "total": {"kind": "gate", "condition": "format", "then": "routed"},
        "routed": {"kind": "route", "by": "kind", "cases": {"maths": "math", "open": "style"}},
    }
    config = parsed(reward)
    maths, poem, other = (Problem(id="p", messages=(), info={"kind": k}) for k in ("maths", "open", "?"))
    assert list(config.reached(maths).parts) == ["math", "format"]
    assert list(config.reached(poem).parts) == ["format", "style"]
    assert config.reached(maths).dead_ends == ()
    assert config.reached(other).dead_ends == ("routed",)
    bare = RubricConfig.of(config.rewards).reached(other)
    assert (list(bare.parts), bare.dead_ends) == (["math", "format", "style"], ())


def test_a_part_that_is_only_recorded_by_default_may_be_used() -> None:
    second = {"kind": "second_opinion", "url": "http://127.0.0.1:9/v1", "model": "m"}
    found = parsed({"minimum": {"of": ["math", "second"]}}, {"math": {}, "second": second})
    assert found.weights() == {"math": 0.0, "second": 0.0, "minimum": 1.0}
