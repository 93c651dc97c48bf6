from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from guerdon.core.errors import PluginError
from guerdon.core.types import Message, Problem, RolloutGroup, ScoredGroup, StopReason
from guerdon.data.feed import Feed
from guerdon.models.policy import Policy
from guerdon.rewards.calibration import Calibration, Rank
from guerdon.rewards.config import RandomVerifierConfig, parse_rewards
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rollout.background import Background
from guerdon.rollout.config import RolloutConfig
from guerdon.rollout.engine import Completion, Done, Request
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.source import RolloutSource, streams

CONFIG = RolloutConfig(max_completion_length=12, num_generations=2, generation_batch_size=8)


@contextmanager
def source(
    rollouter: Rollouter, rubric: Rubric, *, background: bool, stop: Callable[[], None] = lambda: None
) -> Iterator[RolloutSource]:
    thread = Background(stop=stop) if background else None
    try:
        yield RolloutSource(rollouter, rubric, CONFIG, seed=3, more=lambda count: [], background=thread)
    finally:
        if thread:
            thread.close()
        rubric.close()


def scored(policy: Policy, rewards: dict[str, Any], problems: list[Problem], *, background: bool) -> Any:
    engine = LocalEngine(policy, max_batch_rows=3)
    rubric = Rubric.from_config(parse_rewards(rewards))
    with source(Rollouter(policy, engine), rubric, background=background, stop=engine.stop) as made:
        return asyncio.run(made.scored(1, problems)), made.metrics


def test_only_what_waits_elsewhere_is_scored_as_it_ends() -> None:
    waits, inline = {"kind": "function", "path": "x:y"}, {"kind": "random"}
    model = {"kind": "reward_model", "path": "nowhere"}
    for rewards, expected in (
        ({"a": waits, "b": inline}, True),
        ({"b": inline}, False),
        ({"a": waits, "c": model}, False),
    ):
        assert streams(Rubric.from_config(parse_rewards(rewards))) is expected


def test_scores_while_decoding_equal_scores_after_it(
    tiny: Policy, problems: list[Problem], tmp_path: Path
) -> None:
    module = tmp_path / "lengths.py"
    module.write_text(
        "def f(prompts, completions, **columns):\n    return [len(str(c)) for c in completions]\n"
    )
    rewards = {"f": {"kind": "function", "path": f"{module}:f"}, "coin": {"kind": "random", "weight": 0.5}}
    after, plain = scored(tiny, rewards, problems, background=False)
    during, streamed = scored(tiny, rewards, problems, background=True)
    assert during == after
    assert streamed.keys() == plain.keys()
    assert len({score.value for group in after for score in group.scores}) > 2


PROGRAMS = (
    "def f(x):\n    return x * x\n",
    "def f(x):\n    return 2 * x\n",
    "def f(x):\n    while True: pass\n",
    "def f(x):\n    import time; time.sleep(0.2); return x ** 2\n",
)


