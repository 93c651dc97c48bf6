from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from guerdon.models import kernels as module
from guerdon.models.kernels import DecodeStep, Kernels, kernels

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


@pytest.fixture
def built() -> Kernels:
    found = kernels()
    if found is None:
        pytest.skip("no kernels on this machine")
    return found


@DTYPES
def test_rms_norm_is_that_of_transformers(built: Kernels, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    norm = LlamaRMSNorm(96, eps=1e-5).to(dtype)
    with torch.no_grad():
        norm.weight.add_(torch.randn(96))
    x = torch.randn(5, 96).to(dtype) * 3
    with torch.no_grad():
        wanted = norm(x)
    found = built.rms_norm(x, norm.weight, 1e-5)
    # a sum of squares in another order may round one bit otherwise
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-6 if dtype == torch.float32 else 2**-7)
    assert (found != wanted).float().mean() < (1.0 if dtype == torch.float32 else 0.02)


@DTYPES
def test_heads_of_a_row_are_normed_in_place_and_the_others_left_alone(
    built: Kernels, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    rows, weight = torch.randn(3, 4 * 32).to(dtype), torch.randn(32).to(dtype)
    before = rows.clone()
    built.rms_norm_heads(rows, weight, 1e-6, first=1, heads=2)
    assert torch.equal(rows[:, :32], before[:, :32])
    assert torch.equal(rows[:, 96:], before[:, 96:])
    wanted = built.rms_norm(before[:, 32:96].reshape(6, 32).contiguous(), weight, 1e-6)
    assert torch.equal(rows[:, 32:96], wanted.view(3, 64))


@DTYPES
def test_silu_mul_is_that_of_torch_over_the_whole_range(built: Kernels, dtype: torch.dtype) -> None:
    gate = torch.cat([torch.linspace(-100, 100, 160), torch.linspace(-1, 1, 160)]).view(5, 64).to(dtype)
    up = torch.linspace(-2, 3, 320).view(5, 64).to(dtype)
    found = built.silu_mul(torch.cat([gate, up], 1))
    wanted = torch.nn.functional.silu(gate) * up
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5 if dtype == torch.float32 else 2**-7)


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


@pytest.mark.parametrize("group", [1, 3, 5, 8])
def test_attention_over_prompt_and_blocks_by_hand(built: Kernels, group: int) -> None:
    # Two rows: prompts of 5 and 16 positions, 0 and 6 tokens of their own in blocks of 16; one layer below is skipped.
    torch.manual_seed(group)
    size, shared, block, layers = 32, 2, 16, 2
    heads, lengths, own = group * shared, [5, 16], [0, 6]
    keys = [torch.randn(shared, length + count, size) for length, count in zip(lengths, own, strict=True)]
    values = [torch.randn_like(key) for key in keys]
    prompts, blocks = [], []
    for key, value, length in zip(keys, values, lengths, strict=True):
        prompt = torch.full((layers, 2 * shared * 16 * size), float("nan"))
        prompt[1].fill_(0.0)
        held_keys, held_values = prompt[1].split(shared * 16 * size)
        held_keys.view(shared, size, 16)[..., :length] = key[:, :length].transpose(1, 2)
        held_values.view(shared, 16, size)[:, :length] = value[:, :length]
        more = torch.full(
            (layers, 2 * shared * block * size), float("nan")
        )  # what is not written yet is never read
        held_keys, held_values = more[1].split(shared * block * size)
        held_keys.view(shared, size, block)[..., : key.shape[1] - length] = key[:, length:].transpose(1, 2)
        held_values.view(shared, block, size)[:, : key.shape[1] - length] = value[:, length:]
        prompts.append(prompt)
        blocks.append(more)
    qkv = torch.randn(2, (heads + 2 * shared) * size)
    angles = torch.randn(2, size // 2)
    cos, sin = (torch.cat([part, part], 1).contiguous() for part in (angles.cos(), angles.sin()))
    step = DecodeStep(
        cos, sin,
        prompt_N=torch.tensor([prompt.data_ptr() for prompt in prompts]), length_N=torch.tensor(lengths),
        block_NC=torch.tensor([[more.data_ptr(), 0] for more in blocks]), own_N=torch.tensor(own),
        heads=heads, shared=shared, size=size, block=block, longest=23,
    )  # fmt: skip
    asked = qkv.view(2, heads + 2 * shared, size).clone()
    found = built.decode_attention(qkv, step, 1, 0.3).view(2, heads, size)
    for row in range(2):
        turn = cos[row], sin[row]
        key = torch.cat([keys[row], rotated(asked[row, heads : heads + shared], *turn)[:, None]], 1)
        value = torch.cat([values[row], asked[row, heads + shared :][:, None]], 1)
        query = rotated(asked[row, :heads], *turn).view(shared, group, size)
        wanted = (query @ key.transpose(1, 2) * 0.3).softmax(-1) @ value
        torch.testing.assert_close(found[row], wanted.view(heads, size), atol=1e-5, rtol=1e-4)


def test_scores_far_apart_do_not_overflow(built: Kernels) -> None:
    qkv = torch.full((1, 3 * 32), 100.0)
    prompt, block = torch.zeros(1, 2 * 16 * 32), torch.zeros(1, 2 * 16 * 32)
    one = torch.ones(1, 32)
    step = DecodeStep(
        one, 0 * one, torch.tensor([prompt.data_ptr()]), torch.tensor([3]), torch.tensor([[block.data_ptr()]]),
        torch.tensor([0]), heads=1, shared=1, size=32, block=16, longest=4,
    )  # fmt: skip
    found = built.decode_attention(qkv, step, 0, 1.0)
    assert found.tolist() == [[100.0] * 32]  # the new token's score of 320,000 takes all
    assert math.isfinite(float(found.sum()))


def test_without_a_compiler_there_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    kernels.cache_clear()
    assert kernels() is None
    kernels.cache_clear()
    monkeypatch.undo()
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(module.shutil, "which", lambda name: str(broken))
    assert kernels() is None
    monkeypatch.undo()
    kernels.cache_clear()
