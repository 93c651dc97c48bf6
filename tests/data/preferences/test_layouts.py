from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.core.errors import DataError
from guerdon.core.types import Message, Preference, Problem, to_json
from guerdon.data.preferences.config import JsonlPreferencesConfig
from guerdon.data.preferences.judgement import number
from guerdon.data.preferences.layouts import read_answer, read_list, read_pair
from guerdon.data.preferences.pairing import ALIKE

PLACE = "f.jsonl, line 7"
TRL = {"prompt": "q", "chosen": "a", "rejected": "b"}


def config(**options: object) -> JsonlPreferencesConfig:
    return JsonlPreferencesConfig.model_validate({"path": "f.jsonl", **options})


def pair(row: dict[str, object], layout: str = "pairs", **options: object) -> Preference:
    return read_pair(row, layout, config(**options), PLACE)


def test_a_pair_keeps_margin_tie_annotator_target_and_everything_else() -> None:
    found = pair(
        {**TRL, "margin": 2, "rater": "ann", "reference": "ref", "id": 5, "level": "hard"}, margin_scale=0.5
    )
    assert (found.chosen, found.rejected, found.margin, found.tie) == ("a", "b", 1.0, False)
    assert (found.annotator, found.problem.target, found.problem.id) == ("ann", "ref", "5")
    assert found.problem.info == {"level": "hard", "prompt_format": "text"}
    assert pair({**TRL, "tie": True}).tie


def test_a_row_may_name_its_source_and_a_data_set_of_that_name_is_information() -> None:
    assert pair({**TRL, "source": "rule"}).source == "rule"
    found = pair({**TRL, "source": "hh-harmless"}, source="r1_like")
    assert (found.source, found.problem.info["source"]) == ("r1_like", "hh-harmless")
    with pytest.raises(DataError, match="source is 'hh'; expected one of r1_like, human, rule, model"):
        pair({**TRL, "source": "hh"}, columns={"source": "source"})


def test_scores_beside_the_sides_are_ratings_and_make_a_margin_or_a_tie() -> None:
    found = pair({**TRL, "score_chosen": 8.5, "score_rejected": 6})
    assert (found.margin, found.tie) == (2.5, False)
    assert (found.chosen_ratings, found.rejected_ratings) == ({"score": 8.5}, {"score": 6.0})
    tie = pair({**TRL, "score_chosen": 7, "score_rejected": 7.0})
    assert (tie.margin, tie.tie) == (None, True)


@pytest.mark.parametrize(
    ("preference", "chosen", "margin", "tie"),
    [
        (-3, "a", 3.0, False),
        (1, "b", 1.0, False),
        (0, "a", 0.0, True),
        ("model_b", "b", None, False),
        ("A", "a", None, False),
        ("tie (bothbad)", "a", None, True),
    ],
)
def test_comparisons_by_a_signed_number_or_by_name(
    preference: object, chosen: str, margin: float | None, tie: bool
) -> None:
    row = {"prompt": "q", "response_1": "a", "response_2": "b", "preference": preference}
    found = pair(row, "comparison")
    assert (found.chosen, found.margin, found.tie) == (chosen, margin, tie)
    assert "preference" not in found.problem.info


def test_a_winner_counts_from_one_and_arenas_hold_conversations() -> None:
    sides = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": text}] for text in "ab"]
    row = {"conversation_a": sides[0], "conversation_b": sides[1], "winner": 2}
    found = pair(row, "comparison")
    assert (found.chosen, found.problem.messages[0].content) == ("b", "q")


def test_what_guerdon_writes_it_reads() -> None:
    problem = Problem(id="p", messages=(Message(role="user", content="q"),), target="4", info={"k": [1]})
    made = Preference(
        problem=problem, chosen="a", rejected="b", margin=0.5, source="r1_like", chosen_ratings={"rule": 1.0}
    )
    assert pair(to_json(made), "guerdon") == made  # type: ignore[arg-type]


QUESTION = {"id": "p", "messages": [{"role": "user", "content": "q"}]}
BAD_OWN = {
    "problem": QUESTION,
    "chosen": "a",
    "rejected": "b",
}


