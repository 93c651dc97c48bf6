"""Corrections for rollouts that another distribution sampled. All weights are detached. Axes: B rows, T tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from guerdon.functional.ratios import log_ratio


def off_policy_sequence_mask(
    advantages_BT: Tensor,
    logprobs_BT: Tensor,
    behavior_logprobs_BT: Tensor,
    mask_BT: Tensor,
    threshold: float,
) -> Tensor:
    """Which sequences to keep [B, 1]: all with A >= 0, and those whose mean log(behavior / now) is at most `threshold`.

    DeepSeek-V3.2 (arXiv:2512.02556, section 3.1).
    """
    drift_BT = log_ratio(behavior_logprobs_BT, logprobs_BT.detach(), mask_BT)
    mean_B1 = drift_BT.sum(1, keepdim=True) / mask_BT.sum(1, keepdim=True).clamp(min=1)
    positive_B1 = advantages_BT.masked_fill(~mask_BT.bool(), 0.0).sum(1, keepdim=True) >= 0
    return positive_B1 | (mean_B1 <= threshold)


def truncated_importance(
    old_logprobs_BT: Tensor, behavior_logprobs_BT: Tensor, mask_BT: Tensor, cap: float
) -> Tensor:
    """min(old / behavior, cap) per token (truncated importance sampling)."""
    return log_ratio(old_logprobs_BT.detach(), behavior_logprobs_BT, mask_BT).exp().clamp(max=cap)


def masked_importance(
    old_logprobs_BT: Tensor, behavior_logprobs_BT: Tensor, mask_BT: Tensor, low: float, high: float
) -> Tensor:
    """old / behavior where it lies in [low, high], else 0 (masked importance sampling)."""
    weight_BT = log_ratio(old_logprobs_BT.detach(), behavior_logprobs_BT, mask_BT).exp()
    return torch.where((weight_BT >= low) & (weight_BT <= high), weight_BT, torch.zeros_like(weight_BT))


def effective_sample_size(weight_B: Tensor) -> Tensor:
    """(sum w)^2 / sum w^2, between 1 and B."""
    return weight_B.sum().square() / weight_B.square().sum().clamp(min=1e-30)
