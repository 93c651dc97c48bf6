"""The rubric: every signal about every rollout, kept, weighted, made one reward (tree.py).

A part that could not verify is None. By its `when_missing` it either masks the rollout (left out of its group) or is
skipped (the other parts decide, their weights unchanged, as in TRL). A rollout no part could score has no reward.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from guerdon.core.errors import PluginError, RolloutFailure, UserError
from guerdon.core.metrics import Max, Mean, Metric
from guerdon.core.types import Evidence, Failure, Part, Problem, Rollout, RolloutGroup, Score, ScoredGroup
from guerdon.rewards.calibration import Calibration
from guerdon.rewards.config import Runs, VerifierConfig
from guerdon.rewards.rubric_config import Rewards, RubricConfig
from guerdon.rewards.signal import spread
from guerdon.rewards.tree import RewardTree

NOTE = 300
"""Most characters of a part's note in a message."""
NOT_ASKED = Evidence(note="not asked: the reward takes another route for this problem")
"""Of a judge that a route keeps from a problem."""


class Rubric:
    """Scores groups with every signal of a recipe."""

    def __init__(
        self, verifiers: Mapping[str, tuple[VerifierConfig, Any]], tree: RewardTree | None = None
    ) -> None:
        """`tree` None: the weighted sum of the parts."""
        self.verifiers = dict(verifiers)
        parts = {name: config for name, (config, _) in self.verifiers.items()}
        self.tree = tree or RewardTree(RubricConfig(parts))
        self.seconds: dict[str, float] = dict.fromkeys(self.verifiers, 0.0)
        """Seconds spent in each part since the start."""

    @classmethod
    def from_config(cls, rewards: Rewards) -> Rubric:
        """Build every verifier of a recipe, and what makes one reward of them.

        Raises:
            UserError: a file that the tables `rewards` or `reward` name cannot be used.
        """
        config = RubricConfig.of(rewards)
        tree = RewardTree(config)
        if config.reward and config.reward.calibration:
            tree.calibration = Calibration.load(config.reward.calibration, config.calibrate)
        return cls({name: (part, part.build()) for name, part in config.rewards.items()}, tree)

    def without(self, names: Collection[str]) -> Rubric:
        """The other verifiers, the very same; the reward is their weighted sum. Without names: this rubric."""
        if not names:
            return self
        return Rubric({name: entry for name, entry in self.verifiers.items() if name not in names})

    def runs(self, where: Runs) -> bool:
        """Whether some part works there."""
        return any(config.runs == where for config, _ in self.verifiers.values())

    async def score(self, groups: Sequence[RolloutGroup]) -> list[ScoredGroup]:
        """Score every rollout of every group, each group by itself: several calls give what one gives.

        Raises:
            PluginError: a verifier returned something that is no verdict; it is named.
        """
        return list(await asyncio.gather(*(self._group(group) for group in groups)))

    async def _group(self, group: RolloutGroup) -> ScoredGroup:
        failures: list[Failure] = list(group.failures)
        asked = self._asked(group.problem)
        found = await self._columns(group, failures, sorted(asked, key=self._reads_others))
        columns = [
            found[name]
            if name in asked
            else [Part(name=name, value=None, evidence=NOT_ASKED)] * len(group.rollouts)
            for name in self.verifiers
        ]
        scores = tuple(self.tree.score(group.problem, parts) for parts in zip(*columns, strict=True))
        return ScoredGroup(group=dataclasses.replace(group, failures=tuple(failures)), scores=scores)

    def _asked(self, problem: Problem) -> list[str]:
        """The parts that are asked: a judge costs, so none whose say a route keeps from this problem."""
        counted = [
            name
            for name, (_, verifier) in self.verifiers.items()
            if not hasattr(verifier, "score") or self.tree.config.counts(name, problem)
        ]
        read = {other for name in counted for other in self.verifiers[name][0].reads.values()}
        return [name for name in self.verifiers if name in counted or name in read]

    def _reads_others(self, name: str) -> bool:
        return bool(self.verifiers[name][0].reads)

    async def _columns(
        self, group: RolloutGroup, failures: list[Failure], names: Iterable[str]
    ) -> dict[str, list[Part]]:
        """Parts of every rollout by name; whatever one of them reads stands before it."""
        columns: dict[str, list[Part]] = {}
        for name in names:
            started = time.perf_counter()
            config, _ = self.verifiers[name]
            parts = await self._parts(name, group, columns, failures)
            self.seconds[name] += time.perf_counter() - started
            columns[name] = [_checked(config, part) for part in parts]
        return columns

    async def read_by(self, name: str, group: RolloutGroup) -> dict[str, list[Part]]:
        """What this part is shown of a group, for those who ask its judge themselves.

        Raises:
            PluginError: as `score`.
        """
        return await self._columns(group, [], self.verifiers[name][0].reads.values())

    async def _parts(
        self,
        name: str,
        group: RolloutGroup,
        columns: Mapping[str, list[Part]],
        failures: list[Failure],
    ) -> list[Part]:
        config, verifier = self.verifiers[name]
        read = {other: columns[other] for other in config.reads.values()}

        def lost(error: Exception) -> Part:
            what = str(error) if isinstance(error, RolloutFailure) else f"{type(error).__name__}: {error}"
            message = f"rewards.{config.name} on problem {group.problem.id}: {what}"
            failures.append(Failure(stage="score", kind=type(error).__name__, message=message))
            return Part(name=config.name, value=None, evidence=Evidence(note=message))

        def verdict(rollout: Rollout) -> Part:
            try:
                part: Part = verifier(group.problem, rollout)
            except UserError:
                raise
            except Exception as error:  # somebody's verifier: whatever it raises is data
                part = lost(error)
            return part

        if not hasattr(verifier, "score"):
            return [verdict(rollout) for rollout in group.rollouts]
        try:
            found = verifier.score(group, read) if read else verifier.score(group)
            parts = list(await found if inspect.isawaitable(found) else found)
        except UserError:
            raise
        except Exception as error:  # a judge sees the whole group
            parts = [lost(error)] * len(group.rollouts)
        if len(parts) != len(group.rollouts):
            raise PluginError(
                f"verifier {config.name!r} returned {len(parts)} parts for {len(group.rollouts)} rollouts of problem "
                f"{group.problem.id}; it must return one for each"
            )
        return parts

    def why(self, scored: Sequence[ScoredGroup]) -> str:
        """Why rollouts have no reward: the part that most of them lack and what it says itself; "": all have one."""
        lacking: Counter[str] = Counter()
        notes: dict[str, str] = {}
        root = self.tree.root
        for group in scored:
            reached = self.tree.config.reached(group.group.problem).parts
            for part in (part for score in group.scores if score.value is None for part in score.parts):
                matters = part.name in reached and (root or part.weight)
                if part.value is None and (matters or part.name == root):
                    lacking[part.name] += 1
                    notes.setdefault(part.name, part.evidence.note)
        if not lacking:
            return ""
        name = min(
            lacking, key=lambda name: (name == root, -lacking[name])
        )  # the root only repeats the others
        where = f"{'reward' if name == root else 'rewards'}.{name}"
        note = " ".join(notes[name].split())[:NOTE]
        return note if note.startswith(where) else f"{where}: {note}"

    def calibrate(
        self, scored: Sequence[ScoredGroup], further: Sequence[ScoredGroup] = ()
    ) -> list[ScoredGroup]:
        """Take these groups for the reference: fit the scales that the recipe asks for, and score the groups anew.

        No verifier runs again. `further` groups are of the reference only.

        Raises:
            UserError: a part has too few values here, or all equal.
        """
        rollouts = [
            (group.group.problem, self._own(score)) for group in (*scored, *further) for score in group.scores
        ]
        self.tree.fit(rollouts)
        return [
            dataclasses.replace(
                group,
                scores=tuple(self.tree.score(group.group.problem, self._own(item)) for item in group.scores),
            )
            for group in scored
        ]

    def _own(self, score: Score) -> list[Part]:
        """The parts that verifiers gave, not those made of them."""
        return [part for part in score.parts if part.name in self.verifiers]

    def check_calibrated(self) -> None:
        """For those who score without a run.

        Raises:
            UserError: a part needs a scale that only a run, or its file, can give.
        """
        if self.tree.needs_fit:
            raise UserError(
                f"reward.calibrate: {', '.join(self.tree.config.calibrate)}: no scale yet; set reward.calibration "
                "to the calibration.json in the folder of a run of this recipe"
            )

    def health(self, scored: Sequence[ScoredGroup]) -> dict[str, Metric]:
        """What parts say of themselves, and how often a missing part's weight was shared out where that is allowed."""
        groups = [group.group for group in scored]
        found: dict[str, Metric] = {}
        for _, verifier in self.verifiers.values():
            found |= verifier.health(groups) if hasattr(verifier, "health") else {}
        if not self.tree.can_renormalise:
            return found
        scores = [score for group in scored for score in group.scores]
        count = sum(self.tree.renormalised(score) for score in scores)
        return found | {"reward_health/renormalised": Mean(float(count), max(1, len(scores)))}

    def check(self) -> None:
        """Let every part that can say so say now that it cannot work here, before anything costs time.

        Raises:
            PluginError: parts lack what they need; each is named, in a line of its own.
        """
        problems = []
        for name, (_, verifier) in self.verifiers.items():
            try:
                if hasattr(verifier, "check"):
                    verifier.check()
            except UserError as error:
                problems.append(f"rewards.{name}: {error}")
        if problems:
            raise PluginError("\n".join(problems))

    def versions(self) -> dict[str, str]:
        """The version of the model behind each part, after `check`; parts that have none, or do not know it, are left out.

        Raises:
            UserError: a model cannot be loaded.
        """
        known = {name: getattr(verifier, "version", "") for name, (_, verifier) in self.verifiers.items()}
        return {name: version for name, version in known.items() if isinstance(version, str) and version}

    def close(self) -> None:
        """Release what verifiers hold, such as worker processes."""
        for _, verifier in self.verifiers.values():
            if hasattr(verifier, "close"):
                verifier.close()


