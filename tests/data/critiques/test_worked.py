from __future__ import annotations

import random

import pytest

from guerdon.core.critique import read_scores
from guerdon.data.critiques.worked import BAD, GOOD, arith_critique
from guerdon.data.preferences.faults import with_fault

RIGHT = "3 + 8 = 11\n11 - 2 = 9\n#### 9"


def test_worked_by_hand() -> None:
    wrong = "3 + 8 = 12\n12 - 2 = 10\n#### 9"
    assert arith_critique([RIGHT, wrong]) == (
        "Principles: right steps, right answer.\n"
        "1: 3 + 8 = 11? 11, ok; 11 - 2 = 9? 9, ok; answer 9? 9, ok\n"
        "2: 3 + 8 = 12? 11, no; 12 - 2 = 10? 10, ok; answer 9? 10, no\n"
        "Scores: 10, 1"
    )


@pytest.mark.parametrize("fault", ["step", "answer", "carried"])
def test_every_fault_is_found(fault: str) -> None:
    for seed in range(20):
        wrong = with_fault(RIGHT, fault, random.Random(seed))
        found = arith_critique([wrong, RIGHT])
        assert found is not None
        assert read_scores(found, 2) == (BAD, GOOD), wrong


def test_a_response_without_steps_has_no_worked_critique() -> None:
    assert arith_critique([RIGHT, "#### 9"]) is None
    assert arith_critique(["3 + 8 = 11"]) is None
