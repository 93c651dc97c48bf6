from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from enumerable import ANSWERS_BT, REWARDS_B, Policy
from guerdon.functional.advantages import (
    batch_std,
    constant,
    gdpo,
    group_center,
    group_zscore,
    leave_one_out,
    opo,
    reinforce_plus_plus,
    rejection,
)

QUICK = settings(max_examples=30, deadline=None)

Estimator = Callable[[Tensor, Tensor, Tensor], Tensor]
ALL = [group_zscore, group_center, batch_std, leave_one_out, opo, reinforce_plus_plus]
WITHIN_GROUP = [group_zscore, group_center, leave_one_out, opo]

# Two groups, interleaved, with ids that are no 0, 1: {1, 0, 0, 1} and {4, 2}.
REWARDS = torch.tensor([1.0, 4.0, 0.0, 0.0, 2.0, 1.0])
GROUP = torch.tensor([7, -3, 7, 7, -3, 7])
LENGTHS = torch.tensor([1.0, 3.0, 1.0, 3.0, 1.0, 5.0])


def check(estimator: Estimator, expected: list[float]) -> None:
    torch.testing.assert_close(
        estimator(REWARDS, GROUP, LENGTHS), torch.tensor(expected), atol=1e-6, rtol=1e-6
    )


def test_group_center_by_hand() -> None:
    check(group_center, [0.5, 1.0, -0.5, -0.5, -1.0, 0.5])  # means 0.5 and 3


def test_group_zscore_by_hand() -> None:
    # deviations sqrt(4 * 0.25 / 3) = 0.5773503 and sqrt(2 * 1 / 1) = 1.4142136, each + 1e-4
    one, two = 0.5 / (0.5773503 + 1e-4), 1.0 / (1.4142136 + 1e-4)
    check(group_zscore, [one, two, -one, -one, -two, one])


def test_batch_std_by_hand() -> None:
    # all rewards: mean 8/6, sum of squares 22, variance (22 - 64/6) / 5 = 2.2666667
    deviation = 2.2666667**0.5 + 1e-4
    check(batch_std, [a / deviation for a in (0.5, 1.0, -0.5, -0.5, -1.0, 0.5)])


def test_rejection_by_hand() -> None:
    # groups {1, 0, 0, 1} and {4, 2}: the best of each are imitated, twins too
    check(rejection, [1.0, 1.0, 0.0, 0.0, 0.0, 1.0])


def test_rejection_drops_groups_that_are_all_alike() -> None:
    same = torch.tensor([1.0, 1.0 + 1e-9, -1.0, -1.0])
    found = rejection(same, torch.tensor([0, 0, 1, 1]), torch.ones(4))
    assert found.tolist() == [0.0, 0.0, 0.0, 0.0]


def test_leave_one_out_by_hand() -> None:
    # first row: 1 - (0 + 0 + 1) / 3; second: 4 - 2; third: 0 - (1 + 0 + 1) / 3
    check(leave_one_out, [2 / 3, 2.0, -2 / 3, -2 / 3, -2.0, 2 / 3])


def test_opo_by_hand() -> None:
    # (1*1 + 1*0 + 3*0 + 5*1) / 10 = 0.6 and (3*4 + 1*2) / 4 = 3.5
    check(opo, [0.4, 0.5, -0.6, -0.6, -1.5, 0.4])


def test_reinforce_plus_plus_by_hand() -> None:
    # centred: .5 1 -.5 -.5 -1 .5, squares sum to 3, variance 3 / 5
    deviation = 0.6**0.5 + 1e-4
    check(reinforce_plus_plus, [a / deviation for a in (0.5, 1.0, -0.5, -0.5, -1.0, 0.5)])


def test_constant_by_hand() -> None:
    check(constant, [1.0] * 6)


@pytest.mark.parametrize("estimator", ALL)
def test_groups_without_spread_get_exactly_zero(estimator: Estimator) -> None:
    rewards = torch.tensor([1.0, 0.0, 7.0, 0.3, 0.3, 0.3])
    found = estimator(rewards, torch.tensor([0, 0, 1, 2, 2, 2]), torch.arange(1.0, 7.0))
    assert (found[:2] != 0.0).all()
    assert found[2:].tolist() == [0.0] * 4  # a group of one, and a flat group


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("reward", [0.35, -0.35, 1e-3, 1e4, 0.0])
@pytest.mark.parametrize("size", [8, 500])
def test_float_residue_is_no_signal(estimator: Estimator, reward: float, size: int) -> None:
    rewards = torch.full((size,), reward)
    rewards[::2] = torch.nextafter(rewards[::2], torch.tensor(1e9))  # one rounding apart
    assert rewards.std() > 0.0
    assert estimator(rewards, torch.zeros(size, dtype=torch.long), torch.ones(size)).tolist() == [0.0] * size


