"""The tree of `[reward]` evaluated: the parts of one rollout in, its score out.

    parts --scales--> values --nodes, children first--> root --> Score

In a score `value == sum(weight * value)` over the parts with a weight: a root that mixes (sum, learned) gives its
children their weights, any other root is one part with weight 1, and all else has weight 0. Every node is a part of
its own, whose evidence says what happened.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from guerdon.core.types import Evidence, Part, Problem, Score
from guerdon.rewards.calibration import Calibration, Scale, fit_scale
from guerdon.rewards.rubric_config import RubricConfig, scaled_name

if TYPE_CHECKING:
    from guerdon.rewards.learned import LearnedWeights
    from guerdon.rewards.spec import (
        ConditionalConfig,
        GateConfig,
        LearnedConfig,
        MinimumConfig,
        RouteConfig,
        SumConfig,
    )


class View(NamedTuple):
    """What a node sees of one rollout."""

    problem: Problem
    values: Mapping[str, float | None]
    """Of parts and of the nodes evaluated before, calibrated where the recipe says so."""
    skippable: frozenset[str]
    """Parts that may be missing (`when_missing = "skip"`)."""


class Verdict(NamedTuple):
    """What a node makes of it."""

    value: float | None
    note: str
    shares: Mapping[str, float] | None = None
    """Weights by child, where the value is a mix of them."""


class Node(Protocol):
    """One node; pure, and never raises."""

    def __call__(self, view: View) -> Verdict:
        """Evaluate it for one rollout."""
        ...


class SumNode:
    """Weighted sum."""

    def __init__(self, config: SumConfig) -> None:
        self.config = config

    def __call__(self, view: View) -> Verdict:
        """As `Node`."""
        return mixed(view, self.config.of, self.config.missing)


class LearnedNode:
    """Weighted sum whose weights the prompt decides."""

    def __init__(self, config: LearnedConfig, weights: LearnedWeights) -> None:
        self.config = config
        self.weights = weights

    def __call__(self, view: View) -> Verdict:
        """As `Node`."""
        prompt = "\n".join(message.content for message in view.problem.messages)
        shares = dict(zip(self.config.of, self.weights(prompt), strict=True))
        return mixed(view, shares, self.config.missing)


class GateNode:
    """One value where a condition holds, another where not."""

    def __init__(self, config: GateConfig) -> None:
        self.config = config

    def __call__(self, view: View) -> Verdict:
        """As `Node`."""
        config, value = self.config, view.values[self.config.condition]
        if value is None:
            return Verdict(
                None, f"{config.condition} could not be verified, so the gate is neither open nor closed"
            )
        is_open = value >= config.at_least
        note = (
            _compared(config.condition, value, config.at_least) + f": gate {'open' if is_open else 'closed'}"
        )
        taken = config.then if is_open else config.otherwise
        if isinstance(taken, str):
            return Verdict(view.values[taken], f"{note}, {_said(taken, view.values[taken])}")
        return Verdict(taken, f"{note}, {taken:.4g}")


class ConditionalNode:
    """The hard child; the easy one counts only if the hard one passed."""

    def __init__(self, config: ConditionalConfig) -> None:
        self.config = config

    def __call__(self, view: View) -> Verdict:
        """As `Node`."""
        config, hard = self.config, view.values[self.config.hard]
        if hard is None:
            return Verdict(None, f"{config.hard} could not be verified")
        note = _compared(config.hard, hard, config.at_least)
        if hard < config.at_least:
            return Verdict(hard, f"{note}: {config.easy} does not count")
        easy = view.values[config.easy]
        if easy is None:
            return Verdict(None, f"{note}: {config.easy} counts, but could not be verified")
        return Verdict(hard + config.easy_weight * easy, f"{note}: {_said(config.easy, easy)} counts")


class MinimumNode:
    """The smallest child."""

    def __init__(self, config: MinimumConfig) -> None:
        self.config = config

    def __call__(self, view: View) -> Verdict:
        """As `Node`."""
        smallest: tuple[float, str] | None = None
        for name in self.config.of:
            value = view.values[name]
            if value is None:
                return Verdict(None, f"{name} could not be verified")
            if smallest is None or value < smallest[0]:
                smallest = value, name
        assert smallest is not None
        return Verdict(smallest[0], f"{smallest[1]} is the smallest of {', '.join(self.config.of)}")


class RouteNode:
    """The child that the problem chooses."""

    def __init__(self, config: RouteConfig) -> None:
        self.config = config

    def __call__(self, view: View) -> Verdict:
        """As `Node`."""
        config, case = self.config, self.config.case(view.problem)
        why = f"no {config.by}" if case is None else f"{config.by} is {case[:40]!r}"
        for taken in config.reads(view.problem):
            return Verdict(view.values[taken], f"{why}: {_said(taken, view.values[taken])}")
        return Verdict(None, f"{why}: no case of this route")


class RewardTree:
    """Makes scores of parts."""

    def __init__(self, config: RubricConfig, calibration: Calibration | None = None) -> None:
        """`calibration` None: what needs a scale has no value until `fit`.

        Raises:
            UserError: a node cannot be built.
        """
        self.config = config
        self.calibration = calibration
        self.nodes: dict[str, Node] = {name: config.nodes[name].build() for name in config.order()}
        self.root = config.root
        self._leaves = config.shares() if self.root is None else {}
        self._skippable = frozenset(n for n, part in config.rewards.items() if part.when_missing == "skip")

    @property
    def needs_fit(self) -> bool:
        """Whether scales are asked for and not there."""
        return bool(self.config.calibrate) and self.calibration is None

    def score(self, problem: Problem, parts: Iterable[Part]) -> Score:
        """The score of one rollout from its parts, one for each entry of `rewards`; their weights are not read."""
        found: list[Part] = []
        values: dict[str, float | None] = {}
        view = View(problem, values, self._skippable)
        final: Verdict | None = None
        for part in parts:
            self._enter(part, found, values)
        for name, node in self.nodes.items():
            verdict = node(view)
            self._enter(
                Part(name=name, value=verdict.value, evidence=Evidence(note=verdict.note)), found, values
            )
            if name == self.root:
                final = verdict
        if final is None:
            final = mixed(view, self._leaves, "obey")
            value, shares = final.value, final.shares or {}
        elif final.shares is not None and self.root not in self.config.calibrate:
            value, shares = final.value, final.shares
        else:
            assert self.root is not None
            value, shares = values[self.root], {self.root: 1.0}
        return Score(value=value, parts=tuple(self._weighed(found, shares)))

    def fit(self, rollouts: Sequence[tuple[Problem, Sequence[Part]]]) -> Calibration:
        """Take these for the reference: scales of parts first, then of nodes that stand on them.

        What a route sends elsewhere is no reference for a part: it never counts there. (A gate or a pass of an untrained
        policy opens too seldom to ask that, too.)

        Args:
            rollouts: problem and parts, those of `rewards` only.

        Raises:
            UserError: too few values to make a scale of, or all equal.
        """
        scales: dict[str, Scale] = {}
        self.calibration = None
        for name in (*self.config.rewards, *self.nodes):
            if kind := self.config.calibrate.get(name):
                counted = [row for row in rollouts if self.config.counts(name, row[0])]
                scores = [self.score(problem, parts) for problem, parts in counted]
                raw = [part.value if (part := score.part(name)) else None for score in scores]
                scales[name] = fit_scale(name, kind, raw)
                self.calibration = Calibration(dict(scales))  # what stands on this one is next
        return Calibration(scales)

    @property
    def can_renormalise(self) -> bool:
        """Whether a node may share out the weight of a missing child."""
        return any(node.shares_out for node in self.config.nodes.values())

    def renormalised(self, score: Score) -> bool:
        """Whether in this score a node shared out the weight of a missing child."""
        return any(
            self._shared_out(name, score) for name, node in self.config.nodes.items() if node.shares_out
        )

    def _shared_out(self, name: str, score: Score) -> bool:
        node = score.part(name)
        if node is None or node.value is None:
            return False
        names = (self._entering(child.name) for child in self.config.nodes[name].children())
        return any((part := score.part(child)) is not None and part.value is None for child in names)

    def _entering(self, name: str) -> str:
        kind = self.config.calibrate.get(name)
        return scaled_name(name, kind) if kind else name

    def _enter(self, part: Part, found: list[Part], values: dict[str, float | None]) -> None:
        """Keep the part; what its parents see is its scaled value, which is a part of its own."""
        found.append(part)
        values[part.name] = part.value
        kind = self.config.calibrate.get(part.name)
        if kind is None:
            return
        scale = self.calibration.scales.get(part.name) if self.calibration else None
        value = None if part.value is None or scale is None else scale(part.value)
        if scale is None:
            note = "not calibrated yet"
        elif part.value is None:
            note = f"{part.name} could not be verified"
        else:
            note = f"{part.name} is {part.value:.4g}, {kind} against {scale.count} reference rollouts"
        found.append(Part(name=scaled_name(part.name, kind), value=value, evidence=Evidence(note=note)))
        values[part.name] = value

    def _weighed(self, found: Iterable[Part], shares: Mapping[str, float]) -> Iterable[Part]:
        weights = {self._entering(name): weight for name, weight in shares.items()}
        return (dataclasses.replace(part, weight=weights.get(part.name, 0.0)) for part in found)


def mixed(view: View, shares: Mapping[str, float], missing: str) -> Verdict:
    """The weighted sum, and what missing children do to it.

    A missing child keeps its weight unless that is shared out among the others.
    """
    lacking = [name for name in shares if view.values[name] is None]
    known = {name: weight for name, weight in shares.items() if view.values[name] is not None}
    if not known:
        return Verdict(None, "nothing could be verified", shares)
    note = ""
    if lacking and missing == "renormalise":
        scale = math.fsum(shares.values()) / math.fsum(known.values())
        known = {name: weight * scale for name, weight in known.items()}
        shares = {name: known.get(name, 0.0) for name in shares}
        note = f"renormalised, as {', '.join(lacking)} could not be verified: "
    elif masking := [name for name in lacking if name not in view.skippable]:
        return Verdict(None, f"{', '.join(masking)} could not be verified", shares)
    terms = [(weight, name, view.values[name] or 0.0) for name, weight in known.items()]
    sentence = " + ".join(f"{weight:.4g} * {_said(name, value)}" for weight, name, value in terms)
    return Verdict(math.fsum(weight * value for weight, _, value in terms), note + sentence, shares)


def _said(name: str, value: float | None) -> str:
    return f"{name} (could not be verified)" if value is None else f"{name} ({value:.4g})"


def _compared(name: str, value: float, bound: float) -> str:
    return f"{name} is {value:.4g} {'>=' if value >= bound else '<'} {bound:.4g}"
