"""A whole rubric as one object: the parts, and the table `[reward]` that makes one number of them.

It travels from the recipe to the loop, the scoring workers, the server and the other trainers' adapters. Light: the
classes of nodes (spec.py) are only loaded for a recipe that has some.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from guerdon.core.config import EntryError, Issue, issues_of
from guerdon.core.errors import did_you_mean
from guerdon.core.types import Json, Problem
from guerdon.rewards.config import VerifierConfig, parse_rewards

if TYPE_CHECKING:
    from guerdon.rewards.spec import CalibrationKind, NodeConfig, RewardSpec


class Reached(NamedTuple):
    """Which parts may matter for one problem."""

    parts: Mapping[str, VerifierConfig]
    dead_ends: tuple[str, ...]
    """Routes without a case for it: its rollouts would have no reward."""


def scaled_name(name: str, kind: str) -> str:
    """Name of the part that holds the calibrated value; the raw one keeps its own.

    >>> scaled_name("rm", "rank")
    'rm_rank'
    """
    return f"{name}_{kind}"


@dataclass(frozen=True, slots=True)
class RubricConfig:
    """All that makes a reward: the parts, and how they become one number."""

    rewards: Mapping[str, VerifierConfig]
    reward: RewardSpec | None = None
    """None: the weighted sum of the parts."""

    @classmethod
    def of(cls, rewards: Rewards) -> RubricConfig:
        """Bare parts stand for their weighted sum."""
        return rewards if isinstance(rewards, RubricConfig) else cls(rewards)

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> RubricConfig:
        """From a table with `rewards` and perhaps `reward`, such as a recipe; other keys are not looked at.

        Raises:
            EntryError: every problem at once.
        """
        from pydantic import ValidationError

        from guerdon.rewards.spec import RewardSpec

        issues: list[Issue] = []
        rewards: dict[str, VerifierConfig] = {}
        spec: RewardSpec | None = None
        try:
            rewards = parse_rewards(table.get("rewards", {}))
        except EntryError as error:
            issues += [Issue(("rewards", *issue.path), issue.message) for issue in error.issues]
        try:
            spec = RewardSpec.model_validate(table["reward"]) if "reward" in table else None
        except ValidationError as error:
            found = issues_of(error, RewardSpec)
            issues += [Issue(("reward", *issue.path), issue.message) for issue in found]
        config = cls(rewards, spec)
        issues = issues or config.issues()
        if issues:
            raise EntryError(issues)
        return config

    def to_table(self) -> dict[str, Json]:
        """The inverse of `parse`, as JSON."""
        parts: dict[str, Json] = {name: part.model_dump(mode="json") for name, part in self.rewards.items()}
        if self.reward is None:
            return {"rewards": parts}
        return {"rewards": parts, "reward": self.reward.model_dump(mode="json")}

    @property
    def nodes(self) -> Mapping[str, NodeConfig]:
        """The nodes by name; none in a plain sum."""
        return self.reward.nodes if self.reward else {}

    @property
    def calibrate(self) -> Mapping[str, CalibrationKind]:
        """What is calibrated, and how."""
        return self.reward.calibrate if self.reward else {}

    @property
    def root(self) -> str | None:
        """The node that is the reward; None: the weighted sum of the parts."""
        used = {child.name for node in self.nodes.values() for child in node.children()}
        return next((name for name in self.nodes if name not in used), None)

    def shares(self) -> dict[str, float]:
        """What makes the reward, and its weight where everything is there."""
        root = self.root
        if root is None:
            return {name: part.weight for name, part in self.rewards.items() if part.weight}
        mix = None if root in self.calibrate else self.nodes[root].shares()
        return mix or {root: 1.0}

    def weights(self) -> dict[str, float]:
        """Every part of a score in its order (parts, scaled parts, nodes) and its weight in the reward."""
        shares = self.shares()
        found: dict[str, float] = {}
        for name in (*self.rewards, *self.order()):
            kind = self.calibrate.get(name)
            found[name] = 0.0 if kind else shares.get(name, 0.0)
            if kind:
                found[scaled_name(name, kind)] = shares.get(name, 0.0)
        return found

    def order(self) -> list[str]:
        """The nodes, each after all that it uses."""
        seen: set[str] = set()
        done: list[str] = []

        def visit(name: str) -> None:
            if name in self.nodes and name not in seen:
                seen.add(name)
                for child in self.nodes[name].children():
                    visit(child.name)
                done.append(name)

        for name in self.nodes:
            visit(name)
        return done

    def reached(self, problem: Problem) -> Reached:
        """What can pay for the rollouts of this problem."""
        if self.root is None:
            return Reached(dict(self.rewards), ())
        names = self._walked(self.root, problem)
        ends = [name for name in names if name in self.nodes and not self.nodes[name].reads(problem)]
        return Reached({name: part for name, part in self.rewards.items() if name in names}, tuple(ends))

    def counts(self, name: str, problem: Problem) -> bool:
        """Whether no route keeps this part or node from the rollouts of this problem."""
        used = {child.name for node in self.nodes.values() for child in node.children()}
        return self.root is None or name not in used or name in self._walked(self.root, problem)

    def wrongs(self, problem: Problem) -> dict[str, float]:
        """Up to which value each part or node means "wrong" of the rollouts of this problem; who only grades is left out.

        A calibrated child only grades: its 0 is the average.
        """
        found = {name: part.wrong for name, part in self.rewards.items() if part.wrong is not None}
        for name in self.order():
            node = self.nodes[name]
            shares = node.shares() or {}
            below = {
                child: found.get(child) if child not in self.calibrate else None
                for child in node.decided_by(problem)
            }
            known = [shares.get(child, 1.0) * value for child, value in below.items() if value is not None]
            if known and len(known) == len(below):
                found[name] = math.fsum(known) if shares else min(known)
        return found

    def _walked(self, root: str, problem: Problem) -> list[str]:
        """That node and all that it may need for this problem."""
        names = [root]
        for name in names:  # grows while it is walked
            if name in self.nodes:
                names += [child for child in self.nodes[name].reads(problem) if child not in names]
        return names

    def issues(self) -> list[Issue]:
        """Every mistake of the tree, and of parts that read others; paths start at the recipe."""
        return [*_misread(self), *(_issues(self) if self.reward else ())]

    def with_read(self, names: Iterable[str]) -> list[str]:
        """Those parts and all that they read, in the recipe's order."""
        wanted = set(names)
        wanted |= {other for name in wanted for other in self.rewards[name].reads.values()}
        return [name for name in self.rewards if name in wanted]


