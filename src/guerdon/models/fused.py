"""The fast decoder: a Llama-like trunk on a CPU as a few large products a layer and three kernels.

    x --norm--> qkv product --> rotate, keep, attend (one kernel) --> o product + x --norm--> gate and up product
      --> silu * --> down product + x                                      for each layer, in the policy's own weights

Weights are laid out for sampling once a decoder: queries, keys and values are one matrix, gate and up another, in
bfloat16 in oneDNN's own order. Keys and values lie in blocks that rows take as they grow; a prompt's are held once for all
of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from guerdon.models.attention import PackedLayout
from guerdon.models.decoders import Ids, lengths_of, prefill
from guerdon.models.kernels import LANES, MAX_GROUP, DecodeStep, Kernels, kernels
from guerdon.models.packed_ops import has_kernels_for
from guerdon.models.policy import Policy

BLOCK = 64
"""Positions of one block of keys and values."""


class _LowRank(NamedTuple):
    """One adapter: columns `start` to `start + len(up_NR)` of the result get (x @ down.T) @ up.T."""

    start: int
    down_RK: Tensor
    up_NR: Tensor


class _Product:
    """x @ weight.T for one or several linear layers side by side, adapters included."""

    def __init__(self, layers: Sequence[Any], rows: int) -> None:
        bases = [getattr(layer, "base_layer", layer) for layer in layers]
        weight_NK = bases[0].weight if len(bases) == 1 else torch.cat([base.weight for base in bases])
        biases = [base.bias for base in bases if base.bias is not None]
        self.bias_N = torch.cat(biases) if biases else None
        self.adapters: list[_LowRank] = []
        start = 0
        for layer, base in zip(layers, bases, strict=True):
            self.adapters += [_LowRank(start, *parts) for parts in _adapters(layer)]
            start += len(base.weight)
        backend: Any = torch.backends.mkldnn
        self.packed = weight_NK.dtype == torch.bfloat16 and backend.is_available()
        reorder: Callable[..., Tensor] = torch.ops.mkldnn._reorder_linear_weight
        self.weight = reorder(weight_NK.detach(), rows) if self.packed else weight_NK.detach()

    def __call__(self, x_MK: Tensor, added_MN: Tensor | None = None) -> Tensor:
        """The product [M, N], plus `added_MN`."""
        if not self.packed:
            out_MN = torch.nn.functional.linear(x_MK, self.weight, self.bias_N)
            out_MN = out_MN if added_MN is None else out_MN.add_(added_MN)
        elif added_MN is None:
            out_MN = torch.ops.mkldnn._linear_pointwise(x_MK, self.weight, self.bias_N, "none", [], "")
        else:
            out_MN = torch.ops.mkldnn._linear_pointwise.binary(
                x_MK, added_MN, self.weight, self.bias_N, "add"
            )
        for start, down_RK, up_NR in self.adapters:
            out_MN.narrow(1, start, len(up_NR)).add_(x_MK @ down_RK.T @ up_NR.T)
        return out_MN


def _adapters(layer: Any) -> list[tuple[Tensor, Tensor]]:
    """(down, up times scale) of each active adapter of a linear layer."""
    if not hasattr(layer, "base_layer"):
        return []
    return [
        (layer.lora_A[name].weight.detach(), layer.lora_B[name].weight.detach() * layer.scaling[name])
        for name in layer.active_adapters
    ]


class _Layer:
    """The weights of one decoder layer."""

    def __init__(self, layer: Any, rows: int) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self.qkv = _Product([attention.q_proj, attention.k_proj, attention.v_proj], rows)
        self.o = _Product([attention.o_proj], rows)
        self.gate_up = _Product([mlp.gate_proj, mlp.up_proj], rows)
        self.down = _Product([mlp.down_proj], rows)
        self.first, self.second = layer.input_layernorm, layer.post_attention_layernorm
        self.q_norm, self.k_norm = (getattr(attention, name, None) for name in ("q_norm", "k_norm"))
        self.scale = float(attention.scaling)


class _KeptLayout(PackedLayout):
    """Prompts only; keeps every layer's keys and values as they are."""

    def __init__(self, prompt_lengths: Sequence[int]) -> None:
        super().__init__(prompt_lengths, [[] for _ in prompt_lengths])
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """As `Layout.attend`, keeping keys and values [S, T, D] of each layer in order."""
        self.keys.append(key[0])
        self.values.append(value[0])
        return super().attend(layer, query, key, value, scale)


