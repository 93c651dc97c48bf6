"""A Llama-like model's operations between its products, forward and backward, by the kernels of kernels.c.

`install(model)` gives norms, MLPs and attentions of a loaded model other `forward`s: same parameters, same modules for the
products (adapters included), fewer passes over memory, and less kept for the backward pass. On a CPU, where there are
kernels; every other layout than `PackedLayout` still attends through the model's own code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from guerdon.models.attention import PackedLayout
from guerdon.models.kernels import LANES, Kernels, Segments, kernels, segments

ARCHITECTURES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Types of models whose layers are what this module and fused.py take them for."""


def has_kernels_for(model: Any) -> bool:
    """Whether the kernels can stand in for this model's operations.

    Args:
        model: a causal LM.
    """
    config = model.config
    if config.model_type not in ARCHITECTURES or config.hidden_act != "silu":
        return False
    weight = model.get_input_embeddings().weight
    size = int(model.base_model.layers[0].self_attn.head_dim)
    widths = (size // 2, config.hidden_size, config.intermediate_size)
    return (
        weight.device.type == "cpu"
        and weight.dtype in (torch.float32, torch.bfloat16)
        and all(width % LANES == 0 for width in widths)
        and kernels() is not None
    )


def install(model: Any) -> None:
    """Let a causal LM's norms, MLPs and attentions use the kernels, if `has_kernels_for` it."""
    if not has_kernels_for(model):
        return
    found = kernels()
    assert found is not None
    for module in model.base_model.modules():
        kind = type(module).__name__
        if kind.endswith("RMSNorm"):
            module.forward = functools.partial(_norm, found, module)
        elif kind.endswith("MLP"):
            module.forward = functools.partial(_mlp, found, module)
        elif kind.endswith("Attention"):
            module.forward = _Attend(found, module)


def uninstall(model: Any) -> None:
    """Give them the model's own code back, as where it moves to another device."""
    for module in model.base_model.modules():
        given = module.__dict__.get("forward")
        if isinstance(given, _Attend) or getattr(given, "func", None) in (_norm, _mlp):
            del module.forward


def _norm(found: Kernels, module: Any, hidden_states: Tensor) -> Tensor:
    weight_H = module.weight
    if hidden_states.dtype != weight_H.dtype:
        hidden_states = hidden_states.to(weight_H.dtype)
    apply: Any = _Norm.apply
    rows_NH = hidden_states.reshape(-1, len(weight_H))
    out_NH: Tensor = apply(rows_NH, weight_H, module.variance_epsilon, found)
    return out_NH.view(hidden_states.shape)


def _mlp(found: Kernels, module: Any, x: Tensor) -> Tensor:
    gate, up = module.gate_proj(x), module.up_proj(x)
    apply: Any = _SiluMul.apply
    inner_NI: Tensor = apply(gate.reshape(-1, gate.shape[-1]), up.reshape(-1, up.shape[-1]), found)
    out: Tensor = module.down_proj(inner_NI.view(gate.shape))
    return out


class _Attend:
    """The forward of an attention module; its parameters are those of transformers'."""

    def __init__(self, found: Kernels, module: Any) -> None:
        self.found = found
        self.module = module
        self.plain: Callable[..., tuple[Tensor, None]] = module.forward

    def __call__(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        **options: Any,
    ) -> tuple[Tensor, None]:
        layout = options.get("layout")
        if type(layout) is not PackedLayout:
            return self.plain(
                hidden_states=hidden_states,
                position_embeddings=position_embeddings,
                attention_mask=attention_mask,
                **options,
            )
        module = self.module
        q_THD, k_TSD, v_TSD = (
            projection(hidden_states)[0].unflatten(-1, (-1, module.head_dim))
            for projection in (module.q_proj, module.k_proj, module.v_proj)
        )
        if hasattr(module, "q_norm"):
            q_THD, k_TSD = module.q_norm(q_THD), module.k_norm(k_TSD)
        cos_TD, sin_TD = (part[0].contiguous() for part in position_embeddings)
        apply: Any = _Attention.apply
        plan = _segments(layout)
        out_THD = apply(q_THD, k_TSD, v_TSD, cos_TD, sin_TD, plan, module.scaling, self.found)
        return module.o_proj(out_THD.flatten(1)[None]), None


def _segments(layout: PackedLayout) -> Segments:
    """The layout as the kernels read it, made once."""
    found: Segments = layout.segments or segments(layout.spans)
    layout.segments = found
    return found


class _Norm(torch.autograd.Function):
    """(x [N, H], weight [H]) -> weight * x / rms(x)."""

    @staticmethod
    def forward(ctx: Any, x_NH: Tensor, weight_H: Tensor, epsilon: float, found: Kernels) -> Tensor:
        x_NH = x_NH.contiguous()
        ctx.save_for_backward(x_NH, weight_H)
        ctx.epsilon, ctx.found = epsilon, found
        return found.rms_norm(x_NH, weight_H, epsilon)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x_NH, weight_H = ctx.saved_tensors
        dx_NH, dweight_H = ctx.found.rms_norm_backward(
            x_NH, weight_H, grads[0].contiguous(), ctx.epsilon, with_weight=ctx.needs_input_grad[1]
        )
        return dx_NH, None if dweight_H is None else dweight_H.to(weight_H.dtype), None, None


class _SiluMul(torch.autograd.Function):
    """(gate, up [N, I]) -> silu(gate) * up."""

    @staticmethod
    def forward(ctx: Any, gate_NI: Tensor, up_NI: Tensor, found: Kernels) -> Tensor:
        gate_NI, up_NI = gate_NI.contiguous(), up_NI.contiguous()
        ctx.save_for_backward(gate_NI, up_NI)
        ctx.found = found
        return found.silu_mul_apart(gate_NI, up_NI)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gate_NI, up_NI = ctx.saved_tensors
        return (*ctx.found.silu_mul_backward(gate_NI, up_NI, grads[0].contiguous()), None)


class _Attention(torch.autograd.Function):
    """Rotary embedding and attention over packed segments: (q [T, H, D], k, v [T, S, D]) -> [T, H, D]."""

    @staticmethod
    def forward(
        ctx: Any, q_THD: Tensor, k_TSD: Tensor, v_TSD: Tensor, cos_TD: Tensor, sin_TD: Tensor,
        plan: Segments, scale: float, found: Kernels,
    ) -> Tensor:  # fmt: skip
        q_THD, k_TSD = (found.rotate(part.contiguous(), cos_TD, sin_TD) for part in (q_THD, k_TSD))
        v_TSD = v_TSD.contiguous()
        out_THD, lse_TH = found.packed_attention(q_THD, k_TSD, v_TSD, plan, scale)
        ctx.save_for_backward(q_THD, k_TSD, v_TSD, out_THD, lse_TH, cos_TD, sin_TD)
        ctx.plan, ctx.scale, ctx.found = plan, scale, found
        return out_THD

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        *saved, cos_TD, sin_TD = ctx.saved_tensors
        found: Kernels = ctx.found
        dq_THD, dk_TSD, dv_TSD = found.packed_attention_backward(
            tuple(saved), grads[0].contiguous(), ctx.plan, ctx.scale
        )
        dq_THD = found.rotate(dq_THD, cos_TD, sin_TD, back=True)
        dk_TSD = found.rotate(dk_TSD, cos_TD.float(), sin_TD.float(), back=True)
        dtype = saved[0].dtype
        return dq_THD, dk_TSD.to(dtype), dv_TSD.to(dtype), None, None, None, None, None
