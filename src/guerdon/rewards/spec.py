"""How the parts of a recipe become one reward: the table `[reward]`, a small tree over the parts. Torch-free.

    [reward.total]                              the root: the one node that no other node uses
    kind = "gate"
    condition = "format"                        children are parts of [rewards] or other nodes
    then = "mix"

    [reward.mix]
    kind = "sum"
    of = { math = 1.0, style = 0.2 }

Without nodes the reward is the weighted sum of the parts. `rubric_config.py` checks the whole, `tree.py` evaluates it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, SerializeAsAny, model_serializer, model_validator

from guerdon.core.config import Config, EntryError, Issue, parse_plugin
from guerdon.core.registry import Registry
from guerdon.core.types import Problem

if TYPE_CHECKING:
    from guerdon.rewards.tree import Node

NODES = Registry(
    noun="reward node",
    group="guerdon.reward_nodes",
    builtins={
        "sum": "guerdon.rewards.spec:SumConfig",
        "gate": "guerdon.rewards.spec:GateConfig",
        "conditional": "guerdon.rewards.spec:ConditionalConfig",
        "minimum": "guerdon.rewards.spec:MinimumConfig",
        "route": "guerdon.rewards.spec:RouteConfig",
        "learned": "guerdon.rewards.spec:LearnedConfig",
    },
)
CalibrationKind = Literal["zscore", "rank"]
TARGET = "target"
YES, NO = "yes", "no"


class Child(NamedTuple):
    """A node's use of a part or of another node."""

    field: str
    """Where in the node's table it is named."""
    name: str


class NodeConfig(Config):
    """One node. Its name in the report is its key in the recipe's table `reward`."""

    kind: str
    name: str = ""
    """Name of the node; filled from the recipe's key."""

    def children(self) -> tuple[Child, ...]:
        """What it reads."""
        raise NotImplementedError

    def reads(self, problem: Problem) -> tuple[str, ...]:
        """Names of the children that it may need for the rollouts of this problem."""
        return tuple(child.name for child in self.children())

    def decided_by(self, problem: Problem) -> tuple[str, ...]:
        """Names of the children that make its value right or wrong for the rollouts of this problem."""
        return self.reads(problem)

    def problems(self) -> tuple[Issue, ...]:
        """What is wrong with its own numbers; paths start at the node."""
        return ()

    def shares(self) -> dict[str, float] | None:
        """Weight of each child where it mixes them and all are there; None: it is no mix."""
        return None

    @property
    def shares_out(self) -> bool:
        """Whether the others get the weight of a child without a value."""
        return False

    def without(self, gone: Collection[str]) -> NodeConfig | None:
        """The node where some of its children are left out; None: nothing is left of it.

        Raises:
            EntryError: it means nothing without one of them.
        """
        raise EntryError(
            [
                Issue((child.field,), f"a {self.kind} needs {child.name!r}, so that cannot be left out")
                for child in self.children()
                if child.name in gone
            ]
        )

    def build(self) -> Node:
        """The node itself."""
        raise NotImplementedError


class MixConfig(NodeConfig):
    """A node that mixes its children by weights."""

    missing: Literal["obey", "renormalise"] = "obey"
    """What a child without a value does: `obey` does as the part's own `when_missing` says (of a node: there is no
    reward), `renormalise` shares its weight out among those that have one."""

    @property
    def shares_out(self) -> bool:
        """As the recipe says."""
        return self.missing == "renormalise"


class SumConfig(MixConfig):
    """The weighted sum of its children."""

    kind: Literal["sum"] = "sum"
    of: dict[str, float]
    """Child to weight."""

    def children(self) -> tuple[Child, ...]:
        """As for every node."""
        return tuple(Child("of", name) for name in self.of)

    def problems(self) -> tuple[Issue, ...]:
        """A weight of 0, or weights that reward being wrong."""
        found = [
            Issue(
                ("of", name), "weight 0; remove it (a part that is only recorded has weight = 0 in [rewards])"
            )
            for name, weight in self.of.items()
            if weight == 0.0
        ]
        if not self.of:
            found.append(Issue(("of",), "empty; expected at least one, such as { math = 1.0 }"))
        total = math.fsum(self.of.values())
        if self.of and total < 1e-9:
            found.append(
                Issue(
                    ("of",),
                    f"the weights sum to {total:.4g}; expected more than 0, so that being good all over is paid",
                )
            )
        negative = [name for name, weight in self.of.items() if weight < 0.0]
        if negative and self.missing == "renormalise":
            found.append(
                Issue(("of", negative[0]), "a negative weight cannot be shared out; use missing = 'obey'")
            )
        return tuple(found)

    def shares(self) -> dict[str, float]:
        """The weights."""
        return dict(self.of)

    def without(self, gone: Collection[str]) -> SumConfig | None:
        """The others share the weights of those that are left out, as where a child is missing."""
        kept = {name: weight for name, weight in self.of.items() if name not in gone}
        total = math.fsum(kept.values())
        if kept and total <= 0.0:
            raise EntryError([Issue(("of",), f"only {', '.join(kept)} would be left, which takes away")])
        scale = math.fsum(self.of.values()) / total if kept else 0.0
        of = {name: weight * scale for name, weight in kept.items()}
        return self.model_copy(update={"of": of}) if kept else None

    def build(self) -> Node:
        """The node."""
        from guerdon.rewards.tree import SumNode

        return SumNode(self)


