from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.models.logprobs import CHUNK_TOKENS, Head, Kept, token_logprobs


def test_value_by_hand() -> None:
    # hidden (1, 2) against rows (1, 0), (0, 1), (1, 1): logits 1, 2, 3; log p(2) = 3 - log(e + e^2 + e^3)
    weight_VH = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    found = token_logprobs(torch.tensor([[1.0, 2.0]]), weight_VH, bias_V=None, target_T=torch.tensor([2]))
    total = math.e + math.e**2 + math.e**3
    assert found.logprobs_T.item() == pytest.approx(3 - math.log(total))
    probabilities = [math.e / total, math.e**2 / total, math.e**3 / total]
    assert found.entropy_T.item() == pytest.approx(-sum(p * math.log(p) for p in probabilities), rel=1e-5)


@given(st.integers(1, 5), st.floats(0.3, 3.0), st.booleans())
@settings(max_examples=20, deadline=None)
def test_gradient_equals_autograd(seed: int, temperature: float, with_bias: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    num_tokens = CHUNK_TOKENS + 3  # a full chunk and a ragged one
    hidden_TH = torch.randn(num_tokens, 4, generator=generator, requires_grad=True)
    weight_VH = torch.randn(7, 4, generator=generator, requires_grad=True)
    bias_V = torch.randn(7, generator=generator, requires_grad=True) if with_bias else None
    target_T = torch.randint(0, 7, (num_tokens,), generator=generator)
    upstream_T = torch.randn(num_tokens, generator=generator)
    inputs = [item for item in (hidden_TH, weight_VH, bias_V) if item is not None]
    found = token_logprobs(hidden_TH, weight_VH, bias_V=bias_V, target_T=target_T, temperature=temperature)
    both = (found.logprobs_T * upstream_T).sum() + (found.entropy_T * upstream_T.flip(0)).sum()
    ours = torch.autograd.grad(both, inputs)
    logits_TV = torch.nn.functional.linear(hidden_TH, weight_VH, bias_V) / temperature
    plain_T = logits_TV.log_softmax(1).gather(1, target_T[:, None])[:, 0]
    entropy_T = -(logits_TV.softmax(1) * logits_TV.log_softmax(1)).sum(1)
    theirs = torch.autograd.grad(
        (plain_T * upstream_T).sum() + (entropy_T * upstream_T.flip(0)).sum(), inputs
    )
    torch.testing.assert_close(found.logprobs_T, plain_T, atol=1e-5, rtol=1e-5)
    for left, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-4)


def test_kept_support_renormalises_and_stops_gradient_outside() -> None:
    weight_VH = torch.eye(4)
    hidden_TH = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]], requires_grad=True)
    kept = Kept(torch.tensor([0, 1]), torch.tensor([2, 0]))  # token 0 could be 0 or 1; token 1 anything
    found = token_logprobs(hidden_TH, weight_VH, bias_V=None, target_T=torch.tensor([1, 1]), kept=kept)
    # among logits 1 and 2: log p = 2 - log(e + e^2) = -log(1 + 1/e)
    assert found.logprobs_T[0].item() == pytest.approx(-math.log(1 + 1 / math.e))
    found.logprobs_T[0].backward()
    assert hidden_TH.grad is not None
    assert hidden_TH.grad[0, 2:].tolist() == [0.0, 0.0]
    assert hidden_TH.grad[0, 0].item() == pytest.approx(-1 / (1 + math.e))


def test_bf16_head_gives_float32_logits() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden_TH = torch.randn(8, 64, generator=generator).bfloat16()
    weight_VH = torch.randn(300, 64, generator=generator).bfloat16()
    exact = hidden_TH.double() @ weight_VH.double().T
    ours = Head(weight_VH, None).logits(hidden_TH)
    assert ours.dtype == torch.float32
    assert (ours - exact).abs().max() < 1e-4
    assert (
        torch.nn.functional.linear(hidden_TH, weight_VH) - exact
    ).abs().max() > 1e-2  # what bf16 would have lost


def test_two_threads_may_multiply_where_no_switch_of_the_process_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from guerdon.models import logprobs

    weight_VH = torch.ones(8, 4)
    for has_kernel in (True, False):
        monkeypatch.setattr(logprobs, "has_products", lambda weight, has_kernel=has_kernel: has_kernel)
        assert logprobs.is_thread_safe(weight_VH)
        assert logprobs.is_thread_safe(weight_VH.bfloat16()) is has_kernel
