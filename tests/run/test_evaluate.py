from __future__ import annotations

import asyncio

import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import Message, Problem
from guerdon.data.config import DataConfig
from guerdon.data.mix import SET
from guerdon.models.policy import Policy
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.config import EvalConfig
from guerdon.run.evaluate import Evaluation, Evaluator, interval, sets_of


def evaluator(policy: Policy, problems: list[Problem], *, probability: float = 0.5) -> Evaluator:
    rubric = Rubric.from_config(parse_rewards({"coin": {"kind": "random", "probability": probability}}))
    return Evaluator(
        Rollouter(policy, LocalEngine(policy)),
        rubric,
        EvalConfig(accuracy="coin", format=None, num_samples=4),
        SamplingConfig(max_completion_length=5),
        problems=problems,
        seed=0,
    )


def test_the_same_weights_give_the_same_evaluation(tiny: Policy, problems: list[Problem]) -> None:
    one, two = (asyncio.run(evaluator(tiny, problems).evaluate("before", "start", 0)) for _ in range(2))
    assert one.per_problem == two.per_problem
    assert one.record(None, 0)["metrics"] == two.record(None, 0)["metrics"]
    assert set(one.per_problem) == {"greedy_accuracy", "sampled_accuracy", "pass@4", "mean_length"}


def test_nothing_at_all_is_no_accuracy_of_zero(tiny: Policy, problems: list[Problem]) -> None:
    hopeless = evaluator(tiny, problems)
    hopeless.sampling = SamplingConfig(max_completion_length=100_000)
    with pytest.raises(DataError, match="first reason: problem"):
        asyncio.run(hopeless.evaluate("before", "start", 0))


def test_pass_at_k_is_at_least_the_mean(tiny: Policy, problems: list[Problem]) -> None:
    found = asyncio.run(evaluator(tiny, problems).evaluate("before", "start", 0)).per_problem
    assert all(best >= mean for best, mean in zip(found["pass@4"], found["sampled_accuracy"], strict=True))
    assert 0.0 < sum(found["sampled_accuracy"]) < len(problems)


def evaluation(values: list[float]) -> Evaluation:
    return Evaluation("x", "grpo", 1, {"sampled_accuracy": values}, [], [], 0.0)


def test_changes_are_paired() -> None:
    """Every problem gains exactly 0.1: the change is certain although the problems differ widely."""
    before = [0.0, 0.2, 0.9, 0.5]
    line = evaluation([value + 0.1 for value in before]).record({"sampled_accuracy": before}, 0)
    change = line["changes"]["sampled_accuracy"]
    assert (change["low"], change["value"], change["high"]) == pytest.approx((0.1, 0.1, 0.1))
    metric = line["metrics"]["sampled_accuracy"]
    assert metric["high"] - metric["low"] > 0.3
    assert "changes" not in evaluation(before).record(None, 0)


def test_interval_by_hand() -> None:
    assert interval([1.0, 1.0], 0) == {"value": 1.0, "low": 1.0, "high": 1.0}
    wide = interval([0.0, 1.0] * 50, 0)
    # standard error sqrt(.25/100) = .05: the 95 % interval is about .4 to .6
    assert wide["low"] == pytest.approx(0.4, abs=0.03)
    assert wide["high"] == pytest.approx(0.6, abs=0.03)


def test_where_sets_are_mixed_each_is_measured_by_its_own_part(tiny: Policy) -> None:
    data = DataConfig.model_validate(
        {
            "train": {
                "sums": {"kind": "arith", "num_problems": 9},
                "lists": {"kind": "lists", "num_problems": 9},
            }
        }
    )
    problems = list(data.train.build(0))
    rewards = {
        "always": {"kind": "regex", "pattern": "(?s).*"},
        "never": {"kind": "regex", "pattern": "never"},
    }
    found = asyncio.run(
        Evaluator(
            Rollouter(tiny, LocalEngine(tiny)),
            Rubric.from_config(parse_rewards(rewards)),
            EvalConfig(accuracy={"sums": "always", "lists": "never"}, format=None, num_samples=2),
            SamplingConfig(max_completion_length=3),
            problems=problems,
            seed=0,
        ).evaluate("before", "start", 0)
    ).per_problem
    assert found["sampled_accuracy/sums"] == found["sampled_value/sums"] == found["pass@2/sums"] == [1.0] * 9
    assert found["greedy_accuracy/lists"] == found["sampled_accuracy/lists"] == [0.0] * 9
    assert found["sampled_accuracy"] == [1.0] * 9 + [0.0] * 9


def test_one_set_or_a_crowd_of_them_is_not_told_apart() -> None:
    def some(count: int) -> list[Problem]:
        asked = (Message(role="user", content="?"),)
        return [Problem(id=str(i), messages=asked, info={SET: f"s{i}"}) for i in range(count)]

    assert [len(sets_of(some(count))) for count in (0, 1, 2, 16, 17)] == [0, 0, 2, 16, 0]
    assert sets_of([*some(1), Problem(id="x", messages=())]) == ()
