from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from guerdon.functional import preference

QUICK = settings(max_examples=30, deadline=None)
reals = st.floats(-6, 6)
pairs = st.lists(st.tuples(reals, reals), min_size=1, max_size=6)


def sides(rows: list[tuple[float, float]]) -> tuple[Tensor, Tensor]:
    grid = torch.tensor(rows, dtype=torch.float64)
    return grid[:, 0], grid[:, 1]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_bradley_terry_by_hand() -> None:
    chosen, rejected = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 3.0])
    # gaps 1 and -3: -log sigmoid(1) = 0.31326, -log sigmoid(-3) = 3.04859
    assert preference.bradley_terry(chosen, rejected).tolist() == pytest.approx([0.31326, 3.04859], abs=1e-5)
    # margin 1 makes the first gap 0: log 2
    margin = torch.tensor([1.0, 0.0])
    found = preference.bradley_terry(chosen, rejected, margin_N=margin)
    assert found.tolist() == pytest.approx([math.log(2), 3.04859], abs=1e-5)
    # smoothing 0.1: 0.9 * 0.31326 + 0.1 * 1.31326
    found = preference.bradley_terry(chosen, rejected, label_smoothing=0.1)
    assert found[0].item() == pytest.approx(0.9 * 0.31326 + 0.1 * 1.31326, abs=1e-5)


@QUICK
@given(pairs, reals)
def test_bradley_terry_knows_no_level(rows: list[tuple[float, float]], level: float) -> None:
    chosen, rejected = sides(rows)
    found = preference.bradley_terry(chosen + level, rejected + level)
    assert torch.allclose(found, preference.bradley_terry(chosen, rejected), atol=1e-9)


def test_smoothing_puts_the_optimum_at_the_believed_odds() -> None:
    # With a share e of wrong labels the best gap is log((1 - e) / e), not infinity.
    gaps = torch.linspace(-8, 8, 16001)
    loss = preference.bradley_terry(gaps, torch.zeros(1), label_smoothing=0.2)
    assert gaps[loss.argmin()].item() == pytest.approx(math.log(0.8 / 0.2), abs=2e-3)


def test_smoothing_above_one_half_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        preference.bradley_terry(torch.zeros(1), torch.zeros(1), label_smoothing=0.6)


@QUICK
@given(pairs)
def test_a_tie_has_no_sides_and_is_smallest_at_zero(rows: list[tuple[float, float]]) -> None:
    first, second = sides(rows)
    assert torch.allclose(preference.tie(first, second), preference.tie(second, first))
    assert (preference.tie(first, second) >= math.log(2) - 1e-12).all()


def test_prompt_aware_by_hand() -> None:
    chosen, rejected = torch.tensor([1.0, 1.0, -1.0]), torch.tensor([-1.0, -1.0, 1.0])
    z = sigmoid(1) - sigmoid(-1)  # 0.46212
    found = preference.prompt_aware(chosen, rejected, torch.tensor([False, True, True]))
    # closed: -z; open: 0.01 / (z + 0.1) - 0.1; the wrong way round: the tangent, +z
    assert found.tolist() == pytest.approx([-z, 0.01 / (z + 0.1) - 0.1, z], abs=1e-6)


def ranked_rewards(open_ended: bool, count: int) -> Tensor:
    """Rewards, sorted, of `count` ranked responses after direct minimisation: the experiment of arXiv:2305.17608."""
    logits = torch.linspace(0.4, -0.4, count).requires_grad_()
    better, worse = map(list, zip(*itertools.combinations(range(count), 2), strict=True))
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(600):
        optimizer.zero_grad()
        flags = torch.full((len(better),), open_ended)
        preference.prompt_aware(logits[better], logits[worse], flags, epsilon=0.02).sum().backward()
        optimizer.step()
    return logits.detach().sigmoid()


def test_the_utility_decides_the_shape_of_the_rewards() -> None:
    closed, spread = ranked_rewards(False, 6), ranked_rewards(True, 6)
    assert ((closed < 0.1) | (closed > 0.9)).all()  # both ends, nothing between
    gaps = spread[:-1] - spread[1:]
    assert (gaps > 0.08).all()  # evenly from 1 to 0: nothing at the same place
    assert spread[0] > 0.9
    assert spread[-1] < 0.1


