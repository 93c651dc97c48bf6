import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.core.types import (
    CreditedGroup,
    Evidence,
    Failure,
    Message,
    Part,
    Preference,
    Problem,
    Rollout,
    RolloutGroup,
    Score,
    ScoredGroup,
    StopReason,
    Turn,
    from_json,
    to_json,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(max_size=20)
messages = st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=words)
infos = st.dictionaries(words, st.one_of(st.none(), st.booleans(), st.integers(), words), max_size=2)
problems = st.builds(Problem, id=words, messages=st.tuples(messages), target=st.none() | words, info=infos)
turns = st.builds(
    Turn,
    prompt_ids=st.tuples(st.integers(0, 9)),
    completion_ids=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    behavior_logprobs=st.tuples(finite, finite),
    text=words,
    kept=st.none() | st.tuples(st.tuples(st.integers(0, 9)), st.tuples(st.integers(0, 9))),
    replies=st.tuples(messages),
    facts=infos,
    version=st.integers(0, 5),
)
rollouts = st.builds(
    Rollout,
    problem_id=words,
    index=st.integers(0, 7),
    turns=st.tuples(turns),
    stop=st.sampled_from(StopReason),
)
evidence = st.builds(
    Evidence,
    note=words,
    span=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
    extracted=st.none() | words,
)
parts = st.builds(Part, name=words, value=st.none() | finite, weight=finite, evidence=evidence)
scores = st.builds(
    Score,
    value=st.none() | finite,
    parts=st.tuples(parts),
    token_values=st.none() | st.tuples(st.tuples(finite)),
)
failures = st.builds(Failure, stage=words, kind=words, message=words, index=st.none() | st.integers(0, 7))
groups = st.builds(RolloutGroup, problem=problems, rollouts=st.tuples(rollouts), failures=st.tuples(failures))
credited = st.builds(
    CreditedGroup,
    scored=st.builds(ScoredGroup, group=groups, scores=st.tuples(scores)),
    advantages_G_T=st.tuples(st.tuples(finite, finite)),
)
ratings = st.dictionaries(words, finite, max_size=2)
preferences = st.builds(
    Preference,
    problem=problems,
    chosen=words,
    rejected=words,
    margin=st.none() | finite,
    tie=st.booleans(),
    source=st.sampled_from(["human", "r1_like"]),
    annotator=st.none() | words,
    chosen_ratings=ratings,
    rejected_ratings=ratings,
)


@settings(max_examples=50, deadline=None)
@given(st.one_of(credited, preferences))
def test_json_both_ways_loses_nothing(value: Any) -> None:
    assert from_json(type(value), json.loads(json.dumps(to_json(value)))) == value


def test_a_whole_number_in_json_becomes_a_float_where_the_type_says_so() -> None:
    part = from_json(Part, {"name": "math", "value": 1, "weight": 2})
    assert isinstance(part.weight, float)
    assert isinstance(part.value, float)


def test_a_field_from_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="Message: unknown field 'colour'"):
        from_json(Message, {"role": "user", "content": "hi", "colour": "red"})


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(TypeError, match="cannot write bytes"):
        to_json({"x": b"raw"})


def rollout(*texts: str, stop: StopReason = StopReason.EOS) -> Rollout:
    made = [
        Turn(prompt_ids=(1,), completion_ids=(2, 3), behavior_logprobs=(-0.5, -0.5), text=text)
        for text in texts
    ]
    return Rollout(problem_id="p", index=0, turns=tuple(made), stop=stop)


def test_the_text_of_a_rollout_is_all_its_turns() -> None:
    assert rollout("one ", "two").text == "one two"
    assert rollout("one ", "two").num_tokens == 4


@pytest.mark.parametrize("stop", StopReason)
def test_only_the_length_limit_truncates(stop: StopReason) -> None:
    assert rollout("x", stop=stop).truncated == (stop is StopReason.LENGTH)


def test_a_part_is_found_by_name() -> None:
    math, layout = Part(name="math", value=1.0), Part(name="format", value=None)
    score = Score(value=1.0, parts=(math, layout))
    assert score.part("format") is layout
    assert score.part("nothing") is None


def test_what_flows_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        rollout("x").index = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Problem(id="p", messages=()).info["new"] = 1  # type: ignore[index]


def test_a_problem_with_a_target_is_closed_unless_it_says_otherwise() -> None:
    asked = (Message(role="user", content="?"),)
    assert Problem(id="p", messages=asked).is_open_ended
    assert not Problem(id="p", messages=asked, target="4").is_open_ended
    assert Problem(id="p", messages=asked, target="4", info={"open_ended": True}).is_open_ended
