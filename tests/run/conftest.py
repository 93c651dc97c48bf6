"""Groups with every kind of field filled in, for whatever records or replays them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guerdon.core.types import (
    CreditedGroup,
    Evidence,
    Failure,
    Message,
    Part,
    Problem,
    Rollout,
    RolloutGroup,
    Score,
    ScoredGroup,
    StopReason,
    Turn,
)
from guerdon.run.config import RunConfig


def plain_group(number: int = 0) -> CreditedGroup:
    """Two single-turn rollouts, one right and one that nobody could verify."""
    problem = Problem(
        id=f"p{number}",
        messages=(Message(role="user", content="1 + 1 = ?\n"),),
        target="2",
        info={"solution": "1 + 1 = 2", "level": 1, "tags": ["a", None, 0.1]},
    )
    texts = ("<answer>2</answer>", "äöü 🦙 </script>")
    rollouts = tuple(
        Rollout(
            problem_id=problem.id,
            index=index,
            turns=(
                Turn(
                    prompt_ids=(1, 2, 3),
                    completion_ids=(4, 5),
                    # neither is a float32, nor short in decimals: replay must give them back exactly
                    behavior_logprobs=(-0.1 - number, -1 / 3),
                    text=text,
                    version=7,
                ),
            ),
            stop=stop,
        )
        for index, (text, stop) in enumerate(zip(texts, (StopReason.EOS, StopReason.LENGTH), strict=True))
    )
    right = Part(
        name="math", value=1.0, weight=2.0, evidence=Evidence(note="equal", span=(8, 9), extracted="2")
    )
    unverified = Part(name="math", value=None, weight=2.0, evidence=Evidence(note="no answer found"))
    style = Part(name="reward", value=0.25, weight=0.5)
    scores = (Score(value=2.125, parts=(right, style)), Score(value=None, parts=(unverified,)))
    scored = ScoredGroup(group=RolloutGroup(problem=problem, rollouts=rollouts), scores=scores)
    return CreditedGroup(scored=scored, advantages_G_T=((0.5, 0.25), (0.0, 0.0)))


def long_group() -> CreditedGroup:
    """Two turns by two agents, truncated sampling in one of them, a reward per token, a failed sibling."""
    turns = (
        Turn(
            prompt_ids=(1,),
            completion_ids=(2, 3),
            behavior_logprobs=(-0.5, -0.25),
            text="ask",
            kept=((2, 9), (3,)),
            replies=(Message(role="user", content="answer\ud800"),),
            facts={"score": 0.5, "board": [[1, 2], None]},
            version=1,
        ),
        Turn(
            prompt_ids=(1, 2, 3, 4),
            completion_ids=(5,),
            behavior_logprobs=(-2.0,),
            text="ok",
            agent="critic",
            version=2,
        ),
    )
    problem = Problem(
        id="q",
        messages=(Message(role="system", content="Be brief."), Message(role="user", content="Go")),
        info={"half": "\udfff"},
    )
    rollout = Rollout(problem_id="q", index=3, turns=turns, stop=StopReason.STOP_STRING)
    score = Score(
        value=1.0,
        parts=(Part(name="process", value=1.0),),
        token_values=((0.25, 0.25), (0.5,)),
    )
    failures = (Failure(stage="rollout", kind="TimeoutError", message="slow", index=1),)
    scored = ScoredGroup(
        group=RolloutGroup(problem=problem, rollouts=(rollout,), failures=failures), scores=(score,)
    )
    return CreditedGroup(scored=scored, advantages_G_T=((0.1, 0.2, 0.3),))


def empty_group() -> CreditedGroup:
    """All rollouts of this problem failed."""
    problem = Problem(id="lost", messages=(Message(role="user", content="?"),))
    failures = (Failure(stage="rollout", kind="RuntimeError", message="out of memory", index=0),)
    scored = ScoredGroup(group=RolloutGroup(problem=problem, rollouts=(), failures=failures), scores=())
    return CreditedGroup(scored=scored, advantages_G_T=())


@pytest.fixture
def credited() -> list[CreditedGroup]:
    return [plain_group(0), empty_group(), long_group(), plain_group(1)]


@pytest.fixture
def run_config() -> RunConfig:
    data: dict[str, Any] = {
        "name": "demo",
        "data": {"train": {"kind": "arith"}},
        "rewards": {"math": {"weight": 1.0}, "format": {"weight": 0.5}},
    }
    return RunConfig.model_validate(data)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 2 MB that fills up."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", place], check=True)
