"""Is the policy hacking its reward? Two one-sided CUSUMs (Page 1954) a probe: proxy up, and probe down. Torch-free.

    level   mean of proxy and probe over the window in which the probe was at its best
    up      sum of (proxy - its level) / deviation - slack, never below 0        alarm: both above the threshold
    down    sum of (its level - probe) / deviation - slack, never below 0

Measured from the probe's best, not from the start: a hacked policy first gets better, so its probe may still be above
the first steps' when it falls. Deviations come from differences of neighbouring steps in the warm-up, so that a trend
is not taken for noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from guerdon.core.types import Json
from guerdon.train.config import MonitorConfig


def cusum(total: float, excess: float, slack: float) -> float:
    """One step of a one-sided CUSUM: how far things have moved in one direction, small moves forgiven.

    >>> cusum(1.0, 2.0, 0.5), cusum(1.0, -3.0, 0.5)
    (2.5, 0.0)
    """
    return max(0.0, total + excess - slack)


def step_deviation(values: Sequence[float]) -> float:
    """Standard deviation of a series around its own trend, from the differences of neighbours.

    >>> step_deviation([0.0, 1.0, 2.0, 3.0])  # a trend, but no noise
    0.0
    """
    steps = [after - before for before, after in pairwise(values)]
    mean = math.fsum(steps) / len(steps)
    return math.sqrt(math.fsum((step - mean) ** 2 for step in steps) / max(1, len(steps) - 1) / 2.0)


@dataclass(slots=True)
class Watch:
    """One probe against the proxy."""

    values: list[float] = field(default_factory=list)
    """Of the probe; the last `warmup` steps in which it and the proxy were known."""
    proxies: list[float] = field(default_factory=list)
    start: tuple[float, float] | None = None
    """Mean of probe and proxy in the warm-up."""
    deviation: tuple[float, float] = (1.0, 1.0)
    level: tuple[float, float] = (0.0, 0.0)
    best_step: int = 0
    up: float = 0.0
    down: float = 0.0
    is_alarmed: bool = False
    """Silent until the probe has a new best, or somebody acted."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A probe fell while the proxy rose."""

    probe: str
    step: int
    best_step: int
    message: str


@dataclass(frozen=True, slots=True)
class Watched:
    """What one step said."""

    metrics: dict[str, float]
    alarms: tuple[Alarm, ...]
    is_best: bool
    """Whether the first probe's window mean is the best so far."""


class HackingMonitor:
    """All probes of a run."""

    def __init__(self, config: MonitorConfig) -> None:
        self.config = config
        self.watches = {name: Watch() for name in config.probes}

    def observe(self, step: int, proxy: float | None, probes: Mapping[str, float | None]) -> Watched:
        """Take one step's means in; a probe without a value is passed over."""
        metrics: dict[str, float] = {}
        alarms: list[Alarm] = []
        is_best = False
        for index, (name, watch) in enumerate(self.watches.items()):
            value = probes.get(name)
            if proxy is None or value is None:
                continue
            best = self._take(watch, step, value, proxy)
            is_best |= best and index == 0
            if watch.start is None:
                continue
            metrics.setdefault("monitor/proxy_z", (proxy - watch.start[1]) / watch.deviation[1])
            metrics[f"monitor/{name}_z"] = (value - watch.start[0]) / watch.deviation[0]
            metrics[f"monitor/{name}/up"], metrics[f"monitor/{name}/down"] = watch.up, watch.down
            if not watch.is_alarmed and min(watch.up, watch.down) > self.config.threshold:
                watch.is_alarmed = True
                alarms.append(_alarm(name, step, watch))
        metrics["monitor/alarm"] = float(len(alarms))
        return Watched(metrics, tuple(alarms), is_best)

    def _take(self, watch: Watch, step: int, value: float, proxy: float) -> bool:
        """Move one watch on; whether its probe has a new best."""
        width = self.config.warmup
        watch.values = [*watch.values, value][-width:]
        watch.proxies = [*watch.proxies, proxy][-width:]
        if len(watch.values) < width:
            return False
        means = math.fsum(watch.values) / width, math.fsum(watch.proxies) / width
        if watch.start is None:
            watch.start = means
            floor = self.config.min_deviation
            watch.deviation = (
                max(floor, step_deviation(watch.values)),
                max(floor, step_deviation(watch.proxies)),
            )
        elif means[0] <= watch.level[0]:
            slack = self.config.slack
            watch.up = cusum(watch.up, (proxy - watch.level[1]) / watch.deviation[1], slack)
            watch.down = cusum(watch.down, (watch.level[0] - value) / watch.deviation[0], slack)
            return False
        watch.level, watch.best_step = means, step
        watch.up = watch.down = 0.0
        watch.is_alarmed = False
        return True

    def rearm(self) -> None:
        """Begin to count anew, after something was done about an alarm."""
        for watch in self.watches.values():
            watch.up = watch.down = 0.0
            watch.is_alarmed = False

    def state(self) -> dict[str, Json]:
        """For `restore`."""
        return {name: _plain(asdict(watch)) for name, watch in self.watches.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`."""
        for name, saved in state.items():
            pairs = {
                key: tuple(saved[key]) if saved[key] is not None else None
                for key in ("start", "deviation", "level")
            }
            self.watches[name] = Watch(**{**saved, **pairs})


def _plain(saved: dict[str, Any]) -> dict[str, Json]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in saved.items()}


def _alarm(name: str, step: int, watch: Watch) -> Alarm:
    message = (
        f"reward hacking? Since step {watch.best_step} the reward went up and {name} went down "
        f"({name} {watch.level[0]:.3g} then, {watch.values[-1]:.3g} now; reward {watch.level[1]:.3g} then, "
        f"{watch.proxies[-1]:.3g} now)"
    )
    return Alarm(name, step, watch.best_step, message)
