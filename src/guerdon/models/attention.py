"""One attention function for every Hugging Face causal LM and encoder, in four layouts.

A model loaded with `attn_implementation="guerdon"` hands each layer's queries, keys and values to the `layout` that
came with the forward call; the layout decides who sees whom. The trunk itself never learns about padding:

    PackedLayout   [ prompt a | a0 | a1 | a2 | prompt b | b0 | ... ]   one row, each answer sees its prompt and itself
    PrefillLayout  [ prompt a | prompt b | ... ]                       as packed, and keys and values are kept
    DecodeLayout   N rows, one new token each, over the kept keys and values
    SegmentLayout  [ text a | text b | ... ]   one row, each text sees all of itself: encoders

So the sampler and the learner run the same modules on the same weights, LoRA included, with nothing copied.
Axes: T packed tokens, P prompts, N completions or rows, H heads, D head size, L positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

ATTENTION = "guerdon"
SHORT = 192 * 192
"""Scores of one head up to which the matmuls of `grouped_attention` beat PyTorch's fused kernels on a CPU: at 128 x 128
up to three times as fast in bfloat16 with the backward pass, at 256 x 256 half as fast, at 512 x 512 a third."""
GROWTH = 64
"""Columns by which the cache of a decoding batch grows."""


class Layout(Protocol):
    """Who attends to whom in one forward pass."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Attention output [rows, T, H, D] for query [rows, H, T, D], key and value [rows, Hkv, T, D]."""
        ...


def attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """The function registered with transformers' AttentionInterface; its signature is theirs."""
    layout: Layout = options["layout"]
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    return layout.attend(module.layer_idx, query, key, value, scale), None  # type: ignore[arg-type]


