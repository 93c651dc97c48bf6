from __future__ import annotations

import asyncio
import functools
import threading

import pytest

from guerdon.core.types import Problem, RolloutGroup
from guerdon.models.policy import Policy
from guerdon.rollout.background import Background
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.local import LocalEngine, StoppedError
from guerdon.rollout.rollouter import GroupDone, Rollouter

SAMPLING = SamplingConfig(max_completion_length=12)


def sampler(policy: Policy, problems: list[Problem], sampling: SamplingConfig) -> tuple[LocalEngine, object]:
    engine = LocalEngine(policy, max_batch_rows=4)
    sample = functools.partial(
        Rollouter(policy, engine).rollout, problems, sampling, num_generations=3, seed=5
    )
    return engine, sample


def test_groups_are_those_of_this_thread_and_told_in_the_event_loop_as_they_end(
    tiny: Policy, problems: list[Problem]
) -> None:
    engine, sample = sampler(tiny, problems, SAMPLING)
    here = sample()  # type: ignore[operator]
    background = Background(stop=engine.stop)
    told: dict[int, RolloutGroup] = {}
    threads: set[int] = set()
    ended: list[int] = []

    def each(place: int, group: RolloutGroup) -> None:
        told[place] = group
        threads.add(threading.get_ident())
        ended.append(len(told))

    def run(done: GroupDone | None) -> list[RolloutGroup]:
        found = sample(done=done)  # type: ignore[operator]
        ended.append(-1)
        return found  # type: ignore[no-any-return]

    try:
        there = asyncio.run(background.rollout(run, each))
    finally:
        background.close()
    assert there == here  # bit for bit, log-probabilities included
    assert [told[place] for place in range(len(problems))] == here
    assert threads == {threading.get_ident()}
    assert ended.index(-1) > 0  # the first were told while others were still being written


def test_what_sampling_raises_is_raised_here(tiny: Policy) -> None:
    background = Background(stop=lambda: None)

    def fails(done: GroupDone | None) -> list[RolloutGroup]:
        raise ZeroDivisionError("on purpose")

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        asyncio.run(background.rollout(fails))
    background.close()


def test_who_stops_waiting_stops_the_sampling(tiny: Policy, problems: list[Problem]) -> None:
    long = SamplingConfig(max_completion_length=900, temperature=5.0)
    engine, sample = sampler(tiny, problems, long)
    background = Background(stop=engine.stop)
    ends: list[BaseException] = []

    def run(done: GroupDone | None) -> list[RolloutGroup]:
        try:
            return sample(done=done)  # type: ignore[operator, no-any-return]
        except BaseException as error:
            ends.append(error)
            raise

    async def leave() -> None:
        await asyncio.wait_for(background.rollout(run), 0.2)

    with pytest.raises(TimeoutError):
        asyncio.run(leave())
    background.close()
    assert [type(error) for error in ends] == [StoppedError]
