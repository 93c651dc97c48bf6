"""Log-probabilities in float32 without ever holding [T, V] logits: the LM head runs in chunks, forward and backward.

The head multiplies in float32. Where trunk and weights are bfloat16 their products are exact in float32, so oneDNN's
implicit bfloat16 matmul (float32 accumulation) and CUDA's bf16 x bf16 -> fp32 give float32 logits at bfloat16 speed.
Axes: T tokens, H hidden, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

CHUNK_TOKENS = 256


class Kept(NamedTuple):
    """For each of T tokens, the ids it could have been (top-k, top-p, min-p); none means all."""

    ids: Tensor
    """All ids, token after token."""
    counts_T: Tensor
    """How many belong to each token; 0 means the whole vocabulary."""

    def restrict(self, logits_TV: Tensor, start: int) -> Tensor:
        """Minus infinity outside the support of tokens start .. start + T, in place."""
        counts = self.counts_T[start : start + len(logits_TV)]
        first = int(self.counts_T[:start].sum())
        ids = self.ids[first : first + int(counts.sum())]
        rows = torch.arange(len(logits_TV), device=ids.device).repeat_interleave(counts)
        outside = (counts > 0)[:, None].expand_as(logits_TV).clone()
        outside[rows, ids] = False
        return logits_TV.masked_fill_(outside, float("-inf"))


class TokenLogprobs(NamedTuple):
    """What the head says about each target token."""

    logprobs_T: Tensor
    """log p(target) under logits / temperature, float32, differentiable."""
    entropy_T: Tensor
    """Entropy of that distribution in nats, float32, differentiable."""


@contextlib.contextmanager
def exact_bf16_products(enabled: bool) -> Iterator[None]:
    """Let oneDNN multiply float32 tensors that hold bfloat16 values as bfloat16, accumulating in float32."""
    backend: Any = torch.backends.mkldnn
    if not enabled or not backend.is_available():
        yield
        return
    before = backend.matmul.fp32_precision
    backend.matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        backend.matmul.fp32_precision = before


class Head:
    """The LM head as a function hidden [.., H] -> float32 logits [.., V], with its weight prepared once."""

    def __init__(self, weight_VH: Tensor, bias_V: Tensor | None) -> None:
        self.bf16 = weight_VH.dtype == torch.bfloat16
        self.on_cuda = weight_VH.is_cuda
        self.weight_VH = weight_VH if self.bf16 and self.on_cuda else weight_VH.float()
        self.bias_V = None if bias_V is None else bias_V.float()

    def logits(self, hidden_TH: Tensor) -> Tensor:
        """Float32 logits [T, V]."""
        if self.bf16 and self.on_cuda:
            logits_TV = torch.mm(hidden_TH, self.weight_VH.T, out_dtype=torch.float32)
        else:
            with exact_bf16_products(self.bf16):
                logits_TV = hidden_TH.float() @ self.weight_VH.T
        return logits_TV if self.bias_V is None else logits_TV.add_(self.bias_V)

    def backward_hidden(self, grad_TV: Tensor) -> Tensor:
        """Gradient of the hidden states [T, H] from the gradient of the logits."""
        with exact_bf16_products(self.bf16):
            return grad_TV.to(self.weight_VH.dtype) @ self.weight_VH

    def backward_weight(self, grad_TV: Tensor, hidden_TH: Tensor) -> Tensor:
        """Gradient of the weight [V, H], float32."""
        with exact_bf16_products(self.bf16):
            return grad_TV.T @ hidden_TH.float()


class _HeadLogprobs(torch.autograd.Function):
    """(hidden, weight, bias) -> (log p(target), entropy), recomputing each chunk's logits in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_TH: Tensor,
        weight_VH: Tensor,
        bias_V: Tensor | None,
        target_T: Tensor,
        temperature: float,
        kept: Kept | None,
    ) -> tuple[Tensor, Tensor]:
        head = Head(weight_VH.detach(), None if bias_V is None else bias_V.detach())
        logprob_T = hidden_TH.new_empty(len(target_T), dtype=torch.float32)
        entropy_T = torch.empty_like(logprob_T)
        for start in range(0, len(target_T), CHUNK_TOKENS):
            rows = slice(start, start + CHUNK_TOKENS)
            logits_TV = head.logits(hidden_TH[rows]).div_(temperature)
            if kept is not None:
                logits_TV = kept.restrict(logits_TV, start)
            target_logit_T = logits_TV.gather(1, target_T[rows, None])[:, 0]
            lse_T = logits_TV.logsumexp(1)
            logprob_T[rows] = target_logit_T - lse_T
            probability_TV = (logits_TV - lse_T[:, None]).exp_()
            entropy_T[rows] = lse_T - torch.linalg.vecdot(probability_TV, logits_TV.clamp_(min=-1e30))
        ctx.save_for_backward(hidden_TH, weight_VH, bias_V, target_T)
        ctx.temperature, ctx.kept = temperature, kept
        ctx.set_materialize_grads(False)
        return logprob_T, entropy_T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        logprob_grad_T, entropy_grad_T = grads
        hidden_TH, weight_VH, bias_V, target_T = ctx.saved_tensors
        head = Head(weight_VH.detach(), None if bias_V is None else bias_V.detach())
        needs_weight = ctx.needs_input_grad[1]
        grad_hidden_TH = torch.empty_like(hidden_TH)
        grad_weight_VH = torch.zeros_like(weight_VH, dtype=torch.float32) if needs_weight else None
        grad_bias_V = torch.zeros_like(bias_V, dtype=torch.float32) if bias_V is not None else None
        for start in range(0, len(target_T), CHUNK_TOKENS):
            rows = slice(start, start + CHUNK_TOKENS)
            logits_TV = head.logits(hidden_TH[rows]).div_(ctx.temperature)
            if ctx.kept is not None:
                logits_TV = ctx.kept.restrict(logits_TV, start)
            grad_TV = _logits_gradient(
                logits_TV,
                target_T[rows],
                None if logprob_grad_T is None else logprob_grad_T[rows] / ctx.temperature,
                None if entropy_grad_T is None else entropy_grad_T[rows] / ctx.temperature,
            )
            grad_hidden_TH[rows] = head.backward_hidden(grad_TV).to(hidden_TH.dtype)
            if grad_weight_VH is not None:
                grad_weight_VH += head.backward_weight(grad_TV, hidden_TH[rows])
            if grad_bias_V is not None:
                grad_bias_V += grad_TV.sum(0)
        if grad_weight_VH is not None:
            grad_weight_VH = grad_weight_VH.to(weight_VH.dtype)
        if grad_bias_V is not None:
            grad_bias_V = grad_bias_V.to(bias_V.dtype)
        return grad_hidden_TH, grad_weight_VH, grad_bias_V, None, None, None


