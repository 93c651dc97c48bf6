from __future__ import annotations

import json
import math
from typing import Any, Literal

import pytest

from guerdon.run.reward_health import (
    EARLY_STEPS,
    MIN_KIND,
    PATIENCE,
    CollapseGuard,
    Health,
    Measured,
    alarms,
    health_of,
)

FINE = Health(100, 0.1, 0.4, 0.0, 1.0, 0.5, 50, 50)


def test_figures_by_hand() -> None:
    found = health_of([Measured(1.0, 4.0, True), Measured(-1.0, 0.0, False), Measured(0.0, 2.0, False)])
    assert found == Health(3, 0.0, 1.0, pytest.approx(2 / 3), 2.0, 1.0, 1, 2)
    assert health_of([Measured(1.0, 1.0, True)]) is None
    one_kind = health_of([Measured(0.0, 0.0, True)] * 2)
    assert one_kind is not None
    assert one_kind.distance is None
    assert "open_closed_distance" not in one_kind.metrics()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"mean": -0.85}, "mean"),
        ({"std": 0.04}, "std"),
        ({"saturated": 0.51}, "saturated"),
        ({"u_std": 0.099}, "spread"),
        ({"distance": 0.15}, "open_closed"),
    ],
)
def test_each_limit_has_an_alarm_of_its_own(change: dict[str, float], kind: str) -> None:
    assert alarms(FINE, "here", 2.0) == {}
    assert list(alarms(FINE._replace(**change), "here", 2.0)) == [kind]


def test_what_cannot_be_known_is_no_alarm() -> None:
    assert alarms(FINE._replace(u_std=0.0), "here", None) == {}
    assert alarms(FINE._replace(distance=None), "here", 2.0) == {}
    few = FINE._replace(distance=0.0, num_open=MIN_KIND - 1)
    assert alarms(few, "here", 2.0) == {}
    assert alarms(FINE._replace(num_scores=7, std=0.0), "here", 2.0) == {}


class Told(list[tuple[int, str, str]]):
    def __call__(self, step: int, kind: str, message: str) -> None:
        self.append((step, kind, message))


def batch(u_std: float, mean: float = 0.0, saturated: float = 0.0) -> dict[str, float]:
    return {
        "reward_health/u_std": u_std,
        "reward_health/score_mean": mean,
        "reward_health/saturated": saturated,
    }


def guard_of(action: Literal["warn", "stop"], told: Told, *, has_bias: bool = False) -> CollapseGuard:
    return CollapseGuard(action, told, has_bias=has_bias)


def watched(guard: CollapseGuard, *batches: dict[str, float]) -> None:
    for step, metrics in enumerate(batches, start=1):
        assert guard.observe(step, metrics) == {}


def test_a_shrinking_u_stops_the_stage_after_some_steps_and_not_before() -> None:
    guard = guard_of("stop", told := Told())
    watched(guard, *[batch(1.0)] * EARLY_STEPS, *[batch(0.01)] * (PATIENCE - 1), batch(1.0))
    assert not told, "it came back in time"
    guard = guard_of("stop", told := Told())
    watched(guard, *[batch(1.0)] * EARLY_STEPS, *[batch(0.01)] * (PATIENCE + 3))
    ((step, kind, message),) = told
    assert (step, kind) == (EARLY_STEPS + PATIENCE, "collapse_stop")
    assert "u in training has shrunk to 1.0% of its early spread" in message
    assert guard.stops
    assert guard.message == message


def test_a_warning_goes_on_and_healthy_training_is_quiet() -> None:
    guard = guard_of("warn", told := Told())
    watched(guard, *[batch(0.3)] * EARLY_STEPS, *[batch(2.0, mean=0.95, saturated=0.9)] * 20)
    assert [kind for _, kind, _ in told] == ["collapse_alarm"] * 2
    assert not guard.stops
    guard = guard_of("stop", told := Told())
    watched(guard, *[batch(0.3 + 0.1 * step, mean=math.sin(step)) for step in range(60)], {}, batch(5.0))
    assert not told


def test_with_a_bias_the_scores_of_a_step_say_nothing_and_u_does() -> None:
    guard = guard_of("stop", told := Told(), has_bias=True)
    watched(guard, *[batch(0.3, mean=1.0, saturated=1.0)] * 40)
    assert not told
    watched(guard, *[batch(0.001)] * PATIENCE)
    assert len(told) == 1


def test_a_resumed_watch_says_the_same_at_the_same_step() -> None:
    steps = [batch(1.0)] * EARLY_STEPS + [batch(0.01)] * PATIENCE
    straight, resumed = (guard_of("stop", Told()) for _ in range(2))
    watched(straight, *steps)
    half = guard_of("stop", Told())
    watched(half, *steps[: EARLY_STEPS + 2])
    state: dict[str, Any] = json.loads(json.dumps(half.state()))
    resumed.restore(state, half.tensors())
    for step in range(EARLY_STEPS + 3, len(steps) + 1):
        resumed.observe(step, steps[step - 1])
    assert resumed.tell == straight.tell
    assert resumed.state() == straight.state()
    assert resumed.stops
