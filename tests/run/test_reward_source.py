from __future__ import annotations

import asyncio

import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import Preference, ScoredGroup
from guerdon.models.reward import RewardModel
from guerdon.run.reward_source import PreferenceSource, rating_scale, verdicts_of
from guerdon.train.reward import is_open_ended
from rewarding import pair, problem, tiny_reward_model


def groups(model: RewardModel, *pairs: Preference, too_long: str = "leave_out") -> list[ScoredGroup]:
    source = PreferenceSource(pairs, model, too_long=too_long)
    return asyncio.run(source.scored(1, source.problems))


def test_chosen_and_rejected_are_rollouts_with_labels() -> None:
    model = tiny_reward_model()
    plain, tie = groups(model, pair("a", margin=2.0), pair("b", tie=True))
    assert [score.value for score in plain.scores] == [1.0, 0.0]
    assert [score.value for score in tie.scores] == [0.5, 0.5]
    margin = plain.scores[0].part("margin")
    assert margin is not None
    assert margin.value == 2.0
    assert [rollout.text for rollout in plain.group.rollouts] == ["good", "bad"]
    turns = [rollout.turns[0] for rollout in plain.group.rollouts]
    assert turns[0].prompt_ids == turns[1].prompt_ids == model.trunk.render(problem("a").messages)
    assert turns[0].completion_ids[-1] == model.trunk.eos_id


def test_different_pairs_are_counted_once_and_without_those_that_are_too_long() -> None:
    model = tiny_reward_model(max_length=64)
    one, long, other = pair("a"), pair("b", "x" * 100, "y"), pair("c")
    source = PreferenceSource([one, long, other, one], model, too_long="leave_out")  # a mix may repeat a pair
    names = [problem.id for problem in source.problems]
    assert [source.num_different(names[:count]) for count in range(5)] == [0, 1, 1, 2, 2]
    asyncio.run(source.scored(1, source.problems))
    assert source.num_different(names) == 2


def test_two_pairs_about_one_prompt_stay_two() -> None:
    first, second = groups(tiny_reward_model(), pair("a", "x", "y"), pair("a", "u", "v"))
    assert first.group.problem.id != second.group.problem.id
    assert second.group.rollouts[0].text == "u"


def test_a_pair_that_does_not_fit_is_left_out_and_counted_or_refused() -> None:
    model = tiny_reward_model(max_length=64)
    long = pair("long", "x" * 200, "short")
    source = PreferenceSource([pair("a"), long], model, too_long="leave_out")
    assert len(asyncio.run(source.scored(1, source.problems))) == 1
    assert source.metrics["signal/pairs_too_long"].value == 1.0
    with pytest.raises(DataError, match="the chosen response does not fit into 64 tokens"):
        groups(model, long, too_long="refuse")


def test_the_scale_of_ratings_is_that_of_the_whole_set() -> None:
    pairs = [
        pair("a", chosen_ratings={"score": 9.0}, rejected_ratings={"score": 1.0, "clear": 3.0}),
        pair("b", chosen_ratings={"score": 5.0}),
    ]
    assert rating_scale(pairs) == {"score": (1.0, 9.0), "clear": (3.0, 3.0)}
    first, second = groups(tiny_reward_model(), *pairs)
    middle = second.scores[0].part("rating")
    assert middle is not None
    assert middle.value == 0.0
    only = first.scores[1].part("attribute/clear")
    assert only is not None
    assert only.value == 0.0  # everybody has the same: it says nothing


def test_verdicts_in_words() -> None:
    ratings = {"verdict": 1.0}, {"verdict": 0.0}
    judged = pair(chosen_ratings=ratings[0], rejected_ratings=ratings[1])
    assert verdicts_of(judged) == ("right", "wrong")
    assert verdicts_of(pair()) == (None, None)


def test_a_problem_with_a_target_is_closed_unless_it_says_otherwise() -> None:
    def asked(**fields: object) -> ScoredGroup:
        item = Preference(problem=problem("p", **fields), chosen="a", rejected="b")  # type: ignore[arg-type]
        return groups(tiny_reward_model(), item)[0]

    assert is_open_ended(asked())
    assert not is_open_ended(asked(target="4"))
    assert is_open_ended(asked(target="4", open_ended=True))
