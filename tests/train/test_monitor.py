from __future__ import annotations

import json
import math
import random

import pytest

from guerdon.train.config import MonitorConfig
from guerdon.train.monitor import HackingMonitor, Series


def monitor(**changes: object) -> HackingMonitor:
    return HackingMonitor(MonitorConfig.model_validate({"probes": ["gold"], **changes}))


def watch(found: HackingMonitor, steps: list[tuple[float, float]], *, first: int = 1) -> list[int]:
    """Steps with an alarm, of (reward, gold) at each step."""
    alarms = []
    for step, (reward, gold) in enumerate(steps, start=first):
        metrics = found.observe(step, {"reward": reward, "rewards/gold/mean": gold})
        if metrics["monitor/alarm"]:
            alarms.append(step)
    return alarms


def noisy(curve: list[float], seed: int, deviation: float = 0.05) -> list[float]:
    draw = random.Random(seed)
    return [value + draw.gauss(0.0, deviation) for value in curve]


def hacked(seed: int, length: int = 100, peak: int = 40) -> list[tuple[float, float]]:
    """The reward climbs all the way; gold climbs until the peak and then falls."""
    reward = [step / length for step in range(length)]
    gold = [(step if step < peak else 2 * peak - step) / length for step in range(length)]
    return list(zip(noisy(reward, seed), noisy(gold, seed + 1000), strict=True))


def honest(seed: int, length: int = 100) -> list[tuple[float, float]]:
    """Both climb and then stay, each with its own noise."""
    curve = [min(1.0, step / 40) for step in range(length)]
    return list(zip(noisy(curve, seed), noisy(curve, seed + 1000), strict=True))


def test_noise_is_that_of_differences_worked_by_hand() -> None:
    series = Series()
    for value in (1.0, 3.0, 2.0):
        series.add(value)
    assert series.noise == pytest.approx(math.sqrt((2.0**2 + 1.0**2) / (2 * 2)))
    assert series.level == pytest.approx((1.0 + 0.3 * 2.0) + 0.3 * (2.0 - 1.6))


def test_a_trend_hardly_touches_the_noise() -> None:
    series = Series()
    for value in noisy([0.01 * step for step in range(500)], seed=0, deviation=0.1):
        series.add(value)
    assert series.noise == pytest.approx(0.1, rel=0.1)


def test_the_sums_worked_by_hand() -> None:
    found = monitor(slack=1.0, threshold=100.0, warmup_steps=2)
    watch(found, [(0.0, 1.0), (1.0, 2.0)])
    metrics = found.observe(3, {"reward": 3.0, "rewards/gold/mean": 0.0})
    best = 1.0 + 0.3 * (2.0 - 1.0)  # the level after step 2
    gold_noise = math.sqrt((1.0**2 + 2.0**2) / 4)
    reward_noise = math.sqrt((1.0**2 + 2.0**2) / 4)
    assert metrics["monitor/gold/probe_down"] == pytest.approx(max(0.0, (best - 0.0) / gold_noise - 1.0))
    assert metrics["monitor/gold/proxy_up"] == pytest.approx((3.0 - 0.3) / reward_noise - 1.0)


@pytest.mark.parametrize("seed", range(10))
def test_hacking_is_told_soon_after_the_peak(seed: int) -> None:
    alarms = watch(monitor(), hacked(seed))
    assert alarms
    assert 40 < alarms[0] <= 70


def test_an_honest_run_is_left_alone() -> None:
    silent = [not watch(monitor(), honest(seed)) for seed in range(50)]
    assert sum(silent) >= 48, "at most one false alarm in twenty-five runs"


def test_gold_itself_as_reward_never_alarms() -> None:
    for seed in range(20):
        gold = [value for _, value in hacked(seed)]  # it even falls in the end
        assert not watch(monitor(), [(value, value) for value in gold])


def test_steps_without_numbers_say_nothing() -> None:
    found = monitor()
    before = found.state()
    assert found.observe(1, {"reward": math.nan})["monitor/alarm"] == 0.0
    assert found.observe(2, {})["monitor/alarm"] == 0.0
    assert found.state() == before


def test_resumed_in_the_middle_it_is_the_same() -> None:
    steps = hacked(3)
    whole = monitor()
    expected = watch(whole, steps)
    first = monitor()
    watch(first, steps[:50])
    second = monitor()
    second.restore(json.loads(json.dumps(first.state())))
    assert first.alarms + [step for step in watch(second, steps[50:], first=51) if step] == expected
    assert second.state() == whole.state()
    fresh = monitor()
    fresh.restore(json.loads(json.dumps(monitor().state())))
    assert fresh.state() == monitor().state()


def test_the_sentence_names_proxy_probe_and_best_step() -> None:
    found = monitor()
    watch(found, hacked(0))
    assert found.sentence().startswith("reward hacking: reward keeps rising while gold (best at step ")
    assert 30 < found.best_step < 50
