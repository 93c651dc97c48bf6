"""Log-ratios and importance ratios. Masked positions may hold NaN: they are zeroed once, here, before `exp`.

Axes: B rows, T tokens. Log-probabilities are natural logarithms.
"""

from __future__ import annotations

from torch import Tensor

from guerdon.functional.masked import full_precision, row_mean, zeroed

CLAMP = 20.0
"""Largest absolute log-ratio; e^20 is already far past every clip bound."""


def log_ratio(logprobs_BT: Tensor, old_logprobs_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """log(now / old) per token [B, T], 0 where masked, clamped to +-20 (no gradient beyond).

    >>> from torch import tensor
    >>> log_ratio(tensor([[-1.0, float("nan")]]), tensor([[-2.0, 0.0]]), tensor([[1, 0]]))
    tensor([[1., 0.]])
    """
    now_BT = zeroed(full_precision(logprobs_BT), mask_BT)
    old_BT = zeroed(full_precision(old_logprobs_BT), mask_BT)
    return (now_BT - old_BT).clamp(-CLAMP, CLAMP)


def token_ratio(log_ratio_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """pi_now / pi_old of each token [B, T] (PPO, arXiv:1707.06347); 1 where masked.

    >>> from torch import tensor
    >>> token_ratio(tensor([[0.6931472, 9.0]]), tensor([[1, 0]]))
    tensor([[2., 1.]])
    """
    return zeroed(log_ratio_BT, mask_BT).exp()


def sequence_ratio(log_ratio_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """exp(mean_t log-ratio), GSPO's length-normalised ratio (arXiv:2507.18071, eq. 7), repeated along T.

    >>> from torch import tensor
    >>> sequence_ratio(tensor([[0.0, 1.3862944, 9.0]]), tensor([[1, 1, 0]]))
    tensor([[2., 2., 2.]])
    """
    return row_mean(log_ratio_BT, mask_BT).exp().expand_as(log_ratio_BT)
