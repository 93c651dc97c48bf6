from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guerdon.core.errors import PluginError
from guerdon.core.types import Message, Problem
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.pool import Request, ScoringPool, group_requests, siblings
from guerdon.rewards.rubric_config import RubricConfig
from obeying import install

Make = Callable[..., ScoringPool]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    install(tmp_path, monkeypatch)
    made: list[ScoringPool] = []

    def build(kind: str = "obey", *, num_workers: int = 1, timeout_s: float = 0.5) -> ScoringPool:
        made.append(
            ScoringPool(parse_rewards({"x": {"kind": kind}}), num_workers=num_workers, timeout_s=timeout_s)
        )
        return made[-1]

    yield build
    for pool in made:
        pool.close()


def ask(*texts: str) -> Request:
    return Request(problem=Problem(id="p", messages=(Message(role="user", content="q"),)), texts=texts)


def values(pool: ScoringPool, *texts: str) -> list[float | None]:
    return [verdict.scores[0]["value"] for verdict in pool.score([ask(text) for text in texts])]


@pytest.mark.slow
def test_scores_with_evidence_in_order(make: Make) -> None:
    pool = ScoringPool(parse_rewards({"math": {}, "format": {"weight": 0.5}}))
    problem = Problem(id="p", messages=(Message(role="user", content="q"),), target="4")
    verdict = pool.score([Request(problem=problem, texts=("so 4", "so 5", "\ud800 4"))])[0]
    assert [score["parts"][0]["value"] for score in verdict.scores] == [1.0, 0.0, 1.0]
    assert verdict.scores[0]["parts"][0]["evidence"]["span"] == [3, 4]
    assert verdict.scores[0]["parts"][1]["weight"] == 0.5
    pool.close()
    with pytest.raises(PluginError, match="closed"):
        pool.score([ask("1")])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["obey", "wait"])
def test_a_request_that_kills_or_hangs_costs_only_itself(make: Make, kind: str) -> None:
    pool = make(kind)
    found = pool.score([ask(text) for text in ("1", "die", "2", "hang", "3", "spin", "raise", "4")])
    assert [item.scores[0]["value"] for item in found] == [1.0, None, 2.0, None, 3.0, None, None, 4.0]
    notes = [item.scores[0]["parts"][0]["evidence"]["note"] for item in found]
    assert "ended itself (exit code 3)" in notes[1]
    assert "no answer within 0.5 s" in notes[3]
    assert "RuntimeError: no" in notes[6]
    assert values(pool, "5") == [5.0]


@pytest.mark.slow
def test_one_text_of_a_group_that_kills_or_hangs_costs_only_itself(make: Make) -> None:
    pool = make(timeout_s=0.3)
    found = pool.score([ask("1", "die", "2", "spin"), ask("3", "4"), ask("die", "die")])
    assert [[score["value"] for score in item.scores] for item in found] == [
        [1.0, None, 2.0, None],
        [3.0, 4.0],
        [None, None],
    ]
    assert "exit code 3" in found[0].scores[1]["parts"][0]["evidence"]["note"]


def test_siblings_ask_the_same_wherever_they_stand() -> None:
    def row(prompt: str, name: str, **info: str) -> Request:
        messages = (Message(role="user", content=prompt),)
        return Request(problem=Problem(id=name, messages=messages, info={"id": name, **info}), texts=("x",))

    rows = [row("q", "a"), row("r", "b"), row("q", "c"), row("q", "d", level="1"), row("", "e"), row("", "e")]
    assert siblings(rows) == [[0, 2], [1], [3], [4], [5]]  # without a prompt nobody knows what was asked
    assert [len(item.texts) for item in group_requests([rows[0], rows[2], rows[3], rows[4], rows[5]])] == [
        2,
        1,
        1,
        1,
    ]