def test_the_residue_trap_is_real() -> None:
    """Without the spread test these rewards would be told apart."""
    rewards = torch.full((8,), 0.35)
    rewards[0] = torch.nextafter(rewards[0], torch.tensor(1.0))
    assert ((rewards - rewards.mean()) / rewards.std()).abs().max() > 0.3
    cancelled = torch.tensor([0.1 + 0.2 - 0.3, 0.0, 0.0])  # 5.6e-17: parts that should cancel
    assert group_center(cancelled, torch.zeros(3, dtype=torch.long), torch.ones(3)).tolist() == [0.0] * 3


@pytest.mark.parametrize("estimator", ALL)
def test_a_small_true_difference_is_signal(estimator: Estimator) -> None:
    rewards = torch.tensor([0.35, 0.35, 0.3501])
    found = estimator(rewards, torch.zeros(3, dtype=torch.long), torch.ones(3))
    assert found[2] > 0 > found[0]


@pytest.mark.parametrize("estimator", [*ALL, constant])
def test_nothing_in_nothing_out(estimator: Estimator) -> None:
    empty = torch.zeros(0)
    assert estimator(empty, torch.zeros(0, dtype=torch.long), empty).shape == (0,)


# Quarters are exact in float32, and far apart compared with epsilon.
rewards_lists = st.lists(
    st.tuples(st.integers(-8, 8).map(lambda n: n / 4), st.integers(0, 3), st.integers(1, 9)),
    min_size=1,
    max_size=12,
)


def tensors(rows: list[tuple[float, int, int]]) -> tuple[Tensor, Tensor, Tensor]:
    rewards, group, lengths = zip(*rows, strict=True)
    return torch.tensor(rewards), torch.tensor(group), torch.tensor(lengths)


@QUICK
@given(rewards_lists, st.integers(-40, 40))
def test_shift_invariance(rows: list[tuple[float, int, int]], shift: int) -> None:
    rewards, group, lengths = tensors(rows)
    for estimator in ALL:
        torch.testing.assert_close(
            estimator(rewards + shift, group, lengths),
            estimator(rewards, group, lengths),
            atol=2e-4,
            rtol=1e-4,
        )


@QUICK
@given(rewards_lists, st.randoms(use_true_random=False))
def test_permutation_of_rows_permutes_advantages(rows: list[tuple[float, int, int]], random: object) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    for estimator in ALL:
        found = estimator(*tensors(rows))[order]
        torch.testing.assert_close(estimator(*tensors([rows[i] for i in order])), found, atol=1e-5, rtol=1e-5)


@QUICK
@given(rewards_lists)
def test_scale_invariant_exactly_where_a_deviation_divides(rows: list[tuple[float, int, int]]) -> None:
    rewards, group, lengths = tensors(rows)
    for estimator in (group_zscore, batch_std, reinforce_plus_plus):
        # not exactly: the 1e-4 beside the deviation does not scale
        torch.testing.assert_close(
            estimator(rewards * 8, group, lengths), estimator(rewards, group, lengths), atol=2e-3, rtol=2e-3
        )
    for estimator in (group_center, leave_one_out, opo):
        torch.testing.assert_close(
            estimator(rewards * 8, group, lengths),
            8 * estimator(rewards, group, lengths),
            atol=1e-5,
            rtol=1e-5,
        )


@QUICK
@given(rewards_lists)
def test_advantages_of_a_group_sum_to_zero(rows: list[tuple[float, int, int]]) -> None:
    rewards, group, lengths = tensors(rows)
    for estimator in ALL:
        weight = lengths if estimator is opo else torch.ones_like(rewards)  # opo: weighted by length
        totals = torch.zeros(4).index_add(0, group, estimator(rewards, group, lengths) * weight)
        torch.testing.assert_close(totals, torch.zeros(4), atol=1e-4, rtol=0.0)


@QUICK
@given(rewards_lists, rewards_lists)
def test_other_groups_do_not_matter_unless_the_batch_is_whitened(
    ours: list[tuple[float, int, int]], others: list[tuple[float, int, int]]
) -> None:
    together = tensors(ours + [(reward, group + 10, length) for reward, group, length in others])
    for estimator in WITHIN_GROUP:
        found = estimator(*together)[: len(ours)]
        torch.testing.assert_close(found, estimator(*tensors(ours)), atol=1e-6, rtol=1e-6)


def test_leave_one_out_is_an_unbiased_gradient() -> None:
    """E[A_1 grad log p(y_1)] over all pairs of answers is the gradient of the expected reward."""
    policy = Policy(1)
    p_B, logprob_B = policy.probabilities().detach(), policy.logprobs().sum(1)
    num = len(ANSWERS_BT)
    pairs = torch.cartesian_prod(torch.arange(num), torch.arange(num))
    advantages = leave_one_out(
        REWARDS_B[pairs].flatten(), torch.arange(num * num).repeat_interleave(2), torch.ones(2 * num * num)
    )
    first = advantages.view(-1, 2)[:, 0]
    weight = p_B[pairs[:, 0]] * p_B[pairs[:, 1]]
    gradient = policy.gradient((weight * first * logprob_B[pairs[:, 0]]).sum())
    torch.testing.assert_close(gradient, policy.reward_gradient())


# GDPO: parts [K, B] and weights [K, B] in place of rewards.
FOUR, ONES = torch.zeros(4, dtype=torch.long), torch.ones(4)


