from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import ModelError
from guerdon.core.types import Message, Part, Problem, Rollout, RolloutGroup, StopReason, Turn
from guerdon.rollout.engine import Completion, Done, Request
from guerdon.run.build import run_recipe
from guerdon.run.config import RunConfig
from guerdon.run.critic import GenerativeJudge, Vote, given_critiques
from guerdon.run.critic_config import GenerativeConfig
from rewarding import tiny_reward_model

PROBLEM = Problem(id="p", messages=(Message(role="user", content="1 + 1?"),), target="2")
TEXTS = ("2", "3", "4", "5", "6")


def judge(**fields: Any) -> GenerativeJudge:
    given = {"path": "builtin:tiny", "votes": 3, "max_completion_length": 8, **fields}
    return GenerativeJudge(GenerativeConfig.model_validate(given))


def vote(places: tuple[int, ...], scores: tuple[int, ...] | None, worth: float = 0.0) -> Vote:
    return Vote(PROBLEM, places, f"because {scores}", scores, worth)


def values(found: GenerativeJudge, votes: list[Vote], count: int = 2) -> list[float | None]:
    return [found._verdict(place, votes).value for place in range(count)]


def test_votes_become_a_mean_from_minus_one_to_one() -> None:
    votes = [vote((0, 1), (1, 10)), vote((1, 0), (10, 1)), vote((0, 1), (10, 1))]
    assert values(judge(), votes) == pytest.approx([-1 / 3, 1 / 3])
    assert values(judge(), [vote((0, 1), (10, 1))]) == [1.0, -1.0]


def test_a_vote_that_cannot_be_read_counts_nothing_and_none_at_all_is_none() -> None:
    votes = [vote((0, 1), None), vote((0, 1), (10, 1))]
    assert values(judge(), votes) == [1.0, -1.0]
    assert values(judge(), votes[:1]) == [None, None]
    assert (
        judge()._verdict(0, votes).note.startswith("1 of 2 votes count: 10; as response 1: because (10, 1)")
    )


def test_with_a_meta_reward_model_only_the_best_critiques_count() -> None:
    votes = [vote((0, 1), (10, 1), 0.1), vote((0, 1), (1, 10), 0.9), vote((0, 1), (1, 10), float("nan"))]
    chosen = judge(meta="m", kept_votes=1)
    assert values(chosen, votes) == [-1.0, 1.0]


def test_each_vote_shows_each_response_once_in_another_order() -> None:
    found = judge(votes=6, responses=2)
    hands = [found._deal(PROBLEM, TEXTS, number) for number in range(6)]
    for hand in hands:
        assert all(len(places) == 2 and len(set(places)) == 2 for places in hand)
        seen = Counter(place for places in hand for place in places)
        assert set(seen) == set(range(5))
        assert sum(seen.values()) == 6, "the last hand is filled up"
    assert len({tuple(hand) for hand in hands}) == 6
    assert found._deal(PROBLEM, TEXTS[:1], 0) == [(0,)]


def group(*texts: str) -> RolloutGroup:
    rollouts = tuple(
        Rollout(
            problem_id="p",
            index=index,
            turns=(Turn(prompt_ids=(1,), completion_ids=(2,), behavior_logprobs=(-0.1,), text=text),),
            stop=StopReason.EOS,
        )
        for index, text in enumerate(texts)
    )
    return RolloutGroup(problem=PROBLEM, rollouts=rollouts)


def score(found: GenerativeJudge, *texts: str) -> list[Part]:
    return asyncio.run(found.score(group(*texts)))


def test_an_untrained_critic_says_nothing_that_can_be_read() -> None:
    found = judge()
    parts = score(found, "2", "3", "2")
    assert [part.value for part in parts] == [None, None, None]
    assert "none of 3 critiques ends in scores" in parts[0].evidence.note
    assert parts[0].evidence.extracted == found.version == "builtin:tiny"


def test_questions_do_not_depend_on_the_order_of_the_group() -> None:
    found = judge(responses=2)
    forward, backward = (found.votes([(PROBLEM, sorted(texts))])[0] for texts in (TEXTS, TEXTS[::-1]))
    assert [item.problem for item in forward] == [item.problem for item in backward]
    assert [item.text for item in forward] == [item.text for item in backward]


