"""Sampling and scoring of later steps while this one learns, with a fixed lag.

    staleness s:  step t learns from answers that the weights after update t - 1 - s gave (before that: the first weights)

    rollout thread    sample t+1 | sample t+2 | ...        a twin of the policy; each job brings its weights
    pipeline thread       score t+1 ... | score t+2 ...    the event loop in which rewards wait
    main thread       learn t    | learn t+1  | ...        the loop of every run (loop.py)

A job takes its copy of the weights when it begins, and it begins between two updates: what a step learns from depends on
its number and the lag, never on who was faster. So runs repeat, and a resumed run is the uninterrupted one.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from guerdon.core.errors import ConfigError
from guerdon.core.metrics import Max, Mean, Metric, Sum, values
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Problem, ScoredGroup
from guerdon.data.feed import Feed
from guerdon.models.loading import choose_device
from guerdon.models.logprobs import is_thread_safe
from guerdon.models.policy import Policy
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.background import Background
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.completions import Entry, write_groups
from guerdon.run.config import RunConfig
from guerdon.run.replay import read_groups
from guerdon.run.source import More, RolloutSource

PENDING = "pending"
"""Folder of a checkpoint: the groups of later steps, one Parquet file a step, their metrics beside them."""


class Snapshot(NamedTuple):
    """The trained weights as they were."""

    weights: Mapping[str, Tensor]
    version: int


class Scored(NamedTuple):
    """What a job gives."""

    groups: list[ScoredGroup]
    metrics: dict[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How far the sampler may be ahead."""

    staleness: int
    problems_per_step: int
    max_steps: int
    in_order: Callable[[], bool]
    """Whether a step's answers must not be scored before those of the step before: scales are still to be fitted, or a
    model in this process judges whole batches."""


class PipelinedSource:
    """`Source` of a policy that goes on learning while its twin samples."""

    def __init__(
        self,
        policy: Policy,
        make: Callable[[int, Snapshot], RolloutSource],
        *,
        lag: Lag,
        feed: Feed,
        background: Background,
    ) -> None:
        """Threads start with the first step.

        Args:
            policy: the one that learns; its weights are copied between updates.
            make: a source of one step's groups, which samples in `background` with the weights of the snapshot.
            lag: how far ahead.
            feed: the stage's own; looked ahead in, never moved.
            background: the thread of the twin; closed with this.
        """
        self.policy = policy
        self.make = make
        self.lag = lag
        self.feed = feed
        self.background = background
        self.metrics: dict[str, Metric] = {}
        self._jobs: dict[int, Future[Scored]] = {}
        self._ahead: Feed | None = None
        self._reached = 0
        self._loop: _Loop | None = None

    async def scored(self, step: int, problems: Sequence[Problem]) -> list[ScoredGroup]:
        """As `Source.scored`.

        Raises:
            Exception: whatever sampling or scoring this step has raised.
        """
        self._begin(step, problems)
        started = time.perf_counter()
        found = await asyncio.wrap_future(self._jobs[step])
        del self._jobs[step]
        waited = time.perf_counter() - started
        self.metrics = {**found.metrics, **self._ages(found.groups), "timing_s/wait": Sum(waited)}
        return found.groups

    def _begin(self, step: int, problems: Sequence[Problem]) -> None:
        """Start the jobs that the weights at hand are for, and those that nothing has started."""
        if self._ahead is None:  # the stage has just taken this step's problems
            self._ahead, self._reached = self.feed.fork(), step - 1
        snapshot: Snapshot | None = None
        last = min(step + self.lag.staleness, self.lag.max_steps)
        for number in range(self._reached + 1, last + 1):
            taken = problems if number == step else self._ahead.take(self.lag.problems_per_step)
            if number not in self._jobs:
                snapshot = snapshot or Snapshot(self.policy.snapshot(), self.policy.version)
                self._jobs[number] = self._start(number, taken, snapshot)
        self._reached = last

    def _start(self, step: int, problems: Sequence[Problem], snapshot: Snapshot) -> Future[Scored]:
        source = self.make(step, snapshot)
        before = self._jobs.get(step - 1) if self.lag.in_order() else None

        async def job() -> Scored:
            if before:
                await asyncio.gather(asyncio.wrap_future(before), return_exceptions=True)
            return Scored(await source.scored(step, problems), source.metrics)

        self._loop = self._loop or _Loop()
        return self._loop.submit(job())

    def _ages(self, groups: Sequence[ScoredGroup]) -> dict[str, Metric]:
        """Updates between the weights that gave the answers and those that learn from them."""
        turns = [turn for group in groups for rollout in group.group.rollouts for turn in rollout.turns]
        if not turns:
            return {}
        ages = [float(self.policy.version - turn.version) for turn in turns]
        return {
            "sampling/staleness/mean": Mean(math.fsum(ages), len(ages)),
            "sampling/staleness/max": Max(max(ages)),
        }

    def save(self, folder: Path) -> None:
        """Wait for the steps that are under way and write them down; one that fails will be sampled anew, and all after it.

        Raises:
            OSError: the disk.
        """
        place = folder / PENDING
        for step in sorted(self._jobs):
            if self._jobs[step].exception():
                return
            found = self._jobs[step].result()
            place.mkdir(exist_ok=True)
            write_groups(place / f"{step:05d}.parquet", step, [Entry(group) for group in found.groups])
            (place / f"{step:05d}.json").write_text(json.dumps(values(found.metrics)), encoding="utf-8")

    def restore(self, folder: Path) -> None:
        """Continue from what `save` wrote."""
        for path in sorted((folder / PENDING).glob("*.parquet")):
            numbers: dict[str, float] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            metrics: dict[str, Metric] = {name: Mean(value, 1) for name, value in numbers.items()}
            done: Future[Scored] = Future()
            done.set_result(Scored(read_groups(path), metrics))
            self._jobs[int(path.stem)] = done

    def close(self) -> None:
        """End the threads; what is under way is thrown away."""
        self.background.stop()
        if self._loop:
            self._loop.close()
        self.background.close()


