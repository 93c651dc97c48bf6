from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from enumerable import MASK_BT, Policy, exact_advantages
from guerdon.functional.ratios import log_ratio, sequence_ratio, token_ratio
from guerdon.functional.surrogates import Surrogate, cispo, clip, gmpo, reinforce, sapo

QUICK = settings(max_examples=30, deadline=None)

NAN = float("nan")
EVERY: dict[str, Surrogate] = {
    "reinforce": reinforce(),
    "clip": clip(0.2, 0.28),
    "dual": clip(0.2, 0.2, dual=3.0),
    "cispo": cispo(5.0),
    "gmpo": gmpo(0.4, 0.4),
    "sapo": sapo(1.0, 1.05),
}


def run(
    surrogate: Surrogate, ratio: list[float], advantages: list[float], logprobs: list[float] | None = None
) -> Tensor:
    logprobs_BT = torch.tensor([logprobs or [0.0] * len(ratio)])
    return surrogate(
        torch.tensor([ratio]), torch.tensor([advantages]), logprobs_BT, torch.ones(1, len(ratio))
    )


def test_clip_bounds_only_the_optimistic_side() -> None:
    # A>0: min(0.5, 0.8) = 0.5        -> -0.5      A<0, r=1: nothing clipped    -> +1.0
    # A>0: min(2.0, 1.28) = 1.28      -> -1.28     A<0: min(-2, -1.28) = -2     -> +2.0 (still punished)
    # A<0: min(-0.5, -0.8) = -0.8     -> +0.8 (already unlikely enough)
    found = run(clip(0.2, 0.28), [0.5, 1.0, 2.0, 2.0, 0.5], [1.0, -1.0, 1.0, -1.0, -1.0])
    torch.testing.assert_close(found, torch.tensor([[-0.5, 1.0, -1.28, 2.0, 0.8]]))


def test_dual_clip_bounds_the_punishment() -> None:
    # A<0, r=9: max(-9, 3 * -1) = -3 -> 3; r=2 stays 2; A>0 is untouched
    found = run(clip(0.2, 0.2, dual=3.0), [9.0, 2.0, 9.0], [-1.0, -1.0, 1.0])
    torch.testing.assert_close(found, torch.tensor([[3.0, 2.0, -1.2]]))


def test_cispo_by_hand_and_the_cap_is_of_the_ratio_itself() -> None:
    # -min(9, 5) * 1 * -2 = 10;  -min(5.5, 5) * -1 * -2 = -10;  -0.1 * 1 * -2 = 0.2: no lower bound, no sign
    found = run(cispo(5.0), [9.0, 5.5, 0.1], [1.0, -1.0, 1.0], [-2.0, -2.0, -2.0])
    torch.testing.assert_close(found, torch.tensor([[10.0, -10.0, 0.2]]))


def test_cispo_keeps_the_gradient_of_every_token() -> None:
    logprobs_BT = torch.tensor([[-1.0, -1.0]], requires_grad=True)
    ratio_BT = (logprobs_BT - torch.tensor([[-4.0, -1.0]])).exp()  # e^3 = 20, past every cap, and 1
    cispo(5.0)(ratio_BT, torch.tensor([[1.0, 2.0]]), logprobs_BT, torch.ones(1, 2)).sum().backward()
    # d/dlogp of -sg(w) A logp is -w A: the ratio itself is detached
    assert logprobs_BT.grad is not None
    assert logprobs_BT.grad.tolist() == [[-5.0, -2.0]]
    clipped_BT = torch.tensor([[-1.0]], requires_grad=True)
    clip(0.2, 0.28)(
        (clipped_BT + 4.0).exp(), torch.tensor([[1.0]]), clipped_BT, torch.ones(1, 1)
    ).sum().backward()
    assert clipped_BT.grad is not None
    assert clipped_BT.grad.item() == 0.0  # control: the clip drops it


def test_gmpo_by_hand() -> None:
    # log-ratios .8, -.2.  A=2: clipped to .4, -.2, mean .1 -> -2 e^.1
    # A=-2: max(., -.4) leaves .8, -.2, mean .3 -> 2 e^.3
    ratio = [math.exp(0.8), math.exp(-0.2)]
    torch.testing.assert_close(run(gmpo(0.4, 0.4), ratio, [2.0, 2.0]), torch.full((1, 2), -2 * math.exp(0.1)))
    torch.testing.assert_close(
        run(gmpo(0.4, 0.4), ratio, [-2.0, -2.0]), torch.full((1, 2), 2 * math.exp(0.3))
    )
    # A=-1 and log-ratio -.9: max(-.9, -.4)
    torch.testing.assert_close(
        run(gmpo(0.4, 0.4), [math.exp(-0.9)], [-1.0]), torch.tensor([[math.exp(-0.4)]])
    )


def test_gmpo_is_the_published_pseudo_code() -> None:
    """log_min = sgn * min(sgn * l, clamp(sgn * l, -e, e)), the listing of arXiv:2507.20673."""
    generator = torch.Generator().manual_seed(0)
    log_BT = torch.randn(6, 4, generator=generator)
    advantages_BT = torch.randn(6, 1, generator=generator).expand(6, 4)
    signed_BT = advantages_BT.sign() * log_BT
    least_BT = advantages_BT.sign() * torch.minimum(signed_BT, signed_BT.clamp(-0.4, 0.4))
    expected_BT = -advantages_BT * least_BT.mean(1, keepdim=True).exp()
    found_BT = gmpo(0.4, 0.4)(log_BT.exp(), advantages_BT, log_BT, torch.ones(6, 4))
    torch.testing.assert_close(found_BT, expected_BT)


