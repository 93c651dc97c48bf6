"""Supervised fine-tuning on the same spine: worked solutions are rollouts that somebody else wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from guerdon.core.errors import DataError
from guerdon.core.types import Problem, Rollout, RolloutGroup, StopReason, Turn

if TYPE_CHECKING:
    from guerdon.models.policy import Policy


def solution_of(problem: Problem) -> str:
    """Its worked solution; "" if it has none."""
    solution = problem.info.get("solution")
    return solution if isinstance(solution, str) else ""


def demonstrations(problems: Sequence[Problem], policy: Policy) -> list[RolloutGroup]:
    """Each problem's `info["solution"]` as a group of one rollout.

    Raises:
        DataError: a problem has no worked solution.
    """
    groups = []
    for problem in problems:
        solution = solution_of(problem)
        if not solution:
            raise DataError(
                f"problem {problem.id}: no worked solution; the sft stage needs a column `solution` in every row "
                '(or leave the stage out: stages = ["grpo"])'
            )
        ids = (*policy.encode(solution), policy.eos_id)
        turn = Turn(
            prompt_ids=policy.render(problem.messages),
            completion_ids=ids,
            behavior_logprobs=(0.0,) * len(ids),
            text=solution,
            agent="teacher",
        )
        rollout = Rollout(problem_id=problem.id, index=0, turns=(turn,), stop=StopReason.EOS)
        groups.append(RolloutGroup(problem=problem, rollouts=(rollout,)))
    return groups
