"""Where scored groups come from: the policy's own rollouts, somebody's worked solutions, or a recorded run."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Protocol

from guerdon.core.errors import DataError
from guerdon.core.metrics import Metric, Sum
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Problem, RolloutGroup, Score, ScoredGroup
from guerdon.models.policy import Policy
from guerdon.rewards.calibration import Calibration
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.signal import has_signal
from guerdon.rollout.background import Background, Sample
from guerdon.rollout.config import RolloutConfig
from guerdon.rollout.rollouter import GroupDone, Rollouter
from guerdon.run.references import References
from guerdon.train.supervised import demonstrations

More = Callable[[int], list[Problem]]
"""Takes so many further problems."""
MIN_REFERENCE = 16
"""Rollouts that a scale needs at least, where the first step has so many: a route may leave few of them to a part."""


class Source(Protocol):
    """One step's problems to scored groups."""

    metrics: dict[str, Metric]
    """What the last call cost, by metric name."""

    async def scored(self, step: int, problems: Sequence[Problem]) -> list[ScoredGroup]:
        """Groups of this step, scored."""
        ...


def streams(rubric: Rubric) -> bool:
    """Whether groups gain from being scored one by one as they end: something waits elsewhere, and no model in this process
    would rather have them all at once.
    """
    return rubric.runs("elsewhere") and not rubric.runs("device")