def register() -> None:
    """Make `attn_implementation="guerdon"` known to transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, attention)


def grouped_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    """Masked attention [N, H, Lq, D] for query [N, H, Lq, D], key and value [N, Hkv, Lk, D], mask [N or 1, 1, Lq, Lk].

    Query heads that share a key head become rows of one matmul; the softmax runs in float32. On a CPU and short
    segments (see `SHORT`) this is 3 to 7 times as fast as `scaled_dot_product_attention`, backward included.
    """
    rows, heads, length, size = query.shape
    shared = heads // key.shape[1]
    folded = query.reshape(rows, -1, shared * length, size)
    scores = (folded @ key.transpose(2, 3)).float() * scale
    scores = scores.view(*scores.shape[:2], shared, length, -1).masked_fill(~mask[:, :, None], float("-inf"))
    weights = scores.softmax(-1).to(value.dtype)
    out: Tensor = weights.flatten(2, 3) @ value
    return out.view(rows, heads, length, size)


def segment_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, *, causal: bool = False
) -> Tensor:
    """`grouped_attention` for short segments on a CPU; else PyTorch's fused kernels, which never hold the scores.

    `causal` says that the mask is the lower triangle: the fused kernels then skip the other half.
    """
    if query.device.type == "cpu" and query.shape[2] * key.shape[2] <= SHORT:
        return grouped_attention(query, key, value, mask, scale)
    shares = key.shape[1] != query.shape[1]
    shown = None if causal else mask
    return scaled_dot_product_attention(
        query, key, value, attn_mask=shown, is_causal=causal, scale=scale, enable_gqa=shares
    )


def _ragged_index(
    starts: Sequence[int], lengths: Sequence[int], *, align: str = "left"
) -> tuple[Tensor, Tensor]:
    """Indices [N, Lmax] into the packed row and their validity; padding points at token 0."""
    starts_N = torch.tensor(starts, dtype=torch.long)
    lengths_N = torch.tensor(lengths, dtype=torch.long)
    width = int(lengths_N.max()) if len(lengths) else 0
    columns_L = torch.arange(width)
    offset_NL = (
        columns_L - (width - lengths_N)[:, None] if align == "right" else columns_L.expand(len(starts), width)
    )
    valid_NL = (offset_NL >= 0) & (offset_NL < lengths_N[:, None])
    index_NL = torch.where(valid_NL, starts_N[:, None] + offset_NL, torch.zeros_like(offset_NL))
    return index_NL, valid_NL


def _gather(packed_THD: Tensor, index_NL: Tensor) -> Tensor:
    """[T, H, D] -> [N, H, L, D]; index_select because its backward is a plain index_add."""
    rows = packed_THD.index_select(0, index_NL.reshape(-1))
    return rows.view(*index_NL.shape, *packed_THD.shape[1:]).transpose(1, 2)


class PackedLayout:
    """Groups packed into one row: each prompt once, each completion sees its group's prompt and itself."""

    def __init__(self, prompt_lengths: Sequence[int], completion_lengths: Sequence[Sequence[int]]) -> None:
        prompt_starts: list[int] = []
        starts: list[int] = []
        lengths: list[int] = []
        parents: list[int] = []
        cursor = 0
        for parent, (prompt_length, group) in enumerate(zip(prompt_lengths, completion_lengths, strict=True)):
            prompt_starts.append(cursor)
            cursor += prompt_length
            for length in group:
                starts.append(cursor)
                lengths.append(length)
                parents.append(parent)
                cursor += length
        self.num_tokens = cursor
        self.spans = [
            *((start, length, 0, 0) for start, length in zip(prompt_starts, prompt_lengths, strict=True)),
            *(
                (start, length, prompt_starts[parent], prompt_lengths[parent])
                for start, length, parent in zip(starts, lengths, parents, strict=True)
            ),
        ]
        """(start, length, start and length of its prompt) of every prompt and completion."""
        self.segments: Any = None
        """The same as the kernels of a CPU read it, made when they first do (packed_ops.py)."""
        self.prompt_index_PL, self.prompt_valid_PL = _ragged_index(prompt_starts, prompt_lengths)
        self._set_completions(starts, lengths, torch.tensor(parents, dtype=torch.long))
        self.position_T = self._positions(prompt_starts, prompt_lengths, starts, lengths, parents)

    def _set_completions(self, starts: list[int], lengths: list[int], parents_N: Tensor) -> None:
        width = self.prompt_index_PL.shape[1]
        self.causal_11LL = torch.ones(1, 1, width, width, dtype=torch.bool).tril()
        restore_T = torch.zeros(self.num_tokens, dtype=torch.long)
        flat_P = torch.arange(self.prompt_index_PL.numel()).view_as(self.prompt_index_PL)
        restore_T[self.prompt_index_PL[self.prompt_valid_PL]] = flat_P[self.prompt_valid_PL]
        self.completion_index_NL, valid_NL = _ragged_index(starts, lengths)
        self.has_completions = self.completion_index_NL.numel() > 0
        if self.has_completions:
            flat_N = torch.arange(valid_NL.numel()).view_as(valid_NL) + flat_P.numel()
            restore_T[self.completion_index_NL[valid_NL]] = flat_N[valid_NL]
            length = valid_NL.shape[1]
            causal_LL = torch.ones(length, length, dtype=torch.bool).tril()
            own_NLL = valid_NL[:, None, :] & causal_LL | torch.eye(
                length, dtype=torch.bool
            )  # a padded query sees itself
            prompt_NLL = self.prompt_valid_PL[parents_N][:, None, :].expand(-1, length, width)
            self.key_index_NL = torch.cat([self.prompt_index_PL[parents_N], self.completion_index_NL], dim=1)
            self.mask_N1LL = torch.cat([prompt_NLL, own_NLL], dim=2)[:, None]
        self.restore_T = restore_T

    def _positions(
        self,
        prompt_starts: Sequence[int],
        prompt_lengths: Sequence[int],
        starts: Sequence[int],
        lengths: Sequence[int],
        parents: Sequence[int],
    ) -> Tensor:
        position_T = torch.zeros(self.num_tokens, dtype=torch.long)
        for start, length in zip(prompt_starts, prompt_lengths, strict=True):
            position_T[start : start + length] = torch.arange(length)
        for start, length, parent in zip(starts, lengths, parents, strict=True):
            position_T[start : start + length] = torch.arange(length) + prompt_lengths[parent]
        return position_T

    def to(self, device: torch.device) -> PackedLayout:
        """Move every index to `device`, in place."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """As `Layout.attend`; rows = 1."""
        query_THD, key_THD, value_THD = (part[0].transpose(0, 1) for part in (query, key, value))
        prompt = segment_attention(
            _gather(query_THD, self.prompt_index_PL),
            _gather(key_THD, self.prompt_index_PL),
            _gather(value_THD, self.prompt_index_PL),
            self.causal_11LL,
            scale,
            causal=True,
        )
        flat = prompt.transpose(1, 2).flatten(0, 1)
        if self.has_completions:
            completion = segment_attention(
                _gather(query_THD, self.completion_index_NL),
                _gather(key_THD, self.key_index_NL),
                _gather(value_THD, self.key_index_NL),
                self.mask_N1LL,
                scale,
            )
            flat = torch.cat([flat, completion.transpose(1, 2).flatten(0, 1)])
        return flat.index_select(0, self.restore_T)[None]


class SegmentLayout:
    """Texts packed into one row, each of which sees itself in both directions."""

    def __init__(self, lengths: Sequence[int]) -> None:
        starts = torch.tensor([0, *lengths]).cumsum(0)[:-1].tolist()
        self.index_NL, self.valid_NL = _ragged_index(starts, lengths)
        self.restore_T = torch.zeros(sum(lengths), dtype=torch.long)
        flat = torch.arange(self.index_NL.numel()).view_as(self.index_NL)
        self.restore_T[self.index_NL[self.valid_NL]] = flat[self.valid_NL]
        self.position_T = torch.cat([torch.arange(length) for length in lengths])

    def to(self, device: torch.device) -> SegmentLayout:
        """Move every index to `device`, in place."""
        for name, value in vars(self).items():
            setattr(self, name, value.to(device))
        return self

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """As `Layout.attend`; rows = 1."""
        query, key, value = (_gather(part[0].transpose(0, 1), self.index_NL) for part in (query, key, value))
        out = segment_attention(query, key, value, self.valid_NL[:, None, None], scale)
        return out.transpose(1, 2).flatten(0, 1).index_select(0, self.restore_T)[None]


class PrefillLayout(PackedLayout):
    """Prompts only; keeps every layer's keys and values, right-aligned, for decoding."""

    def __init__(self, prompt_lengths: Sequence[int]) -> None:
        super().__init__(prompt_lengths, [[] for _ in prompt_lengths])
        starts = torch.tensor([0, *prompt_lengths]).cumsum(0)[:-1].tolist()
        self.keep_index_PL, self.keep_valid_PL = _ragged_index(starts, prompt_lengths, align="right")
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """As `Layout.attend`, keeping keys and values [P, Hkv, Lp, D] of each layer in order."""
        self.keys.append(_gather(key[0].transpose(0, 1), self.keep_index_PL))
        self.values.append(_gather(value[0].transpose(0, 1), self.keep_index_PL))
        return super().attend(layer, query, key, value, scale)