def test_plackett_luce_by_hand() -> None:
    # u = log 3, log 2, log 1: P(1st) = 3/6, P(2nd of the rest) = 2/3, P(3rd) = 1
    utility = torch.tensor([[3.0, 2.0, 1.0], [3.0, 1.0, 7.0]]).log()
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert preference.plackett_luce(utility, mask).exp().tolist() == pytest.approx([3.0, 4 / 3], rel=1e-5)


def test_equal_ranks_are_left_unordered_by_hand() -> None:
    # weights 3, 2, 1. Ranks 1 1 2: 3 of {3, 1} and 2 of {2, 1}, whichever of the two comes first: 4/3 * 3/2 = 2.
    # Ranks 1 2 2: 3 of {3, 2, 1}, then nothing: 6/3 = 2. All equal: nothing is asked.
    utility = torch.tensor([[3.0, 2.0, 1.0]]).log().repeat(4, 1)
    ranks = torch.tensor([[1, 1, 2], [1, 2, 2], [5, 5, 5], [1, 2, 3]])
    found = preference.plackett_luce(utility, torch.ones_like(ranks), ranks).exp()
    assert found.tolist() == pytest.approx([2.0, 2.0, 1.0, 3.0], rel=1e-5)


@QUICK
@given(st.lists(st.tuples(reals, st.integers(0, 2)), min_size=4, max_size=4), st.permutations(range(4)))
def test_the_order_in_which_a_ranked_list_stands_says_nothing(
    rows: list[tuple[float, int]], order: list[int]
) -> None:
    utility = torch.tensor([[u for u, _ in rows]], dtype=torch.float64)
    ranks = torch.tensor([[rank for _, rank in rows]])
    all_there = torch.ones_like(ranks)
    moved = preference.plackett_luce(utility[:, order], all_there, ranks[:, order])
    assert torch.allclose(preference.plackett_luce(utility, all_there, ranks), moved)


@QUICK
@given(st.lists(reals, min_size=3, max_size=3))
def test_the_orders_of_a_list_have_probabilities_that_sum_to_one(utility: list[float]) -> None:
    orders = torch.tensor(list(itertools.permutations(utility)), dtype=torch.float64)
    chance = (-preference.plackett_luce(orders, torch.ones_like(orders))).exp()
    assert chance.sum().item() == pytest.approx(1.0, abs=1e-9)


@QUICK
@given(pairs)
def test_a_list_of_two_is_a_pair(rows: list[tuple[float, float]]) -> None:
    chosen, rejected = sides(rows)
    both = torch.stack([chosen, rejected], 1)
    found = preference.plackett_luce(both, torch.ones_like(both))
    assert torch.allclose(found, preference.bradley_terry(chosen, rejected))


def test_a_masked_place_may_hold_anything() -> None:
    utility = torch.tensor([[1.0, 0.0, float("nan")]], requires_grad=True)
    preference.plackett_luce(utility, torch.tensor([[1, 1, 0]])).sum().backward()
    assert utility.grad is not None
    assert utility.grad.isfinite().all()
    assert utility.grad[0, 2] == 0.0


def test_pointwise_by_hand() -> None:
    # error 0.3: 0.3^2 / 2; error 1.5 beyond 0.5: 0.5 * (1.5 - 0.25)
    found = preference.pointwise(torch.tensor([0.3, 1.5]), torch.zeros(2))
    assert found.tolist() == pytest.approx([0.045, 0.625])


def test_centering_and_bias_by_hand() -> None:
    chosen, rejected, bias = torch.tensor([3.0]), torch.tensor([0.0]), torch.tensor([1.0], requires_grad=True)
    assert preference.centering(chosen, rejected).item() == 9.0
    assert preference.centering(chosen, rejected, bias).item() == 1.0  # 3 + 0 - 2
    level = torch.tensor([2.0], requires_grad=True)
    preference.bias_regression(bias, level).backward()
    assert level.grad is None  # the bias follows the level, never the other way round
    assert bias.grad is not None
    assert bias.grad.item() == -2.0


def spread_penalty(scores: Tensor) -> Tensor:
    return (0.3 - scores.std(correction=0)).clamp(min=0.0).square()


