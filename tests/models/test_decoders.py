from __future__ import annotations

import pytest
import torch

from decoding import PROMPTS, plain_hidden, small_policy
from guerdon.models import fused, packed_ops
from guerdon.models.decoders import Decoder, LayoutDecoder, decoder_of
from guerdon.models.fused import FusedDecoder
from guerdon.models.kernels import kernels
from guerdon.models.policy import Policy


def fused_decoder(policy: Policy) -> Decoder:
    if not FusedDecoder.fits(policy):
        pytest.skip("no kernels on this machine")
    return FusedDecoder(policy)


def layout_decoder(policy: Policy) -> Decoder:
    return LayoutDecoder(policy, 80)


MAKE = pytest.mark.parametrize("make", [layout_decoder, fused_decoder])


def grown(texts: list[tuple[int, ...]], step: int) -> list[tuple[int, ...]]:
    """Each text and the token that it is given in this step."""
    return [(*text, 30 + (7 * index + step) % 40) for index, text in enumerate(texts)]


def check(policy: Policy, hidden_NH: torch.Tensor, texts: list[tuple[int, ...]]) -> None:
    for hidden_H, text in zip(hidden_NH, texts, strict=True):
        torch.testing.assert_close(hidden_H.float(), plain_hidden(policy, text), atol=2e-4, rtol=1e-3)


@MAKE
@torch.inference_mode()
def test_every_row_is_as_transformers_computes_it_alone(make: type) -> None:
    policy = small_policy("llama")
    decoder: Decoder = make(policy)
    texts = list(PROMPTS)
    check(policy, decoder.begin(texts), texts)
    for step in range(5):
        texts = grown(texts, step)
        check(policy, decoder.step(torch.tensor([text[-1] for text in texts])), texts)


@MAKE
@torch.inference_mode()
def test_rows_leave_and_others_take_their_places(make: type) -> None:
    policy = small_policy("llama")
    decoder: Decoder = make(policy)
    texts = list(PROMPTS)
    decoder.begin(texts)
    for step in range(3):
        texts = grown(texts, step)
        decoder.step(torch.tensor([text[-1] for text in texts]))
    decoder.keep(torch.tensor([0, 2, 3]))
    texts = [texts[0], texts[2], texts[3]]
    long = tuple(range(10, 60))  # longer than any prompt so far
    new = [(50, 51), long]
    check(policy, decoder.replace(torch.tensor([2, 0]), new), new)
    texts = [long, texts[1], (50, 51)]
    for step in range(3):
        texts = grown(texts, step)
        check(policy, decoder.step(torch.tensor([text[-1] for text in texts])), texts)


@MAKE
@torch.inference_mode()
def test_rows_grow_past_a_block(make: type) -> None:
    policy = small_policy("llama")
    decoder: Decoder = make(policy)
    texts = [(7, 8, 9), (20, 21)]
    decoder.begin(texts)
    for step in range(fused.BLOCK + 6):
        texts = grown(texts, step)
        hidden_NH = decoder.step(torch.tensor([text[-1] for text in texts]))
    check(policy, hidden_NH, texts)


def test_the_fast_one_is_taken_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    other = small_policy("gpt_neox")
    assert isinstance(decoder_of(other, 8), LayoutDecoder)
    policy = small_policy("llama")
    if kernels() is not None:
        assert isinstance(decoder_of(policy, 8), FusedDecoder)
    monkeypatch.setattr(packed_ops, "kernels", lambda: None)
    assert isinstance(decoder_of(policy, 8), LayoutDecoder)