class _Blocks:
    """Room for keys and values of all layers, in blocks of `BLOCK` positions that are given back and taken again."""

    def __init__(self, layer_numbers: int, num_layers: int, dtype: torch.dtype) -> None:
        self.shape = num_layers, layer_numbers
        self.dtype = dtype
        self.free: list[int] = []
        self.slabs: list[Tensor] = []

    def take(self, at_least: int) -> int:
        """Address of a block.

        Args:
            at_least: blocks to make room for where none is left.
        """
        if not self.free:
            slab = torch.empty(at_least, *self.shape, dtype=self.dtype)
            self.slabs.append(slab)
            step = slab.stride(0) * slab.element_size()
            self.free = [slab.data_ptr() + index * step for index in reversed(range(at_least))]
        return self.free.pop()


class _Row:
    """Where the keys and values of one row lie."""

    __slots__ = ("blocks", "length", "prompt")

    def __init__(self, prompt: Tensor, length: int) -> None:
        self.prompt = prompt
        """[layers, 2 S L D]; held as long as a row needs it."""
        self.length = length
        self.blocks: list[int] = []


class _Tables(NamedTuple):
    """Where the rows' keys and values lie, as the kernel reads it; int64."""

    prompt_N: Tensor
    length_N: Tensor
    block_NC: Tensor
    own_N: Tensor


