"""One stage of a run: its stations, its place in the data, and what it writes down after each step."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from guerdon.core.errors import GuerdonError, UserError
from guerdon.core.metrics import values
from guerdon.core.types import CreditedGroup, Json, Problem, ScoredGroup, StepReport
from guerdon.data.feed import Feed
from guerdon.rewards.diversity import diversity_metrics
from guerdon.rewards.rubric import rubric_metrics
from guerdon.rewards.signal import Wrongs, account, describe
from guerdon.run.pipeline import PipelinedSource
from guerdon.run.source import Source
from guerdon.train.algorithms import Objective
from guerdon.train.batch import PackedBatch, pack
from guerdon.train.learner import PolicyLearner

LOGPROB_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.15}
"""Largest mean |sampler - learner| log-probability before an update; more means the sampler has other weights."""


class SelfTestError(GuerdonError, RuntimeError):
    """The sampler and the learner do not hold the same weights."""


class InterruptedRunError(GuerdonError, KeyboardInterrupt):
    """Stopped by the user after a finished, saved step."""


@dataclass(frozen=True, slots=True)
class StageSettings:
    """What the recipe says about one stage."""

    name: str
    problems_per_step: int
    max_steps: int
    max_tokens_per_microbatch: int
    max_completion_length: int
    num_iterations: int = 1
    minibatches: int = 1
    mask_truncated: bool = False
    ref_sync_steps: int | None = None
    ref_mixup: float = 1.0
    save_steps: int = 25
    max_failed_steps: int = 3
    on_policy: bool = True
    """Whether the groups are answers that a policy gave; only then are their rewards news."""
    self_test: bool = True
    """Whether they were sampled from these very weights, so that sampler and learner must agree; not in a replay."""


class Learner(Protocol):
    """Whatever turns packed batches into new weights: of a policy, or of a reward model."""

    @property
    def policy(self) -> Any:
        """The model that learns; its device and number format are asked for."""
        ...

    num_steps: int

    def step(self, batches: Sequence[Any]) -> StepReport:
        """One update per batch, in order."""
        ...

    def state_tensors(self) -> dict[str, Tensor]:
        """Everything a bit-exact resume needs besides the number of steps."""
        ...

    def load_state_tensors(self, tensors: Mapping[str, Tensor], *, num_steps: int, version: int) -> None:
        """Continue from `state_tensors`."""
        ...

    def close(self) -> None:
        """Let go of the parameters."""
        ...


class Watch(Protocol):
    """Whatever looks at every step and may end the stage: the monitor against hacking, or against collapse."""

    stops: bool

    def observe(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """After the update of a step; returns metrics of its own."""
        ...

    def state(self) -> dict[str, Json]:
        """Everything a bit-exact resume needs besides the tensors."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """The tensors."""
        ...

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from `state` and `tensors`."""
        ...


@dataclass(slots=True)
class Progress:
    """Where the stage stands; all of it is saved in a checkpoint."""

    step: int = 0
    num_tokens: int = 0
    failed_steps: int = 0
    scored_steps: int = 0
    """Steps of which at least one rollout could be scored."""
    is_stopped: bool = False
    """Whether its guard has ended the stage before its last step."""


