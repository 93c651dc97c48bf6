"""Aggregation: per-token losses to one number. Sums over a denominator of the whole optimiser step, so neither
micro-batching nor packing changes the gradient. Axes: B rows, T tokens.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Totals(NamedTuple):
    """Counts over the whole optimiser step, all ranks and micro-batches."""

    num_sequences: float
    num_tokens: float
    num_prompts: float
    max_length: int
    prompt_tokens_B: Tensor
    """Completion tokens of each row's prompt group, for the rows at hand."""


def _kept(loss_BT: Tensor, mask_BT: Tensor) -> Tensor:
    return loss_BT.masked_fill(~mask_BT.bool(), 0.0)


def sequence_mean(loss_BT: Tensor, mask_BT: Tensor, totals: Totals) -> Tensor:
    """GRPO (arXiv:2402.03300): mean over a sequence's tokens, then over sequences."""
    lengths_B = mask_BT.sum(1).clamp(min=1)
    return (_kept(loss_BT, mask_BT).sum(1) / lengths_B).sum() / max(totals.num_sequences, 1.0)


def token_mean(loss_BT: Tensor, mask_BT: Tensor, totals: Totals) -> Tensor:
    """DAPO (arXiv:2503.14476): mean over all tokens."""
    return _kept(loss_BT, mask_BT).sum() / max(totals.num_tokens, 1.0)


def constant_length(loss_BT: Tensor, mask_BT: Tensor, totals: Totals) -> Tensor:
    """Dr.GRPO (arXiv:2503.20783): sum over tokens / the constant maximal length, then mean over sequences."""
    return _kept(loss_BT, mask_BT).sum() / max(totals.num_sequences * totals.max_length, 1.0)


def prompt_mean(loss_BT: Tensor, mask_BT: Tensor, totals: Totals) -> Tensor:
    """ScaleRL (arXiv:2510.13786): mean over a prompt's tokens, then over prompts."""
    per_row_B = _kept(loss_BT, mask_BT).sum(1) / totals.prompt_tokens_B.clamp(min=1)
    return per_row_B.sum() / max(totals.num_prompts, 1.0)
