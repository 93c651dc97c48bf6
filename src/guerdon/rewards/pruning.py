"""A rubric without some of its parts.

    a sum         the others share out its weight: { a = 1.0, b = 0.5 } without b is { a = 1.5 }
    a minimum     the smallest of the others                 a conditional    the hard child, where the easy one goes
    anything else (a condition, a route, what a gate lets through, learned weights) needs the part: refused
    a part        that another reads (`verdict` of a reward model) is needed, too

A node of which nothing is left goes the same way.
"""

from __future__ import annotations

from collections.abc import Collection

from guerdon.core.config import EntryError, Issue
from guerdon.rewards.rubric_config import RubricConfig


def pruned(config: RubricConfig, names: Collection[str]) -> RubricConfig:
    """The rubric without these parts.

    Raises:
        EntryError: a node or another part means nothing without one of them, or a scale was made with it; every such
            place at once.
    """
    rewards = {name: part for name, part in config.rewards.items() if name not in names}
    issues = [
        Issue(("rewards", name, key), f"reads {other!r}, so that cannot be left out")
        for name, part in rewards.items()
        for key, other in part.reads.items()
        if other in names
    ]
    gone, changed = set(names), set(names)
    nodes = dict(config.nodes)
    for name in config.order():  # children first
        below = {child.name for child in nodes[name].children()}
        if below & changed:
            changed.add(name)
        if not below & gone:
            continue
        try:
            left = nodes[name].without(gone)
        except EntryError as error:
            issues += [Issue(("reward", name, *issue.path), issue.message) for issue in error.issues]
            continue
        if left is None:
            gone.add(name)
            del nodes[name]
        else:
            nodes[name] = left
    if config.nodes and not nodes:
        issues.append(Issue(("reward",), "nothing is left of it"))
    calibrate = {name: kind for name, kind in config.calibrate.items() if name not in gone}
    issues += [
        Issue(("reward", "calibrate", name), f"its scale was made with {', '.join(sorted(names))}")
        for name in calibrate
        if name in changed
    ]
    if issues:
        raise EntryError(issues)
    if config.reward is None:
        return RubricConfig(rewards)
    return RubricConfig(rewards, config.reward.model_copy(update={"nodes": nodes, "calibrate": calibrate}))
