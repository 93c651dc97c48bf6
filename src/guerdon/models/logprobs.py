"""Log-probabilities in float32 without ever holding [T, V] logits: the LM head runs in chunks, forward and backward.

The head multiplies in float32. Where trunk and weights are bfloat16 their products are exact in float32, so
bf16 x bf16 -> fp32 gives float32 logits at bfloat16 speed: CUDA's, on a CPU `products.py`, and where that has no kernel
oneDNN's implicit bfloat16 matmul (float32 accumulation), at half of that speed.
Axes: T tokens, H hidden, V vocabulary.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from guerdon.models.products import has_products, packed

CHUNK_TOKENS = 256
STRIP_NUMBERS = 1 << 19
"""Numbers (2 MiB) of one pass over logits on a CPU."""
KEPT_NUMBERS = 1 << 26
"""Probabilities (128 MiB in bfloat16) that the forward pass of one micro-batch keeps for its backward pass."""


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


def is_thread_safe(weight_VH: Tensor) -> bool:
    """Whether heads of two threads may multiply at once: `exact_bf16_products` is a switch of the whole process."""
    return weight_VH.dtype != torch.bfloat16 or weight_VH.is_cuda or has_products(weight_VH)


class Workspace(threading.local):
    """Float32 buffers kept between calls, one set a thread: fresh pages cost more than the arithmetic on them."""

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def take(self, name: str, rows: int, columns: int) -> Tensor:
        """An uninitialised [rows, columns] tensor on the CPU; valid until `name` is taken again."""
        size = rows * columns
        if name not in self._buffers or self._buffers[name].numel() < size:
            self._buffers[name] = torch.empty(size)
        return self._buffers[name][:size].view(rows, columns)


_WORKSPACE = Workspace()


class Head:
    """The LM head as a function hidden [.., H] -> float32 logits [.., V], with its weight prepared once."""

    def __init__(self, weight_VH: Tensor, bias_V: Tensor | None, workspace: Workspace | None = None) -> None:
        self.source_VH = weight_VH.detach()
        self.workspace = None if weight_VH.is_cuda else workspace
        self.bf16 = weight_VH.dtype == torch.bfloat16
        self.on_cuda = weight_VH.is_cuda
        self.packed = packed(weight_VH) if has_products(weight_VH) else None
        if self.packed is not None or (self.bf16 and self.on_cuda):
            self.weight_VH = self.source_VH
        elif self.workspace is not None and self.bf16:
            self.weight_VH = self.workspace.take("weight", *weight_VH.shape).copy_(self.source_VH)
        else:
            self.weight_VH = self.source_VH.float()
        self.bias_V = None if bias_V is None else bias_V.detach().float()

    @torch.no_grad()
    def logits(self, hidden_TH: Tensor) -> Tensor:
        """Float32 logits [T, V], without a gradient; with a workspace valid until the next call."""
        if self.bf16 and self.on_cuda:
            logits_TV = torch.mm(hidden_TH, self.weight_VH.T, out_dtype=torch.float32)
        elif self.packed is not None:
            logits_TV = self.packed.multiply(hidden_TH.bfloat16(), self._place(len(hidden_TH)))
        elif self.workspace is not None:
            out_TV = self._place(len(hidden_TH))
            with exact_bf16_products(self.bf16):
                logits_TV = torch.mm(hidden_TH.float(), self.weight_VH.T, out=out_TV)
        else:
            with exact_bf16_products(self.bf16):
                logits_TV = hidden_TH.float() @ self.weight_VH.T
        return logits_TV if self.bias_V is None else logits_TV.add_(self.bias_V)

    def _place(self, rows: int) -> Tensor:
        """Where logits [rows, V] go."""
        columns = len(self.weight_VH)
        if self.workspace is None:
            return torch.empty(rows, columns)
        return self.workspace.take("logits", rows, columns)

    def backward_hidden(self, grad_TV: Tensor) -> Tensor:
        """Gradient of the hidden states [T, H] from the gradient of the logits, in the weight's format."""
        return grad_TV @ self.source_VH

    def backward_weight(self, grad_TV: Tensor, hidden_TH: Tensor) -> Tensor:
        """Gradient of the weight [V, H], in the weight's format."""
        return grad_TV.T @ hidden_TH.to(grad_TV.dtype)


