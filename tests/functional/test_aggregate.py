from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from enumerable import MASK_BT as ALL_BT
from enumerable import Policy, exact_advantages
from guerdon.functional.aggregate import Totals, constant_length, prompt_mean, sequence_mean, token_mean

QUICK = settings(max_examples=30, deadline=None)

Aggregate = Callable[[Tensor, Tensor, Totals], Tensor]
EVERY = [sequence_mean, token_mean, constant_length, prompt_mean]
NAN = float("nan")

# Three rollouts of two prompts: lengths 1 and 3 (prompt a), 2 (prompt b); at most 10 tokens allowed.
MASK_BT = torch.tensor([[1, 0, 0], [1, 1, 1], [1, 1, 0]], dtype=torch.bool)
LOSS_BT = torch.tensor([[6.0, NAN, NAN], [1.0, 2.0, 3.0], [4.0, 8.0, NAN]])
TOTALS = Totals(3.0, 6.0, 2.0, 10, torch.tensor([4.0, 4.0, 2.0]))


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (sequence_mean, (6 / 1 + 6 / 3 + 12 / 2) / 3),
        (token_mean, 24 / 6),
        (constant_length, 24 / (3 * 10)),
        (prompt_mean, (12 / 4 + 12 / 2) / 2),
    ],
)
def test_by_hand(aggregate: Aggregate, expected: float) -> None:
    assert aggregate(LOSS_BT, MASK_BT, TOTALS).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        # the weight of one token: 1 / (3 * own length), 1 / 6, 1 / (3 * 10), 1 / (2 * tokens of the prompt)
        (sequence_mean, [1 / 3, 1 / 9, 1 / 6]),
        (token_mean, [1 / 6, 1 / 6, 1 / 6]),
        (constant_length, [1 / 30, 1 / 30, 1 / 30]),
        (prompt_mean, [1 / 8, 1 / 8, 1 / 4]),
    ],
)
def test_weight_of_a_token_and_none_of_a_masked_one(aggregate: Aggregate, expected: list[float]) -> None:
    loss_BT = LOSS_BT.clone().requires_grad_()
    aggregate(loss_BT, MASK_BT, TOTALS).backward()
    torch.testing.assert_close(loss_BT.grad, MASK_BT * torch.tensor(expected)[:, None])


@pytest.mark.parametrize("aggregate", EVERY)
def test_nothing_is_zero_not_nan(aggregate: Aggregate) -> None:
    empty = Totals(0.0, 0.0, 0.0, 10, torch.zeros(2))
    assert aggregate(torch.full((2, 3), NAN), torch.zeros(2, 3), empty).item() == 0.0


@pytest.mark.parametrize("aggregate", EVERY)
@QUICK
@given(
    lengths=st.lists(st.integers(0, 5), min_size=2, max_size=9),
    cuts=st.lists(st.integers(0, 9), max_size=4),
    pad=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_splitting_and_padding_change_nothing(
    aggregate: Aggregate, lengths: list[int], cuts: list[int], pad: int, seed: int
) -> None:
    num, width = len(lengths), 5
    generator = torch.Generator().manual_seed(seed)
    loss_BT = torch.randn(num, width, generator=generator, dtype=torch.float64).requires_grad_()
    lengths_B = torch.tensor(lengths)
    mask_BT = torch.arange(width) < lengths_B[:, None]
    group_B = torch.randint(3, (num,), generator=generator)
    tokens_B = torch.zeros(3, dtype=torch.long).index_add(0, group_B, lengths_B)[group_B]
    totals = Totals(float(num), float(lengths_B.sum()), float(len(group_B.unique())), 7, tokens_B)

    whole = aggregate(loss_BT, mask_BT, totals)
    edges = sorted({0, num, *(min(cut, num) for cut in cuts)})
    parts = []
    for start, end in itertools.pairwise(edges):
        rows = slice(start, end)
        wide_BT = torch.nn.functional.pad(loss_BT[rows], (0, pad), value=NAN)
        wide_mask_BT = torch.nn.functional.pad(mask_BT[rows], (0, pad), value=False)
        parts.append(aggregate(wide_BT, wide_mask_BT, totals._replace(prompt_tokens_B=tokens_B[rows])))
    split = torch.stack(parts).sum()
    torch.testing.assert_close(split, whole)
    torch.testing.assert_close(torch.autograd.grad(split, loss_BT), torch.autograd.grad(whole, loss_BT))


@pytest.mark.parametrize("aggregate", EVERY)
def test_gradient_of_the_expected_reward_up_to_its_denominator(aggregate: Aggregate) -> None:
    """Answers of equal length: each aggregate points along the policy gradient, scaled by its constant."""
    policy = Policy(0)
    p_B = policy.probabilities().detach()
    loss_BT = -p_B[:, None] * exact_advantages(policy) * policy.logprobs()
    totals = Totals(25.0, 50.0, 1.0, 4, torch.full((25,), 50.0))
    scale = {sequence_mean: 50, token_mean: 50, constant_length: 100, prompt_mean: 50}[aggregate]
    gradient = policy.gradient(aggregate(loss_BT, ALL_BT, totals)) * scale
    torch.testing.assert_close(gradient, -policy.reward_gradient())
