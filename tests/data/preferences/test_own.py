from __future__ import annotations

from typing import Any

import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import Message, Preference, Problem, to_json
from guerdon.data.preferences.own import own_preference, own_problem

PLACE = "f.jsonl, line 7"
PROBLEM = Problem(
    id="p", messages=(Message(role="user", content="q"),), target="4", info={"made": {"seed": 1}}
)
PAIR = Preference(problem=PROBLEM, chosen="a", rejected="b", margin=2.0, chosen_ratings={"score": 2.0})


def test_what_guerdon_writes_it_reads() -> None:
    assert own_problem(to_json(PROBLEM), PLACE) == PROBLEM
    row: Any = to_json(PAIR)
    assert own_preference(row, PLACE) == PAIR


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"messages": []}, "the problem has no messages"),
        ({"messages": 3}, "not a problem as guerdon writes it"),
        ({"id": 3}, "a text of the row is 3; expected text"),
    ],
)
def test_a_problem_that_was_edited_is_refused_in_one_line(change: dict[str, Any], told: str) -> None:
    given: Any = to_json(PROBLEM)
    with pytest.raises(DataError, match=told):
        own_problem({**given, **change}, PLACE)
