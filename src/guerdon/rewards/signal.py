"""Signal accounting: which groups teach something, and why the others do not. A bare `loss 0` is never shown.

A group teaches if its scored rewards differ by more than float residue: the test is relative, so 0.1 + 0.2 against 0.3
is no difference. Only parts that say right or wrong can be all right or all wrong; of a part that grades (a reward model,
a rank) 0 is a value like any other.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping, Sequence

from guerdon.core.metrics import Metric, Sum
from guerdon.core.types import Problem, ScoredGroup

RELATIVE_SPREAD = 1e-6
"""Rewards within this share of max(1, the largest) are equal; the same test as in the advantages."""
Wrongs = Callable[[Problem], Mapping[str, float]]
"""A problem to the parts that say right or wrong of its rollouts, each with the value up to which it says wrong."""


class Signal(enum.StrEnum):
    """What a group has to say."""

    LEARNING = "learning"
    ALL_RIGHT = "all_right"
    """Every rollout has the full reward, and the heaviest part says right or wrong."""
    ALL_WRONG = "all_wrong"
    """The heaviest part says wrong of every rollout."""
    ALL_EQUAL = "all_equal"
    """Equal rewards in between, or of a part that only grades."""
    UNVERIFIABLE = "unverifiable"
    """Too few rollouts could be verified to compare."""
    TRUNCATED = "truncated"
    """Equal rewards, and every rollout was cut off at the token limit."""
    FAILED = "failed"
    """No rollout at all."""


def spread(rewards: Sequence[float]) -> float | None:
    """Bessel's standard deviation of a group's rewards, exactly 0.0 where they differ by float residue only.

    None with fewer than two rewards.

    >>> spread([0.1 + 0.2, 0.3])
    0.0
    """
    if len(rewards) < 2:
        return None
    if max(rewards) - min(rewards) <= RELATIVE_SPREAD * max(1.0, *map(abs, rewards)):
        return 0.0
    mean = math.fsum(rewards) / len(rewards)
    return math.sqrt(math.fsum((reward - mean) ** 2 for reward in rewards) / (len(rewards) - 1))


def signal_of(scored: ScoredGroup, *, by_part: bool = False, wrongs: Wrongs | None = None) -> Signal:
    """Why this group teaches something, or why it does not.

    Args:
        scored: the group.
        by_part: whether the advantages see parts (gdpo): then equal sums of different parts teach, too.
        wrongs: as `RubricConfig.wrongs`; None: every part means wrong by 0 or less.
    """
    if not scored.group.rollouts:
        return Signal.FAILED
    rewards = [score.value for score in scored.scores if score.value is not None]
    deviation = spread(rewards)
    if deviation is None:
        return Signal.UNVERIFIABLE
    if deviation > 0.0 or (by_part and _parts_differ(scored)):
        return Signal.LEARNING
    if all(rollout.truncated for rollout in scored.group.rollouts):
        return Signal.TRUNCATED
    return _verdict(scored, None if wrongs is None else wrongs(scored.group.problem))


def _parts_differ(scored: ScoredGroup) -> bool:
    parts = [
        part for score in scored.scores if score.value is not None for part in score.parts if part.weight
    ]
    return any(
        spread([part.value for part in parts if part.name == name and part.value is not None])
        for name in {part.name for part in parts}
    )


def _verdict(scored: ScoredGroup, wrong: Mapping[str, float] | None) -> Signal:
    """Of a group of equal rewards, by the heaviest part: it may be wrong where the format has earned its share."""
    known = [score for score in scored.scores if score.value is not None]
    weighed = [part for part in known[0].parts if part.weight]
    heaviest = max(weighed, key=lambda part: part.weight, default=None)
    if heaviest is None or (wrong is not None and heaviest.name not in wrong):
        return Signal.ALL_EQUAL
    best = math.fsum(max(0.0, part.weight) for part in weighed)
    if best > 0.0 and (known[0].value or 0.0) >= best * (1 - RELATIVE_SPREAD):
        return Signal.ALL_RIGHT
    bound = RELATIVE_SPREAD + (0.0 if wrong is None else wrong[heaviest.name])
    parts = [score.part(heaviest.name) for score in known]
    is_wrong = all(part is not None and part.value is not None and part.value <= bound for part in parts)
    return Signal.ALL_WRONG if is_wrong else Signal.ALL_EQUAL


def has_signal(scored: ScoredGroup, *, by_part: bool = False) -> bool:
    """Whether the policy can learn from this group."""
    return signal_of(scored, by_part=by_part) is Signal.LEARNING


def account(
    groups: Sequence[ScoredGroup], *, by_part: bool = False, wrongs: Wrongs | None = None
) -> dict[str, Metric]:
    """Counts of one step under `signal/*`; `by_part` and `wrongs` as for `signal_of`."""
    kinds = [signal_of(group, by_part=by_part, wrongs=wrongs) for group in groups]
    metrics: dict[str, Metric] = {f"signal/groups_{kind}": Sum(float(kinds.count(kind))) for kind in Signal}
    metrics["signal/effective_samples"] = Sum(
        float(
            sum(
                score.value is not None
                for group, kind in zip(groups, kinds, strict=True)
                if kind is Signal.LEARNING
                for score in group.scores
            )
        )
    )
    metrics["signal/unverified_samples"] = Sum(
        float(sum(s.value is None for group in groups for s in group.scores))
    )
    metrics["signal/failures"] = Sum(float(sum(len(group.group.failures) for group in groups)))
    return metrics


def describe(metrics: Mapping[str, Metric]) -> str:
    """One line for people, such as "5 of 8 groups teach (40 samples); 2 all right, 1 all wrong"."""
    counts = {kind: int(metrics[f"signal/groups_{kind}"].value or 0) for kind in Signal}
    samples = int(metrics["signal/effective_samples"].value or 0)
    line = f"{counts[Signal.LEARNING]} of {sum(counts.values())} groups teach ({samples} samples)"
    rest = [
        f"{count} {kind.replace('_', ' ')}"
        for kind, count in counts.items()
        if count and kind is not Signal.LEARNING
    ]
    return f"{line}; {', '.join(rest)}" if rest else line
