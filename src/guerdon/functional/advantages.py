"""Advantage estimators: how much better than its siblings one rollout did.

Every estimator maps (rewards_B, group_B, lengths_B) -> advantages_B [B], those of `BY_PART` (parts_KB, weights_KB,
group_B, lengths_B):

    rewards_B   one number per scored rollout, finite float (unscored rollouts were left out before)
    group_B     which problem it answers, any integers
    lengths_B   its length in tokens
    parts_KB    the K parts of the reward, NaN where one could not be verified
    weights_KB  their weights; rewards_B = sum(weights_KB * parts_KB)

A group of one, or a group whose rewards are equal but for float residue, gets exactly 0: whether there is a
spread is asked of max - min, relative to the rewards, so residue never becomes an advantage of thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-4
"""Added to every deviation, as in TRL."""
RELATIVE_SPREAD = 1e-6
"""Rewards within this share of max(1, largest |reward| of the group) are equal: a dozen float32 roundings."""


class _Groups(NamedTuple):
    """Per-group statistics, given back to each row."""

    index_B: Tensor
    """Groups numbered 0, 1, ..."""
    count_B: Tensor
    mean_B: Tensor
    has_spread_B: Tensor


def _sum(values_B: Tensor, index_B: Tensor) -> Tensor:
    """Sum of each row's group [B]; there are never more groups than rows."""
    return torch.zeros_like(values_B).index_add(0, index_B, values_B)[index_B]


def _max(values_B: Tensor, index_B: Tensor) -> Tensor:
    return torch.zeros_like(values_B).scatter_reduce(0, index_B, values_B, "amax", include_self=False)[
        index_B
    ]


def _groups(rewards_B: Tensor, group_B: Tensor) -> _Groups:
    index_B = torch.unique(group_B, return_inverse=True)[1]
    count_B = _sum(torch.ones_like(rewards_B), index_B)
    spread_B = _max(rewards_B, index_B) + _max(-rewards_B, index_B)
    scale_B = _max(rewards_B.abs(), index_B).clamp(min=1.0)
    return _Groups(index_B, count_B, _sum(rewards_B, index_B) / count_B, spread_B > RELATIVE_SPREAD * scale_B)


def _centered(rewards_B: Tensor, baseline_B: Tensor, groups: _Groups) -> Tensor:
    """Rewards - baseline; exactly 0 in groups without spread."""
    return (rewards_B - baseline_B).masked_fill(~groups.has_spread_B, 0.0)