class _HeadLogprobs(torch.autograd.Function):
    """(hidden, weight, bias) -> (log p(target), entropy).

    The first chunks keep their probabilities, rounded to the weight's format as their gradient will be; the logits of all
    others, and of all where entropy has a gradient, are computed again in the backward pass.
    """

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
        head = Head(weight_VH, bias_V, _WORKSPACE)
        logprob_T = hidden_TH.new_empty(len(target_T), dtype=torch.float32)
        entropy_T = torch.empty_like(logprob_T)
        num_kept = _num_kept(hidden_TH, weight_VH) if any(ctx.needs_input_grad) else 0
        probability_TV = weight_VH.new_empty(num_kept, len(weight_VH))
        for start, logits_TV in _chunks(head, hidden_TH, temperature, kept):
            for strip in strips(logits_TV):
                rows = slice(start + strip.start, start + strip.stop)
                log_TV = logits_TV[strip].log_softmax(1)
                logprob_T[rows] = log_TV.gather(1, target_T[rows, None])[:, 0]
                exp_TV = log_TV.exp()
                entropy_T[rows] = _entropy(exp_TV, log_TV)
                if rows.stop <= num_kept:
                    probability_TV[rows] = exp_TV
        ctx.save_for_backward(hidden_TH, weight_VH, bias_V, target_T, probability_TV)
        ctx.temperature, ctx.kept = temperature, kept
        ctx.set_materialize_grads(False)
        return logprob_T, entropy_T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        logprob_grad_T, entropy_grad_T = (
            None if grad_T is None else grad_T / ctx.temperature for grad_T in grads
        )
        hidden_TH, weight_VH, bias_V, target_T, probability_TV = ctx.saved_tensors
        head = Head(weight_VH, bias_V, _WORKSPACE)
        grad_hidden_TH = torch.empty_like(hidden_TH)
        grad_weight_VH: Tensor | None = None
        grad_bias_V = torch.zeros_like(bias_V, dtype=torch.float32) if bias_V is not None else None
        num_kept = len(probability_TV) if entropy_grad_T is None else 0
        for start in range(0, len(hidden_TH), CHUNK_TOKENS):
            chunk = slice(start, min(start + CHUNK_TOKENS, len(hidden_TH)))
            if chunk.stop <= num_kept:
                assert logprob_grad_T is not None
                grad_TV = _onehot_minus(probability_TV[chunk], target_T[chunk], logprob_grad_T[chunk])
            else:
                logits_TV = _logits(head, hidden_TH[chunk], ctx.temperature, ctx.kept, start)
                grad_TV = _chunk_gradient(
                    logits_TV,
                    target_T[chunk],
                    None if logprob_grad_T is None else logprob_grad_T[chunk],
                    None if entropy_grad_T is None else entropy_grad_T[chunk],
                    dtype=weight_VH.dtype,
                )
            grad_hidden_TH[chunk] = head.backward_hidden(grad_TV).to(hidden_TH.dtype)
            if ctx.needs_input_grad[1]:
                part_VH = head.backward_weight(grad_TV, hidden_TH[chunk])
                # The first part alone needs no float32 copy; several are added up in float32.
                grad_weight_VH = part_VH if grad_weight_VH is None else grad_weight_VH.float().add_(part_VH)
            if grad_bias_V is not None:
                grad_bias_V += grad_TV.sum(0, dtype=torch.float32)
        if grad_weight_VH is None and ctx.needs_input_grad[1]:
            grad_weight_VH = torch.zeros_like(weight_VH)
        return (
            grad_hidden_TH,
            None if grad_weight_VH is None else grad_weight_VH.to(weight_VH.dtype),
            None if grad_bias_V is None else grad_bias_V.to(bias_V.dtype),
            None,
            None,
            None,
        )


