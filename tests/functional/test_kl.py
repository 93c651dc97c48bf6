from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from enumerable import MASK_BT, Policy
from guerdon.functional.kl import MAX_LOG_WEIGHT, k1, k2, k3, k3_unbiased

QUICK = settings(max_examples=30, deadline=None)

Kl = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
EVERY = [k1, k2, k3, k3_unbiased]
NAN = float("nan")


def test_by_hand() -> None:
    # policy 1/2, ref 1/4, behaviour 1/6: log 2 = .693147; .240227; x = 1/2: .5 + .693147 - 1; weight 3
    now, ref, mu = (torch.tensor([[math.log(p)]]) for p in (1 / 2, 1 / 4, 1 / 6))
    expected = {k1: 0.693147, k2: 0.240227, k3: 0.193147, k3_unbiased: 3 * 0.193147}
    for kl, value in expected.items():
        assert kl(now, ref, mu, torch.ones(1, 1)).item() == pytest.approx(value, abs=1e-5)


def test_weight_is_capped() -> None:
    now, ref, mu = torch.tensor([[-1.0]]), torch.tensor([[-2.0]]), torch.tensor([[-9.0]])
    found = k3_unbiased(now, ref, mu, torch.ones(1, 1)) / k3(now, ref, mu, torch.ones(1, 1))
    assert found.item() == pytest.approx(math.exp(MAX_LOG_WEIGHT))


def first_token(policy: Policy) -> Tensor:
    """Log-probs of the five first words [5, 1]."""
    return policy.logprobs()[::5, :1]


def gradient_of(kl: Kl, policy: Policy, behavior: Policy) -> Tensor:
    """Expected gradient with tokens of `behavior`: samples are fixed, only the estimator moves."""
    now, ref, mu = first_token(policy), first_token(REF).detach(), first_token(behavior).detach()
    return policy.gradient((mu.exp() * kl(now, ref, mu, MASK_BT[:5, :1])).sum())


REF = Policy(7)


def reverse(policy: Policy) -> Tensor:
    """The gradient of KL(policy || ref)."""
    now, ref = first_token(policy), first_token(REF).detach()
    return policy.gradient((now.exp() * (now - ref)).sum())


def forward(policy: Policy) -> Tensor:
    """The gradient of KL(ref || policy)."""
    now, ref = first_token(policy), first_token(REF).detach()
    return policy.gradient((ref.exp() * (ref - now)).sum())


def test_gradient_of_k1_is_nothing() -> None:
    policy = Policy(0)
    torch.testing.assert_close(gradient_of(k1, policy, policy), torch.zeros(30, dtype=torch.float64))


def test_gradient_of_k2_is_that_of_the_kl() -> None:
    policy = Policy(0)
    torch.testing.assert_close(gradient_of(k2, policy, policy), reverse(policy))


def test_gradient_of_k3_is_that_of_the_other_kl() -> None:
    policy = Policy(0)
    torch.testing.assert_close(gradient_of(k3, policy, policy), forward(policy))
    assert (forward(policy) - reverse(policy)).abs().max() > 0.01  # and the two are not the same


def test_gradient_of_k3_unbiased_is_that_of_the_kl_even_off_policy() -> None:
    policy = Policy(0)
    for behavior in (policy, Policy(3)):
        torch.testing.assert_close(gradient_of(k3_unbiased, policy, behavior), reverse(policy))


def test_a_detached_weight_would_be_wrong() -> None:
    def detached(now: Tensor, ref: Tensor, mu: Tensor, mask: Tensor) -> Tensor:
        return (now - mu).exp().detach() * k3(now, ref, mu, mask)

    policy = Policy(0)
    torch.testing.assert_close(gradient_of(detached, policy, Policy(3)), forward(policy))


def test_two_tokens_sum_the_kl_of_every_state() -> None:
    """Second tokens too: each state's exact KL, weighted as the behaviour policy visits it."""
    policy, behavior = Policy(0), Policy(3)
    now, ref, mu = policy.logprobs(), REF.logprobs().detach(), behavior.logprobs().detach()
    weight_B1 = mu.sum(1, keepdim=True).exp()
    found = policy.gradient((weight_B1 * k3_unbiased(now, ref, mu, MASK_BT)).sum())
    visits_B = mu[:, 0].exp()
    second = (visits_B * now[:, 1].exp() * (now - ref)[:, 1]).sum()
    first = (now[::5, 0].exp() * (now - ref)[::5, 0]).sum()
    torch.testing.assert_close(found, policy.gradient(first + second))


def test_values_are_unbiased() -> None:
    policy = Policy(0)
    now, ref = first_token(policy), first_token(REF)
    exact = (now.exp() * (now - ref)).sum()
    for kl in (k1, k3):
        torch.testing.assert_close((now.exp() * kl(now, ref, now, MASK_BT[:5, :1])).sum(), exact)
    mu = first_token(Policy(3))
    torch.testing.assert_close((mu.exp() * k3_unbiased(now, ref, mu, MASK_BT[:5, :1])).sum(), exact)


logprobs = st.floats(-30, 0, width=32)


@QUICK
@given(st.lists(st.tuples(logprobs, logprobs, logprobs, st.booleans()), min_size=1, max_size=6))
def test_never_negative_zero_at_the_anchor_and_blind_to_masked_tokens(
    rows: list[tuple[float, float, float, bool]],
) -> None:
    now, ref, mu, mask = (torch.tensor([column]) for column in zip(*rows, strict=True))
    for kl in EVERY:
        now_BT = now.masked_fill(~mask, NAN).requires_grad_()
        found_BT = kl(now_BT, ref.masked_fill(~mask, NAN), mu.masked_fill(~mask, NAN), mask)
        assert torch.isfinite(found_BT).all()
        assert (found_BT[~mask] == 0.0).all()
        assert kl is k1 or (found_BT >= -1e-6).all()
        assert (kl(now, now, mu, mask) == 0.0).all()
        found_BT.sum().backward()
        assert now_BT.grad is not None
        assert (now_BT.grad[~mask] == 0.0).all()
        assert torch.isfinite(now_BT.grad).all()
