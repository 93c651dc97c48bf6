from __future__ import annotations

import asyncio
import dataclasses

import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import ScoredGroup
from guerdon.data.preferences.judged import Judged
from guerdon.data.preferences.pairing import Answer, Candidates
from guerdon.models.reward import RewardModel
from guerdon.run.reward_source import PreferenceSource, asked_of, rating_scales, shown_of
from rewarding import pair, problem, tiny_reward_model


def groups(model: RewardModel, *pairs: Judged, too_long: str = "leave_out") -> list[ScoredGroup]:
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


def test_a_list_and_a_single_answer_count_as_one_each() -> None:
    model = tiny_reward_model(max_length=64)

    def rated(*texts: str) -> Candidates:
        answers = tuple(Answer(text=text, score=float(len(texts) - n)) for n, text in enumerate(texts))
        return Candidates(problem=problem("list"), answers=answers)

    judged = [rated("a", "b", "c"), rated("a"), pair("p"), rated("a", "x" * 100, "c")]
    source = PreferenceSource(judged, model, too_long="leave_out")
    names = [one.id for one in source.problems]
    assert [source.num_different(names[:count]) for count in range(5)] == [0, 1, 2, 3, 3]


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


def rating(group: ScoredGroup, place: int, name: str = "rating") -> float | None:
    part = group.scores[place].part(name)
    return None if part is None else part.value


def test_the_scale_of_ratings_is_that_of_the_whole_set() -> None:
    pairs = [
        pair("a", chosen_ratings={"score": 9.0}, rejected_ratings={"score": 1.0, "clear": 3.0}),
        pair("b", chosen_ratings={"score": 5.0}),
    ]
    assert rating_scales(pairs) == {"": {"score": (1.0, 9.0), "clear": (3.0, 3.0)}}
    first, second = groups(tiny_reward_model(), *pairs)
    assert rating(second, 0) == 0.0
    assert rating(second, 0, "attribute/score") == 0.0
    assert rating(first, 1, "attribute/clear") == 0.0  # everybody has the same: it says nothing


def in_set(name: str, item: Judged) -> Judged:
    return dataclasses.replace(item, problem=problem(item.problem.id, set=name))


def test_each_set_has_a_scale_of_its_own() -> None:
    few = in_set("few", pair("a", chosen_ratings={"score": 4.0}, rejected_ratings={"score": 0.0}))
    many = in_set("many", pair("b", chosen_ratings={"score": 10.0}, rejected_ratings={"score": 1.0}))
    found = groups(tiny_reward_model(), few, many)
    assert [rating(group, place) for group in found for place in (0, 1)] == [1.0, -1.0, 1.0, -1.0]


def answers(name: str, **scores: float | None) -> Candidates:
    found = tuple(
        Answer(text=text, score=score, ratings={"score": score or 0.0}) for text, score in scores.items()
    )
    return Candidates(problem=problem(name), answers=found)


def test_a_list_is_one_group_and_a_rated_answer_another() -> None:
    alone = Candidates(
        problem=problem("b"), answers=(Answer(text="fine", score=1.0, ratings={"label": 1.0}),)
    )
    listed, single = groups(tiny_reward_model(), answers("a", good=3.0, fair=2.0, poor=2.0), alone)
    assert [score.value for score in listed.scores] == [3.0, 2.0, 2.0]
    assert [rollout.text for rollout in listed.group.rollouts] == ["good", "fair", "poor"]
    assert [rating(listed, place) for place in range(3)] == [1.0, -1.0, -1.0]
    assert listed.scores[0].part("label") is None, "a label makes a pair"
    assert [rollout.text for rollout in single.group.rollouts] == ["fine"]
    assert rating(single, 0) == 1.0, "good is 1 even where the set holds nothing bad"


def test_a_list_with_an_answer_that_does_not_fit_is_left_out_or_refused() -> None:
    model = tiny_reward_model(max_length=64)
    long = answers("a", good=3.0, fair=2.0, **{"x" * 200: 1.0})
    assert groups(model, long) == []
    with pytest.raises(DataError, match="response 3 does not fit into 64 tokens"):
        groups(model, long, too_long="refuse")


def test_prompts_that_were_cut_are_counted() -> None:
    model = tiny_reward_model(max_length=40)
    source = PreferenceSource([pair("a"), pair("b" * 60)], model, too_long="refuse")
    asyncio.run(source.scored(1, source.problems))
    assert source.metrics["signal/prompts_cut"].value == 1.0


def test_a_model_that_is_shown_verdicts_needs_some_to_learn_from() -> None:
    model = tiny_reward_model(fields=("verdict",))
    rated = pair("a", chosen_ratings={"verdict": 1.0})
    assert len(groups(model, rated, pair("b"))) == 2  # some pairs may lack one
    single = Candidates(
        problem=problem("c"), answers=(Answer(text="fine", score=1.0, ratings={"verdict": 1.0}),)
    )
    assert len(groups(model, pair("a"), single)) == 2
    with pytest.raises(DataError, match="none of 2 training pairs holds one"):
        groups(model, pair("a"), pair("b"))


def test_verdicts_in_words() -> None:
    ratings = {"verdict": 1.0}, {"verdict": 0.0}
    judged = pair(chosen_ratings=ratings[0], rejected_ratings=ratings[1])
    assert shown_of(judged).verdicts == ["right", "wrong"]
    assert shown_of(pair()).verdicts == [None, None]
    rated = Answer(text="four", score=3.0, ratings={"verdict": 1.0}), Answer(text="six", score=1.0)
    assert shown_of(Candidates(problem=problem(), answers=rated)).verdicts == ["right", None]


def test_who_scores_is_shown_verdicts_and_writes_its_own_critiques() -> None:
    item = pair(chosen_critique="fine", rejected_critique="poor", chosen_ratings={"verdict": 1.0})
    assert shown_of(item).critiques == ["fine", "poor"]
    assert asked_of(item).critiques is None
    assert asked_of(item).verdicts == ["right", None]