def test_gdpo_by_hand() -> None:
    # Part a = 1 0 0 0: mean 1/4, Bessel's deviation 1/2, so z = 1.5 -.5 -.5 -.5 (but for the 1e-4);
    # part b = 0 2 2 0: mean 1, deviation sqrt(4/3), so z = -s s s -s with s = sqrt(3)/2.
    # With weights 1 and 2: 1.5 - 2s, -.5 + 2s twice, -.5 - 2s; their sum is 0, their squares 3 + 4 * 4 s^2 = 15
    # (cross terms 2 * 2s * (-1.5 - .5 - .5 + .5) = -8s): deviation sqrt((3 + 16 s^2 - 8 s) / 3).
    s = 3**0.5 / 2
    sums = torch.tensor([1.5 - 2 * s, -0.5 + 2 * s, -0.5 + 2 * s, -0.5 - 2 * s])
    deviation = ((3 + 16 * s * s - 8 * s) / 3) ** 0.5
    parts, weights = (
        torch.tensor([[1.0, 0, 0, 0], [0, 2.0, 2.0, 0]]),
        torch.tensor([[1.0], [2.0]]).expand(2, 4),
    )
    torch.testing.assert_close(gdpo(parts, weights, FOUR, ONES), sums / deviation, atol=1e-3, rtol=1e-3)


def test_gdpo_tells_apart_what_the_sum_makes_equal() -> None:
    """The paper's point: (1, 0) and (0, 1) have the same sum; where the first is rarer it is worth more."""
    parts = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    summed = group_zscore(parts.sum(0), FOUR, ONES)
    apart = gdpo(parts, torch.ones(2, 4), FOUR, ONES)
    assert summed[0] == summed[1]
    assert apart[0] > apart[1] + 0.2
    assert len(summed.unique()) == 2
    assert len(apart.unique()) == 3


def test_gdpo_does_not_care_for_the_scale_of_a_part() -> None:
    parts = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    wide = parts * torch.tensor([[1.0], [100.0]])
    ones = torch.ones(2, 4)
    torch.testing.assert_close(
        gdpo(wide, ones, FOUR, ONES), gdpo(parts, ones, FOUR, ONES), atol=1e-3, rtol=1e-3
    )
    assert group_zscore(wide.sum(0), FOUR, ONES)[0] < 0.0  # the sum hears the wide part alone


def test_gdpo_with_a_missing_part_shares_its_weight_out() -> None:
    nan = float("nan")
    parts = torch.tensor([[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, nan, nan]])
    found = gdpo(parts, torch.ones(2, 4), FOUR, ONES)
    # a alone is z = +-.866, b among two is +-.707: rows 0, 1 add both, rows 2, 3 count a twice
    ratio = 2 * (0.75**0.5) / (0.75**0.5 + 0.5**0.5)
    assert found.isfinite().all()
    assert found[2] / found[0] == pytest.approx(ratio, abs=1e-3)
    assert found.sum() == pytest.approx(0.0, abs=1e-6)


def test_gdpo_with_nothing_to_tell_is_exactly_zero() -> None:
    flat = torch.full((2, 4), 0.35)
    flat[0, ::2] = torch.nextafter(flat[0, ::2], torch.tensor(1.0))
    assert gdpo(flat, torch.ones(2, 4), FOUR, ONES).tolist() == [0.0] * 4
    alone = torch.tensor([0, 1, 2, 3])
    assert (
        gdpo(
            torch.randn(2, 4, generator=torch.Generator().manual_seed(0)), torch.ones(2, 4), alone, ONES
        ).tolist()
        == [0.0] * 4
    )
    assert gdpo(
        torch.zeros(2, 0), torch.zeros(2, 0), torch.zeros(0, dtype=torch.long), torch.zeros(0)
    ).shape == (0,)


@QUICK
@given(rewards_lists)
def test_gdpo_of_one_part_is_whitened_grpo(rows: list[tuple[float, int, int]]) -> None:
    rewards, group, lengths = tensors(rows)
    expected = reinforce_plus_plus(group_zscore(rewards, group, lengths), group, lengths)
    torch.testing.assert_close(gdpo(rewards[None], torch.ones(1, len(rewards)), group, lengths), expected)


@QUICK
@given(rewards_lists, st.sampled_from([0.5, 4.0]), st.integers(-8, 8))
def test_gdpo_sums_to_zero_in_each_group_whatever_a_parts_scale(
    rows: list[tuple[float, int, int]], scale: float, shift: int
) -> None:
    rewards, group, lengths = tensors(rows)
    parts, weights = (
        torch.stack([rewards, rewards.flip(0)]),
        torch.tensor([[1.0], [0.25]]).expand(2, len(rows)),
    )
    found = gdpo(parts, weights, group, lengths)
    for one in group.unique():
        assert found[group == one].sum() == pytest.approx(0.0, abs=1e-4)
    moved = torch.stack([scale * rewards + shift, rewards.flip(0)])
    torch.testing.assert_close(gdpo(moved, weights, group, lengths), found, atol=5e-3, rtol=5e-3)