@pytest.mark.parametrize(
    ("row", "layout", "expected"),
    [
        ({**TRL, "rejected": " a\n"}, "pairs", "chosen and rejected are identical ('a')"),
        ({**TRL, "chosen": ""}, "pairs", "an answer is empty"),
        ({**TRL, "chosen": None}, "pairs", "the answers are null and str"),
        ({"prompt": "q", "chosen": "a"}, "pairs", "the answers are str and missing"),
        ({**TRL, "margin": math.nan}, "pairs", "margin is nan; expected a finite number"),
        ({**TRL, "margin": -1}, "pairs", "margin is -1; expected 0 or more (are the sides swapped?)"),
        ({**TRL, "margin": 2, "tie": True}, "pairs", "a tie with margin 2"),
        ({**TRL, "tie": "yes"}, "pairs", "tie is 'yes'; expected true or false"),
        ({**TRL, "score_chosen": 1, "score_rejected": 2}, "pairs", "chosen is rated 1, rejected 2"),
        ({**TRL, "score_chosen": math.inf, "score_rejected": 2}, "pairs", "score_chosen is inf"),
        ({**TRL, "prompt": "  "}, "pairs", "the prompt is empty"),
        ({"response_1": "a", "response_2": "b", "winner": "a"}, "comparison", "no prompt"),
        (
            {"prompt": "q", "response_1": "a", "response_2": "b", "winner": "?"},
            "comparison",
            "winner is '?'; expected which answer is better",
        ),
        (
            {"prompt": "q", "response_1": "a", "response_2": "b", "preference": math.nan},
            "comparison",
            "preference is nan; expected a finite number",
        ),
        ({**BAD_OWN, "problem": {**QUESTION, "info": 3}}, "guerdon", "not a preference as guerdon writes it"),
        ({**BAD_OWN, "chosen_ratings": [1]}, "guerdon", "not a preference as guerdon writes it"),
        ({**BAD_OWN, "tie": "no"}, "guerdon", "tie is 'no'"),
        ({**BAD_OWN, "colour": 1}, "guerdon", "not a preference as guerdon writes it"),
        ({**BAD_OWN, "chosen": 1}, "guerdon", "a text of the row is 1; expected text"),
        ({**BAD_OWN, "source": "x"}, "guerdon", "source is 'x'; expected one of"),
        ({**BAD_OWN, "chosen_ratings": {"score": math.nan}}, "guerdon", "score is nan"),
        ({**BAD_OWN, "problem": {"id": "p", "messages": []}}, "guerdon", "the problem has no messages"),
    ],
)
def test_a_pair_that_says_nothing_is_refused_in_one_line(
    row: dict[str, object], layout: str, expected: str
) -> None:
    with pytest.raises(DataError) as caught:
        pair(row, layout)
    assert str(caught.value).startswith(f"data: {PLACE}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_of_ultrafeedback_with_its_ratings() -> None:
    rated = {"helpfulness": {"Rating": "4"}, "honesty": {"Rating": "N/A"}}
    row = {
        "instruction": "q",
        "models": ["m", "n"],
        "completions": [
            {"response": "a", "overall_score": 7.5, "fine-grained_score": 4.0, "annotations": rated},
            {"response": "b", "overall_score": None, "fine-grained_score": 3.0},
        ],
    }
    found = read_list(row, "list", config(), PLACE)
    assert [answer.score for answer in found.answers] == [7.5, None]
    assert found.answers[0].ratings == {"helpfulness": 4.0, "score": 7.5}
    assert found.problem.info["models"] == ["m", "n"]
    fine = read_list(row, "list", config(columns={"score": "fine-grained_score"}), PLACE)
    assert [answer.score for answer in fine.answers] == [4.0, 3.0]


def test_ranks_of_a_list_are_turned_and_are_no_scale() -> None:
    nectar = {"prompt": "q", "answers": [{"answer": "a", "rank": 2.0}, {"answer": "b", "rank": 1.0}]}
    found = read_list(nectar, "ranked", config(), PLACE)
    assert [(answer.text, answer.score) for answer in found.answers] == [("a", -2.0), ("b", -1.0)]
    assert not found.is_scale
    best_first = read_list({"prompt": "q", "responses": ["a", "b", "c"]}, "ranked", config(), PLACE)
    assert [answer.score for answer in best_first.answers] == [-1.0, -2.0, -3.0]
    beside = read_list({"prompt": "q", "responses": ["a", "b"], "ranks": [2, 1]}, "ranked", config(), PLACE)
    assert [answer.score for answer in beside.answers] == [-2.0, -1.0]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "q", "responses": ["a"], "scores": [1]}, "got 1 responses; expected a list of two"),
        ({"prompt": "q", "responses": "ab", "scores": [1, 2]}, "got str; expected a list"),
        ({"prompt": "q", "responses": ["a", "b"], "scores": [1]}, "1 scores for 2 responses"),
        ({"prompt": "q", "responses": ["a", "b"], "scores": [1, math.nan]}, "score 1 is nan"),
        ({"prompt": "q", "responses": ["a", "b"], "scores": [1, True]}, "score 1 is True"),
        ({"prompt": "q", "responses": ["a", ""], "scores": [1, 2]}, "an answer is empty"),
        (
            {"prompt": "q", "responses": ["a", {"model": "m"}], "scores": [1, 2]},
            "the answers are str and null",
        ),
        ({"prompt": "q", "responses": ["a", "b"]}, "responses without scores"),
        ({"responses": ["a", "b"], "scores": [1, 2]}, "no prompt"),
    ],
)
def test_a_list_that_says_nothing_is_refused(row: dict[str, object], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        read_list(row, "list", config(), PLACE)
    assert str(caught.value).startswith(f"data: {PLACE}: ")
    assert expected in str(caught.value)


HELPSTEER = {"prompt": "q", "response": "a", "helpfulness": 4, "correctness": 2, "verbosity": 3}


def test_attributes_make_a_score_by_their_weights() -> None:
    def score(**options: object) -> float | None:
        return read_answer(HELPSTEER, "ratings", config(**options), PLACE).answers[0].score

    assert score() == 4.0
    assert score(attributes={"helpfulness": 3, "correctness": 1}) == 3.5
    assert score(attributes={"helpfulness": 1, "verbosity": -1}) == 0.5
    found = read_answer(HELPSTEER, "ratings", config(), PLACE)
    rated = {"helpfulness": 4.0, "correctness": 2.0, "verbosity": 3.0}
    assert found.answers[0].ratings == {**rated, "score": 4.0}, (
        "the overall rating goes by one name in every layout"
    )
    assert found.problem.info == {"prompt_format": "text"}


def test_an_answer_that_was_not_rated_has_no_score() -> None:
    row = {**HELPSTEER, "helpfulness": None}
    assert read_answer(row, "ratings", config(), PLACE).answers[0].score is None


@pytest.mark.parametrize(
    ("label", "score"), [(True, 1.0), (False, 0.0), (1, 1.0), (0, 0.0), (-1, 0.0), (None, None)]
)
def test_labels_are_classes(label: object, score: float | None) -> None:
    found = read_answer({"prompt": "q", "completion": "a", "label": label}, "pointwise", config(), PLACE)
    assert found.answers[0].score == score
    assert found.no_tie == ALIKE
    assert not found.is_scale


@pytest.mark.parametrize(
    ("row", "layout", "expected"),
    [
        ({**HELPSTEER, "helpfulness": math.nan}, "ratings", "helpfulness is nan; expected a finite number"),
        ({**HELPSTEER, "correctness": "high"}, "ratings", "correctness is 'high'"),
        ({"prompt": "q", "response": "a"}, "ratings", "no column helpfulness or score"),
        (
            {"prompt": "q", "completion": "a", "label": 0.7},
            "pointwise",
            "label is 0.7; expected true or false",
        ),
        ({"prompt": "q", "completion": "a"}, "pointwise", "label is missing"),
        ({"completion": "a", "label": True}, "pointwise", "no prompt"),
    ],
)
def test_a_judged_answer_that_says_nothing_is_refused(
    row: dict[str, object], layout: str, expected: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_answer(row, layout, config(), PLACE)
    assert str(caught.value).startswith(f"data: {PLACE}: ")
    assert expected in str(caught.value)


def test_an_attribute_that_the_recipe_names_must_be_there() -> None:
    with pytest.raises(DataError, match=r"no column 'wit' \(attributes\); it has prompt, response"):
        read_answer(HELPSTEER, "ratings", config(attributes={"wit": 1}), PLACE)


def test_numbers_may_be_text_but_must_be_numbers() -> None:
    assert number(" 4.5 ", "x", PLACE) == 4.5
    assert number("", "x", PLACE) is None
    for value in ("nan", "inf", [1], 10**400):
        with pytest.raises(DataError, match="x is"):
            number(value, "x", PLACE)


TEXTS = st.sampled_from(["q", "a", "b", "", "\n\nHuman: a\n\nAssistant: b", "\ud800"])
CELLS = st.recursive(
    st.none() | st.booleans() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content"]), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["prompt", "chosen", "rejected", "responses", "scores", "response", "score", "label", "tie"]
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, CELLS, min_size=3))
def test_any_row_at_all_is_read_or_refused_in_one_line(row: dict[str, object]) -> None:
    readers = {"pairs": read_pair, "guerdon": read_pair, "list": read_list, "ratings": read_answer}
    for layout, reader in readers.items():
        try:
            said = json.dumps(to_json(reader(row, layout, config(), PLACE)), allow_nan=False)
        except DataError as error:
            said = str(error)
        assert "\n" not in said


def test_critiques_stay_with_their_side() -> None:
    found = pair({**TRL, "chosen_critique": "right", "critique_rejected": ""})
    assert (found.chosen_critique, found.rejected_critique) == ("right", None)
    rated = [
        {"text": "4", "score": 9, "critique": "fine"},
        {"text": "5", "score": 1, "critique": "one too much"},
    ]
    listed = read_list({"prompt": "q", "responses": rated}, "list", config(), PLACE)
    assert [answer.critique for answer in listed.answers] == ["fine", "one too much"]
    with pytest.raises(DataError, match="a critique is 3; expected text"):
        pair({**TRL, "chosen_critique": 3})