@dataclass(slots=True)
class Stage:
    """The stations of one stage and its recorder."""

    settings: StageSettings
    objective: Objective
    source: Source
    learner: Learner
    pack: Callable[[Sequence[CreditedGroup]], Sequence[Any]]
    """Credited groups to one packed batch per optimiser update."""
    feed: Feed
    write: Callable[[str, int, dict[str, float], Sequence[CreditedGroup], str], None]
    """(stage, step, metrics, credited, one line for people): to the run folder, the sinks and the progress bar."""
    save: Callable[[Stage], None]
    interrupted: Callable[[], bool]
    progress: Progress = field(default_factory=Progress)
    guard: Watch | None = None
    """Watches for reward hacking, where the recipe says so, or for the collapse of a reward model."""
    why: Callable[[Sequence[ScoredGroup]], str] = lambda _: ""
    """What the parts themselves say of rollouts that have no reward."""
    wrongs: Wrongs | None = None
    """Which parts say right or wrong; None: all."""
    unscored: str = ""
    """Why the last step without any reward had none."""

    @property
    def pipeline(self) -> PipelinedSource | None:
        """Its source, if that samples later steps while this one learns."""
        return self.source if isinstance(self.source, PipelinedSource) else None

    def batches(self) -> Iterator[tuple[int, list[Problem]]]:
        """(1-based step, its problems) until the stage is done."""
        while self.progress.step < self.settings.max_steps and not self.progress.is_stopped:
            self.progress.step += 1
            yield self.progress.step, self.feed.take(self.settings.problems_per_step)

    def record(
        self, step: int, credited: Sequence[CreditedGroup], report: StepReport, *, started: float
    ) -> None:
        """Metrics, transcripts, checks, checkpoint; then stop if the user asked."""
        scored = [group.scored for group in credited]
        signal = account(scored, by_part=self.objective.by_part, wrongs=self.wrongs)
        rewards = {**values(rubric_metrics(scored)), **values(signal)} if self.settings.on_policy else {}
        metrics = {**rewards, **values(self.source.metrics), **report.metrics}
        if self.guard:
            if self.settings.on_policy:
                metrics |= values(diversity_metrics([group.group for group in scored]))
            metrics |= self.guard.observe(step, metrics)
            self.progress.is_stopped = self.guard.stops
        self.progress.num_tokens += sum(
            len(turn.prompt_ids) + len(turn.completion_ids)
            for group in scored
            for rollout in group.group.rollouts
            for turn in rollout.turns
        )
        seconds = time.perf_counter() - started
        metrics |= {
            "num_tokens": float(self.progress.num_tokens),
            "step_time": seconds,
            "memory/peak_rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        }
        if (sampled := metrics.get("cost/sampled_tokens")) and metrics.get("timing_s/rollout"):
            metrics["cost/tokens_per_s"] = sampled / metrics["timing_s/rollout"]
        self._check(step, credited, metrics)
        self._sync_reference(step)
        self.write(self.settings.name, step, metrics, credited, describe(signal))
        last = step == self.settings.max_steps or self.progress.is_stopped
        stop = self.interrupted()
        if last or stop or step % self.settings.save_steps == 0:
            self.save(self)
        if stop:
            raise InterruptedRunError(
                f"stopped after step {step} of {self.settings.name}; everything is saved"
            )

    def _check(self, step: int, credited: Sequence[CreditedGroup], metrics: dict[str, float]) -> None:
        """The failure budget and the sampler's self-test."""
        if any(score.value is not None for group in credited for score in group.scored.scores):
            self.progress.scored_steps += 1
            self.progress.failed_steps = 0
        else:
            self.progress.failed_steps += 1
            self.unscored = self._why(credited)
        if self.progress.failed_steps > self.settings.max_failed_steps:
            raise UserError(
                f"{self.settings.name} step {step}: no rollout could be scored in {self.progress.failed_steps} steps in a "
                f"row; last reason: {self.unscored}"
            )
        gap = metrics.get("sampling/sampling_logp_difference/mean")
        dtype = str(self.learner.policy.dtype).removeprefix("torch.")
        if (
            gap is not None
            and self.settings.on_policy
            and self.settings.self_test
            and not metrics.get("sampling/staleness/max")  # older weights may differ
            and gap > LOGPROB_TOLERANCE[dtype]
        ):
            raise SelfTestError(
                f"{self.settings.name} step {step}: sampler and learner disagree by {gap:.3g} nats per token on average "
                f"(tolerance {LOGPROB_TOLERANCE[dtype]} in {dtype}): the rollouts do not come from these weights"
            )

    def _why(self, credited: Sequence[CreditedGroup]) -> str:
        scored = [group.scored for group in credited]
        failures = [failure.message for group in scored for failure in group.group.failures]
        known = (
            "every verdict was could-not-verify" if self.settings.on_policy else "all responses are too long"
        )
        return self.why(scored) or (failures[-1] if failures else known)

    def nothing_learned(self) -> str:
        """Of a stage that has ended and had no reward in any step: that, and why; else ""."""
        if self.progress.scored_steps or not self.progress.step:
            return ""
        return (
            f"none of the {self.progress.step} steps could be scored, so nothing was learned; last reason: "
            f"{self.unscored or 'told when they were made'}"
        )

    def _sync_reference(self, step: int) -> None:
        every = self.settings.ref_sync_steps
        if every and step % every == 0 and isinstance(self.learner, PolicyLearner):
            self.learner.refresh_reference(self.settings.ref_mixup)


def policy_packer(
    settings: StageSettings, objective: Objective, device: torch.device
) -> Callable[[Sequence[CreditedGroup]], list[PackedBatch]]:
    """How a policy's groups are packed: split into minibatches, passed over `num_iterations` times."""

    def pack_step(credited: Sequence[CreditedGroup]) -> list[PackedBatch]:
        size = math.ceil(len(credited) / settings.minibatches)
        batches = [
            pack(
                credited[start : start + size],
                max_tokens=settings.max_tokens_per_microbatch,
                max_length=settings.max_completion_length,
                skip_zero=objective.surrogate_only,
                mask_truncated=settings.mask_truncated,
                device=device,
            )
            for start in range(0, len(credited), size)
        ]
        return batches * settings.num_iterations

    return pack_step