def _num_kept(hidden_TH: Tensor, weight_VH: Tensor) -> int:
    """Tokens, in whole chunks, whose probabilities fit `KEPT_NUMBERS`."""
    fitting = KEPT_NUMBERS // len(weight_VH)
    return len(hidden_TH) if fitting >= len(hidden_TH) else fitting // CHUNK_TOKENS * CHUNK_TOKENS


def _logits(head: Head, hidden_TH: Tensor, temperature: float, kept: Kept | None, start: int) -> Tensor:
    """Logits of the distribution sampled from, for the tokens from `start` on."""
    logits_TV = head.logits(hidden_TH)
    if temperature != 1.0:
        logits_TV = logits_TV.div_(temperature)
    return logits_TV if kept is None else kept.restrict(logits_TV, start)


def _chunks(
    head: Head, hidden_TH: Tensor, temperature: float, kept: Kept | None
) -> Iterator[tuple[int, Tensor]]:
    """(first token, logits) of one chunk after the other."""
    for start in range(0, len(hidden_TH), CHUNK_TOKENS):
        yield start, _logits(head, hidden_TH[start : start + CHUNK_TOKENS], temperature, kept, start)


def strips(logits_TV: Tensor) -> Iterator[slice]:
    """Rows of logits few enough that several passes over them stay in the processor's cache; on a GPU all rows."""
    height = len(logits_TV) if logits_TV.is_cuda else max(1, STRIP_NUMBERS // logits_TV.shape[1])
    for start in range(0, len(logits_TV), height):
        yield slice(start, min(start + height, len(logits_TV)))


def _entropy(probability_TV: Tensor, log_TV: Tensor) -> Tensor:
    """-sum p log p [T]; where p is 0, log p is minus infinity and counts nothing."""
    entropy_T: Tensor = torch.linalg.vecdot(probability_TV, log_TV.clamp(min=-1e30)).neg_()
    return entropy_T


def _onehot_minus(probability_TV: Tensor, target_T: Tensor, grad_T: Tensor) -> Tensor:
    """The gradient of log p(target), onehot - p, times `grad_T`; in the format of the probabilities."""
    grad_TV = probability_TV * -grad_T[:, None].to(probability_TV.dtype)
    rows = torch.arange(len(target_T), device=target_T.device)
    chosen_T = grad_T - grad_T * probability_TV[rows, target_T].float()
    grad_TV[rows, target_T] = chosen_T.to(grad_TV.dtype)
    return grad_TV


def _chunk_gradient(
    logits_TV: Tensor,
    target_T: Tensor,
    logprob_grad_T: Tensor | None,
    entropy_grad_T: Tensor | None,
    *,
    dtype: torch.dtype,
) -> Tensor:
    """`_logits_gradient` strip by strip, rounded to `dtype`."""
    grad_TV = torch.empty_like(logits_TV, dtype=dtype)
    for strip in strips(logits_TV):
        grad_TV[strip] = _logits_gradient(
            logits_TV[strip],
            target_T[strip],
            None if logprob_grad_T is None else logprob_grad_T[strip],
            None if entropy_grad_T is None else entropy_grad_T[strip],
        )
    return grad_TV


def _logits_gradient(
    logits_TV: Tensor, target_T: Tensor, logprob_grad_T: Tensor | None, entropy_grad_T: Tensor | None
) -> Tensor:
    """D log p(target) / d logits = onehot - p, and d entropy / d logits = -p (log p + entropy), weighted and added."""
    grad_TV = torch.zeros_like(logits_TV) if logprob_grad_T is None else logits_TV.softmax(1)
    if logprob_grad_T is not None:
        grad_TV.mul_(-logprob_grad_T[:, None]).scatter_add_(1, target_T[:, None], logprob_grad_T[:, None])
    if entropy_grad_T is not None:
        log_TV = logits_TV.log_softmax(1)
        probability_TV = log_TV.exp()
        entropy_T1 = _entropy(probability_TV, log_TV)[:, None]
        slope_TV = log_TV.clamp_(min=-1e30).add_(entropy_T1).mul_(probability_TV)
        grad_TV.addcmul_(slope_TV, entropy_grad_T[:, None], value=-1.0)
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
