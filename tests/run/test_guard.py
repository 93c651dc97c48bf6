from __future__ import annotations

import pytest
import torch

from guerdon.models.policy import Policy
from guerdon.run.guard import BEST, Guard
from guerdon.train.algorithms import resolve
from guerdon.train.config import AlgorithmConfig, MonitorConfig, OptimConfig
from guerdon.train.learner import PolicyLearner

HACKED = [*[(0.0, 1.0)] * 4, *[(1.0, 0.0)] * 6]


class Told(list[tuple[int, str, str]]):
    def __call__(self, step: int, kind: str, message: str) -> None:
        self.append((step, kind, message))


def guard(policy: Policy, action: str, beta: float = 0.0) -> tuple[Guard, Told]:
    learner = PolicyLearner(policy, resolve(AlgorithmConfig(name="grpo", beta=beta)), OptimConfig())
    told = Told()
    config = MonitorConfig.model_validate({"probes": ["gold"], "warmup": 4, "action": action})
    return Guard(config, learner, told), told


def watch(item: Guard, series: list[tuple[float, float]], start: int = 1) -> dict[str, float]:
    found: dict[str, float] = {}
    for step, (reward, probe) in enumerate(series, start=start):
        if item.stops:
            break
        found = item.observe(step, {"reward": reward, "rewards/gold/mean": probe})
    return found


def test_warns_once_and_changes_nothing(tiny: Policy) -> None:
    item, told = guard(tiny, "warn", beta=0.1)
    assert watch(item, HACKED)["monitor/beta"] == 0.1
    assert [entry[:2] for entry in told] == [(5, "hacking_alarm")]
    assert "Since step 4 the reward went up and gold went down" in told[0][2]
    assert not item.stops
    assert item.tensors() == {}


def test_raises_beta_while_it_goes_on_up_to_the_most(tiny: Policy) -> None:
    item, told = guard(tiny, "raise_beta", beta=0.02)
    betas = []
    for step, one in enumerate([*HACKED, *HACKED[-1:] * 2], start=1):
        watch(item, [one], start=step)
        betas.append(item.learner.objective.beta)
    assert betas[4:] == pytest.approx([0.08, 0.32, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert told[1][2].endswith("beta is now 0.32")
    assert told[2][2].endswith("beta is now 1, the most it may be (train.monitor.max_beta)")
    assert "beta stays 1, the most it may be" in told[3][2]
    assert not item.stops


def test_rolls_back_and_stops_where_beta_can_rise_no_further(tiny: Policy) -> None:
    item, told = guard(tiny, "roll_back", beta=1.0)
    watch(item, HACKED[:5])
    assert item.stops
    assert told[0][2].endswith("and the stage stops (beta is train.monitor.max_beta already)")


def test_stops(tiny: Policy) -> None:
    item, told = guard(tiny, "stop")
    watch(item, HACKED)
    assert item.stops
    assert len(told) == 1


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_rolls_back_to_the_best_weights(tiny: Policy, beta: float) -> None:
    item, told = guard(tiny, "roll_back", beta=beta)
    best = {name: weight.detach().clone() for name, weight in tiny.trainable().items()}
    watch(item, HACKED[:4])
    with torch.no_grad():
        for weight in tiny.trainable().values():
            weight.add_(0.5)
    watch(item, HACKED[4:5], start=5)
    assert all(torch.equal(weight, best[name]) for name, weight in tiny.trainable().items())
    assert item.learner.optimizer.optimizer.state == {}
    assert item.stops == (beta == 0.0)
    assert "the weights of step 4 are back" in told[0][2]


def test_continues_from_a_checkpoint(tiny: Policy) -> None:
    first, _ = guard(tiny, "roll_back", beta=0.1)
    watch(first, HACKED[:5])
    second, told = guard(tiny, "roll_back", beta=0.1)
    second.restore(first.state(), first.tensors())
    assert second.learner.objective.beta == first.learner.objective.beta == pytest.approx(0.4)
    assert second.state() == first.state()
    assert second.tensors().keys() == first.tensors().keys()
    assert all(name.startswith(BEST) for name in second.tensors())
    assert watch(second, HACKED[5:6], start=6)["monitor/alarm"] == 1.0
    assert len(told) == 1
