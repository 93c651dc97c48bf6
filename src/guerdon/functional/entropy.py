"""Entropy of next-token distributions. Axes: B rows, T tokens, V vocabulary."""

from __future__ import annotations

from torch import Tensor

from guerdon.functional.masked import full_precision


def entropy(logits_BTV: Tensor) -> Tensor:
    """H = -sum_v p log p in nats [B, T], differentiable; logits of -inf (outside a top-p set) count 0.

    >>> from torch import tensor
    >>> entropy(tensor([[[0.0, 0.0, float("-inf")]]]))  # log 2
    tensor([[0.6931]])
    """
    logprobs_BTV = full_precision(logits_BTV).log_softmax(-1)
    # 0 * -inf is NaN: -inf is replaced before the product, not after.
    return -(logprobs_BTV.exp() * logprobs_BTV.clamp(min=-1e30)).sum(-1)
