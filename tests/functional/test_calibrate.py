from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.functional import calibrate

QUICK = settings(max_examples=30, deadline=None)
# In hundredths: a spread of the size of float residue counts as none, on one scale before the other.
numbers = st.lists(st.integers(-5000, 5000).map(lambda number: number / 100), min_size=2, max_size=12)


def test_zscore_by_hand() -> None:
    # reference 1, 3, 5: mean 3, deviation sqrt(8 / 3)
    found = calibrate.zscore(torch.tensor([3.0, 7.0]), torch.tensor([1.0, 3.0, 5.0]))
    assert found.tolist() == pytest.approx([0.0, 4 / math.sqrt(8 / 3)])
    assert calibrate.zscore(torch.tensor([9.0]), torch.tensor([2.0, 2.0])).tolist() == [0.0]


def test_rank_scale_by_hand() -> None:
    # below 2 of 4, equal 1, above 1: (2 - 1) / 4
    found = calibrate.rank_scale(torch.tensor([2.0, -1.0, 9.0]), torch.tensor([0.0, 3.0, 2.0, 1.0]))
    assert found.tolist() == [0.25, -1.0, 1.0]


@QUICK
@given(numbers, st.floats(0.1, 10), st.floats(-5, 5))
def test_scales_do_not_matter(reference: list[float], factor: float, shift: float) -> None:
    fixed = torch.tensor(reference, dtype=torch.float64)
    moved = fixed * factor + shift
    assert torch.allclose(
        calibrate.zscore(moved, moved), calibrate.zscore(fixed, fixed), atol=1e-4, rtol=1e-4
    )
    ranks = calibrate.rank_scale(fixed, fixed)
    assert ranks.abs().max() <= 1.0
    assert ranks.mean().item() == pytest.approx(0.0, abs=1e-9)


def test_contrast_and_par_by_hand() -> None:
    value, reference = torch.tensor([2.0]), torch.tensor([[0.0, 2.0]])
    assert calibrate.contrast(value, reference).tolist() == [1.0]
    # sigmoid(2) and sigmoid(0): (0.880797 + 0.5) / 2
    assert calibrate.preference_as_reward(value, reference).item() == pytest.approx(0.690399, abs=1e-6)


@QUICK
@given(numbers)
def test_par_is_bounded_and_keeps_the_order(values: list[float]) -> None:
    ordered = torch.tensor(sorted(values), dtype=torch.float64)
    found = calibrate.preference_as_reward(ordered, torch.zeros(len(values), 3, dtype=torch.float64))
    assert ((found >= 0) & (found <= 1)).all()
    assert (found.diff() >= 0).all()


def test_reliability_by_hand() -> None:
    # bin 0.5-0.6: stated 0.55, right 1 of 2; bin 0.9-1: stated 0.95, right 2 of 2; error (2*0.05 + 2*0.05) / 4
    found = calibrate.reliability(
        torch.tensor([0.5, 0.6 - 1e-6, 0.9, 1.0]), torch.tensor([1.0, 0.0, 1.0, 1.0])
    )
    assert found.count_B.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2]
    assert found.confidence_B[5].item() == pytest.approx(0.55)
    assert found.accuracy_B[5].item() == 0.5
    assert found.confidence_B[0].isnan()
    assert found.error.item() == pytest.approx(0.05, abs=1e-5)


def test_honest_confidences_have_a_small_error() -> None:
    generator = torch.Generator().manual_seed(0)
    stated = 0.5 + 0.5 * torch.rand(20_000, generator=generator)
    hits = (torch.rand(20_000, generator=generator) < stated).float()
    assert calibrate.reliability(stated, hits).error < 0.02
    assert calibrate.reliability(stated, 1 - hits).error > 0.4  # the control: labels turned round


def test_smoothed_follows_a_curve_and_not_the_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.linspace(0, 6, 200)
    noise = 0.3 * torch.randn(200, generator=generator)
    found = calibrate.smoothed(x, torch.sin(x) + noise, span=0.2)
    assert (found - torch.sin(x)).square().mean().sqrt() < 0.12
    assert (found - torch.sin(x)).square().mean() < noise.square().mean() / 4


# statsmodels 0.15.0, lowess(y, x, frac=0.6, it=0, 1, 3), to six digits.
OUTLIER = (1.0, 3.0, 2.0, 4.0, 6.0, 5.0, 30.0, 8.0, 7.0, 9.0, 12.0, 10.0)
STATSMODELS = {
    0: (1.180065, 2.118761, 3.100606, 4.0, 7.231923, 11.866133,
        13.247341, 13.183989, 10.570668, 10.069049, 9.928375, 10.180126),
    1: (1.143069, 2.111068, 3.146309, 4.192984, 5.994136, 6.764585,
        6.837235, 7.082462, 7.704103, 9.144145, 10.082141, 10.981318),
    3: (1.181261, 2.122228, 3.104312, 4.004004, 4.902547, 5.86084,
        6.504985, 7.148275, 8.150126, 9.151795, 10.02101, 10.936269),
}  # fmt: skip


@pytest.mark.parametrize("num_robust", STATSMODELS)
def test_smoothed_is_the_lowess_of_statsmodels(num_robust: int) -> None:
    x = torch.arange(1.0, 13.0)
    found = calibrate.smoothed(x, torch.tensor(OUTLIER), span=0.6, num_robust=num_robust)
    assert found.tolist() == pytest.approx(STATSMODELS[num_robust], abs=1e-5)
    if num_robust == 3:  # the default
        assert calibrate.smoothed(x, torch.tensor(OUTLIER), span=0.6).equal(found)


def test_a_robust_pass_by_hand() -> None:
    # Five points at each of two x, span 0.5: at each x their mean. y at 0: 0 0 0 0 10, mean 2; at 1: all 5, residual 0.
    # Residuals 2 2 2 2 8 0 0 0 0 0, median 1, scale 6: 8 counts nothing, the zeros count alike: the fit is 0.
    x = torch.tensor([0.0] * 5 + [1.0] * 5)
    y = torch.tensor([0.0] * 4 + [10.0] + [5.0] * 5)
    assert calibrate.smoothed(x, y, num_robust=0).tolist() == pytest.approx([2.0] * 5 + [5.0] * 5)
    assert calibrate.smoothed(x, y, num_robust=1).tolist() == pytest.approx([0.0] * 5 + [5.0] * 5)


def test_smoothed_where_a_point_stands_alone() -> None:
    # The nearest neighbour lies on the edge of the reach, with weight 0: what is there is all that is known.
    assert calibrate.smoothed(torch.tensor([0.0, 1.0, 5.0]), torch.tensor([1.0, 2.0, 9.0])).tolist() == [
        1,
        2,
        9,
    ]


def test_smoothed_where_all_x_are_equal() -> None:
    assert (
        calibrate.smoothed(torch.ones(3), torch.tensor([1.0, 2.0, 6.0]), num_robust=0).tolist() == [3.0] * 3
    )
    assert calibrate.smoothed(torch.zeros(0), torch.zeros(0)).tolist() == []


def test_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(3, dtype=torch.float64, generator=generator, requires_grad=True)
    reference = torch.randn(3, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(calibrate.contrast, (value, reference))
    assert torch.autograd.gradcheck(calibrate.preference_as_reward, (value, reference))
    assert torch.autograd.gradcheck(lambda v: calibrate.zscore(v, reference[0]), (value,))
