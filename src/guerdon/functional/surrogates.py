"""Surrogate objectives: how far one token may push the policy. Pure; knows nothing of models.

Every factory returns (ratio_BT, advantages_BT, logprobs_BT, mask_BT) -> loss_BT, to be minimised; averaging belongs to
`aggregate`. Axes: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Surrogate = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def reinforce() -> Surrogate:
    """loss = -A * log pi (Williams 1992); with A = 1 this is the supervised negative log-likelihood."""

    def surrogate(ratio_BT: Tensor, advantages_BT: Tensor, logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
        return -advantages_BT * logprobs_BT.masked_fill(~mask_BT.bool(), 0.0)

    return surrogate


def clip(low: float, high: float, dual: float | None = None) -> Surrogate:
    """Clipped PPO surrogate with separate bounds ("clip-higher", DAPO, arXiv:2503.14476).

    loss = -min(ratio * A, clamp(ratio, 1 - low, 1 + high) * A); with `dual` c > 1 (arXiv:1912.09729) the loss of a
    negative advantage is at most c * |A|.
    """

    def surrogate(ratio_BT: Tensor, advantages_BT: Tensor, logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
        clipped_BT = ratio_BT.clamp(1.0 - low, 1.0 + high)
        gain_BT = torch.minimum(ratio_BT * advantages_BT, clipped_BT * advantages_BT)
        if dual is not None:
            gain_BT = torch.where(advantages_BT < 0, torch.maximum(gain_BT, dual * advantages_BT), gain_BT)
        return -gain_BT

    return surrogate


def cispo(cap: float) -> Surrogate:
    """CISPO (arXiv:2506.13585; as in ScaleRL and TRL): loss = -sg(min(ratio, cap)) * A * log pi."""

    def surrogate(ratio_BT: Tensor, advantages_BT: Tensor, logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
        weight_BT = ratio_BT.detach().clamp(max=cap)
        return -weight_BT * advantages_BT * logprobs_BT.masked_fill(~mask_BT.bool(), 0.0)

    return surrogate


def gmpo(low: float, high: float) -> Surrogate:
    """GMPO (arXiv:2507.20673): clip each log-ratio on the optimistic side, then the geometric mean of the sequence.

    loss = -A * exp(mean_t l_t), l_t = min(l, high) for A > 0 and max(l, -low) for A < 0.
    """

    def surrogate(ratio_BT: Tensor, advantages_BT: Tensor, logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
        log_BT = ratio_BT.log()
        bounded_BT = torch.where(advantages_BT > 0, log_BT.clamp(max=high), log_BT.clamp(min=-low))
        bounded_BT = bounded_BT.masked_fill(~mask_BT.bool(), 0.0)
        lengths_B1 = mask_BT.sum(1, keepdim=True).clamp(min=1)
        return -advantages_BT * (bounded_BT.sum(1, keepdim=True) / lengths_B1).exp()

    return surrogate


def sapo(positive: float, negative: float) -> Surrogate:
    """SAPO (arXiv:2511.20347): a smooth gate 4 / tau * sigmoid(tau * (ratio - 1)) in place of the clip."""

    def surrogate(ratio_BT: Tensor, advantages_BT: Tensor, logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
        tau_BT = torch.where(advantages_BT > 0, positive, negative)
        return -4.0 / tau_BT * torch.sigmoid(tau_BT * (ratio_BT - 1.0)) * advantages_BT

    return surrogate
