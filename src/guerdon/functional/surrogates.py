"""Surrogate objectives: how far one token may push the policy. Pure; knows nothing of models.

Every factory returns (ratio_BT, advantages_BT, logprobs_BT, mask_BT) -> loss_BT, to be minimised; averaging
belongs to `aggregate`. Masked log-ratios were zeroed in `ratios`; masked log-probs may hold NaN; advantages
are finite everywhere. Axes: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from guerdon.functional.masked import full_precision, row_mean, zeroed

Surrogate = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(ratio_BT, advantages_BT, logprobs_BT, mask_BT) -> loss_BT"""


def reinforce() -> Surrogate:
    """-A * log pi (Williams 1992); with A = 1 the supervised negative log-likelihood. The ratio is not read.

    >>> from torch import tensor
    >>> reinforce()(tensor([[1.0]]), tensor([[2.0]]), tensor([[-0.5]]), tensor([[1]]))
    tensor([[1.]])
    """

    def surrogate(
        ratio_BT: Tensor,  # noqa: ARG001
        advantages_BT: Tensor,
        logprobs_BT: Tensor,
        mask_BT: Tensor,
    ) -> Tensor:
        return -advantages_BT * zeroed(full_precision(logprobs_BT), mask_BT)

    return surrogate


def clip(low: float, high: float, dual: float | None = None) -> Surrogate:
    """Clipped PPO surrogate with separate bounds ("clip-higher", DAPO, arXiv:2503.14476).

    loss = -min(ratio * A, clamp(ratio, 1 - low, 1 + high) * A); with `dual` c > 1 the loss of a negative
    advantage is at most c * |A| (dual clip, arXiv:1912.09729; INTELLECT-2's two-sided clip, TRL's `delta`).

    >>> from torch import tensor
    >>> clip(0.2, 0.28)(tensor([[2.0, 2.0]]), tensor([[1.0, -1.0]]), tensor([[0.0, 0.0]]), tensor([[1, 1]]))
    tensor([[-1.2800,  2.0000]])
    """

    def surrogate(
        ratio_BT: Tensor,
        advantages_BT: Tensor,
        logprobs_BT: Tensor,  # noqa: ARG001
        mask_BT: Tensor,  # noqa: ARG001
    ) -> Tensor:
        clipped_BT = ratio_BT.clamp(1.0 - low, 1.0 + high)
        gain_BT = torch.minimum(ratio_BT * advantages_BT, clipped_BT * advantages_BT)
        if dual is not None:
            gain_BT = torch.where(advantages_BT < 0, torch.maximum(gain_BT, dual * advantages_BT), gain_BT)
        return -gain_BT

    return surrogate


def cispo(cap: float) -> Surrogate:
    """CISPO: -sg(min(ratio, cap)) * A * log pi; no token loses its gradient (arXiv:2506.13585).

    As in ScaleRL (arXiv:2510.13786) and TRL: `cap` (its `epsilon_high`) bounds the ratio itself, and there is
    no lower bound.

    >>> from torch import tensor
    >>> cispo(5.0)(tensor([[9.0, 0.5]]), tensor([[1.0, 1.0]]), tensor([[-1.0, -1.0]]), tensor([[1, 1]]))
    tensor([[5.0000, 0.5000]])
    """

    def surrogate(ratio_BT: Tensor, advantages_BT: Tensor, logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
        weight_BT = ratio_BT.detach().clamp(max=cap)
        return -weight_BT * advantages_BT * zeroed(full_precision(logprobs_BT), mask_BT)

    return surrogate


def gmpo(low: float, high: float) -> Surrogate:
    """GMPO (arXiv:2507.20673): -A * exp(mean_t l_t), the geometric mean of clipped token ratios.

    l_t = min(log ratio, high) for A > 0 and max(log ratio, -low) for A < 0: clipped on the optimistic side,
    per token, before the mean. Wants token ratios. The loss of a sequence stands on each of its tokens.

    >>> from torch import tensor
    >>> ratio = tensor([[0.8, 0.0, 7.0]]).exp()  # 0.8 is clipped to 0.4: exp((0.4 + 0) / 2) = 1.2214
    >>> gmpo(0.4, 0.4)(ratio, tensor([[1.0, 1.0, 0.0]]), tensor([[0.0, 0.0, 0.0]]), tensor([[1, 1, 0]]))
    tensor([[-1.2214, -1.2214, -0.0000]])
    """

    def surrogate(
        ratio_BT: Tensor,
        advantages_BT: Tensor,
        logprobs_BT: Tensor,  # noqa: ARG001
        mask_BT: Tensor,
    ) -> Tensor:
        log_BT = ratio_BT.log()
        bounded_BT = torch.where(advantages_BT > 0, log_BT.clamp(max=high), log_BT.clamp(min=-low))
        return -advantages_BT * row_mean(bounded_BT, mask_BT).exp()

    return surrogate


def sapo(positive: float, negative: float) -> Surrogate:
    """SAPO (arXiv:2511.20347): -4 / tau * sigmoid(tau * (ratio - 1)) * A, a smooth gate in place of the clip.

    tau is `positive` for A > 0, else `negative`; the larger, the sooner a drifted token stops to count. At
    ratio 1 the slope is that of ratio * A.

    >>> from torch import tensor
    >>> sapo(1.0, 2.0)(tensor([[1.0, 1.0]]), tensor([[1.0, -1.0]]), tensor([[0.0, 0.0]]), tensor([[1, 1]]))
    tensor([[-2.,  1.]])
    """

    def surrogate(
        ratio_BT: Tensor,
        advantages_BT: Tensor,
        logprobs_BT: Tensor,  # noqa: ARG001
        mask_BT: Tensor,  # noqa: ARG001
    ) -> Tensor:
        tau_BT = torch.where(advantages_BT > 0, positive, negative).to(ratio_BT.dtype)
        return -4.0 / tau_BT * torch.sigmoid(tau_BT * (ratio_BT - 1.0)) * advantages_BT

    return surrogate