def pipelined(
    policy: Policy,
    rubric: Rubric,
    source: Callable[[Rollouter, Background, More], RolloutSource],
    *,
    config: RunConfig,
    feed: Feed,
) -> PipelinedSource:
    """The source of a recipe whose staleness is above 0.

    Args:
        policy: the one that learns.
        rubric: scores.
        source: a source of one step's groups: what samples, where, and where further problems come from.
        config: the recipe.
        feed: the stage's own.

    Raises:
        ConfigError: this machine cannot multiply in two threads at once in the policy's number format.
    """
    settings = config.rollout
    twin = policy.twin(choose_device(settings.device, "rollout.device") if settings.device else None)
    if not all(is_thread_safe(one.causal_lm.get_output_embeddings().weight) for one in (policy, twin)):
        raise ConfigError(
            f"rollout.staleness: {settings.staleness}, but bfloat16 products of this CPU cannot run in two threads; "
            'set model.dtype = "float32", or staleness = 0'
        )
    engine = LocalEngine(twin, max_batch_rows=settings.max_batch_rows)
    background = Background(stop=engine.stop, num_threads=settings.num_threads)

    def make(step: int, snapshot: Snapshot) -> RolloutSource:
        # Which groups are replaced is known late, so the replacements cannot come from the feed that others look ahead in.
        more = feed.shuffled(derive_seed(config.seed, "refill", step)).take
        rollouter = Rollouter(twin, engine, begin=lambda: twin.load(*snapshot))
        return source(rollouter, background, more)

    return PipelinedSource(
        policy,
        make,
        lag=Lag(
            staleness=settings.staleness,
            problems_per_step=settings.num_problems,
            max_steps=config.train.max_steps,
            in_order=lambda: rubric.tree.needs_fit or rubric.runs("device"),
        ),
        feed=feed,
        background=background,
    )


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

        async def serve() -> None:
            ending = asyncio.Event()
            ready.set_result((asyncio.get_running_loop(), ending))
            await ending.wait()

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), name="pipeline", daemon=True)
        self._thread.start()
        self._loop, self._ending = ready.result()

    def submit(self, job: Coroutine[Any, Any, Scored]) -> Future[Scored]:
        return asyncio.run_coroutine_threadsafe(job, self._loop)

    def close(self) -> None:
        """Cancel what is left, and wait for it."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
