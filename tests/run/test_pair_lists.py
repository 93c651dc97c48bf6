"""Lists of responses leave without labels, come back with them, and become pairs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import DataError, UserError
from guerdon.data.preferences.config import JsonlPreferencesConfig
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.make_preferences import make_preferences
from guerdon.run.pair_lists import pair_lists

RECIPE: dict[str, Any] = {
    "num_problems": 5,
    "model": {"source": "builtin:tiny"},
    "data": {"train": {"kind": "arith", "num_problems": 40}},
    "sampling": {"num_generations": 3, "max_completion_length": 6},
    "pairing": {"policy": "best_worst"},
}
Row = dict[str, Any]


def config(**changes: Any) -> PreferencesRunConfig:
    return parse_config(PreferencesRunConfig, {**RECIPE, **changes})


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("guerdon.core.types.Rollout.truncated", property(lambda _: False))
    made = make_preferences(config(), tmp_path / "lists.jsonl")
    assert made.num_pairs == 5
    return made.path


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def labelled(path: Path, label: Callable[[int, Row], None]) -> Path:
    found = rows(path)
    for number, row in enumerate(found):
        label(number, row)
    out = path.with_name("labelled.jsonl")
    out.write_text("".join(json.dumps(row) + "\n" for row in found))
    return out


def test_each_way_of_labelling_comes_back_as_pairs(lists: Path, tmp_path: Path) -> None:
    def label(number: int, row: Row) -> None:
        row["annotator"] = "ann"
        if number == 0:
            for entry, score in zip(row["responses"], (0.5, 2.0, 1.0), strict=False):
                entry["score"] = score
        elif number == 1:
            row["scores"] = [3, 1, 2][: len(row["responses"])]
        elif number == 2:
            row["ranks"] = [2, 1, 3][: len(row["responses"])]
            row["comment"] = "hard to say"
        elif number == 3:
            row["preference"] = "b"

    before = rows(lists)
    found = pair_lists(config(), str(labelled(lists, label)), tmp_path / "pairs.jsonl")
    assert found.left_out["prompts that nobody judged"] == 1
    pairs = rows(tmp_path / "pairs.jsonl")
    by_problem = {pair["problem"]["id"]: pair for pair in pairs}
    assert before[4]["problem"]["id"] not in by_problem
    assert {(pair["source"], pair["annotator"]) for pair in pairs} == {("human", "ann")}
    texts = [[entry["text"] for entry in row["responses"]] for row in before]
    chosen = [by_problem[row["problem"]["id"]]["chosen"] for row in before[:4]]
    assert chosen == [texts[0][1], texts[1][0], texts[2][1], texts[3][1]]
    first = by_problem[before[0]["problem"]["id"]]
    assert (first["margin"], first["chosen_ratings"]) == (1.5, {"score": 2.0})
    assert first["problem"] == before[0]["problem"]  # who wrote what, with which weights, came along
    assert by_problem[before[2]["problem"]["id"]]["problem"]["info"]["comment"] == "hard to say"
    assert by_problem[before[3]["problem"]["id"]]["margin"] is None


def test_a_tie_is_a_tie_and_the_others_are_not_compared(lists: Path, tmp_path: Path) -> None:
    def label(number: int, row: Row) -> None:
        row["preference"] = "tie" if number == 0 else "a"

    path = labelled(lists, label)
    found = pair_lists(config(pairing={"policy": "all"}), str(path), tmp_path / "pairs.jsonl")
    first = rows(lists)[0]["problem"]["id"]
    assert {pair.tie for pair in found.pairs if pair.problem.id == first} == {True}
    assert not any(pair.tie for pair in found.pairs if pair.problem.id != first)
    assert found.left_out["pairs that the preference does not compare"] > 0
    assert "pairs with equal labels" not in found.left_out


def test_the_lists_can_be_trained_on_as_they_are(lists: Path) -> None:
    def label(_: int, row: Row) -> None:
        row["scores"] = list(range(len(row["responses"])))

    path = labelled(lists, label)
    read = JsonlPreferencesConfig(path=str(path), pairing=config().pairing).build(0)
    assert (read.layout, len(read.pairs)) == ("list", 5)


def test_nobody_has_judged_anything(lists: Path, tmp_path: Path) -> None:
    found = pair_lists(config(), str(lists), tmp_path / "pairs.jsonl")
    assert (found.pairs, dict(found.left_out)) == ((), {"prompts that nobody judged": 5})


def test_an_edited_response_is_refused(lists: Path, tmp_path: Path) -> None:
    def label(number: int, row: Row) -> None:
        row["preference"] = "a"
        if number == 2:
            row["responses"][1]["text"] += "!"

    path = labelled(lists, label)
    with pytest.raises(DataError, match=r"line 3, response 1: is not what the model said"):
        pair_lists(config(), str(path), tmp_path / "pairs.jsonl")
    assert not (tmp_path / "pairs.jsonl").exists()


def test_what_is_no_list_is_refused(lists: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is the lists themselves"):
        pair_lists(config(), str(lists), lists)
    pairs = tmp_path / "trl.jsonl"
    pairs.write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n')
    with pytest.raises(DataError, match="layout pairs; expected lists of responses"):
        pair_lists(config(), str(pairs), tmp_path / "out.jsonl")
