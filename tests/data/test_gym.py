from __future__ import annotations

import pytest

from guerdon.core.errors import DataError
from guerdon.data.config import ReasoningGymConfig

pytest.importorskip("reasoning_gym")


@pytest.mark.slow
def test_a_task_by_name_is_deterministic_and_has_targets() -> None:
    config = ReasoningGymConfig(task="chain_sum", num_problems=5, options={"min_terms": 2, "max_terms": 2})
    found = config.build(1)
    assert found == config.build(1)
    assert found != config.build(2)
    assert len(found) == 5
    assert all(problem.target and problem.target.lstrip("-").isdigit() for problem in found)


@pytest.mark.slow
def test_unknown_tasks_and_options_are_named() -> None:
    with pytest.raises(DataError, match="did you mean 'chain_sum'"):
        ReasoningGymConfig(task="chain_sun", num_problems=2).build(0)
    with pytest.raises(DataError, match="options refused"):
        ReasoningGymConfig(task="chain_sum", num_problems=2, options={"nope": 1}).build(0)
