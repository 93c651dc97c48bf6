from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enumerable import MASK_BT as ALL_BT
from enumerable import REWARDS_B, Policy
from guerdon.functional.ratios import CLAMP, log_ratio, sequence_ratio, token_ratio

QUICK = settings(max_examples=30, deadline=None)

NAN, INF = float("nan"), float("inf")


def test_log_ratio_by_hand() -> None:
    # -1 - -1.5 = 0.5; masked NaN -> 0; -1 - -90 = 89 -> 20; -90 - -1 = -89 -> -20
    now_BT = torch.tensor([[-1.0, NAN, -1.0, -90.0]])
    old_BT = torch.tensor([[-1.5, -INF, -90.0, -1.0]])
    assert log_ratio(now_BT, old_BT, torch.tensor([[1, 0, 1, 1]])).tolist() == [[0.5, 0.0, CLAMP, -CLAMP]]


def test_ratios_by_hand() -> None:
    log_BT = torch.tensor([[math.log(4.0), 0.0, math.log(2.0)], [math.log(3.0), 9.0, 9.0]])
    mask_BT = torch.tensor([[1, 1, 1], [1, 0, 0]])
    # tokens: 4, 1, 2 and 3; sequence: (4 * 1 * 2)^(1/3) = 2 and 3^(1/1) = 3
    torch.testing.assert_close(token_ratio(log_BT, mask_BT), torch.tensor([[4.0, 1.0, 2.0], [3.0, 1.0, 1.0]]))
    torch.testing.assert_close(sequence_ratio(log_BT, mask_BT), torch.tensor([[2.0] * 3, [3.0] * 3]))


def test_masked_nan_reaches_neither_value_nor_gradient() -> None:
    mask_BT = torch.tensor([[1, 0, 0], [0, 0, 0]])
    for ratio in (token_ratio, sequence_ratio):
        now_BT = torch.tensor([[-1.0, NAN, INF], [NAN, -INF, NAN]], requires_grad=True)
        ratio_BT = ratio(
            log_ratio(now_BT, torch.full((2, 3), NAN).masked_fill(mask_BT == 1, -2.0), mask_BT), mask_BT
        )
        ratio_BT.sum().backward()
        assert now_BT.grad is not None
        assert torch.isfinite(ratio_BT).all()
        assert (now_BT.grad[mask_BT == 0] == 0.0).all()
        assert now_BT.grad[0, 0] > 0


def test_half_precision_is_widened_before_the_difference() -> None:
    # in bfloat16 exp(0.0078125) would round to 1.0078125
    found = token_ratio(
        log_ratio(torch.tensor([[-1.0]]).bfloat16(), torch.tensor([[-1.0078125]]), ALL_BT[:1, :1]),
        ALL_BT[:1, :1],
    )
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor([[math.exp(0.0078125)]]))


ratios = st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=6)


@QUICK
@given(ratios, st.integers(0, 3))
def test_sequence_ratio_is_the_geometric_mean_and_padding_is_invisible(values: list[float], pad: int) -> None:
    tokens_BT = torch.tensor([values], dtype=torch.float64)
    mask_BT = torch.ones_like(tokens_BT)
    found_BT = sequence_ratio(tokens_BT, mask_BT)
    expected = token_ratio(tokens_BT, mask_BT).prod() ** (1 / len(values))
    torch.testing.assert_close(found_BT, expected.expand_as(found_BT))
    junk_BT = torch.full((1, pad), NAN, dtype=torch.float64)
    padded_BT = sequence_ratio(
        torch.cat([junk_BT, tokens_BT], 1), torch.cat([torch.zeros(1, pad), mask_BT], 1)
    )
    torch.testing.assert_close(padded_BT[:, :1], found_BT[:, :1])


def test_gradient_of_either_ratio_is_that_of_the_expected_reward() -> None:
    policy = Policy(0)
    now_BT, weight_B = policy.logprobs(), policy.probabilities().detach()
    for ratio in (token_ratio, sequence_ratio):
        # the gradient of a token ratio is that of its log-prob; of the sequence ratio, the mean of both
        value_BT = ratio(log_ratio(now_BT, now_BT.detach(), ALL_BT), ALL_BT)
        gradient = policy.gradient((weight_B * REWARDS_B * value_BT.sum(1)).sum())
        torch.testing.assert_close(gradient, policy.reward_gradient())
