from __future__ import annotations

import json
from pathlib import Path

import pytest

from guerdon.core.types import Preference
from guerdon.data.preferences.config import JsonlPreferencesConfig
from guerdon.data.preferences.judged import Judged, answers_of, is_list, judged_of, overall
from guerdon.data.preferences.reading import PreferenceSet


def read(tmp_path: Path, *rows: dict[str, object], **options: object) -> PreferenceSet:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return JsonlPreferencesConfig.model_validate({"path": str(path), **options}).build(0)


def said(judged: list[Judged]) -> list[str]:
    """Pairs as a>b, lists and single answers as their texts."""
    return [
        f"{item.chosen}>{item.rejected}"
        if isinstance(item, Preference)
        else "".join(answer.text for answer in item.answers)
        for item in judged
    ]


LIST = {"prompt": "p", "responses": ["a", "b", "c", "a"], "scores": [1, None, 3, 2]}
EVEN = {"prompt": "q", "responses": ["d", "e"], "scores": [2, 2]}


def test_a_list_is_trained_on_whole_or_as_its_pairs_never_both(tmp_path: Path) -> None:
    found = read(tmp_path, LIST, {"prompt": "q", "responses": ["d", "e", "f"], "scores": [3, 2, 1]})
    assert said(judged_of(found, listwise=False, pointwise=False)) == ["c>a", "d>e", "d>f", "e>f"]
    assert said(judged_of(found, listwise=True, pointwise=False)) == ["ca", "def"]
    assert [is_list(item) for item in judged_of(found, listwise=True, pointwise=True)] == [True, True]


def test_without_either_loss_the_pairs_are_those_of_the_set(tmp_path: Path) -> None:
    found = read(tmp_path, LIST, EVEN)
    assert judged_of(found, listwise=False, pointwise=False) == list(found.pairs)


def test_a_list_of_equals_has_no_order_and_stays_a_tie(tmp_path: Path) -> None:
    found = read(tmp_path, LIST, EVEN)
    whole, tie = judged_of(found, listwise=True, pointwise=False)
    assert is_list(whole)
    assert isinstance(tie, Preference)
    assert tie.tie


@pytest.mark.parametrize("layout", ["list", "ranked", "ratings"])
def test_every_layout_of_lists_gives_them(tmp_path: Path, layout: str) -> None:
    rows: dict[str, list[dict[str, object]]] = {
        "list": [{"prompt": "p", "responses": ["b", "a", "c"], "scores": [2, 3, 2]}],
        "ranked": [{"prompt": "p", "responses": ["b", "a", "c"], "ranks": [2, 1, 2]}],
        "ratings": [
            {"prompt": "p", "response": text, "score": score}
            for text, score in (("b", 2), ("a", 3), ("c", 2))
        ],
    }
    (item,) = judged_of(read(tmp_path, *rows[layout]), listwise=True, pointwise=False)
    assert said([item]) == ["abc"]
    scores = [answer.score for answer in answers_of(item)]
    assert scores[0] is not None
    assert scores[1] == scores[2] != scores[0], "equal ranks are equal scores"


def test_rated_answers_without_a_partner_are_trained_on_alone(tmp_path: Path) -> None:
    rows = [
        {"prompt": prompt, "completion": text, "label": label}
        for prompt, text, label in [
            ("p", "a", True), ("p", "b", False), ("q", "c", True), ("r", "d", True), ("r", "e", True), ("s", "f", None),
        ]
    ]  # fmt: skip
    found = read(tmp_path, *rows)
    assert said(judged_of(found, listwise=False, pointwise=False)) == ["a>b"]
    assert said(judged_of(found, listwise=False, pointwise=True)) == ["a>b", "c", "d", "e"]
    assert said(judged_of(found, listwise=True, pointwise=True)) == ["ab", "c", "d", "e"]
    assert said(judged_of(read(tmp_path, *rows[2:]), listwise=False, pointwise=True)) == ["c", "d", "e"]


def test_ranks_rate_nothing(tmp_path: Path) -> None:
    row = {"prompt": "p", "responses": ["a", "b", "c"], "ranks": [1, 2, 3]}
    ends = {"policy": "best_worst"}
    found = read(tmp_path, row, pairing=ends)
    assert said(judged_of(found, listwise=False, pointwise=True)) == ["a>c"]
    scored = read(tmp_path, {**LIST, "responses": ["a", "b", "c"], "scores": [3, 2, 1]}, pairing=ends)
    assert said(judged_of(scored, listwise=False, pointwise=True)) == ["a>c", "b"]


def test_the_overall_rating_of_each_layout(tmp_path: Path) -> None:
    helpful = read(tmp_path, {"prompt": "p", "response": "a", "helpfulness": 3, "verbosity": 1})
    assert overall(helpful.lists[0].answers[0].ratings) == 3.0
    label = read(tmp_path, {"prompt": "p", "completion": "a", "label": False})
    assert overall(label.lists[0].answers[0].ratings) == 0.0
    assert overall({"verbosity": 1.0}) is None


def test_the_sides_of_a_pair_are_answers(tmp_path: Path) -> None:
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "chosen_critique": "fine"}
    pair, tie = read(tmp_path, row, {**row, "tie": True}).pairs
    assert [(one.text, one.score, one.critique) for one in answers_of(pair)] == [
        ("a", 1.0, "fine"),
        ("b", 0.0, None),
    ]
    assert [one.score for one in answers_of(tie)] == [0.5, 0.5]