def _checked(config: VerifierConfig, part: Part) -> Part:
    """The part under the recipe's name; its weight is the tree's business.

    Raises:
        PluginError: its value is not a finite number or None.
    """
    value = part.value
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
    ):
        raise PluginError(
            f"verifier {config.name!r} returned the value {value!r}; expected a finite number or None"
        )
    return dataclasses.replace(part, name=config.name)


def rubric_metrics(groups: Sequence[ScoredGroup]) -> dict[str, Metric]:
    """Reward, part and length metrics of one step under TRL's names."""
    metrics: dict[str, Metric] = {}
    values = [score.value for group in groups for score in group.scores if score.value is not None]
    if values:
        metrics["reward"] = Mean(math.fsum(values), len(values))
    spreads = [spread([s.value for s in group.scores if s.value is not None]) for group in groups]
    known = [item for item in spreads if item is not None]
    if known:
        metrics["reward_std"] = Mean(math.fsum(known), len(known))
        metrics["frac_reward_zero_std"] = Mean(float(sum(item == 0.0 for item in known)), len(known))
    names = dict.fromkeys(part.name for group in groups for score in group.scores for part in score.parts)
    for name in names:
        metrics |= _part_metrics(name, groups)
    return metrics | _length_metrics(groups)


def _part_metrics(name: str, groups: Sequence[ScoredGroup]) -> dict[str, Metric]:
    found = [
        part
        for group in groups
        for score in group.scores
        for part in score.parts
        if part.name == name and part.evidence != NOT_ASKED
    ]
    values = [part.value for part in found if part.value is not None]
    metrics: dict[str, Metric] = {
        f"rewards/{name}/unverified": Mean(float(len(found) - len(values)), len(found))
    }
    if values:
        mean = math.fsum(values) / len(values)
        variance = math.fsum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
        metrics[f"rewards/{name}/mean"] = Mean(math.fsum(values), len(values))
        metrics[f"rewards/{name}/std"] = Mean(math.sqrt(variance), 1)
    return metrics


def _length_metrics(groups: Sequence[ScoredGroup]) -> dict[str, Metric]:
    rollouts = [rollout for group in groups for rollout in group.group.rollouts]
    if not rollouts:
        return {}
    lengths = [float(rollout.num_tokens) for rollout in rollouts]
    ended = [float(rollout.num_tokens) for rollout in rollouts if not rollout.truncated]
    metrics: dict[str, Metric] = {
        "completions/mean_length": Mean(sum(lengths), len(lengths)),
        "completions/min_length": Mean(min(lengths), 1),
        "completions/max_length": Max(max(lengths)),
        "completions/clipped_ratio": Mean(float(len(lengths) - len(ended)), len(lengths)),
    }
    if ended:
        metrics["completions/mean_terminated_length"] = Mean(sum(ended), len(ended))
    return metrics
