"""Advantage estimators: how much better than its siblings one rollout did.

Every estimator maps (rewards_B, group_B, lengths_B) -> advantages_B: rewards of B scored rollouts, the number of each
one's group (0..P-1), its length in tokens. Unscored rollouts were left out before. A group without spread gets exactly
0: the test is relative, so the float residue of equal rewards can never become an advantage of thousands.
"""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-4
"""Added to every deviation, as in TRL."""
RELATIVE_SPREAD = 1e-5
"""A group whose largest deviation is at most this share of its largest reward carries no signal."""


def _sum(values_B: Tensor, group_B: Tensor) -> Tensor:
    """Per-group sums, given back to each row [B]."""
    num_groups = int(group_B.max()) + 1 if len(group_B) else 0
    return values_B.new_zeros(num_groups).index_add(0, group_B, values_B)[group_B]


def _max(values_B: Tensor, group_B: Tensor) -> Tensor:
    num_groups = int(group_B.max()) + 1 if len(group_B) else 0
    best_P = values_B.new_zeros(num_groups).scatter_reduce(0, group_B, values_B, "amax", include_self=False)
    return best_P[group_B]


def _count(group_B: Tensor) -> Tensor:
    return _sum(torch.ones_like(group_B, dtype=torch.float32), group_B)


def _centered(rewards_B: Tensor, baseline_B: Tensor, group_B: Tensor) -> Tensor:
    """rewards - baseline, exactly 0 in groups without spread."""
    mean_B = _sum(rewards_B, group_B) / _count(group_B)
    spread_B = _max((rewards_B - mean_B).abs(), group_B)
    scale_B = _max(rewards_B.abs(), group_B)
    flat_B = spread_B <= RELATIVE_SPREAD * scale_B
    return torch.where(flat_B, torch.zeros_like(rewards_B), rewards_B - baseline_B)


def group_center(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """A = r - mean of the group (Dr.GRPO, arXiv:2503.20783; DeepSeek-V3.2, arXiv:2512.02556).

    >>> group_center(torch.tensor([1.0, 0.0, 5.0]), torch.tensor([0, 0, 1]), torch.ones(3))
    tensor([ 0.5000, -0.5000,  0.0000])
    """
    return _centered(rewards_B, _sum(rewards_B, group_B) / _count(group_B), group_B)


def group_zscore(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """A = (r - mean) / (std + 1e-4) of the group, Bessel's std (GRPO, arXiv:2402.03300, as in TRL)."""
    centered_B = group_center(rewards_B, group_B, lengths_B)
    freedom_B = (_count(group_B) - 1).clamp(min=1)
    std_B = (_sum(centered_B.square(), group_B) / freedom_B).sqrt()
    return centered_B / (std_B + EPSILON)


def batch_std(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """A = (r - mean of the group) / (std of the batch + 1e-4) (Lite-PPO, arXiv:2508.08221; ScaleRL)."""
    centered_B = group_center(rewards_B, group_B, lengths_B)
    return _whitened(centered_B, rewards_B)


def _whitened(centered_B: Tensor, rewards_B: Tensor) -> Tensor:
    std = rewards_B.std() if len(rewards_B) > 1 else rewards_B.new_zeros(())
    return centered_B / (std + EPSILON)


def leave_one_out(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """A = r - mean of the *other* rollouts of the group (RLOO, arXiv:2402.14740) = G / (G - 1) * (r - mean)."""
    count_B = _count(group_B)
    return group_center(rewards_B, group_B, lengths_B) * count_B / (count_B - 1).clamp(min=1)


def opo(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """A = r - length-weighted mean of the group: the variance-optimal baseline (OPO, arXiv:2505.23585)."""
    baseline_B = _sum(rewards_B * lengths_B, group_B) / _sum(lengths_B, group_B)
    return _centered(rewards_B, baseline_B, group_B)


def reinforce_plus_plus(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """A = (r - group mean), then whitened over the whole batch (REINFORCE++-baseline, arXiv:2501.03262)."""
    centered_B = group_center(rewards_B, group_B, lengths_B)
    if len(centered_B) < 2:
        return torch.zeros_like(centered_B)
    whitened_B = (centered_B - centered_B.mean()) / (centered_B.std() + EPSILON)
    return torch.where(centered_B == 0.0, torch.zeros_like(whitened_B), whitened_B)


def constant(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """A = 1: supervised learning, where every example is to be imitated."""
    return torch.ones_like(rewards_B)
