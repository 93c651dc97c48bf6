"""Aggregation: per-token losses to one number.

Every aggregate is a *sum* over the rows at hand, divided by a count of the whole optimiser step: the shares
of all micro-batches add up to the same loss and gradient however the rows were split or packed.
Axes: B rows, T tokens.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from guerdon.functional.masked import row_mean, zeroed


class Totals(NamedTuple):
    """Counts over the whole optimiser step, all ranks and micro-batches."""

    num_sequences: float
    num_tokens: float
    num_prompts: float
    max_length: int
    """The recipe's completion limit in tokens."""
    prompt_tokens_B: Tensor
    """Completion tokens of each row's prompt group over the whole step, for the rows at hand [B]."""


def sequence_mean(loss_BT: Tensor, mask_BT: Tensor, totals: Totals) -> Tensor:
    """Mean over a sequence's tokens, then over sequences (GRPO, arXiv:2402.03300).

    >>> from torch import tensor
    >>> totals = Totals(2, 3, 1, 4, tensor([3, 3]))
    >>> sequence_mean(tensor([[1.0, 9.0], [2.0, 4.0]]), tensor([[1, 0], [1, 1]]), totals)  # (1 + 3) / 2
    tensor(2.)
    """
    return row_mean(loss_BT, mask_BT).sum() / max(totals.num_sequences, 1.0)


def token_mean(loss_BT: Tensor, mask_BT: Tensor, totals: Totals) -> Tensor:
    """Sum over all tokens / number of tokens (DAPO, arXiv:2503.14476).

    >>> from torch import tensor
    >>> totals = Totals(2, 3, 1, 4, tensor([3, 3]))
    >>> token_mean(tensor([[1.0, 9.0], [2.0, 6.0]]), tensor([[1, 0], [1, 1]]), totals)  # (1 + 2 + 6) / 3
    tensor(3.)
    """
    return zeroed(loss_BT, mask_BT).sum() / max(totals.num_tokens, 1.0)


def constant_length(loss_BT: Tensor, mask_BT: Tensor, totals: Totals) -> Tensor:
    """Sum over all tokens / (number of sequences * max_length) (Dr.GRPO, arXiv:2503.20783).

    >>> from torch import tensor
    >>> totals = Totals(2, 3, 1, 4, tensor([3, 3]))
    >>> constant_length(tensor([[1.0, 9.0], [2.0, 5.0]]), tensor([[1, 0], [1, 1]]), totals)  # 8 / (2 * 4)
    tensor(1.)
    """
    return zeroed(loss_BT, mask_BT).sum() / max(totals.num_sequences * totals.max_length, 1.0)


def prompt_mean(loss_BT: Tensor, mask_BT: Tensor, totals: Totals) -> Tensor:
    """Mean over all tokens of a prompt's rollouts, then over prompts (ScaleRL, arXiv:2510.13786).

    >>> from torch import tensor
    >>> totals = Totals(2, 3, 2, 4, tensor([1, 2]))  # two prompts with one rollout each, of 1 and 2 tokens
    >>> prompt_mean(tensor([[1.0, 9.0], [2.0, 4.0]]), tensor([[1, 0], [1, 1]]), totals)  # (1 / 1 + 6 / 2) / 2
    tensor(2.)
    """
    per_row_B = zeroed(loss_BT, mask_BT).sum(1) / totals.prompt_tokens_B.clamp(min=1)
    return per_row_B.sum() / max(totals.num_prompts, 1.0)
