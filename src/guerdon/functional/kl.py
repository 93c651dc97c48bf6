"""Per-token estimators of KL(policy || reference) from samples (Schulman 2020). Axes: B rows, T tokens.

With samples from the policy: the gradient of k2 is that of KL(policy || ref); of k3, of KL(ref || policy); of k1, zero;
k3_unbiased (DeepSeek-V3.2, arXiv:2512.02556) weights k3 by policy / behavior, *with* gradient, and is exact off-policy.
Every estimator maps (logprobs_BT, ref_logprobs_BT, behavior_logprobs_BT, mask_BT) -> [B, T], 0 where masked.
"""

from __future__ import annotations

from torch import Tensor

from guerdon.functional.ratios import log_ratio

MAX_LOG_WEIGHT = 1.6
"""Cap of log(policy / behavior) in k3_unbiased: a weight of at most 5."""


def k1(logprobs_BT: Tensor, ref_logprobs_BT: Tensor, behavior_logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """log(policy / ref)."""
    return log_ratio(logprobs_BT, ref_logprobs_BT, mask_BT)


def k2(logprobs_BT: Tensor, ref_logprobs_BT: Tensor, behavior_logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """log(policy / ref)^2 / 2."""
    return log_ratio(logprobs_BT, ref_logprobs_BT, mask_BT).square() / 2


def k3(logprobs_BT: Tensor, ref_logprobs_BT: Tensor, behavior_logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """ref / policy - log(ref / policy) - 1 >= 0 (GRPO, arXiv:2402.03300, eq. 4)."""
    difference_BT = log_ratio(ref_logprobs_BT, logprobs_BT, mask_BT)
    return difference_BT.exp() - difference_BT - 1


def k3_unbiased(
    logprobs_BT: Tensor, ref_logprobs_BT: Tensor, behavior_logprobs_BT: Tensor, mask_BT: Tensor
) -> Tensor:
    """(policy / behavior) * k3, the weight keeping its gradient."""
    weight_BT = log_ratio(logprobs_BT, behavior_logprobs_BT, mask_BT).clamp(max=MAX_LOG_WEIGHT).exp()
    return weight_BT * k3(logprobs_BT, ref_logprobs_BT, behavior_logprobs_BT, mask_BT)
