from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enumerable import MASK_BT, REWARDS_B, Policy
from guerdon.functional.correction import (
    effective_sample_size,
    masked_importance,
    off_policy_sequence_mask,
    truncated_importance,
)

QUICK = settings(max_examples=30, deadline=None)

NAN = float("nan")


@pytest.mark.parametrize(
    ("advantage", "drift", "kept"),
    [
        (1.0, 0.1, True),
        (1.0, 0.9, True),  # good answers always stay
        (0.0, 0.9, True),  # as in the paper: only A < 0 is masked
        (-1.0, 0.1, True),
        (-1.0, 0.5, True),  # at most the threshold
        (-1.0, 0.9, False),
        (-1.0, -0.9, True),  # became likelier: still to be punished
    ],
)
def test_off_policy_sequence_mask_truth_table(advantage: float, drift: float, kept: bool) -> None:
    # the mean over two tokens, log(behavior / now) = 2 * drift and 0; the third is masked
    behavior_BT = torch.tensor([[-1.0, -1.0, NAN]])
    now_BT = torch.tensor([[-1.0 - 2 * drift, -1.0, 5.0]], requires_grad=True)
    advantages_BT = torch.tensor([[advantage, advantage, NAN]])
    found_B1 = off_policy_sequence_mask(advantages_BT, now_BT, behavior_BT, torch.tensor([[1, 1, 0]]), 0.5)
    assert found_B1.tolist() == [[kept]]
    assert not found_B1.requires_grad


def test_truncated_importance_truth_table() -> None:
    # ratios 1/4, 1, 2, 8; masked NaN counts 1
    old_BT = torch.tensor([[-2.0 * math.log(2), 0.0, math.log(2), 3 * math.log(2), NAN]], requires_grad=True)
    found_BT = truncated_importance(
        old_BT, torch.tensor([[0.0, 0.0, 0.0, 0.0, NAN]]), torch.tensor([[1, 1, 1, 1, 0]]), 3.0
    )
    torch.testing.assert_close(found_BT, torch.tensor([[0.25, 1.0, 2.0, 3.0, 1.0]]))
    assert not found_BT.requires_grad


def test_masked_importance_truth_table() -> None:
    # ratios .4, .5, 1, 2, 2.1: the bounds belong to the inside, what is outside is dropped, not capped
    behavior_BT = torch.zeros(1, 6)
    old_BT = torch.tensor([[0.4, 0.5, 1.0, 2.0, 2.1, NAN]]).log().requires_grad_()
    found_BT = masked_importance(old_BT, behavior_BT, torch.tensor([[1, 1, 1, 1, 1, 0]]), 0.5, 2.0)
    torch.testing.assert_close(found_BT, torch.tensor([[0.0, 0.5, 1.0, 2.0, 0.0, 1.0]]))
    assert not found_BT.requires_grad


def test_effective_sample_size_by_hand() -> None:
    # (1 + 2 + 3)^2 / (1 + 4 + 9) = 36 / 14
    assert effective_sample_size(torch.tensor([1.0, 2.0, 3.0])).item() == pytest.approx(36 / 14)
    assert effective_sample_size(torch.zeros(3)).item() == 0.0


@QUICK
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20), st.floats(0.1, 10))
def test_effective_sample_size_is_between_one_and_all_and_scale_free(
    weights: list[float], scale: float
) -> None:
    weight_B = torch.tensor(weights, dtype=torch.float64)
    found = effective_sample_size(weight_B)
    assert 1 - 1e-9 <= found <= len(weights) + 1e-9
    torch.testing.assert_close(effective_sample_size(weight_B * scale), found)


logprobs = st.floats(-25, 0, width=32)


@QUICK
@given(st.lists(st.tuples(logprobs, logprobs), min_size=1, max_size=8), st.floats(1.0, 9.0))
def test_weights_are_bounded_and_agree_inside_the_bounds(rows: list[tuple[float, float]], cap: float) -> None:
    old, behavior = (torch.tensor([column]) for column in zip(*rows, strict=True))
    mask_BT = torch.ones_like(old)
    truncated_BT = truncated_importance(old, behavior, mask_BT, cap)
    masked_BT = masked_importance(old, behavior, mask_BT, 1 / cap, cap)
    assert (truncated_BT <= cap * (1 + 1e-6)).all()
    assert (truncated_BT > 0).all()
    assert torch.equal(masked_BT[masked_BT > 0], truncated_BT[masked_BT > 0])
    assert (off_policy_sequence_mask(-mask_BT, old, old, mask_BT, 0.01)).all()  # on-policy nothing is dropped


def test_exact_weights_make_the_gradient_that_of_the_expected_reward() -> None:
    """Answers of another policy, weighted by the product of their token weights: REINFORCE becomes exact."""
    policy, behavior = Policy(0), Policy(1)
    now_BT, mu_BT = policy.logprobs(), behavior.logprobs().detach()
    weight_B = truncated_importance(now_BT, mu_BT, MASK_BT, 1e9).prod(1)
    found = policy.gradient((mu_BT.sum(1).exp() * weight_B * REWARDS_B * now_BT.sum(1)).sum())
    torch.testing.assert_close(found, policy.reward_gradient())
    capped_B = truncated_importance(now_BT, mu_BT, MASK_BT, 1.1).prod(1)
    biased = policy.gradient((mu_BT.sum(1).exp() * capped_B * REWARDS_B * now_BT.sum(1)).sum())
    assert (biased - policy.reward_gradient()).abs().max() > 0.01  # control: the cap costs a bias