class GateConfig(NodeConfig):
    """One child counts only where a condition holds: format and safety first."""

    kind: Literal["gate"] = "gate"
    condition: str
    """The child that opens the gate."""
    at_least: float = 1.0
    """Value of the condition from which on the gate is open."""
    then: str
    """The child whose value it has when open."""
    otherwise: str | float = -1.0
    """A child, or a number: its value when closed."""

    def children(self) -> tuple[Child, ...]:
        """As for every node."""
        closed = (Child("otherwise", self.otherwise),) if isinstance(self.otherwise, str) else ()
        return (Child("condition", self.condition), Child("then", self.then), *closed)

    def decided_by(self, problem: Problem) -> tuple[str, ...]:
        """What it has when open or closed; the condition only chooses."""
        return (self.then, self.otherwise) if isinstance(self.otherwise, str) else (self.then,)

    def build(self) -> Node:
        """The node."""
        from guerdon.rewards.tree import GateNode

        return GateNode(self)


class ConditionalConfig(NodeConfig):
    """The hard child, plus the easy one only where the hard one passed."""

    kind: Literal["conditional"] = "conditional"
    hard: str
    """The child that must pass; its value always counts."""
    easy: str
    """The child that is easy to please, and so must not count alone."""
    at_least: float = 1.0
    """Value of `hard` that is a pass."""
    easy_weight: float = Field(default=1.0, gt=0.0)
    """Weight of `easy`."""

    def children(self) -> tuple[Child, ...]:
        """As for every node."""
        return Child("hard", self.hard), Child("easy", self.easy)

    def decided_by(self, problem: Problem) -> tuple[str, ...]:
        """The hard child."""
        return (self.hard,)

    def problems(self) -> tuple[Issue, ...]:
        """One child in both places."""
        if self.hard != self.easy:
            return ()
        return (
            Issue(("easy",), f"{self.easy!r} is hard, too; name another child, or use {self.hard!r} alone"),
        )

    def without(self, gone: Collection[str]) -> NodeConfig | None:
        """Without the easy child, the hard one alone."""
        return super().without(gone) if self.hard in gone else SumConfig(name=self.name, of={self.hard: 1.0})

    def build(self) -> Node:
        """The node."""
        from guerdon.rewards.tree import ConditionalNode

        return ConditionalNode(self)


class MinimumConfig(NodeConfig):
    """The smallest of its children: all must be good."""

    kind: Literal["minimum"] = "minimum"
    of: tuple[str, ...] = Field(min_length=2)
    """The children."""

    def children(self) -> tuple[Child, ...]:
        """As for every node."""
        return tuple(Child("of", name) for name in self.of)

    def problems(self) -> tuple[Issue, ...]:
        """A child named twice."""
        return _twice(self.of)

    def without(self, gone: Collection[str]) -> NodeConfig | None:
        """The smallest of the others."""
        kept = tuple(name for name in self.of if name not in gone)
        if len(kept) == 1:
            return SumConfig(name=self.name, of={kept[0]: 1.0})
        return self.model_copy(update={"of": kept}) if kept else None

    def build(self) -> Node:
        """The node."""
        from guerdon.rewards.tree import MinimumNode

        return MinimumNode(self)