class FusedDecoder:
    """`Decoder` of Llama-like models on a CPU."""

    def __init__(self, policy: Policy) -> None:
        found = kernels()
        assert found is not None
        self.kernels: Kernels = found
        self.policy = policy
        self.trunk = policy.causal_lm.base_model
        self.layers: list[_Layer] = []
        config = policy.causal_lm.config
        attention = self.trunk.layers[0].self_attn
        self.heads, self.shared = config.num_attention_heads, config.num_key_value_heads
        self.size = int(attention.head_dim)
        self.blocks = _Blocks(2 * self.shared * BLOCK * self.size, len(self.trunk.layers), policy.dtype)
        self.rows: list[_Row] = []
        self._tables = _tables([], 1)

    @staticmethod
    def fits(policy: Policy) -> bool:
        """Whether there are kernels for this policy here."""
        config = policy.causal_lm.config
        return (
            has_kernels_for(policy.causal_lm)
            and config.num_attention_heads // config.num_key_value_heads <= MAX_GROUP
            and not any(
                hasattr(part, "lora_magnitude_vector") and part.lora_magnitude_vector
                for part in policy.causal_lm.base_model.layers[0].modules()
            )
        )

    def begin(self, prompts: Sequence[Ids]) -> Tensor:
        """As `Decoder.begin`."""
        self.layers = [_Layer(layer, len(prompts)) for layer in self.trunk.layers]
        hidden_NH, self.rows = self._prefilled(prompts)
        self._tables = _tables(self.rows, 1)
        return hidden_NH

    def step(self, token_N: Tensor) -> Tensor:
        """As `Decoder.step`."""
        self._open_blocks()
        tables = self._tables
        position_N = tables.length_N + tables.own_N
        x_NH: Tensor = self.trunk.embed_tokens(token_N)
        cos_1ND, sin_1ND = self.trunk.rotary_emb(x_NH[None], position_N[None])
        step = DecodeStep(
            cos_1ND[0].contiguous(), sin_1ND[0].contiguous(), *tables,
            heads=self.heads, shared=self.shared, size=self.size, block=BLOCK, longest=int(position_N.max()) + 1,
        )  # fmt: skip
        for index, layer in enumerate(self.layers):
            x_NH = self._layer(layer, x_NH, step, index)
        tables.own_N.add_(1)
        return self._norm(self.trunk.norm, x_NH)

    def _open_blocks(self) -> None:
        """A block for every row whose last one is full."""
        opened = (self._tables.own_N % BLOCK == 0).nonzero()[:, 0].tolist()
        if not opened:
            return
        for index in opened:
            row = self.rows[index]
            row.blocks.append(self.blocks.take(len(opened)))
            column = len(row.blocks) - 1
            if column == self._tables.block_NC.shape[1]:
                wider = torch.nn.functional.pad(self._tables.block_NC, (0, column + 1))
                self._tables = self._tables._replace(block_NC=wider)
            self._tables.block_NC[index, column] = row.blocks[-1]

    def _layer(self, layer: _Layer, x_NH: Tensor, step: DecodeStep, index: int) -> Tensor:
        qkv_NW = layer.qkv(self._norm(layer.first, x_NH))
        if layer.q_norm is not None and layer.k_norm is not None:
            for norm, first, heads in (
                (layer.q_norm, 0, self.heads),
                (layer.k_norm, self.heads, self.shared),
            ):
                self.kernels.rms_norm_heads(
                    qkv_NW, norm.weight, norm.variance_epsilon, first=first, heads=heads
                )
        mixed_NW = self.kernels.decode_attention(qkv_NW, step, index, layer.scale)
        x_NH = layer.o(mixed_NW, x_NH)
        inner_NI = self.kernels.silu_mul(layer.gate_up(self._norm(layer.second, x_NH)))
        return layer.down(inner_NI, x_NH)

    def _norm(self, norm: Any, x_NH: Tensor) -> Tensor:
        return self.kernels.rms_norm(x_NH, norm.weight, norm.variance_epsilon)

    def keep(self, rows: Tensor) -> None:
        """As `Decoder.keep`."""
        kept = rows.tolist()
        for index in set(range(len(self.rows))) - set(kept):
            self.blocks.free += self.rows[index].blocks
        self.rows = [self.rows[index] for index in kept]
        self._tables = _Tables(*(table[rows] for table in self._tables))

    def replace(self, rows_M: Tensor, prompts: Sequence[Ids]) -> Tensor:
        """As `Decoder.replace`."""
        hidden_MH, new = self._prefilled(prompts)
        for index, row in zip(rows_M.tolist(), new, strict=True):
            self.blocks.free += self.rows[index].blocks
            self.rows[index] = row
        fresh = _tables(new, self._tables.block_NC.shape[1])
        for table, entries in zip(self._tables, fresh, strict=True):
            table[rows_M] = entries
        return hidden_MH

    def _prefilled(self, prompts: Sequence[Ids]) -> tuple[Tensor, list[_Row]]:
        layout = _KeptLayout(lengths_of(prompts))
        found = prefill(self.policy, prompts, layout)
        ends = torch.tensor([0, *map(len, found.prompts)]).cumsum(0).tolist()
        held = [self._held(layout, slice(*span)) for span in pairwise(ends)]
        parents = found.parents_N.tolist()
        return found.hidden_NH, [_Row(held[parent], len(found.prompts[parent])) for parent in parents]

    def _held(self, layout: _KeptLayout, span: slice) -> Tensor:
        """One prompt's keys and values as the kernel reads them: keys [S, D, L], values [S, L, D] of every layer."""
        length = span.stop - span.start
        padded = -(-length // LANES) * LANES
        numbers = self.shared * padded * self.size
        held = torch.zeros(len(layout.keys), 2 * numbers, dtype=self.policy.dtype)
        for layer, (key_STD, value_STD) in enumerate(zip(layout.keys, layout.values, strict=True)):
            keys, values = held[layer, :numbers], held[layer, numbers:]
            keys.view(self.shared, self.size, padded)[..., :length] = key_STD[:, span].transpose(1, 2)
            values.view(self.shared, padded, self.size)[:, :length] = value_STD[:, span]
        return held


def _tables(rows: Sequence[_Row], columns: int) -> _Tables:
    """Of rows that begin."""
    return _Tables(
        torch.tensor([row.prompt.data_ptr() for row in rows]),
        torch.tensor([row.length for row in rows]),
        torch.zeros(len(rows), columns, dtype=torch.long),
        torch.zeros(len(rows), dtype=torch.long),
    )
