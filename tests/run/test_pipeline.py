"""The pipeline by hand: a real learner, a real sampler, and judges that take their time."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from guerdon.core.errors import ConfigError, PluginError
from guerdon.core.types import CreditedGroup, Message, Part, Problem, RolloutGroup, ScoredGroup
from guerdon.data.feed import Feed
from guerdon.models.config import LoraConfig, ModelConfig
from guerdon.models.loading import load_policy
from guerdon.models.policy import Policy
from guerdon.rewards.chance import RandomVerifier
from guerdon.rewards.config import RandomVerifierConfig
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.background import Background
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.config import RunConfig
from guerdon.run.loop import train
from guerdon.run.pipeline import pipelined
from guerdon.run.source import More, RolloutSource, Source
from guerdon.run.stage import SelfTestError, Stage, StageSettings, policy_packer
from guerdon.train import algorithms
from guerdon.train.learner import PolicyLearner

STEPS = 5
PROBLEMS = [
    Problem(
        id=f"p{number}", messages=(Message(role="user", content=f"{number} + 1 ="),), target=str(number + 1)
    )
    for number in range(7)
]
ANY = RandomVerifierConfig(name="coin", seed=4)


class WaitsConfig(RandomVerifierConfig):
    """A coin that takes its time."""

    runs = "elsewhere"


class DeviceConfig(RandomVerifierConfig):
    """A coin that wants whole batches."""

    runs = "device"


class Waits:
    """A judge elsewhere: the coin's verdicts, each group's after a while."""

    def __init__(self, pause_s: Callable[[str], float] = lambda name: 0.0) -> None:
        self.config: RandomVerifierConfig = WaitsConfig(name="coin", seed=4)
        self.pause_s = pause_s
        self.coin = RandomVerifier(ANY)
        self.scoring: list[str] = []

    async def score(self, group: RolloutGroup) -> list[Part]:
        self.scoring.append(f"{group.problem.id} begins")
        await asyncio.sleep(self.pause_s(group.problem.id))
        self.scoring.append(f"{group.problem.id} ends")
        return [self.coin(group.problem, rollout) for rollout in group.rollouts]


class Fails(Waits):
    """Breaks down when it has judged so many groups."""

    async def score(self, group: RolloutGroup) -> list[Part]:
        if len(self.scoring) >= 4:
            raise PluginError("the judge broke down")
        return await super().score(group)


def recipe(staleness: int, **rollout: Any) -> RunConfig:
    return RunConfig.model_validate(
        {
            "name": "x",
            "stages": ["grpo"],
            "model": {"source": "builtin:tiny"},
            "data": {"train": {"kind": "arith"}},
            "rollout": {
                "num_generations": 3, "generation_batch_size": 6, "max_completion_length": 8, "staleness": staleness,
                **rollout,
            },
            "rewards": {"coin": {"kind": "random"}},
            "algorithm": {"importance_sampling_correction": "truncate"},
            "train": {"max_steps": STEPS, "learning_rate": 3e-3},
            "eval": {"num_problems": 0},
        }
    )  # fmt: skip


@dataclasses.dataclass
class Ran:
    """What a run left."""

    policy: Policy
    metrics: list[dict[str, float]] = dataclasses.field(default_factory=list)
    groups: list[list[ScoredGroup]] = dataclasses.field(default_factory=list)
    weights: list[dict[str, torch.Tensor]] = dataclasses.field(default_factory=list)
    """After each update; first of all those that it began with."""

    def learned(self) -> list[dict[str, float]]:
        """Without seconds and what only a pipeline tells."""
        other = ("timing_s/", "cost/tokens", "memory/", "step_time", "sampling/staleness")
        return [{k: v for k, v in step.items() if not k.startswith(other)} for step in self.metrics]


def source_of(
    policy: Policy, config: RunConfig, judge: Any, feed: Feed, *, pipeline: bool
) -> tuple[Source, Callable[[], None]]:
    rubric = Rubric({"coin": (judge.config, judge)})

    def source(rollouter: Rollouter, background: Background | None, more: More) -> RolloutSource:
        return RolloutSource(rollouter, rubric, config.rollout, seed=11, more=more, background=background)

    if pipeline:
        made = pipelined(policy, rubric, source, config=config, feed=feed)
        return made, made.close
    return source(Rollouter(policy, LocalEngine(policy)), None, feed.take), lambda: None


def stage_of(
    ran: Ran, config: RunConfig, judge: Any, *, pipeline: bool = True
) -> tuple[Stage, Callable[[], None]]:
    objective = algorithms.resolve(config.algorithm)
    settings = StageSettings(
        name="grpo", problems_per_step=config.rollout.num_problems, max_steps=STEPS,
        max_tokens_per_microbatch=512, max_completion_length=8, save_steps=1000, max_failed_steps=3,
    )  # fmt: skip
    feed = Feed(PROBLEMS, seed=5, shuffle=True)
    made, close = source_of(ran.policy, config, judge, feed, pipeline=pipeline)

    def write(
        stage: str, step: int, metrics: dict[str, float], credited: Sequence[CreditedGroup], line: str
    ) -> None:
        ran.metrics.append(metrics)
        ran.groups.append([item.scored for item in credited])
        ran.weights.append(ran.policy.snapshot())

    stage = Stage(
        settings=settings, objective=objective, source=made,
        learner=PolicyLearner(ran.policy, objective, config.train),
        pack=policy_packer(settings, objective, ran.policy.device), feed=feed, write=write,
        save=lambda stage: None, interrupted=lambda: False,
    )  # fmt: skip
    ran.weights.append(ran.policy.snapshot())
    return stage, close


def loaded(*, lora: bool = False) -> Policy:
    return load_policy(ModelConfig(source="builtin:tiny", lora=LoraConfig(r=4) if lora else None), seed=0)


def run(config: RunConfig, judge: Any, *, pipeline: bool = True, lora: bool = False) -> Ran:
    ran = Ran(loaded(lora=lora))
    stage, close = stage_of(ran, config, judge, pipeline=pipeline)
    try:
        asyncio.run(train(stage))
    finally:
        close()
    return ran


def assert_same(one: Ran, other: Ran) -> None:
    assert one.learned() == other.learned()
    assert one.groups == other.groups
    for ours, theirs in zip(one.weights, other.weights, strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@contextmanager
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert {thread.name for thread in set(threading.enumerate()) - before} == set()


@pytest.mark.slow
@pytest.mark.parametrize("lora", [False, True])
def test_without_a_lag_the_pipeline_is_the_synchronous_loop_bit_for_bit(lora: bool) -> None:
    alone = run(recipe(0), Waits(), pipeline=False, lora=lora)
    ahead = run(recipe(0), Waits(lambda name: 0.01), lora=lora)
    assert_same(ahead, alone)
    assert not all(torch.equal(alone.weights[0][name], alone.weights[-1][name]) for name in alone.weights[0])
    assert all(step["sampling/staleness/max"] == 0 for step in ahead.metrics)


@pytest.mark.slow
@pytest.mark.parametrize("staleness", [1, 2])
def test_each_step_learns_from_the_weights_that_its_number_says(staleness: int) -> None:
    ran = run(recipe(staleness), Waits())
    ages = [step["sampling/staleness/mean"] for step in ran.metrics]
    assert ages == [min(staleness, number) for number in range(STEPS)]
    feed = Feed(PROBLEMS, seed=5, shuffle=True)
    for number, groups in enumerate(ran.groups):
        then = loaded()
        then.load(ran.weights[max(0, number - staleness)], max(0, number - staleness))
        again, _ = source_of(then, recipe(0), Waits(), feed, pipeline=False)
        assert asyncio.run(again.scored(number + 1, feed.take(2))) == groups


@pytest.mark.slow
def test_who_is_slow_changes_nothing() -> None:
    """Groups replaced (dynamic sampling) and all: they are known at other times, but they are the same."""
    config = recipe(2, dynamic_sampling_rounds=2)
    quick = run(config, Waits())
    slow = run(config, Waits(lambda name: 0.05 * (int(name[1:]) % 3)))
    assert_same(slow, quick)
    assert sum(step["signal/groups_refilled"] for step in quick.metrics) > 0


@pytest.mark.slow
def test_what_was_pending_is_read_back_and_the_end_is_the_same(tmp_path: Path) -> None:
    straight = run(recipe(2), Waits())
    first = Ran(loaded())
    stage, close = stage_of(first, recipe(2), Waits())
    stage.interrupted = lambda: stage.progress.step == 2
    kept: list[Any] = []

    def save(stage: Stage) -> None:
        assert stage.pipeline
        stage.pipeline.save(tmp_path)
        tensors = {name: tensor.clone() for name, tensor in stage.learner.state_tensors().items()}
        kept.append((tensors, stage.learner.num_steps, first.policy.version, stage.feed.state()))

    stage.save = save
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(train(stage))
    close()
    assert sorted(path.name for path in (tmp_path / "pending").glob("*.parquet")) == [
        "00003.parquet",
        "00004.parquet",
    ]
    second = Ran(loaded())
    stage, close = stage_of(second, recipe(2), Waits())
    tensors, steps, version, place = kept[0]
    stage.learner.load_state_tensors(tensors, num_steps=steps, version=version)
    stage.feed.restore(place)
    stage.progress = dataclasses.replace(
        stage.progress, step=2, num_tokens=int(straight.metrics[1]["num_tokens"])
    )
    assert stage.pipeline
    stage.pipeline.restore(tmp_path)
    asyncio.run(train(stage))
    close()
    assert second.learned() == straight.learned()[2:]
    assert second.groups == straight.groups[2:]
    assert all(
        torch.equal(second.weights[-1][name], straight.weights[-1][name]) for name in straight.weights[-1]
    )


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", [False, True])
def test_a_judge_that_breaks_is_the_same_error_at_the_same_step(pipeline: bool) -> None:
    ran = Ran(loaded())
    with no_thread_left():
        stage, close = stage_of(ran, recipe(2 if pipeline else 0), Fails(), pipeline=pipeline)
        with pytest.raises(PluginError, match="the judge broke down"):
            asyncio.run(train(stage))
        close()
    assert len(ran.metrics) == 1  # its fourth note is in the second step


@pytest.mark.slow
def test_a_sampler_with_other_weights_than_the_learner_is_found_in_the_first_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snapshot = Policy.snapshot
    monkeypatch.setattr(
        Policy, "snapshot", lambda self: {name: weight + 0.05 for name, weight in snapshot(self).items()}
    )
    with pytest.raises(SelfTestError):
        run(recipe(1), Waits())


@pytest.mark.slow
def test_a_model_in_this_process_judges_one_steps_answers_after_the_others() -> None:
    judge = Waits(lambda name: 0.05)
    judge.config = DeviceConfig(name="coin", seed=4)
    run(recipe(2), judge)
    steps = [judge.scoring[start : start + 4] for start in range(0, len(judge.scoring), 4)]
    assert len(steps) == STEPS
    for step in steps:  # two groups: both begin, then both end
        assert [line.split()[1] for line in step] == ["begins", "begins", "ends", "ends"]


def test_bfloat16_without_a_kernel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = loaded()
    policy.causal_lm.to(torch.bfloat16)
    monkeypatch.setattr("guerdon.models.logprobs.has_products", lambda weight: False)
    with pytest.raises(ConfigError, match=r'set model\.dtype = "float32", or staleness = 0'):
        stage_of(Ran(policy), recipe(1), Waits())
