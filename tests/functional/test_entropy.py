from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enumerable import Policy
from guerdon.functional.entropy import entropy

QUICK = settings(max_examples=30, deadline=None)


def test_by_hand() -> None:
    # uniform over 4: log 4;  (1/2, 1/4, 1/4): .5 log 2 + .5 log 4 = 1.5 log 2;  certainty: 0
    logits = torch.tensor(
        [[[0.0] * 4, [math.log(2), 0.0, 0.0, -math.inf], [0.0, -math.inf, -math.inf, -math.inf]]]
    )
    torch.testing.assert_close(entropy(logits), torch.tensor([[math.log(4), 1.5 * math.log(2), 0.0]]))


@QUICK
@given(st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=9), st.floats(-5, 5, width=32))
def test_between_zero_and_log_v_and_blind_to_a_shift(logits: list[float], shift: float) -> None:
    logits_V = torch.tensor([[logits]], dtype=torch.float64)
    found = entropy(logits_V).item()
    assert -1e-9 <= found <= math.log(len(logits)) + 1e-9
    assert entropy(logits_V + shift).item() == pytest.approx(found, abs=1e-9)


def test_gradient_is_that_of_the_enumerated_sum_and_finite_outside_the_support() -> None:
    policy = Policy(0)
    logits_VV = policy.weights[1]
    p_VV = logits_VV.softmax(1)
    torch.testing.assert_close(
        policy.gradient(entropy(logits_VV[None]).sum()), policy.gradient(-(p_VV * p_VV.log()).sum())
    )
    logits = torch.tensor([[[0.3, -math.inf, 1.0]]], requires_grad=True)
    entropy(logits).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, 0, 1] == 0.0