def group_center(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:  # noqa: ARG001
    """A = r - mean of the group (Dr.GRPO, arXiv:2503.20783; DeepSeek-V3.2, arXiv:2512.02556).

    >>> from torch import tensor
    >>> group_center(tensor([1.0, 0.0, 5.0]), tensor([0, 0, 1]), tensor([3, 3, 3]))
    tensor([ 0.5000, -0.5000,  0.0000])
    """
    groups = _groups(rewards_B, group_B)
    return _centered(rewards_B, groups.mean_B, groups)


def group_zscore(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:  # noqa: ARG001
    """A = (r - mean) / (std + 1e-4) of the group, Bessel's std (GRPO, arXiv:2402.03300, as in TRL).

    >>> from torch import tensor
    >>> group_zscore(tensor([1.0, 0.0, 5.0]), tensor([0, 0, 1]), tensor([3, 3, 3]))
    tensor([ 0.7070, -0.7070,  0.0000])
    """
    groups = _groups(rewards_B, group_B)
    centered_B = _centered(rewards_B, groups.mean_B, groups)
    freedom_B = (groups.count_B - 1).clamp(min=1)
    std_B = (_sum(centered_B.square(), groups.index_B) / freedom_B).sqrt()
    return centered_B / (std_B + EPSILON)


def batch_std(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:  # noqa: ARG001
    """A = (r - mean of the group) / (std of all rewards + 1e-4), Bessel's std.

    Lite-PPO (arXiv:2508.08221), ScaleRL (arXiv:2510.13786); TRL's `scale_rewards = "batch"`.

    >>> from torch import tensor
    >>> batch_std(tensor([1.0, 0.0, 5.0]), tensor([0, 0, 1]), tensor([3, 3, 3]))  # std of 1, 0, 5 is sqrt(7)
    tensor([ 0.1890, -0.1890,  0.0000])
    """
    groups = _groups(rewards_B, group_B)
    return _centered(rewards_B, groups.mean_B, groups) / (_std(rewards_B) + EPSILON)


def leave_one_out(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:  # noqa: ARG001
    """A = r - mean of the *other* rollouts of the group = G / (G - 1) * (r - mean) (RLOO, arXiv:2402.14740).

    >>> from torch import tensor
    >>> leave_one_out(tensor([1.0, 0.0, 5.0]), tensor([0, 0, 1]), tensor([3, 3, 3]))
    tensor([ 1., -1.,  0.])
    """
    groups = _groups(rewards_B, group_B)
    scale_B = groups.count_B / (groups.count_B - 1).clamp(min=1)
    return _centered(rewards_B, groups.mean_B, groups) * scale_B


def opo(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """A = r - sum(l r) / sum(l) over the group: the length-weighted baseline (OPO, arXiv:2505.23585).

    >>> from torch import tensor
    >>> opo(tensor([1.0, 0.0, 5.0]), tensor([0, 0, 1]), tensor([1, 3, 3]))
    tensor([ 0.7500, -0.2500,  0.0000])
    """
    groups = _groups(rewards_B, group_B)
    weight_B = lengths_B.to(rewards_B.dtype)
    total_B = _sum(weight_B, groups.index_B).clamp(min=1)
    return _centered(rewards_B, _sum(weight_B * rewards_B, groups.index_B) / total_B, groups)


def reinforce_plus_plus(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:  # noqa: ARG001
    """A = c / (std of all c + 1e-4), c = r - mean of the group (REINFORCE++, arXiv:2501.03262).

    The variant with a group baseline; whitening needs no second mean, as the c of every group sum to 0.

    >>> from torch import tensor
    >>> reinforce_plus_plus(tensor([1.0, 0.0, 5.0]), tensor([0, 0, 1]), tensor([3, 3, 3]))
    tensor([ 0.9998, -0.9998,  0.0000])
    """
    groups = _groups(rewards_B, group_B)
    centered_B = _centered(rewards_B, groups.mean_B, groups)
    return centered_B / (_std(centered_B) + EPSILON)


def gdpo(parts_KB: Tensor, weights_KB: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """REINFORCE++ on z = sum_k w_k * group_zscore(part k): normalise, then sum, then whiten (GDPO, arXiv:2601.05242).

    Rollouts with equal sums of different parts learn different things, and a part on a wide scale does not drown the
    others. A missing part has no say: its weight is shared out among those that the rollout has.

    >>> from torch import tensor
    >>> parts = tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]])  # sums 1, 1, 1, 0; the first part is rarer
    >>> gdpo(parts, torch.ones(2, 4), tensor([0, 0, 0, 0]), tensor([3, 3, 3, 3]))
    tensor([ 0.6894,  0.3981,  0.3981, -1.4856])
    """
    known_KB = ~parts_KB.isnan()
    rows = zip(parts_KB, known_KB, strict=True)
    scaled_KB = torch.stack([_known_zscore(part_B, known_B, group_B, lengths_B) for part_B, known_B in rows])
    size_KB = weights_KB.abs()
    known_B = (size_KB * known_KB).sum(0)
    share_B = size_KB.sum(0) / torch.where(known_B > 0.0, known_B, torch.ones_like(known_B))
    return reinforce_plus_plus((weights_KB * scaled_KB).sum(0) * share_B, group_B, lengths_B)


def _known_zscore(part_B: Tensor, known_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:
    """Z-scores among the known values of each group; 0 for the others."""
    found = group_zscore(part_B[known_B], group_B[known_B], lengths_B[known_B])
    return torch.zeros_like(part_B).masked_scatter(known_B, found)


def constant(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:  # noqa: ARG001
    """A = 1: supervised learning, where every example is to be imitated.

    >>> from torch import tensor
    >>> constant(tensor([0.3, 0.0]), tensor([0, 1]), tensor([3, 3]))
    tensor([1., 1.])
    """
    return torch.ones_like(rewards_B)


def rejection(rewards_B: Tensor, group_B: Tensor, lengths_B: Tensor) -> Tensor:  # noqa: ARG001
    """A = 1 for the best of a group, 0 for the others: imitate what was right (RAFT, arXiv:2304.06767).

    Rejective fine-tuning (DeepSeek-GRM, arXiv:2504.02495): wrong samples are rejected, and so are groups in which all are
    equally good, which are too easy, or too hard.

    >>> from torch import tensor
    >>> rejection(tensor([1.0, -1.0, 1.0, 1.0]), tensor([0, 0, 1, 1]), tensor([3, 3, 3, 3]))
    tensor([1., 0., 0., 0.])
    """
    groups = _groups(rewards_B, group_B)
    best_B = _max(rewards_B, groups.index_B)
    scale_B = _max(rewards_B.abs(), groups.index_B).clamp(min=1.0)
    is_best_B = best_B - rewards_B <= RELATIVE_SPREAD * scale_B
    return (is_best_B & groups.has_spread_B).to(rewards_B.dtype)


BY_PART: frozenset[Callable[..., Tensor]] = frozenset({gdpo})
"""Estimators that see each part by itself, and so take (parts_KB, weights_KB, group_B, lengths_B)."""


def _std(values_B: Tensor) -> Tensor:
    """Bessel's deviation; 0 for fewer than two values."""
    return values_B.std() if len(values_B) > 1 else values_B.new_zeros(())