class RolloutSource:
    """Samples from the policy and scores; replaces groups without a learning signal, a bounded number of times."""

    def __init__(
        self,
        rollouter: Rollouter,
        rubric: Rubric,
        config: RolloutConfig,
        *,
        seed: int,
        more: More,
        pool: Sequence[Problem] = (),
        keep: Callable[[Calibration], None] | None = None,
        by_part: bool = False,
        references: References | None = None,
        background: Background | None = None,
    ) -> None:
        """A rubric without the scales it asks for takes its first rollouts for the reference.

        Args:
            rollouter: samples.
            rubric: scores.
            config: how to sample, and how often to replace groups that teach nothing.
            seed: of the sampling.
            more: takes further problems.
            pool: the training problems, of which some are sampled for the reference alone where a route leaves too few.
            keep: writes the scales down, before anything is learned from them.
            by_part: whether the estimator sees parts, so that equal sums of different parts teach.
            references: responses that shaped reward models compare with; sampled when a prompt first comes up.
            background: samples, so that groups are scored while others are still being written, or while others learn.
        """
        self.rollouter = rollouter
        self.rubric = rubric
        self.config = config
        self.seed = seed
        self.more = more
        self.pool = pool
        self.keep = keep
        self.by_part = by_part
        self.references = references
        self.background = background
        self.metrics: dict[str, Metric] = {}

    async def scored(self, step: int, problems: Sequence[Problem]) -> list[ScoredGroup]:
        """As `Source.scored`."""
        self.metrics = {"timing_s/rollout": Sum(0.0), "timing_s/score": Sum(0.0)}
        groups = await self._sample(step, problems)
        refilled = 0
        for _ in range(self.config.dynamic_sampling_rounds):
            empty = [
                index for index, group in enumerate(groups) if not has_signal(group, by_part=self.by_part)
            ]
            if not empty:
                break
            fresh = await self._sample(step, self.more(len(empty)))
            for index, group in zip(empty, fresh, strict=True):
                groups[index] = group
            refilled += len(empty)
        self.metrics["signal/groups_refilled"] = Sum(float(refilled))
        self.metrics |= self.rubric.health(groups)
        return groups

    async def _sample(self, step: int, problems: Sequence[Problem]) -> list[ScoredGroup]:
        started = time.perf_counter()
        if self.references:
            await self.references.fill(problems)
        filled = time.perf_counter()
        clock: list[float] = []
        scored = await self._rollout(problems, derive_seed(self.seed, "rollout", step), clock)
        if self.rubric.tree.needs_fit:
            scored = self.rubric.calibrate(scored, await self._further(scored))
            if self.keep and self.rubric.tree.calibration:
                self.keep(self.rubric.tree.calibration)
        began, ended = clock
        self._add("timing_s/rollout", filled - started + ended - began)
        self._add("timing_s/score", time.perf_counter() - ended)
        self._add(
            "cost/sampled_tokens", float(sum(r.num_tokens for group in scored for r in group.group.rollouts))
        )
        return scored

    async def _rollout(self, problems: Sequence[Problem], seed: int, clock: list[float]) -> list[ScoredGroup]:
        """Groups of these problems, scored; when their sampling began and ended goes onto the clock."""

        def sample(done: GroupDone | None) -> list[RolloutGroup]:
            clock.append(time.perf_counter())
            groups = self.rollouter.rollout(
                problems,
                self.config,
                num_generations=self.config.num_generations,
                seed=seed,
                done=done,
            )
            clock.append(time.perf_counter())
            return groups

        return await self._scored(sample)

    async def _further(self, scored: Sequence[ScoredGroup]) -> list[ScoredGroup]:
        """Groups for the reference alone, where routes leave a part too few of these.

        Their problems are not taken from the feed, so a resume finds it as it was.
        """
        config, seed = self.rubric.tree.config, derive_seed(self.seed, "calibrate")
        wanted = min(math.ceil(MIN_REFERENCE / self.config.num_generations), len(scored))
        found = [group.group.problem for group in scored]
        sampled = {problem.id for problem in found}
        rest = array("Q", (at for at, problem in enumerate(self.pool) if problem.id not in sampled))
        random.Random(seed).shuffle(rest)
        for name in config.calibrate:
            lacking = wanted - sum(config.counts(name, problem) for problem in found)
            if lacking > 0:
                others = (self.pool[at] for at in rest)
                fitting = (one for one in others if config.counts(name, one) and one not in found)
                found += list(itertools.islice(fitting, lacking))
        further = found[len(scored) :]
        if further and self.references:
            await self.references.fill(further)
        return await self._rollout(further, seed, []) if further else []

    async def _scored(self, sample: Sample) -> list[ScoredGroup]:
        if self.background is None:
            return await self.rubric.score(sample(None))
        if not streams(self.rubric):
            return await self.rubric.score(await self.background.rollout(sample))
        tasks: dict[int, asyncio.Task[list[ScoredGroup]]] = {}

        def begin(place: int, group: RolloutGroup) -> None:
            tasks[place] = asyncio.ensure_future(self.rubric.score([group]))

        try:
            await self.background.rollout(sample, begin)
            found = await asyncio.gather(*(tasks[place] for place in sorted(tasks)))
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        return [scored for (scored,) in found]

    def _add(self, name: str, value: float) -> None:
        before = self.metrics.get(name, Sum(0.0))
        assert isinstance(before, Sum)
        self.metrics[name] = before + Sum(value)


class DemonstrationSource:
    """Worked solutions, each a group of one with score 1."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.metrics: dict[str, Metric] = {}

    async def scored(self, step: int, problems: Sequence[Problem]) -> list[ScoredGroup]:
        """As `Source.scored`."""
        return [_solved(group) for group in demonstrations(problems, self.policy)]


class ReplaySource:
    """The recorded rollouts of another run, step by step; nothing is generated and nothing is scored again."""

    def __init__(self, recorded: dict[int, list[ScoredGroup]]) -> None:
        self.recorded = recorded
        self.metrics: dict[str, Metric] = {}

    async def scored(self, step: int, problems: Sequence[Problem]) -> list[ScoredGroup]:
        """As `Source.scored`.

        Raises:
            DataError: the recorded run has no such step.
        """
        if step not in self.recorded:
            raise DataError(
                f"--replay-rollouts: no rollouts of step {step}; the recorded run has {len(self.recorded)} steps: "
                f"set train.max_steps={len(self.recorded)}"
            )
        return self.recorded[step]


def _solved(group: RolloutGroup) -> ScoredGroup:
    return ScoredGroup(group=group, scores=(Score(value=1.0, parts=()),))