def test_variance_floor_has_the_gradient_of_the_penalty() -> None:
    # With the statistics of these very scores, the mean over responses is the penalty, value and gradient.
    scores = torch.tensor([0.1, -0.2, 0.05, 0.3], dtype=torch.float64, requires_grad=True)
    fixed = scores.detach()
    mine = preference.variance_floor(scores, fixed.mean(), fixed.std(correction=0), 0.3).mean()
    assert mine.item() == pytest.approx(spread_penalty(scores).item())
    (found,) = torch.autograd.grad(mine, scores)
    (wanted,) = torch.autograd.grad(spread_penalty(scores), scores)
    assert torch.allclose(found, wanted)
    wide = preference.variance_floor(scores, fixed.mean(), torch.tensor(0.5), 0.3)
    assert wide.tolist() == [0.0] * 4
    assert torch.autograd.grad(wide.sum(), scores)[0].abs().max() == 0.0  # far enough apart: no push


@QUICK
@given(pairs, reals, st.floats(0.1, 5))
def test_scores_stay_in_their_interval_and_keep_the_order(
    rows: list[tuple[float, float]], bias: float, scale: float
) -> None:
    chosen, rejected = sides(rows)
    first, second = (preference.squash(u, bias, scale) for u in (chosen, rejected))
    assert (first.abs() <= 1.0).all()
    assert ((first - second) * (chosen - rejected) >= 0.0).all()


def test_bins_by_hand() -> None:
    assert preference.bin_values(21)[10].item() == 0.0
    # all mass in the last of three bins against all mass in the middle one: surely above
    sure, middle = torch.tensor([[-50.0, -50.0, 50.0]]), torch.tensor([[-50.0, 50.0, -50.0]])
    assert preference.bin_pair(sure, middle).item() == pytest.approx(0.0, abs=1e-6)
    assert preference.bin_mean(sure).item() == pytest.approx(1.0)
    # label 0.25 lies half way between 0 and 0.5 of five bins: half the cross-entropy of each
    logits = torch.tensor([[0.0, 0.0, 1.0, 2.0, 0.0]])
    logs = logits.log_softmax(1)[0]
    found = preference.bin_label(logits, torch.tensor([0.25])).item()
    assert found == pytest.approx(-0.5 * logs[2].item() - 0.5 * logs[3].item())
    assert preference.bin_label(logits, torch.tensor([1.0])).item() == pytest.approx(-logs[4].item())


@QUICK
@given(st.lists(reals, min_size=5, max_size=5), st.lists(reals, min_size=5, max_size=5))
def test_one_of_two_binned_scores_is_above(first: list[float], second: list[float]) -> None:
    one, two = torch.tensor([first]).double(), torch.tensor([second]).double()
    chance = (-preference.bin_pair(one, two)).exp() + (-preference.bin_pair(two, one)).exp()
    assert chance.item() == pytest.approx(1.0, abs=1e-9)


FLAGS = torch.tensor([True, False, True])
BIAS = torch.tensor([0.2, -0.3, 0.1], dtype=torch.float64)


@pytest.mark.parametrize(
    "loss",
    [
        lambda u, v: preference.bradley_terry(u, v, margin_N=0.3, label_smoothing=0.1),
        preference.tie,
        lambda u, v: preference.prompt_aware(u, v, FLAGS),
        lambda u, v: preference.plackett_luce(torch.stack([u, v], 1), torch.ones(3, 2)),
        lambda u, v: preference.pointwise(torch.tanh(u), BIAS),
        lambda u, v: preference.centering(u, v, BIAS),
        lambda u, v: preference.squash(u, v, 0.7),
        lambda u, v: preference.bin_pair(torch.stack([u, v, u], 1), torch.stack([v, u, v], 1)),
        lambda u, v: preference.bin_label(torch.stack([u, v, u * v], 1), BIAS),
        lambda u, v: preference.bin_mean(torch.stack([u, v, u * v], 1)),
    ],
)
def test_gradients(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(3, dtype=torch.float64, generator=generator, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(loss, (u, v))


def test_spct_reward() -> None:
    assert preference.spct_reward(torch.tensor([3.0, 9.0, 4.0]), 1) == 1.0
    assert preference.spct_reward(torch.tensor([9.0, 9.0, 4.0]), 1) == -1.0  # not strictly best
    assert preference.spct_reward(torch.tensor([1.0]), 0, single_label=1.0) == 1.0
    assert preference.spct_reward(torch.tensor([2.0]), 0, single_label=1.0) == -1.0
    assert preference.spct_reward(torch.tensor([2.0]), 0) == -1.0
