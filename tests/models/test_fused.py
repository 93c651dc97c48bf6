from __future__ import annotations

import pytest
import torch

from decoding import PROMPTS, plain_hidden, small_policy
from guerdon.models.decoders import LayoutDecoder
from guerdon.models.fused import BLOCK, FusedDecoder
from guerdon.models.kernels import kernels
from guerdon.models.recompute import recompute_layers

pytestmark = pytest.mark.skipif(kernels() is None, reason="no kernels on this machine")


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3"])
@torch.inference_mode()
def test_every_architecture_is_as_transformers_computes_it(kind: str, lora: bool) -> None:
    policy = small_policy(kind, lora=lora)
    assert FusedDecoder.fits(policy)
    decoder = FusedDecoder(policy)
    texts = list(PROMPTS)
    decoder.begin(texts)
    for token in (40, 41, 42):
        texts = [(*text, token + index) for index, text in enumerate(texts)]
        hidden_NH = decoder.step(torch.tensor([text[-1] for text in texts]))
    for hidden_H, text in zip(hidden_NH, texts, strict=True):
        torch.testing.assert_close(hidden_H, plain_hidden(policy, text), atol=2e-4, rtol=1e-3)


@torch.inference_mode()
def test_layers_that_would_be_recomputed_in_a_backward_pass_are_recognised() -> None:
    policy = small_policy("llama", lora=True)
    recompute_layers(policy.causal_lm, policy.source)
    assert FusedDecoder.fits(policy)
    decoder = FusedDecoder(policy)
    decoder.begin([(7, 8)])
    (hidden_H,) = decoder.step(torch.tensor([9]))
    torch.testing.assert_close(hidden_H, plain_hidden(policy, (7, 8, 9)), atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("lora", [False, True])
@torch.inference_mode()
def test_bfloat16_is_as_near_to_float32_as_the_models_own_modules_are(lora: bool) -> None:
    exact = small_policy("qwen3", lora=lora)
    rounded = small_policy("qwen3", lora=lora, dtype=torch.bfloat16)
    with torch.no_grad():  # the same numbers in both
        for weight, source in zip(exact.model.parameters(), rounded.model.parameters(), strict=True):
            weight.copy_(source)
    errors = {}
    decoders = {"fused": FusedDecoder(rounded), "modules": LayoutDecoder(rounded, 16)}
    for name, decoder in decoders.items():
        texts = list(PROMPTS)
        decoder.begin(texts)
        for token in range(40, 50):
            texts = [(*text, token + index) for index, text in enumerate(texts)]
            hidden_NH = decoder.step(torch.tensor([text[-1] for text in texts]))
        wanted_NH = torch.stack([plain_hidden(exact, text) for text in texts])
        errors[name] = float((hidden_NH.float() - wanted_NH).square().mean().sqrt())
    assert errors["fused"] < 1.2 * errors["modules"]
    assert errors["fused"] < 0.1


@torch.inference_mode()
def test_the_live_weights_are_read() -> None:
    policy = small_policy("llama")
    before = FusedDecoder(policy).begin([(7, 8, 9)])
    with torch.no_grad():
        for weight in policy.trainable().values():
            weight.mul_(1.01)
    decoder = FusedDecoder(policy)
    decoder.begin([(7, 8)])
    after = decoder.step(torch.tensor([9]))
    assert not torch.allclose(before, after, atol=1e-3)
    torch.testing.assert_close(after[0], plain_hidden(policy, (7, 8, 9)), atol=2e-4, rtol=1e-3)


@torch.inference_mode()
def test_a_prompt_is_held_once_and_blocks_are_given_back() -> None:
    policy = small_policy("llama")
    decoder = FusedDecoder(policy)
    decoder.begin([(7, 8, 9)] * 4)
    assert len({row.prompt.data_ptr() for row in decoder.rows}) == 1
    for _ in range(BLOCK + 1):
        decoder.step(torch.tensor([30, 31, 32, 33]))
    assert [len(row.blocks) for row in decoder.rows] == [2, 2, 2, 2]
    decoder.keep(torch.tensor([0, 3]))
    assert len(decoder.blocks.free) == 4
    slabs = len(decoder.blocks.slabs)
    decoder.replace(torch.tensor([0]), [(5, 6)])
    decoder.step(torch.tensor([40, 41]))
    assert len(decoder.blocks.slabs) == slabs
    assert len(decoder.blocks.free) == 5


@pytest.mark.parametrize(
    ("name", "value"), [("model_type", "gemma3"), ("hidden_act", "gelu"), ("hidden_size", 100)]
)
def test_what_does_not_fit_is_told_apart(name: str, value: object) -> None:
    policy = small_policy("llama")
    setattr(policy.causal_lm.config, name, value)
    assert not FusedDecoder.fits(policy)
