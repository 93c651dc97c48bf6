"""Corrections for rollouts that another distribution sampled (an older policy, another engine).

All weights are detached: they change how much a token counts, not where it pulls. Axes: B rows, T tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from guerdon.functional.masked import row_mean, zeroed
from guerdon.functional.ratios import log_ratio


def off_policy_sequence_mask(
    advantages_BT: Tensor,
    logprobs_BT: Tensor,
    behavior_logprobs_BT: Tensor,
    mask_BT: Tensor,
    threshold: float,
) -> Tensor:
    """Which sequences to keep, bool [B, 1]: A >= 0, or mean_t log(behavior / now) <= threshold.

    A bad answer that the policy has meanwhile moved away from teaches nothing more, only destabilises
    (DeepSeek-V3.2, arXiv:2512.02556, section 3.1). The threshold is in nats per token.

    >>> from torch import tensor
    >>> now, behavior = tensor([[-3.0], [-3.0]]), tensor([[-1.0], [-1.0]])
    >>> off_policy_sequence_mask(tensor([[1.0], [-1.0]]), now, behavior, tensor([[1], [1]]), 0.5).tolist()
    [[True], [False]]
    """
    drift_BT = log_ratio(behavior_logprobs_BT.detach(), logprobs_BT.detach(), mask_BT)
    good_B1 = zeroed(advantages_BT, mask_BT).sum(1, keepdim=True) >= 0
    return good_B1 | (row_mean(drift_BT, mask_BT) <= threshold)


def truncated_importance(
    old_logprobs_BT: Tensor, behavior_logprobs_BT: Tensor, mask_BT: Tensor, cap: float
) -> Tensor:
    """min(old / behavior, cap) per token [B, T], 1 where masked (truncated importance sampling).

    >>> from torch import tensor
    >>> truncated_importance(tensor([[0.0, -1.0]]), tensor([[-2.0, -1.0]]), tensor([[1, 1]]), 2.0)
    tensor([[2., 1.]])
    """
    return log_ratio(old_logprobs_BT.detach(), behavior_logprobs_BT.detach(), mask_BT).exp().clamp(max=cap)


def masked_importance(
    old_logprobs_BT: Tensor, behavior_logprobs_BT: Tensor, mask_BT: Tensor, low: float, high: float
) -> Tensor:
    """Masked importance sampling: old / behavior where it lies in [low, high], else 0 [B, T]; 1 where masked.

    >>> from torch import tensor
    >>> masked_importance(tensor([[0.0, -1.0]]), tensor([[-2.0, -1.0]]), tensor([[1, 1]]), 0.5, 2.0)
    tensor([[0., 1.]])
    """
    weight_BT = log_ratio(old_logprobs_BT.detach(), behavior_logprobs_BT.detach(), mask_BT).exp()
    return torch.where((weight_BT >= low) & (weight_BT <= high), weight_BT, torch.zeros_like(weight_BT))


def effective_sample_size(weight_B: Tensor) -> Tensor:
    """(sum w)^2 / sum w^2, a scalar between 1 (one weight has it all) and B (all equal); 0 if all are 0.

    >>> from torch import tensor
    >>> effective_sample_size(tensor([1.0, 1.0, 0.0]))
    tensor(2.)
    """
    return weight_B.sum().square() / weight_B.square().sum().clamp(min=1e-30)
