"""The monitor against reward hacking at work in a run: reads each step's metrics, tells, and does what the recipe says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from guerdon.core.types import Json
from guerdon.train.config import MonitorConfig
from guerdon.train.learner import PolicyLearner
from guerdon.train.monitor import HackingMonitor

BEST = "monitor/best/"
"""Prefix of the best weights in a checkpoint's tensors."""


class Guard:
    """Watches one reinforcement stage."""

    def __init__(
        self, config: MonitorConfig, learner: PolicyLearner, tell: Callable[[int, str, str], None]
    ) -> None:
        """`tell(step, kind, message)` is called once for each alarm; kind: `hacking_alarm`, or `hacking_stop` if the
        stage ends.
        """
        self.config = config
        self.learner = learner
        self.tell = tell
        self.monitor = HackingMonitor(config)
        self.stops = False
        """Whether an alarm has ended the stage."""
        self._best: dict[str, Tensor] | None = None

    def observe(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """After the update of a step: watch, act on an alarm; returns the monitor's own metrics."""
        probes = {name: metrics.get(f"rewards/{name}/mean") for name in self.config.probes}
        found = self.monitor.observe(step, metrics.get("reward"), probes)
        if self.config.action == "roll_back" and (found.is_best or self._best is None):
            self._best = self.learner.policy.snapshot()
        if found.alarms:
            done = self._act()
            kind = "hacking_stop" if self.stops else "hacking_alarm"
            for alarm in found.alarms:
                self.tell(step, kind, f"{alarm.message}; {done}")
            if self.config.action != "warn":
                self.monitor.rearm()
        return {**found.metrics, "monitor/beta": self.learner.objective.beta}

    def _act(self) -> str:
        """Do it; in words, what was done."""
        best_step = self.monitor.watches[self.config.probes[0]].best_step
        match self.config.action:
            case "raise_beta":
                return self._raise_beta()
            case "roll_back":
                assert self._best is not None
                self.learner.roll_back(self._best)
                back = f"the weights of step {best_step} are back"
                beta = self.learner.objective.beta
                if 0.0 < beta < self.config.max_beta:
                    return f"{back}, {self._raise_beta()}"
                self.stops = True
                why = "train.monitor.max_beta already" if beta else "0"
                return f"{back}, and the stage stops (beta is {why})"
            case "stop":
                self.stops = True
                return "the stage stops here"
            case _:
                return "training goes on (train.monitor.action = 'warn')"

    def _raise_beta(self) -> str:
        most, before = self.config.max_beta, self.learner.objective.beta
        if before >= most:
            return f"beta stays {before:g}, the most it may be (train.monitor.max_beta): look at the rollouts, or stop"
        self.learner.set_beta(min(most, before * self.config.beta_factor))
        limit = ", the most it may be (train.monitor.max_beta)" if self.learner.objective.beta == most else ""
        return f"beta is now {self.learner.objective.beta:g}{limit}"

    def state(self) -> dict[str, Json]:
        """Everything a bit-exact resume needs besides the tensors."""
        return {"watches": self.monitor.state(), "beta": self.learner.objective.beta, "stops": self.stops}

    def tensors(self) -> dict[str, Tensor]:
        """The best weights, where the recipe may go back to them."""
        return {BEST + name: weight for name, weight in (self._best or {}).items()}

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from `state` and `tensors`."""
        self.monitor.restore(state["watches"])
        self.learner.set_beta(state["beta"])
        self.stops = state["stops"]
        best = {
            name.removeprefix(BEST): weight.to(self.learner.policy.device)
            for name, weight in tensors.items()
            if name.startswith(BEST)
        }
        self._best = best or None
