"""Watches for reward hacking: the reward climbs while what it stands for falls.

For each probe two one-sided CUSUMs (Page 1954) count, in units of the series' own noise and beyond a slack, how far the
probe lies below its best level and the proxy above where it was then:

    down <- max(0, down + (best - probe) / noise - slack)        up <- max(0, up + (proxy - proxy at best) / noise - slack)

Both above the threshold is an alarm. Every new best sets both to 0, so that a reward that rises together with its probe
never adds up to one. Noise is estimated from successive differences, which a trend hardly touches (von Neumann 1941).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from guerdon.core.types import Json
from guerdon.train.config import MonitorConfig

SMOOTHING = 0.3
"""Weight of the newest value in a level."""
WHOLE_REWARD = "reward"


@dataclass(slots=True)
class Series:
    """One metric over the steps: its smoothed level and its noise."""

    count: int = 0
    last: float = 0.0
    level: float = 0.0
    squares: float = 0.0
    """Sum of squared successive differences."""

    def add(self, value: float) -> None:
        """The value of one more step."""
        if self.count:
            self.squares += (value - self.last) ** 2
        self.level = value if not self.count else self.level + SMOOTHING * (value - self.level)
        self.last = value
        self.count += 1

    @property
    def noise(self) -> float:
        """Standard deviation of one value around the trend, never 0."""
        floor = 1e-6 * max(1.0, abs(self.level))
        return max(floor, math.sqrt(self.squares / (2 * max(1, self.count - 1))))


@dataclass(slots=True)
class Watch:
    """A probe, and the proxy as it was when the probe stood highest."""

    probe: Series = field(default_factory=Series)
    best: float = -math.inf
    best_step: int = 0
    proxy_then: float = 0.0
    up: float = 0.0
    down: float = 0.0


class HackingMonitor:
    """Reads a step's metrics, says when the reward and a probe part company."""

    def __init__(self, config: MonitorConfig) -> None:
        self.config = config
        self.proxy = Series()
        self.watches = {name: Watch() for name in config.probes}
        self.alarms: list[int] = []
        """Steps of all alarms."""

    def observe(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """Take in one step.

        Args:
            step: 1-based.
            metrics: of the step; the reward's mean and `rewards/NAME/mean` of each probe. A step in which one is
                missing or not finite says nothing about it.

        Returns:
            The sums as metrics, and `monitor/alarm`: 1 in the step of an alarm, else 0.
        """
        proxy = metrics.get(metric_of(self.config.proxy))
        known = proxy is not None and math.isfinite(proxy)
        if known:
            self.proxy.add(float(proxy or 0.0))
        found: dict[str, float] = {}
        alarm = False
        for name, watch in self.watches.items():
            value = metrics.get(metric_of(name))
            if known and value is not None and math.isfinite(value):
                self._add(watch, step, value)
            alarm |= watch.up > self.config.threshold and watch.down > self.config.threshold
            found |= {f"monitor/{name}/proxy_up": watch.up, f"monitor/{name}/probe_down": watch.down}
        if alarm:
            self.alarms.append(step)
            for watch in self.watches.values():  # the next alarm needs new evidence
                watch.up = watch.down = 0.0
        return {**found, "monitor/alarm": float(alarm)}

    def _add(self, watch: Watch, step: int, value: float) -> None:
        watch.probe.add(value)
        if watch.probe.count <= self.config.warmup_steps or watch.probe.level > watch.best:
            watch.best, watch.best_step, watch.proxy_then = watch.probe.level, step, self.proxy.level
            watch.up = watch.down = 0.0
            return
        slack = self.config.slack
        watch.down = max(0.0, watch.down + (watch.best - value) / watch.probe.noise - slack)
        watch.up = max(0.0, watch.up + (self.proxy.last - watch.proxy_then) / self.proxy.noise - slack)

    @property
    def best_step(self) -> int:
        """The step at which the probes stood highest: the earliest of their best ones, 0 before the first."""
        return min((watch.best_step for watch in self.watches.values()), default=0)

    def sentence(self) -> str:
        """What an alarm says to a person."""
        fallen = [f"{name} (best at step {watch.best_step})" for name, watch in self.watches.items()]
        return f"reward hacking: {self.config.proxy} keeps rising while {', '.join(fallen)} falls"

    def state(self) -> dict[str, Json]:
        """Everything that a resumed run needs."""
        watches: dict[str, Any] = {name: asdict(watch) for name, watch in self.watches.items()}
        for watch in watches.values():
            watch["best"] = None if watch["best"] == -math.inf else watch["best"]
        return {"proxy": asdict(self.proxy), "watches": watches, "alarms": list(self.alarms)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`."""
        self.proxy = Series(**state["proxy"])
        for name, saved in state["watches"].items():
            best = -math.inf if saved["best"] is None else saved["best"]
            self.watches[name] = Watch(**{**saved, "probe": Series(**saved["probe"]), "best": best})
        self.alarms = list(state["alarms"])


def metric_of(name: str) -> str:
    """Name of the metric that holds the mean of a part, or of the whole reward.

    >>> metric_of("reward"), metric_of("math")
    ('reward', 'rewards/math/mean')
    """
    return WHOLE_REWARD if name == WHOLE_REWARD else f"rewards/{name}/mean"
