"""One token more for every row: how a policy goes on with texts that it has begun.

    begin(prompts) --> step(tokens) --> step(tokens) --> ...      last hidden states of all rows, [N, H]
                       keep(rows): some have ended                 replace(rows, prompts): others take their places

Equal prompts are computed once. `decoder_of` takes the fast decoder where there is one for the policy's architecture and
machine (fused.py), else the model's own modules over a `DecodeLayout`; both read the live weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from guerdon.models.attention import DecodeLayout, PackedLayout, PrefillLayout
from guerdon.models.policy import Policy

Ids = tuple[int, ...]
L = TypeVar("L", bound=PackedLayout)


class Decoder(Protocol):
    """Rows of one batch, which grow by one token a step."""

    def begin(self, prompts: Sequence[Ids]) -> Tensor:
        """Last hidden state of each row's prompt [N, H]."""
        ...

    def step(self, token_N: Tensor) -> Tensor:
        """Hidden states [N, H] after one more token in every row."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these."""
        ...

    def replace(self, rows_M: Tensor, prompts: Sequence[Ids]) -> Tensor:
        """New rows in the places of these; the last hidden states of their prompts [M, H]."""
        ...


class Prefilled(NamedTuple):
    """Prompts that have run through the trunk."""

    hidden_NH: Tensor
    """Last hidden state of each row's prompt."""
    prompts: list[Ids]
    """Each once."""
    parents_N: Tensor
    """Which of them each row has."""


def prefill(policy: Policy, prompts: Sequence[Ids], layout: L) -> Prefilled:
    """Run each different prompt once.

    Args:
        policy: whose trunk.
        prompts: of each row.
        layout: of the different prompts in the order of their first row.
    """
    different = list(dict.fromkeys(prompts))
    place = {prompt: index for index, prompt in enumerate(different)}
    device = policy.device
    layout.to(device)
    tokens_T = torch.tensor([token for prompt in different for token in prompt], device=device)
    hidden_TH = policy.hidden(tokens_T[None], layout.position_T[None], layout)[0]
    last_P = torch.tensor([len(prompt) for prompt in different], device=device).cumsum(0) - 1
    parents_N = torch.tensor([place[prompt] for prompt in prompts], device=device)
    return Prefilled(hidden_TH[last_P[parents_N]], different, parents_N)


def lengths_of(prompts: Sequence[Ids]) -> list[int]:
    """Of each different prompt."""
    return [len(prompt) for prompt in dict.fromkeys(prompts)]


class LayoutDecoder:
    """`Decoder` for every model that attends through our attention function."""

    def __init__(self, policy: Policy, max_new_tokens: int) -> None:
        self.policy = policy
        self.max_new_tokens = max_new_tokens
        self._layout: DecodeLayout | None = None

    @property
    def layout(self) -> DecodeLayout:
        """Keys and values of the rows."""
        assert self._layout is not None, "begin comes first"
        return self._layout

    def begin(self, prompts: Sequence[Ids]) -> Tensor:
        """As `Decoder.begin`."""
        layout = PrefillLayout(lengths_of(prompts))
        found = prefill(self.policy, prompts, layout)
        self._layout = DecodeLayout(layout, found.parents_N, self.max_new_tokens)
        return found.hidden_NH

    def step(self, token_N: Tensor) -> Tensor:
        """As `Decoder.step`."""
        hidden_NH = self.policy.hidden(token_N[:, None], self.layout.position_N[:, None], self.layout)[:, 0]
        self.layout.advance()
        return hidden_NH

    def keep(self, rows: Tensor) -> None:
        """As `Decoder.keep`."""
        self.layout.keep(rows)

    def replace(self, rows_M: Tensor, prompts: Sequence[Ids]) -> Tensor:
        """As `Decoder.replace`."""
        layout = PrefillLayout(lengths_of(prompts))
        found = prefill(self.policy, prompts, layout)
        self.layout.replace(rows_M, layout, found.parents_N)
        return found.hidden_NH


def decoder_of(policy: Policy, max_new_tokens: int) -> Decoder:
    """The fastest decoder for this policy.

    Args:
        policy: whose weights, as they are now.
        max_new_tokens: most tokens of one row.
    """
    from guerdon.models.fused import FusedDecoder

    if FusedDecoder.fits(policy):
        return FusedDecoder(policy)
    return LayoutDecoder(policy, max_new_tokens)