class RouteConfig(NodeConfig):
    """One child, chosen by the problem: checkable problems to rules, open ones to a reward model."""

    kind: Literal["route"] = "route"
    by: str = TARGET
    """"target": whether the problem has a gold answer (`yes` or `no`); else a further column of the data."""
    cases: dict[str, str]
    """Value of the column to child; numbers and true or false as text."""
    default: str | None = None
    """The child for every other value; without it such a rollout has no value."""

    def children(self) -> tuple[Child, ...]:
        """As for every node."""
        rest = (Child("default", self.default),) if self.default is not None else ()
        return (*(Child(f"cases.{case}", name) for case, name in self.cases.items()), *rest)

    def case(self, problem: Problem) -> str | None:
        """What the problem has in the column; None: nothing that can be named."""
        if self.by == TARGET:
            return NO if problem.target is None else YES
        value = problem.info.get(self.by)
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if isinstance(value, str | int | float) else None

    def reads(self, problem: Problem) -> tuple[str, ...]:
        """The one child that the problem chooses, or none."""
        case = self.case(problem)
        taken = self.default if case is None else self.cases.get(case, self.default)
        return () if taken is None else (taken,)

    def problems(self) -> tuple[Issue, ...]:
        """No cases, or cases of `by = "target"` that never occur."""
        if not self.cases:
            return (Issue(("cases",), "empty; expected at least one, such as { yes = 'math' }"),)
        if self.by != TARGET:
            return ()
        return tuple(
            Issue(("cases", case), f"by = 'target' knows {YES!r} (has a target) and {NO!r}")
            for case in self.cases
            if case not in (YES, NO)
        )

    def build(self) -> Node:
        """The node."""
        from guerdon.rewards.tree import RouteNode

        return RouteNode(self)


class LearnedConfig(MixConfig):
    """A mix whose weights depend on the prompt: a softmax learned from preferences."""

    kind: Literal["learned"] = "learned"
    path: str
    """JSON file of the learned weights, as `guerdon.rewards.learned.fit` makes them."""
    of: tuple[str, ...] = Field(min_length=2)
    """The children, in the order in which they were learned."""

    def children(self) -> tuple[Child, ...]:
        """As for every node."""
        return tuple(Child("of", name) for name in self.of)

    def problems(self) -> tuple[Issue, ...]:
        """A child named twice."""
        return _twice(self.of)

    def shares(self) -> dict[str, float]:
        """Equal; the true ones depend on the prompt."""
        return dict.fromkeys(self.of, 1.0 / len(self.of))

    def build(self) -> Node:
        """The node, its weights read."""
        from guerdon.rewards.learned import LearnedWeights
        from guerdon.rewards.tree import LearnedNode

        return LearnedNode(self, LearnedWeights.load(self.path, parts=self.of))


def _twice(names: tuple[str, ...]) -> tuple[Issue, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    return tuple(Issue(("of",), f"{name!r} stands there twice") for name in twice)


class RewardSpec(Config):
    """The table `[reward]`: nodes by name, and what is calibrated."""

    nodes: dict[str, SerializeAsAny[NodeConfig]] = Field(default_factory=dict)
    """Every key but the two below; a node's `kind` defaults to its name."""
    calibrate: dict[str, CalibrationKind] = Field(default_factory=dict)
    """Part or node to the scale on which it enters: `zscore`, or `rank` in [-1, 1], against reference rollouts."""
    calibration: str | None = None
    """File with those scales. Without it, a run makes them from its first rollouts, before any update, and leaves
    them in its folder as calibration.json."""

    @model_validator(mode="before")
    @classmethod
    def _from_table(cls, table: Any) -> Any:
        if not isinstance(table, Mapping):
            return table
        own = {key: table[key] for key in ("calibrate", "calibration") if key in table}
        return {**own, "nodes": parse_nodes({key: table[key] for key in table if key not in own})}

    @model_serializer
    def _to_table(self) -> dict[str, Any]:
        nodes = {name: node.model_dump(mode="json") for name, node in self.nodes.items()}
        return {**nodes, "calibrate": dict(self.calibrate), "calibration": self.calibration}


def parse_nodes(table: Mapping[str, Any]) -> dict[str, NodeConfig]:
    """Nodes by name, each from a table.

    Raises:
        EntryError: the problems of every node at once.
    """
    parsed: dict[str, NodeConfig] = {}
    issues: list[Issue] = []
    for name, entry in table.items():
        if isinstance(entry, NodeConfig):
            parsed[name] = entry
        elif not isinstance(entry, Mapping):
            issues.append(Issue((name,), f"expected a table such as {{ kind = 'sum', ... }}; got {entry!r}"))
        elif entry.get("name", name) not in ("", name):
            issues.append(Issue((name, "name"), "unknown key; the name of a node is its key in `reward`"))
        else:
            try:
                parsed[name] = parse_plugin(NODES, {**entry, "name": name}, at=name, kind=name)
            except EntryError as error:
                issues += error.issues
    if issues:
        raise EntryError(issues)
    return parsed