def _logits_gradient(
    logits_TV: Tensor, target_T: Tensor, logprob_grad_T: Tensor | None, entropy_grad_T: Tensor | None
) -> Tensor:
    """D log p(target) / d logits = onehot - p, and d entropy / d logits = -p (log p + entropy), weighted and added."""
    grad_TV = logits_TV.new_zeros(1, 1)
    if entropy_grad_T is not None:
        log_TV = logits_TV.log_softmax(1).clamp_(min=-1e30)
        probability_TV = log_TV.exp()
        entropy_T = -torch.linalg.vecdot(probability_TV, log_TV)
        grad_TV = -probability_TV * (log_TV + entropy_T[:, None]) * entropy_grad_T[:, None]
    if logprob_grad_T is not None:
        chosen_TV = logits_TV.softmax(1).neg_()
        chosen_TV.scatter_add_(1, target_T[:, None], torch.ones_like(logprob_grad_T[:, None]))
        grad_TV = chosen_TV.mul_(logprob_grad_T[:, None]).add_(grad_TV)
    return grad_TV


def token_logprobs(
    hidden_TH: Tensor,
    weight_VH: Tensor,
    *,
    bias_V: Tensor | None,
    target_T: Tensor,
    temperature: float = 1.0,
    kept: Kept | None = None,
) -> TokenLogprobs:
    """Log-probability of each target and entropy of each distribution, float32, in O(chunk x V) memory.

    Args:
        hidden_TH: final hidden states that predict `target_T`.
        weight_VH: the LM head's weight.
        bias_V: its bias, or None.
        target_T: token ids, int64.
        temperature: divides the logits, as the sampler did; above 0.
        kept: the support that truncated sampling left to each token, or None for all.
    """
    apply: Any = _HeadLogprobs.apply
    logprobs_T, entropy_T = apply(hidden_TH, weight_VH, bias_V, target_T, temperature, kept)
    return TokenLogprobs(logprobs_T, entropy_T)
