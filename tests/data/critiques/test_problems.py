from __future__ import annotations

import json
from pathlib import Path

import pytest

from guerdon.core.config import parse_plugin
from guerdon.core.critique import read_scores
from guerdon.core.errors import DataError
from guerdon.core.types import Problem
from guerdon.data.config import DATASETS

ARITH = {"kind": "arith", "num_pairs": 60, "max_digits": 1, "max_operands": 3}


def build(**fields: object) -> list[Problem]:
    config = parse_plugin(DATASETS, {"kind": "critiques", "preferences": ARITH, **fields})
    return list(config.build(0))


def test_a_pair_is_a_problem_whose_worked_critique_finds_the_better_side() -> None:
    problems = build()
    assert len(problems) == len({problem.id for problem in problems}) == 60
    for problem in problems:
        scores = read_scores(str(problem.info["solution"]), 2)
        assert scores is not None
        assert 1 + scores.index(max(scores)) == problem.info["best"] == int(problem.target or 0)
        assert problem.info["subset"] in ("step", "answer", "carried")


def test_the_better_side_stands_first_about_half_of_the_time() -> None:
    first = sum(problem.info["best"] == 1 for problem in build())
    assert 15 < first < 45
    assert [p.info["best"] for p in build()] == [p.info["best"] for p in build()], "the same order each time"


def test_one_response_at_a_time_has_a_label() -> None:
    problems = build(responses=1)
    assert len(problems) == 120
    assert [problem.info["label"] for problem in problems[:2]] == [10, 1]
    assert all("<response 2>" not in problem.messages[0].content for problem in problems)
    for problem in problems:
        assert read_scores(str(problem.info["solution"]), 1) == (problem.info["label"],), (
            "imitation and SPCT agree"
        )


def test_the_reference_is_shown_only_if_asked_for() -> None:
    assert "<reference>" not in build()[0].messages[0].content
    assert "<reference>" in build(show_reference=True)[0].messages[0].content
    assert len(build(limit=7)) == 7


def test_pairs_of_people_have_no_worked_critique_and_ties_are_left_out(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Name a colour.", "chosen": "red", "rejected": "three"},
        {"prompt": "Name a number.", "chosen": "one", "rejected": "two", "tie": True},
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (problem,) = build(preferences={"kind": "jsonl", "path": str(path)})
    assert "solution" not in problem.info
    path.write_text(json.dumps(rows[1]) + "\n")
    with pytest.raises(DataError, match="no pair with a better side"):
        build(preferences={"kind": "jsonl", "path": str(path)})