MODELS = ("reward_model", "generative", "remote", "llm_judge", "second_opinion")
"""Kinds of parts that say what a model thinks: no rules."""
Rewards = Mapping[str, VerifierConfig] | RubricConfig
"""Parts by name, or with how they become one reward."""


def _misread(config: RubricConfig) -> Iterator[Issue]:
    """A part that another reads must exist, and read nothing itself: so two rounds compute everything."""
    for name, part in config.rewards.items():
        for key, other in part.reads.items():
            at = ("rewards", name, key)
            if other == name or other not in config.rewards:
                known = sorted(set(config.rewards) - {name})
                hint = did_you_mean(other, known)
                yield Issue(
                    at, f"no other part is called {other!r}{hint}; there are {', '.join(known) or 'none'}"
                )
            elif config.rewards[other].reads or config.rewards[other].kind in (*MODELS, part.kind):
                yield Issue(at, f"{other!r} is a {config.rewards[other].kind} part; name one that is a rule")


def _issues(config: RubricConfig) -> Iterator[Issue]:
    for name, node in config.nodes.items():
        yield from (Issue(("reward", name, *issue.path), issue.message) for issue in node.problems())
    yield from _name_clashes(config)
    yield from _unknown_scales(config)
    broken = [*_unknown_children(config)]
    broken += [Issue(("reward", path[0]), f"a cycle: {' -> '.join(path)}") for path in _cycles(config.nodes)]
    yield from broken
    if config.nodes and not broken:  # else what nobody uses may only follow from that
        yield from _several_roots(config)
        yield from _idle_parts(config)
    yield from _weighed_twice(config)


def _name_clashes(config: RubricConfig) -> Iterator[Issue]:
    for name in config.nodes:
        if name in config.rewards:
            yield Issue(("reward", name), "a part of [rewards] has this name too; names must differ")
    taken = {*config.nodes, *config.rewards}
    for name, kind in config.calibrate.items():
        if (scaled := scaled_name(name, kind)) in taken:
            yield Issue(("reward", "calibrate", name), f"its scaled part would be {scaled!r}, which is taken")


def _unknown_children(config: RubricConfig) -> Iterator[Issue]:
    known = {*config.nodes, *config.rewards}
    for name, node in config.nodes.items():
        for child in node.children():
            if child.name not in known:
                hint = did_you_mean(child.name, known - {name})
                yield Issue(("reward", name, child.field), f"no part and no node {child.name!r}{hint}")


def _unknown_scales(config: RubricConfig) -> Iterator[Issue]:
    known = {*config.nodes, *config.rewards}
    for name in config.calibrate:
        if name not in known:
            yield Issue(
                ("reward", "calibrate", name), f"no part and no node {name!r}{did_you_mean(name, known)}"
            )


def _cycles(nodes: Mapping[str, NodeConfig]) -> Iterator[tuple[str, ...]]:
    """Each cycle once, as the path around it."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if name in path:
            yield (*path[path.index(name) :], name)
        elif name in nodes and name not in done:
            for child in dict.fromkeys(child.name for child in nodes[name].children()):
                yield from visit(child, (*path, name))
            done.add(name)

    for name in nodes:
        yield from visit(name, ())


def _several_roots(config: RubricConfig) -> Iterator[Issue]:
    used = {child.name for node in config.nodes.values() for child in node.children()}
    roots = [name for name in config.nodes if name not in used]
    if len(roots) > 1:
        names = ", ".join(roots)
        yield Issue(
            ("reward",), f"{names}: no node uses these; exactly one node, the reward itself, must be so"
        )


def _idle_parts(config: RubricConfig) -> Iterator[Issue]:
    used = {child.name for node in config.nodes.values() for child in node.children()}
    for name, part in config.rewards.items():
        if name not in used and part.weight:
            yield Issue(
                ("rewards", name), "no node of [reward] uses it; use it, or set weight = 0 to only record it"
            )


def _weighed_twice(config: RubricConfig) -> Iterator[Issue]:
    users = {child.name: name for name, node in config.nodes.items() for child in node.children()}
    for name, part in config.rewards.items():
        if name in users and part.weight != type(part).model_fields["weight"].default:
            what = f"{part.weight:g}, but [reward] has nodes, and those weigh the parts"
            yield Issue(("rewards", name, "weight"), f"{what} (reward.{users[name]}); remove this key")
