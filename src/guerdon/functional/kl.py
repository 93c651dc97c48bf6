"""Per-token estimators of KL(policy || reference) from sampled tokens (Schulman 2020).

Every estimator maps (logprobs_BT, ref_logprobs_BT, behavior_logprobs_BT, mask_BT) -> [B, T]: nats per token,
0 where masked. Axes: B rows, T tokens.
What matters for a loss is the gradient. With tokens sampled from the policy it is, in expectation,

    k1            0                    no use in a loss
    k2            of KL(policy || ref)
    k3            of KL(ref || policy) the other direction
    k3_unbiased   of KL(policy || ref) also with tokens sampled from another policy
"""

from __future__ import annotations

from torch import Tensor

from guerdon.functional.ratios import log_ratio

MAX_LOG_WEIGHT = 1.6
"""Cap of log(policy / behavior) in `k3_unbiased`: a weight of at most 5; past it biased, but bounded."""


def k1(
    logprobs_BT: Tensor,
    ref_logprobs_BT: Tensor,
    behavior_logprobs_BT: Tensor,  # noqa: ARG001
    mask_BT: Tensor,
) -> Tensor:
    """log(policy / ref): unbiased, of either sign.

    >>> from torch import tensor
    >>> k1(tensor([[-1.0]]), tensor([[-1.5]]), tensor([[-1.0]]), tensor([[1]]))
    tensor([[0.5000]])
    """
    return log_ratio(logprobs_BT, ref_logprobs_BT, mask_BT)


def k2(
    logprobs_BT: Tensor,
    ref_logprobs_BT: Tensor,
    behavior_logprobs_BT: Tensor,  # noqa: ARG001
    mask_BT: Tensor,
) -> Tensor:
    """log(policy / ref)^2 / 2 >= 0.

    >>> from torch import tensor
    >>> k2(tensor([[-1.0]]), tensor([[-1.5]]), tensor([[-1.0]]), tensor([[1]]))
    tensor([[0.1250]])
    """
    return log_ratio(logprobs_BT, ref_logprobs_BT, mask_BT).square() / 2


def k3(
    logprobs_BT: Tensor,
    ref_logprobs_BT: Tensor,
    behavior_logprobs_BT: Tensor,  # noqa: ARG001
    mask_BT: Tensor,
) -> Tensor:
    """GRPO's estimator x - log x - 1 >= 0 with x = ref / policy (arXiv:2402.03300, eq. 4): low variance.

    >>> from torch import tensor
    >>> k3(tensor([[-1.0]]), tensor([[-1.5]]), tensor([[-1.0]]), tensor([[1]]))  # e^-0.5 + 0.5 - 1
    tensor([[0.1065]])
    """
    difference_BT = log_ratio(ref_logprobs_BT, logprobs_BT, mask_BT)
    return difference_BT.exp() - difference_BT - 1


def k3_unbiased(
    logprobs_BT: Tensor, ref_logprobs_BT: Tensor, behavior_logprobs_BT: Tensor, mask_BT: Tensor
) -> Tensor:
    """min(policy / behavior, e^1.6) * k3 (DeepSeek-V3.2, arXiv:2512.02556, section 3.1).

    The weight *keeps its gradient*: detach it, and the gradient is that of the other direction again.

    >>> from torch import tensor
    >>> k3_unbiased(tensor([[-1.0]]), tensor([[-1.5]]), tensor([[-1.6931472]]), tensor([[1]]))  # 2 * k3
    tensor([[0.2131]])
    """
    weight_BT = log_ratio(logprobs_BT, behavior_logprobs_BT, mask_BT).clamp(max=MAX_LOG_WEIGHT).exp()
    return weight_BT * k3(logprobs_BT, ref_logprobs_BT, behavior_logprobs_BT, mask_BT)
