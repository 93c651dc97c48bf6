"""Log-ratios and importance ratios. Masked positions may hold NaN: they are zeroed once, here, before `exp`.

Axes: B rows, T tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

CLAMP = 20.0
"""Largest absolute log-ratio; e^20 is already far past every clip bound."""


def log_ratio(logprobs_BT: Tensor, old_logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """log(now / old) per token, 0 where masked, clamped to +-20.

    >>> log_ratio(torch.tensor([[-1.0, float("nan")]]), torch.tensor([[-2.0, 0.0]]), torch.tensor([[1, 0]]))
    tensor([[1., 0.]])
    """
    masked = ~mask_BT.bool()
    now_BT = logprobs_BT.float().masked_fill(masked, 0.0)
    old_BT = old_logprobs_BT.float().masked_fill(masked, 0.0)
    return (now_BT - old_BT).clamp(-CLAMP, CLAMP)


def token_ratio(log_ratio_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """exp of each token's log-ratio (PPO, arXiv:1707.06347); 1 where masked."""
    return log_ratio_BT.exp()


def sequence_ratio(log_ratio_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """GSPO's length-normalised sequence ratio exp(mean_t log-ratio) (arXiv:2507.18071, eq. 7), repeated [B, T]."""
    lengths_B1 = mask_BT.sum(1, keepdim=True).clamp(min=1)
    return (log_ratio_BT.sum(1, keepdim=True) / lengths_B1).exp().expand_as(log_ratio_BT)