class DecodeLayout:
    """N rows that grow by one token a step; prompts are right-aligned so that all rows write the same column.

    Attention runs over the whole cache and a mask hides what is not written yet: a contiguous cache multiplies two to
    three times as fast as a slice of it. So that little is hidden, the cache grows by `GROWTH` columns at a time. Past
    `max_new_tokens` columns it is written round and round: what was there belongs to rows that have ended since.

        [ prompts, right-aligned | column of step 0 | 1 | ... | max_new_tokens - 1 ]
    """

    def __init__(self, prefill: PrefillLayout, parents_N: Tensor, max_new_tokens: int) -> None:
        self.max_new_tokens = max_new_tokens
        self.prompt_columns = prefill.keep_index_PL.shape[1]
        self.cursor = self.prompt_columns
        self.mask_N11L = prefill.keep_valid_PL[parents_N][:, None, None]
        self.length_N = self.mask_N11L.sum((1, 2, 3))
        self.keys = [key[parents_N] for key in prefill.keys]
        self.values = [value[parents_N] for value in prefill.values]
        self._open_column()

    def _open_column(self) -> None:
        """Make room for one more token in every row, and show it."""
        end = self.prompt_columns + self.max_new_tokens
        if self.cursor == end:
            self.cursor = self.prompt_columns
        if self.cursor == self.mask_N11L.shape[3]:
            self._widen(min(end, self.cursor + GROWTH) - self.cursor)
        self.mask_N11L[..., self.cursor] = True

    def _widen(self, columns: int, *, left: bool = False) -> None:
        self.mask_N11L = _widened(self.mask_N11L, columns, dim=3, left=left)
        for caches in (self.keys, self.values):
            for layer, cache in enumerate(caches):
                caches[layer] = _widened(cache, columns, dim=2, left=left)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """As `Layout.attend`; T = 1."""
        keys, values = self.keys[layer], self.values[layer]
        keys[:, :, self.cursor] = key[:, :, 0]
        values[:, :, self.cursor] = value[:, :, 0]
        return grouped_attention(query, keys, values, self.mask_N11L, scale).transpose(1, 2)

    @property
    def position_N(self) -> Tensor:
        """Position of the token fed next, per row."""
        return self.length_N

    def advance(self) -> None:
        """The column just written belongs to the past now."""
        self.cursor += 1
        self.length_N = self.length_N + 1
        self._open_column()

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these; finished rows stop costing time."""
        self.length_N = self.length_N[rows]
        self.mask_N11L = self.mask_N11L[rows]
        self.keys = [key[rows] for key in self.keys]
        self.values = [value[rows] for value in self.values]

    def replace(self, rows_M: Tensor, prefill: PrefillLayout, parents_M: Tensor) -> None:
        """Give the places of finished rows to new ones, whose prompts have just been prefilled."""
        width = prefill.keep_index_PL.shape[1]
        if width > self.prompt_columns:
            added = width - self.prompt_columns
            self._widen(added, left=True)
            self.cursor += added
            self.prompt_columns += added
        prompt = slice(self.prompt_columns - width, self.prompt_columns)
        valid_ML = prefill.keep_valid_PL[parents_M]
        self.mask_N11L[rows_M] = False
        self.mask_N11L[rows_M, :, :, prompt] = valid_ML[:, None, None]
        self.mask_N11L[rows_M, :, :, self.cursor] = True
        self.length_N[rows_M] = valid_ML.sum(1)
        for caches, kept in ((self.keys, prefill.keys), (self.values, prefill.values)):
            for cache, new in zip(caches, kept, strict=True):
                cache[rows_M, :, prompt] = new[parents_M]


def _widened(tensor: Tensor, columns: int, *, dim: int, left: bool) -> Tensor:
    """`tensor` with that many columns of zeros along `dim`, at its right end or its left."""
    shape = list(tensor.shape)
    shape[dim] += columns
    wide = tensor.new_zeros(shape)
    wide.narrow(dim, columns if left else 0, tensor.shape[dim]).copy_(tensor)
    return wide