def test_sapo_by_hand() -> None:
    # A>0, tau 1, r=2: -4 * sigmoid(1) = -2.924234;  A<0, tau 2, r=0.5: 4 / 2 * sigmoid(-1) = 0.537883
    found = run(sapo(1.0, 2.0), [2.0, 0.5], [1.0, -1.0])
    torch.testing.assert_close(found, torch.tensor([[-2.924234, 0.537883]]))


def test_reinforce_is_the_negative_log_likelihood_at_advantage_one() -> None:
    assert run(reinforce(), [7.0, 7.0], [1.0, -2.0], [-0.5, -3.0]).tolist() == [[0.5, -6.0]]


@pytest.mark.parametrize("ratio", [token_ratio, sequence_ratio])
@pytest.mark.parametrize("name", EVERY)
def test_gradient_at_ratio_one_is_the_policy_gradient(
    name: str, ratio: Callable[[Tensor, Tensor], Tensor]
) -> None:
    policy = Policy(0)
    now_BT, weight_B = policy.logprobs(), policy.probabilities().detach()
    ratio_BT = ratio(log_ratio(now_BT, now_BT.detach(), MASK_BT), MASK_BT)
    loss_BT = EVERY[name](ratio_BT, exact_advantages(policy), now_BT, MASK_BT)
    gradient = policy.gradient((weight_B[:, None] * loss_BT).sum())
    torch.testing.assert_close(gradient, -policy.reward_gradient())


def test_unclipped_ratio_is_exact_off_policy() -> None:
    """One token sampled from another policy: E_mu[ratio * A] has the gradient of the expected reward."""
    policy, behavior = Policy(0), Policy(1)
    first = slice(0, 25, 5)  # the answers that differ in the first token
    now_B1, mu_B1 = policy.logprobs()[first, :1], behavior.logprobs()[first, :1].detach()
    rewards_B1 = torch.arange(5.0, dtype=torch.float64)[:, None]
    ratio_B1 = token_ratio(log_ratio(now_B1, mu_B1, MASK_BT[first, :1]), MASK_BT[first, :1])
    expected = policy.gradient((now_B1.exp() * rewards_B1).sum())

    def gradient(surrogate: Surrogate) -> Tensor:
        return policy.gradient(
            (mu_B1.exp() * surrogate(ratio_B1, rewards_B1, now_B1, MASK_BT[first, :1])).sum()
        )

    torch.testing.assert_close(gradient(clip(1e6, 1e6)), -expected)
    torch.testing.assert_close(gradient(cispo(1e6)), -expected)
    assert (gradient(reinforce()) + expected).abs().max() > 0.01  # control: no correction, another gradient


finite = st.floats(-3, 3, width=32)


@pytest.mark.parametrize("name", EVERY)
@QUICK
@given(st.lists(st.tuples(finite, finite, st.booleans()), min_size=1, max_size=6))
def test_masked_tokens_reach_neither_value_nor_gradient(
    name: str, rows: list[tuple[float, float, bool]]
) -> None:
    now, old, mask = (torch.tensor([column]) for column in zip(*rows, strict=True))
    advantages_BT = torch.where(mask, 1.5, 0.0)

    def loss_and_gradient(junk: float) -> tuple[Tensor, Tensor]:
        now_BT = now.masked_fill(~mask, junk).requires_grad_()
        ratio_BT = token_ratio(log_ratio(now_BT, old, mask), mask)
        loss_BT = EVERY[name](ratio_BT, advantages_BT, now_BT, mask).masked_fill(~mask, 0.0)
        loss_BT.sum().backward()
        assert now_BT.grad is not None
        return loss_BT.detach(), now_BT.grad

    loss_BT, gradient_BT = loss_and_gradient(NAN)
    assert torch.isfinite(loss_BT).all()
    assert (gradient_BT[~mask] == 0.0).all()
    for found, clean in zip((loss_BT, gradient_BT), loss_and_gradient(0.0), strict=True):
        assert torch.equal(found, clean)


@pytest.mark.parametrize("name", EVERY)
@QUICK
@given(st.lists(finite, min_size=1, max_size=5))
def test_advantage_zero_has_exactly_no_gradient(name: str, values: list[float]) -> None:
    now_BT = torch.tensor([values], requires_grad=True)
    mask_BT = torch.ones(1, len(values))
    ratio_BT = token_ratio(log_ratio(now_BT, torch.zeros_like(now_BT), mask_BT), mask_BT)
    EVERY[name](ratio_BT, torch.zeros_like(now_BT), now_BT, mask_BT).sum().backward()
    assert now_BT.grad is not None
    assert (now_BT.grad == 0.0).all()


@QUICK
@given(finite.map(math.exp), st.floats(-2, 2, width=32))
def test_clip_is_never_above_the_plain_ratio(ratio: float, advantage: float) -> None:
    """A pessimistic bound: the gain is at most ratio * A, and equal inside the bounds."""
    gain = -run(clip(0.2, 0.28), [ratio], [advantage]).item()
    assert gain <= ratio * advantage + 1e-5
    if 0.81 < ratio < 1.27:
        assert gain == pytest.approx(ratio * advantage, abs=1e-5)
