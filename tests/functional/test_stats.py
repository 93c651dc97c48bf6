from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.functional.stats import Interval, bootstrap_interval, paired_difference, pass_at_k

QUICK = settings(max_examples=30, deadline=None)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pass_at_k_by_hand() -> None:
    # 5 samples, 2 right: of C(5, 2) = 10 pairs C(3, 2) = 3 have none
    assert pass_at_k(5, 2, 2) == pytest.approx(0.7)
    assert pass_at_k(5, 0, 3) == 0.0
    assert pass_at_k(5, 3, 3) == 1.0 - 0.0  # two wrong ones cannot fill three places


@QUICK
@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_all_subsets(counts: tuple[int, int, int]) -> None:
    samples, right, k = counts
    subsets = list(itertools.combinations(range(samples), k))
    assert pass_at_k(samples, right, k) == pytest.approx(sum(min(s) < right for s in subsets) / len(subsets))


@pytest.mark.parametrize("counts", [(4, 5, 1), (4, -1, 1), (4, 2, 0), (4, 2, 5)])
def test_pass_at_k_refuses_counts_that_cannot_be(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"pass@k needs .* got num_samples 4"):
        pass_at_k(*counts)


def test_bootstrap_of_two_values_is_the_binomial() -> None:
    # means of two draws from {0, 1}: 0, 1/2, 1 with 1/4, 1/2, 1/4: the 20 % and 80 % quantiles are 0 and 1
    found = bootstrap_interval(
        torch.tensor([0.0, 1.0]), num_resamples=4000, generator=seeded(), confidence=0.6
    )
    assert [bound.item() for bound in found] == [0.5, 0.0, 1.0]
    # and the 30 % and 70 % quantiles are both 1/2
    found = bootstrap_interval(
        torch.tensor([0.0, 1.0]), num_resamples=4000, generator=seeded(), confidence=0.4
    )
    assert [bound.item() for bound in found] == [0.5, 0.5, 0.5]


def test_bootstrap_has_the_width_of_the_normal_interval() -> None:
    # 400 values, half of them 1: standard error .5 / sqrt(400) = .025, so mean +- 1.96 * .025
    values = torch.arange(400, dtype=torch.float64) % 2
    found = bootstrap_interval(values, num_resamples=4000, generator=seeded())
    assert found.low.item() == pytest.approx(0.5 - 0.049, abs=0.004)
    assert found.high.item() == pytest.approx(0.5 + 0.049, abs=0.004)


def test_same_generator_same_interval() -> None:
    values = torch.linspace(0, 1, 17)
    runs = [bootstrap_interval(values, num_resamples=700, generator=seeded(seed)) for seed in (3, 3, 4)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


values = st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=12)


@QUICK
@given(values, st.integers(-9, 9))
def test_interval_holds_the_mean_and_moves_with_the_values(items: list[float], shift: int) -> None:
    values_B = torch.tensor(items, dtype=torch.float64)

    def interval(values_B: torch.Tensor) -> Interval:
        return bootstrap_interval(values_B, num_resamples=300, generator=seeded(), confidence=0.99)

    found = interval(values_B)
    assert values_B.min() - 1e-9 <= found.low <= found.high <= values_B.max() + 1e-9
    for moved, bound in zip(interval(values_B + shift), found, strict=True):
        torch.testing.assert_close(moved, bound + shift)


def test_pairing_sees_a_change_that_two_intervals_hide() -> None:
    before = torch.linspace(0, 1, 40, dtype=torch.float64)  # problems of very different difficulty
    after = before + 0.05 + 0.01 * (torch.arange(40) % 3)
    change = paired_difference(before, after, num_resamples=1000, generator=seeded())
    one, two = (bootstrap_interval(v, num_resamples=1000, generator=seeded()) for v in (before, after))
    assert change.low > 0.0
    assert one.high > two.low  # side by side they overlap
    assert change.mean.item() == pytest.approx((after.mean() - before.mean()).item())
    back = paired_difference(after, before, num_resamples=1000, generator=seeded())
    torch.testing.assert_close(back.mean, -change.mean)


def test_no_change_is_not_a_change() -> None:
    noise = torch.randn(200, generator=seeded(1), dtype=torch.float64)
    change = paired_difference(
        torch.zeros(200, dtype=torch.float64), noise - noise.mean(), num_resamples=1000, generator=seeded()
    )
    assert change.low < 0.0 < change.high


def test_refuses_nothing_and_strangers() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_interval(torch.zeros(0), num_resamples=9, generator=seeded())
    with pytest.raises(ValueError, match="got 2 and 3"):
        paired_difference(torch.zeros(2), torch.zeros(3), num_resamples=9, generator=seeded())