class Writes:
    """An engine that writes given programs; it begins the last one when somebody has been judged, or after `wait_s`."""

    version = 0

    def __init__(self, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        self.judged = threading.Event()
        self.saw_a_score = False

    def generate(self, requests: list[Request], done: Done | None = None) -> list[Completion]:
        found = []
        for place in range(len(requests)):
            if place == len(requests) - 1:
                self.saw_a_score = self.judged.wait(self.wait_s)
            text = f"```python\n{PROGRAMS[place % len(PROGRAMS)]}```\n"
            found.append(Completion(token_ids=(5, 6), logprobs=(-1.0, -1.0), text=text, stop=StopReason.EOS))
            if done:
                done(place, found[-1])
        return found


def programs(count: int) -> list[Problem]:
    info = {"tests": ["assert f(2) == 4", "assert f(3) == 9"]}
    return [
        Problem(id=f"p{index}", messages=(Message(role="user", content="Write f."),), info=info)
        for index in range(count)
    ]


@pytest.mark.slow
def test_programs_run_in_the_sandbox_while_others_are_written(tiny: Policy) -> None:
    found: list[list[ScoredGroup]] = []
    for background in (False, True):
        rubric = Rubric.from_config(parse_rewards({"code": {"timeout_s": 1.0, "concurrency": 1}}))
        try:
            rubric.check()
        except PluginError as error:
            pytest.skip(str(error))
        writes = Writes(120.0 if background else 0.0)
        plain = rubric.score

        async def score(groups: Sequence[RolloutGroup]) -> list[ScoredGroup]:
            scores = await plain(groups)  # noqa: B023  the rubric of this round
            writes.judged.set()  # noqa: B023
            return scores

        rubric.score = score  # type: ignore[method-assign]
        with source(Rollouter(tiny, writes), rubric, background=background) as made:
            found.append(asyncio.run(made.scored(1, programs(4))))
        assert writes.saw_a_score is background, "a group is judged before the last answer is written"
    assert found[0] == found[1]
    assert [score.value for group in found[1] for score in group.scores] == [1.0, 0.0, 0.0, 1.0] * 2


class Breaks:
    """A judge that finds one problem's answers to be no answers."""

    def __init__(self, guilty: str) -> None:
        self.guilty = guilty

    async def score(self, group: Any) -> list[Any]:
        if group.problem.id == self.guilty:
            raise PluginError(f"cannot judge {self.guilty}")
        await asyncio.sleep(3600)
        return []


class ElsewhereConfig(RandomVerifierConfig):
    """Of a judge that waits."""

    runs = "elsewhere"


def test_a_broken_judge_is_the_same_error_and_nobody_waits_for_the_others(tiny: Policy) -> None:
    rubric = Rubric({"x": (ElsewhereConfig(name="x"), Breaks("p1"))})
    with (
        pytest.raises(PluginError, match="cannot judge p1"),
        source(Rollouter(tiny, Writes()), rubric, background=True) as made,
    ):
        asyncio.run(asyncio.wait_for(made.scored(1, programs(4)), 600))


def test_the_word_is_no_key_of_a_recipe() -> None:
    config = parse_rewards({"coin": {"kind": "random"}})["coin"]
    assert config.runs == "inline"
    assert "runs" not in json.loads(config.model_dump_json())


ROUTED = {"sums": {"kind": "random"}, "open": {"kind": "random", "seed": 1}}
STEP = RolloutConfig(num_generations=4, max_completion_length=4)


@pytest.fixture
def mixed(problems: list[Problem]) -> list[Problem]:
    """Four sums, then eight without a target."""
    names = [(one, f"{number}/{one.id}") for number in range(2) for one in problems]
    return [*problems, *(dataclasses.replace(one, id=name, target=None) for one, name in names)]


def first_step(
    policy: Policy, problems: list[Problem], mixed: list[Problem]
) -> tuple[Calibration, list[int], int]:
    """The scales, rollouts of each group, and where the feed stands afterwards."""
    reward = {"route": {"cases": {"yes": "sums", "no": "open"}}, "calibrate": {"open": "rank"}}
    rubric = Rubric.from_config(RubricConfig.parse({"rewards": ROUTED, "reward": reward}))
    feed = Feed(mixed, seed=0, shuffle=False)
    kept: list[Calibration] = []
    rollouter = Rollouter(policy, LocalEngine(policy))
    source = RolloutSource(rollouter, rubric, STEP, seed=0, more=feed.take, pool=mixed, keep=kept.append)
    groups = asyncio.run(source.scored(1, problems))
    asyncio.run(source.scored(2, problems))
    assert len(kept) == 1
    return kept[0], [len(group.scores) for group in groups], feed.cursor


def test_a_routed_part_has_its_scale_from_problems_that_come_to_it(
    tiny: Policy, mixed: list[Problem]
) -> None:
    scales, sizes, cursor = first_step(tiny, mixed[1:5], mixed)  # one of the four comes to it
    scale = scales.scales["open"]
    assert isinstance(scale, Rank)
    assert scale.count == 16, "as many as the step has, all of open problems"
    assert (sizes, cursor) == ([4] * 4, 0)
    assert first_step(tiny, mixed[1:5], mixed)[0] == scales, "whenever it is made"


def test_a_step_with_enough_of_them_is_the_reference_itself(tiny: Policy, mixed: list[Problem]) -> None:
    assert first_step(tiny, mixed[4:], mixed)[0].scales["open"].count == 32
    assert first_step(tiny, mixed[4:6], mixed)[0].scales["open"].count == 8, "all of a small step"
