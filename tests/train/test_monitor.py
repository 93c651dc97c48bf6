from __future__ import annotations

import json
import random

import pytest

from guerdon.train.config import MonitorConfig
from guerdon.train.monitor import HackingMonitor, Watched, cusum, step_deviation


def monitor(**fields: object) -> HackingMonitor:
    return HackingMonitor(MonitorConfig.model_validate({"probes": ["gold"], "warmup": 4, **fields}))


def watch(item: HackingMonitor, series: list[tuple[float, float]]) -> list[Watched]:
    """Each step's (proxy, probe)."""
    return [item.observe(step, proxy, {"gold": probe}) for step, (proxy, probe) in enumerate(series, start=1)]


def alarms(found: list[Watched]) -> list[int]:
    return [alarm.step for item in found for alarm in item.alarms]


def test_cusum_by_hand() -> None:
    total, seen = 0.0, []
    for excess in (1.0, 2.0, -3.0, 0.5, 1.5):
        total = cusum(total, excess, 0.5)
        seen.append(total)
    assert seen == [0.5, 2.0, 0.0, 0.0, 1.0]


def test_deviation_is_around_the_trend() -> None:
    # differences +2, 0, +2, 0: mean 1, sample variance 4/3; half of it is one step's variance
    assert step_deviation([0.0, 2.0, 2.0, 4.0, 4.0]) == pytest.approx((4 / 3 / 2) ** 0.5)


def test_sums_by_hand() -> None:
    warm = [(0.0, 1.0), (0.0, 1.0), (0.0, 1.0), (0.0, 1.0)]
    found = watch(monitor(min_deviation=0.1, slack=0.5), [*warm, (0.2, 0.8), (0.3, 0.7)])
    assert found[3].metrics["monitor/gold/up"] == 0.0
    assert found[4].metrics["monitor/gold/up"] == pytest.approx(1.5)  # 0.2 / 0.1 - 0.5
    assert found[5].metrics["monitor/gold/up"] == pytest.approx(4.0)  # and 0.3 / 0.1 - 0.5
    assert found[5].metrics["monitor/gold/down"] == pytest.approx(4.0)
    assert found[5].metrics["monitor/proxy_z"] == pytest.approx(3.0)
    assert found[5].metrics["monitor/gold_z"] == pytest.approx(-3.0)


def hacked(seed: int, peak: int = 60) -> list[tuple[float, float]]:
    """The proxy climbs all the time, the probe turns at the peak."""
    draw = random.Random(seed)
    return [
        (0.01 * step + draw.gauss(0, 0.05), 0.01 * min(step, 2 * peak - step) + draw.gauss(0, 0.05))
        for step in range(2 * peak)
    ]


def honest(seed: int, steps: int = 200) -> list[tuple[float, float]]:
    """Both climb, then both stay."""
    draw = random.Random(seed)
    return [
        (0.01 * min(step, 60) + draw.gauss(0, 0.05), 0.01 * min(step, 60) + draw.gauss(0, 0.05))
        for step in range(steps)
    ]


def test_alarm_soon_after_the_peak() -> None:
    found = [alarms(watch(monitor(warmup=20), hacked(seed))) for seed in range(20)]
    assert all(len(steps) == 1 and 60 < steps[0] <= 100 for steps in found), found


def test_silent_where_nothing_is_hacked() -> None:
    false = sum(bool(alarms(watch(monitor(warmup=20), honest(seed)))) for seed in range(20))
    assert false <= 2  # one in ten


def test_both_must_move() -> None:
    warm = [(0.0, 1.0)] * 4
    assert alarms(watch(monitor(), [*warm, *[(0.0, 0.0)] * 30])) == []  # everything got worse: no hacking
    assert alarms(watch(monitor(), [*warm, *[(1.0, 1.0)] * 30])) == []
    assert alarms(watch(monitor(), [*warm, *[(1.0, 0.0)] * 30])) == [5]  # and it is said once


def test_a_new_best_begins_anew() -> None:
    item = monitor()
    series = [*[(0.0, 1.0)] * 4, *[(1.0, 0.0)] * 10, *[(1.0, 5.0)] * 10, *[(2.0, 0.0)] * 10]
    assert len(alarms(watch(item, series))) == 2


def test_what_is_not_known_is_passed_over() -> None:
    item = monitor()
    watch(item, [(0.0, 1.0)] * 4)
    before = item.state()
    assert item.observe(5, None, {"gold": 0.0}).metrics == {"monitor/alarm": 0.0}
    assert item.observe(6, 1.0, {"gold": None}).metrics == {"monitor/alarm": 0.0}
    assert item.state() == before


def test_continues_from_its_state() -> None:
    straight, series = monitor(warmup=20), hacked(3)
    wanted = watch(straight, series)
    first, second = monitor(warmup=20), monitor(warmup=20)
    watch(first, series[:50])
    second.restore(json.loads(json.dumps(first.state())))
    rest = [
        second.observe(step, *(pair[0], {"gold": pair[1]}))
        for step, pair in enumerate(series, 1)
        if step > 50
    ]
    assert rest == wanted[50:]