@pytest.mark.slow
def test_waiting_parts_overlap_in_one_worker(make: Make) -> None:
    pool = make("wait", timeout_s=20)
    pool.check()
    started = time.monotonic()
    assert values(pool, *["1"] * 32) == [1.0] * 32
    assert time.monotonic() - started < 0.05 * 32 / 2


@pytest.mark.slow
def test_what_is_no_verdict_is_named_and_the_pool_goes_on(make: Make) -> None:
    pool = make()
    with pytest.raises(PluginError, match="'x' returned the value nan"):
        values(pool, "1", "nan", "2")
    assert values(pool, "7") == [7.0]


@pytest.mark.slow
def test_threads_share_workers(make: Make) -> None:
    pool = make(num_workers=2, timeout_s=20)
    found: dict[int, list[float | None]] = {}

    def one(index: int) -> None:
        found[index] = values(pool, str(index), str(-index))

    threads = [threading.Thread(target=one, args=(index,)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {index: [float(index), float(-index)] for index in range(12)}
    assert pool.num_replaced == 0  # a worker outlives the thread that first used it


@pytest.mark.slow
def test_closing_ends_a_request_under_way(make: Make) -> None:
    pool = make(timeout_s=60)
    pool.check()
    failed: list[str] = []

    def one() -> None:
        try:
            values(pool, "spin")
        except PluginError as error:
            failed.append(str(error))

    thread = threading.Thread(target=one)
    thread.start()
    time.sleep(0.3)
    pool.close()
    thread.join(10)
    assert failed == ["the scoring pool was closed"]


def test_a_verdict_of_nobody_has_every_part() -> None:
    pool = ScoringPool(parse_rewards({"math": {}, "format": {"weight": 0.5}}))
    verdict = pool.unverified("no text", count=2)
    assert len(verdict.scores) == 2
    assert [part["name"] for part in verdict.scores[1]["parts"]] == ["math", "format"]
    assert {part["value"] for part in verdict.scores[0]["parts"]} == {None}
    pool.close()


@pytest.mark.slow
def test_a_part_that_cannot_be_built_is_told(tmp_path: Path) -> None:
    pool = ScoringPool(parse_rewards({"mine": {"kind": "function", "path": f"{tmp_path}/no.py:f"}}))
    with pytest.raises(PluginError, match=r"rewards\.mine: .*no file"):
        pool.check()
    pool.close()


TREE = {
    "total": {"kind": "gate", "condition": "format", "then": "math"},
    "calibrate": {},
}


def whole(reward: dict[str, object]) -> RubricConfig:
    return RubricConfig.parse(
        {"rewards": {"math": {"extract": "hash"}, "format": {"layout": "hash"}}, "reward": reward}
    )


def test_a_verdict_of_nobody_has_the_nodes_too() -> None:
    pool = ScoringPool(whole({**TREE, "calibrate": {"math": "rank"}}))
    (score,) = pool.unverified("why").scores
    assert [(part["name"], part["weight"]) for part in score["parts"]] == [
        ("math", 0.0), ("math_rank", 0.0), ("format", 0.0), ("total", 1.0)
    ]  # fmt: skip
    pool.close()


@pytest.mark.slow
def test_the_tree_is_evaluated_in_the_worker() -> None:
    pool = ScoringPool(whole(TREE))
    problem = Problem(id="p", messages=(), target="4")
    texts = ("so\n#### 4", "4 it is", "so\n#### 5")
    (verdict,) = pool.score([Request(problem=problem, texts=texts)])
    assert [score["value"] for score in verdict.scores] == [1.0, -1.0, 0.0]
    assert verdict.scores[1]["parts"][-1]["evidence"]["note"] == "format is 0 < 1: gate closed, -1"
    pool.close()


@pytest.mark.slow
def test_a_scale_that_is_not_there_is_told() -> None:
    pool = ScoringPool(whole({**TREE, "calibrate": {"math": "rank"}}))
    with pytest.raises(PluginError, match=r"reward.calibrate: math: no scale yet; set reward.calibration"):
        pool.check()
    pool.close()
