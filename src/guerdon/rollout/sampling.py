"""One token per row from float32 logits, by inverse CDF on the row's own random number.

A row's token depends on its logits and its number alone, so neighbours in the batch cannot change it. The returned
log-probability is that of the distribution sampled from: after temperature, top-k, top-p and min-p.
Axes: N rows, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from guerdon.models.logprobs import strips
from guerdon.rollout.config import SamplingConfig

BLOCK = 256


class Sampled(NamedTuple):
    """One token per row."""

    token_N: Tensor
    logprob_N: Tensor
    kept_NV: Tensor | None
    """Which tokens could have been sampled, where sampling was truncated."""


def sample(logits_NV: Tensor, uniform_N: Tensor, config: SamplingConfig) -> Sampled:
    """Draw one token per row.

    Args:
        logits_NV: float32; overwritten.
        uniform_N: one number in [0, 1) per row.
        config: temperature 0 means greedy, with log-probability 0.
    """
    if config.temperature == 0.0:
        token_N = logits_NV.argmax(1)
        return Sampled(token_N, torch.zeros_like(uniform_N, dtype=torch.float32), None)
    logits_NV = logits_NV.div_(config.temperature)
    kept_NV = kept_tokens(logits_NV, config)
    if kept_NV is not None:
        logits_NV = logits_NV.masked_fill_(~kept_NV, float("-inf"))
    return Sampled(*_inverse_cdf(logits_NV, uniform_N), kept_NV)


def kept_tokens(logits_NV: Tensor, config: SamplingConfig) -> Tensor | None:
    """Tokens that survive top-k, then top-p, then min-p (the order of Hugging Face generate); None keeps all."""
    if not (config.top_k or config.top_p < 1.0 or config.min_p):
        return None
    kept_NV = torch.ones_like(logits_NV, dtype=torch.bool)
    if 0 < config.top_k < logits_NV.shape[1]:
        kth_N1 = logits_NV.topk(config.top_k, dim=1).values[:, -1:]
        kept_NV &= logits_NV >= kth_N1
    if config.top_p < 1.0:
        kept_NV &= _nucleus(logits_NV.masked_fill(~kept_NV, float("-inf")), config.top_p)
    if config.min_p:
        best_N1 = logits_NV.max(1, keepdim=True).values
        kept_NV &= logits_NV >= best_N1 + torch.tensor(config.min_p).log()
    return kept_NV


def _nucleus(logits_NV: Tensor, top_p: float) -> Tensor:
    """The smallest set of likeliest tokens whose probability reaches `top_p`; ties in favour of the lower id."""
    probability_NV = logits_NV.softmax(1)
    order_NV = probability_NV.argsort(dim=1, descending=True, stable=True)
    sorted_NV = probability_NV.gather(1, order_NV)
    before_NV = sorted_NV.cumsum(1) - sorted_NV
    return torch.zeros_like(logits_NV, dtype=torch.bool).scatter_(1, order_NV, before_NV < top_p)


def _inverse_cdf(logits_NV: Tensor, uniform_N: Tensor) -> tuple[Tensor, Tensor]:
    """Two-level search: over block sums, then inside one block; float64 sums, so 49,000 small terms add up right.

    The exponentials of a strip of rows die in the processor's cache; those of the block found are computed again.
    """
    vocabulary = logits_NV.shape[1]
    sums = [_shifted_block_sums(logits_NV[strip]) for strip in strips(logits_NV)]
    cumulative_NK = torch.cat(sums).double().cumsum(1)
    total_N1 = cumulative_NK[:, -1:]
    target_N1 = uniform_N.double()[:, None] * total_N1
    block_N1 = torch.searchsorted(cumulative_NK, target_N1, right=True).clamp_(max=cumulative_NK.shape[1] - 1)
    before_N1 = torch.where(block_N1 > 0, cumulative_NK.gather(1, (block_N1 - 1).clamp(min=0)), 0.0)
    index_NB = block_N1 * BLOCK + torch.arange(BLOCK, device=logits_NV.device)
    inside_NB = logits_NV.gather(1, index_NB.clamp(max=vocabulary - 1)).exp_().double()
    inside_NB = inside_NB.masked_fill_(index_NB >= vocabulary, 0.0)
    inner_NB = inside_NB.cumsum(1)
    offset_N1 = torch.searchsorted(inner_NB, target_N1 - before_N1, right=True).clamp_(max=BLOCK - 1)
    # block sums and inner sums may disagree in the last bit; never return a token of zero probability
    impossible_N1 = inside_NB.gather(1, offset_N1) == 0
    offset_N1 = torch.where(impossible_N1, inside_NB.argmax(1, keepdim=True), offset_N1)
    token_N1 = block_N1 * BLOCK + offset_N1
    logprob_N1 = logits_NV.gather(1, token_N1) - total_N1.log().float()
    return token_N1[:, 0], logprob_N1[:, 0]


def _shifted_block_sums(logits_NV: Tensor) -> Tensor:
    """Sums of the exponentials of each block of tokens [N, K]; the largest logit of a row becomes 0, in place."""
    logits_NV -= logits_NV.amax(1, keepdim=True)
    mass_NV = logits_NV.exp()
    if padding := -logits_NV.shape[1] % BLOCK:
        mass_NV = torch.nn.functional.pad(mass_NV, (0, padding))
    return mass_NV.view(len(logits_NV), -1, BLOCK).sum(2)
