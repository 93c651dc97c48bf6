from __future__ import annotations

import dataclasses

import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import Problem, StopReason
from guerdon.models.policy import Policy
from guerdon.train.supervised import demonstrations


def test_a_worked_solution_is_a_rollout_that_ends_itself(tiny: Policy, problems: list[Problem]) -> None:
    solved = [dataclasses.replace(problem, info={"solution": "2+6=8"}) for problem in problems]
    groups = demonstrations(solved, tiny)
    assert [group.problem for group in groups] == solved
    (rollout,) = groups[0].rollouts
    turn = rollout.turns[0]
    assert rollout.stop is StopReason.EOS
    assert tiny.decode(turn.completion_ids) == "2+6=8"
    assert turn.completion_ids[-1] == tiny.eos_id  # the end is learned too
    assert turn.prompt_ids == tiny.render(solved[0].messages)


@pytest.mark.parametrize("info", [{}, {"solution": ""}, {"solution": 3}])
def test_a_row_without_a_solution_is_named(tiny: Policy, problems: list[Problem], info: dict) -> None:
    with pytest.raises(DataError, match="problem p2: no worked solution"):
        demonstrations([dataclasses.replace(problems[0], info=info)], tiny)
