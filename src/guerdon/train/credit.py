"""Rewards to advantages: who did better than their siblings, and by how much.

Rollouts without a score (could not verify) take no part: they are in no mean, no deviation, no loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from guerdon.core.types import CreditedGroup, ScoredGroup

Advantage = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(rewards_B, group_B, lengths_B) -> advantages_B"""


def credit(advantage: Advantage, scored: Sequence[ScoredGroup]) -> list[CreditedGroup]:
    """Advantages of every completion token; a rollout's tokens share one, an unscored rollout's are 0.

    Args:
        advantage: the algorithm's estimator over all groups of the step, for example `group_zscore`.
        scored: the groups of one step.
    """
    rows = [
        (group_index, index, score.value, group.group.rollouts[index].num_tokens)
        for group_index, group in enumerate(scored)
        for index, score in enumerate(group.scores)
        if score.value is not None
    ]
    found: dict[tuple[int, int], float] = {}
    if rows:
        advantages_B = advantage(
            torch.tensor([value for _, _, value, _ in rows], dtype=torch.float32),
            torch.tensor([group for group, _, _, _ in rows]),
            torch.tensor([length for _, _, _, length in rows], dtype=torch.float32),
        )
        found = {row[:2]: value for row, value in zip(rows, advantages_B.tolist(), strict=True)}
    return [
        CreditedGroup(
            scored=group,
            advantages_G_T=tuple(
                (found.get((group_index, index), 0.0),) * rollout.num_tokens
                for index, rollout in enumerate(group.group.rollouts)
            ),
        )
        for group_index, group in enumerate(scored)
    ]