def test_groups_of_one_step_are_critiqued_together_and_remembered() -> None:
    found = judge()
    calls = []
    generate = found.rollouter.engine.generate

    def counted(requests: list[Request], done: Done | None = None) -> list[Completion]:
        calls.append(len(requests))
        return generate(requests, done)

    found.rollouter.engine.generate = counted  # type: ignore[method-assign]

    async def both() -> list[list[Part]]:
        return list(await asyncio.gather(found.score(group("2", "3")), found.score(group("4", "5", "6"))))

    first = asyncio.run(both())
    assert calls == [3 + 6], "three votes: one hand of two, two hands for three"
    assert asyncio.run(both()) == first
    assert len(calls) == 1


@pytest.mark.learning
@pytest.mark.parametrize("follows", [True, False], ids=["follows its critique", "decoration"])
def test_scores_after_foreign_critiques_tell_decoration_from_reasons(tmp_path: Path, follows: bool) -> None:
    """Two critics that look alike: the score follows the critique, or the question, whatever the critique says."""
    draw = random.Random(0)
    words = {10: "fine", 1: "wrong"}
    rows = []
    for number in range(80):
        said = draw.choice([10, 1])
        score = said if follows else (10, 1)[number % 2]
        rows.append(
            {"prompt": f"{number}: judge {'ab'[number % 2]}", "solution": f"{words[said]}\nScores: {score}"}
        )
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "name": "critic", "output_dir": str(tmp_path), "stages": ["sft"], "save_steps": 1000,
        "model": {"source": "builtin:tiny", "dtype": "float32"},
        "data": {"train": {"kind": "jsonl", "path": str(path)}},
        "rewards": {"form": {"kind": "regex", "pattern": "Scores: "}},
        "sft": {"max_steps": 80, "batch_size": 16, "learning_rate": 1e-3, "warmup_steps": 5},
        "eval": {"num_problems": 0, "accuracy": "form"}, "log_completions": False,
    }  # fmt: skip
    found = judge(path=str(run_recipe(parse_config(RunConfig, recipe)).model))
    asked = [
        Problem(
            id="q", messages=(Message(role="user", content=f"7: judge {kind}"),), info={"num_responses": 1}
        )
        for kind in "aabb"
    ]
    scores = given_critiques(found.rollouter, asked, ["fine", "wrong", "fine", "wrong"])
    assert scores == ([(10,), (1,), (10,), (1,)] if follows else [(10,), (10,), (1,), (1,)])


def test_a_folder_that_is_not_there_is_one_line() -> None:
    with pytest.raises(ModelError, match=r"path: runs/none/at/all: no such folder; train one"):
        judge(path="runs/none/at/all").check()


def test_a_meta_reward_model_may_write_critiques_of_its_own(tmp_path: Path) -> None:
    tiny_reward_model(critique={"max_length": 8}).save(tmp_path / "meta")
    found = judge(meta=str(tmp_path / "meta"), kept_votes=1)
    found.check()
    (weighed,) = found._weighed([vote((0, 1), (10, 1))])
    assert -1.0 <= weighed.worth <= 1.0
    assert weighed.worth != 0.0


def test_a_meta_reward_model_that_needs_a_verdict_is_refused(tmp_path: Path) -> None:
    tiny_reward_model(fields=("verdict",)).save(tmp_path / "meta")
    with pytest.raises(ModelError, match=r"meta: .* is shown a rule's verdict, and nobody gives one"):
        judge(meta=str(tmp_path / "meta"), kept_votes=1).check()


def test_a_meta_reward_model_that_is_none_is_told_under_its_key(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"^meta: \S+/empty: no config\.json"):
        judge(meta=str(tmp_path / "empty"), kept_votes=1).check()
    with pytest.raises(ModelError, match=r"^meta: builtin:tiny: no reward model"):
        judge(meta="builtin:tiny", kept_votes=1).check()
    with pytest.raises(ModelError, match=r"^meta: runs/none/at/all: no such folder; .* guerdon rm train"):
        judge(meta="runs/none/at/all", kept_votes=1).check()
    with pytest.raises(ModelError, match=r"^path: \S+/empty: no config\.json"):
        judge(path=str(tmp_path / "empty")).check()
