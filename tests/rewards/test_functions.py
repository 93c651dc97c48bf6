from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories import answered
from guerdon.core.errors import PluginError
from guerdon.core.types import Part
from guerdon.rewards.config import FunctionRewardConfig
from guerdon.rewards.functions import FunctionReward
from guerdon.rewards.rubric import Rubric

SOURCE = """
import time, sys, os

def length(prompts, completions, **columns):
    print("noise on stdout")
    return [float(len(c[0]["content"])) for c in completions]

async def later(prompts, completions, answer, **columns):
    return [1.0 if c[0]["content"] == a else None for c, a in zip(completions, answer)]

def one(prompts, completions, **columns): return [1.0]
def words(prompts, completions, **columns): return ["good"] * len(completions)
def infinite(prompts, completions, **columns): return [float("inf")] * len(completions)
def nan(prompts, completions, **columns): return [float("nan")] * len(completions)
def flag(prompts, completions, **columns): return [True] * len(completions)
def number(prompts, completions, **columns): return 1.0
def broken(prompts, completions, **columns): return [1 / 0]
def hang(prompts, completions, **columns): time.sleep(60)
def leave(prompts, completions, **columns): os._exit(0)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(SOURCE)
    return str(tmp_path / "mine.py")


@pytest.fixture
def judges() -> Iterator[list[FunctionReward]]:
    made: list[FunctionReward] = []
    yield made
    for judge in made:
        judge.close()


def call(judges: list[FunctionReward], path: str, *, timeout_s: float = 20.0) -> list[Part]:
    return list(through_rubric(judges, path, timeout_s)[0])


def through_rubric(judges: list[FunctionReward], path: str, timeout_s: float) -> tuple[list[Part], list[str]]:
    config = FunctionRewardConfig(name="mine", path=path, timeout_s=timeout_s)
    judges.append(FunctionReward(config))
    scored = asyncio.run(Rubric({"mine": (config, judges[-1])}).score([answered(["four", "4"], target="4")]))[
        0
    ]
    return [score.parts[0] for score in scored.scores], [failure.message for failure in scored.group.failures]


def test_trl_signature_and_prints_do_no_harm(judges: list[FunctionReward], path: str) -> None:
    parts = call(judges, f"{path}:length")
    assert [(part.name, part.value) for part in parts] == [("mine", 4.0), ("mine", 1.0)]


def test_async_functions_get_columns_and_may_answer_none(judges: list[FunctionReward], path: str) -> None:
    assert [part.value for part in call(judges, f"{path}:later")] == [None, 1.0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("one", "returned 1 values for 2 completions"),
        ("words", "returned 'good' for completion 0"),
        ("infinite", "returned inf for completion 0"),
        ("nan", "returned nan for completion 0"),
        ("flag", "returned True for completion 0"),
        ("number", "expected a list of 2 numbers"),
        ("missing", "has no attribute 'missing'"),
    ],
)
def test_what_is_no_reward_is_named(judges: list[FunctionReward], path: str, name: str, message: str) -> None:
    with pytest.raises(PluginError, match=message) as caught:
        call(judges, f"{path}:{name}")
    assert "mine.py" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_exception_is_could_not_verify_with_its_line(judges: list[FunctionReward], path: str) -> None:
    parts = call(judges, f"{path}:broken")
    assert [part.value for part in parts] == [None, None]
    assert "ZeroDivisionError" in parts[0].evidence.note
    assert "mine.py:" in parts[0].evidence.note


def test_a_hang_is_killed_from_any_thread_and_the_next_call_works(
    judges: list[FunctionReward], path: str
) -> None:
    found: list[list[Part]] = []
    started = time.monotonic()
    thread = threading.Thread(target=lambda: found.append(call(judges, f"{path}:hang", timeout_s=0.3)))
    thread.start()
    thread.join()
    assert time.monotonic() - started < 15
    assert [part.value for part in found[0]] == [None, None]
    assert "within 0.3 s" in found[0][0].evidence.note
    judges[0].check()  # a fresh worker stands ready


def test_a_hang_is_a_recorded_failure(judges: list[FunctionReward], path: str) -> None:
    _, failures = through_rubric(judges, f"{path}:hang", 0.3)
    assert len(failures) == 1
    assert "rewards.mine on problem q" in failures[0]


def test_a_function_that_ends_its_process_is_no_reward(judges: list[FunctionReward], path: str) -> None:
    assert [part.value for part in call(judges, f"{path}:leave")] == [None, None]


@pytest.mark.parametrize("path", ["nothing", "no_such_module_here:f", "/no/such/file.py:f"])
def test_what_cannot_be_imported_is_named_before_a_run(path: str) -> None:
    with pytest.raises(PluginError, match="reward function"):
        FunctionReward(FunctionRewardConfig(name="mine", path=path)).check()
