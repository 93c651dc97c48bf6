"""Whether a reward model's scores have collapsed: figures of a distribution, limits, and a watch over the training.

    each step         spread of u; without b(x), mean and saturation --CollapseGuard--> PATIENCE steps beyond a limit: alarm
    each evaluation   held-out responses, samples of the policy --health_of--> --alarms--> words

The scores are brought to one scale before they are measured, and that would hide a u that shrinks to nothing: so the
spread of u itself is compared with what it was early on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from guerdon.core.errors import UserError
from guerdon.core.types import Json
from guerdon.explain.reward_model.measures import SATURATED, ks_distance

MAX_SATURATED = 0.5
"""A larger share of saturated scores is a collapse."""
MIN_STD = 0.05
"""A smaller deviation of the scores, which lie in [-1, 1], is a collapse."""
MAX_MEAN = 0.8
"""A mean further from 0 leaves nearly all scores at one end."""
MIN_SPREAD = 0.05
"""A smaller share of the deviation that u had early on is a collapse."""
MIN_COUNT = 8
"""Fewer scores have no distribution to speak of."""
MIN_KIND = 20
"""Fewer scores of one kind of prompt do not show whether it has a distribution of its own."""
EARLY_STEPS = 10
"""Steps whose mean spread is the early one; there are no alarms in them."""
PATIENCE = 5
"""Steps in a row beyond a limit that make an alarm in training."""
ADVICE = "raise loss.variance_floor or loss.centering, lower train.learning_rate, or keep head.bias = true"


class CollapseError(UserError):
    """The scores say nothing any more, and the recipe asked to stop then."""


class Measured(NamedTuple):
    """One scored response."""

    score: float
    u: float
    open_ended: bool


class Health(NamedTuple):
    """How the scores of some responses lie."""

    num_scores: int
    mean: float
    std: float
    saturated: float
    u_std: float
    distance: float | None = None
    """Kolmogorov-Smirnov, of the scores on open-ended and on closed prompts; None: there is one kind."""
    num_open: int = 0
    num_closed: int = 0

    def metrics(self) -> dict[str, float]:
        """By their names in evals.jsonl."""
        found = {
            "score_mean": self.mean,
            "score_std": self.std,
            "saturated": self.saturated,
            "u_std": self.u_std,
        }
        return found if self.distance is None else {**found, "open_closed_distance": self.distance}


def health_of(scored: Sequence[Measured]) -> Health | None:
    """The figures of these responses; None: fewer than two."""
    if len(scored) < 2:
        return None
    score_B = torch.tensor([item.score for item in scored])
    sides = [[item.score for item in scored if item.open_ended is kind] for kind in (True, False)]
    return Health(
        len(scored),
        float(score_B.mean()),
        float(score_B.std()),
        float((score_B.abs() > SATURATED).float().mean()),
        float(torch.tensor([item.u for item in scored]).std()),
        ks_distance(*sides),
        *map(len, sides),
    )


def alarms(found: Health, where: str, early_u_std: float | None = None) -> dict[str, str]:
    """What speaks for a collapse, each in words, by kind; empty: nothing.

    Args:
        found: the figures.
        where: on which responses, as in "on held-out responses".
        early_u_std: deviation of u on such responses early in training; None: not known.
    """
    said: dict[str, str] = {}
    if found.num_scores < MIN_COUNT:
        return said
    if abs(found.mean) > MAX_MEAN:
        said["mean"] = f"scores {where} are off the centre (mean {found.mean:.2f}, beyond {MAX_MEAN})"
    if found.std < MIN_STD:
        said["std"] = f"scores {where} are nearly constant (std {found.std:.3f}, below {MIN_STD})"
    if found.saturated > MAX_SATURATED:
        said["saturated"] = f"{found.saturated:.0%} of the scores {where} are at -1 or 1"
    if early_u_std and found.u_std < MIN_SPREAD * early_u_std:
        said["spread"] = (
            f"u {where} has shrunk to {found.u_std / early_u_std:.1%} of its early spread (std {found.u_std:.2g}, was "
            f"{early_u_std:.2g})"
        )
    if found.distance is not None and min(found.num_open, found.num_closed) >= MIN_KIND:
        alike = math.sqrt(
            1 / found.num_open + 1 / found.num_closed
        )  # two samples of one distribution: 3 of 4 times
        if found.distance < alike:
            said["open_closed"] = (
                f"scores {where} no longer tell open-ended prompts from closed ones (distance {found.distance:.2f}; two "
                f"samples of one distribution stay below {alike:.2f})"
            )
    return said


class CollapseGuard:
    """Watches the training of one reward model, from metrics that each step has anyway."""

    def __init__(
        self, action: Literal["warn", "stop"], tell: Callable[[int, str, str], None], *, has_bias: bool
    ) -> None:
        """`tell(step, kind, message)` is called whenever a limit has been passed for PATIENCE steps.

        With `has_bias`, level and scale of the scores are running means that lag behind u; they are set before each
        evaluation, and only there can scores be judged. Of a step's, only the spread of u says something.
        """
        self.action = action
        self.tell = tell
        self.has_bias = has_bias
        self.stops = False
        """Whether an alarm has ended the stage."""
        self.message = ""
        """Of the alarm that did."""
        self._early: list[float] = []
        self._beyond: dict[str, int] = {}

    def observe(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """After the update of a step; it adds no metrics of its own."""
        if "reward_health/u_std" not in metrics:  # nothing of this step fitted
            return {}
        u_std = metrics["reward_health/u_std"]
        if len(self._early) < EARLY_STEPS:
            self._early.append(u_std)
            return {}
        names = ("score_mean", "saturated")
        mean, saturated = (0.0 if self.has_bias else metrics[f"reward_health/{name}"] for name in names)
        # Scores that are nearly constant are left to the evaluations: before it learns, a model's are.
        found = Health(MIN_COUNT, mean, math.inf, saturated, u_std)
        said = alarms(found, "in training", sum(self._early) / len(self._early))
        self._beyond = {kind: self._beyond.get(kind, 0) + 1 for kind in said}
        for kind, message in said.items():
            if self._beyond[kind] == PATIENCE and not self.stops:
                self.stops = self.action == "stop"
                self.message = f"collapsed: {message}; {ADVICE}"
                self.tell(step, "collapse_stop" if self.stops else "collapse_alarm", self.message)
        return {}

    def state(self) -> dict[str, Json]:
        """Everything a bit-exact resume needs."""
        return {
            "early": list(self._early),
            "beyond": dict(self._beyond),
            "stops": self.stops,
            "message": self.message,
        }

    def tensors(self) -> dict[str, Tensor]:
        """None."""
        return {}

    def restore(self, state: Mapping[str, Any], _tensors: Mapping[str, Tensor]) -> None:
        """Continue from `state`."""
        self._early, self._beyond = list(state["early"]), dict(state["beyond"])
        self.stops, self.message = state["stops"], state["message"]
