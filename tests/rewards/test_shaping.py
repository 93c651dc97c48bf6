from __future__ import annotations

import random

import pytest
import torch

from guerdon.core.errors import UserError
from guerdon.functional import calibrate
from guerdon.rewards.shaping import Chain, Clip, LengthCurve, Sample, contrast, par


def samples(count: int, seed: int = 0) -> list[Sample]:
    draw = random.Random(seed)
    return [Sample(draw.gauss(0.0, 2.0), draw.randint(1, 9)) for _ in range(count)]


def test_equal_to_the_functions_on_tensors() -> None:
    references, here = samples(7), samples(5, seed=1)
    value_N = torch.tensor([item.value for item in here])
    reference_NM = torch.tensor([item.value for item in references]).expand(5, 7)
    assert [contrast(item, references) for item in here] == pytest.approx(
        calibrate.contrast(value_N, reference_NM).tolist(), abs=1e-5
    )
    wanted = 2 * calibrate.preference_as_reward(value_N, reference_NM) - 1
    assert [par(item, references) for item in here] == pytest.approx(wanted.tolist(), abs=1e-5)


def test_length_curve_equals_lowess_at_every_sample() -> None:
    for seed in range(5):
        found = [
            *samples(40, seed),
            Sample(90.0, 5),
            Sample(-70.0, 8),
        ]  # two far off, which the later passes leave out
        curve = LengthCurve(found)
        lengths, values = zip(*((float(item.length), item.value) for item in found), strict=True)
        wanted = calibrate.smoothed(torch.tensor(lengths), torch.tensor(values))
        assert [curve.expected(item.length) for item in found] == pytest.approx(wanted.tolist(), abs=1e-4)


def test_one_reference_far_off_does_not_move_the_length_curve() -> None:
    usual = [Sample(0.1 * n + 0.01 * (n % 3), n) for n in range(1, 31)]
    moved = LengthCurve([*usual, Sample(50.0, 15)]).expected(15) - LengthCurve(usual).expected(15)
    assert abs(moved) < 0.01
    plain = LengthCurve([*usual, Sample(50.0, 15)], num_robust=0).expected(15)
    assert plain - LengthCurve(usual).expected(15) > 1.0  # the control: one pass alone


def test_length_takes_out_what_length_alone_explains() -> None:
    longer_is_better = [Sample(0.3 * length, length) for length in range(1, 30)]
    chain = Chain.fit(["length"], [longer_is_better], clip=1.0)
    found = [chain(item, longer_is_better) for item in longer_is_better]
    assert found == pytest.approx([0.0] * len(found), abs=1e-6)
    better_for_its_length = Sample(0.3 * 10 + 1.0, 10)
    assert chain(better_for_its_length, longer_is_better) == pytest.approx(1.0)


def test_beyond_the_reference_lengths_the_end_counts() -> None:
    chain = Chain.fit(["length"], [[Sample(0.1 * n, n) for n in range(1, 11)]], clip=1.0)
    assert chain(Sample(5.0, 400), ()) == pytest.approx(4.0)  # 5 - 1.0, not 5 - 40


def test_par_saturates_and_contrast_does_not() -> None:
    references = [Sample(0.0, 1), Sample(0.0, 1)]
    assert par(Sample(1000.0, 1), references) == 1.0
    assert par(Sample(-1000.0, 1), references) == pytest.approx(-1.0)
    assert contrast(Sample(1000.0, 1), references) == 1000.0


def test_steps_follow_each_other_and_move_the_references() -> None:
    references = [Sample(1.0, 1), Sample(3.0, 1)]
    chain = Chain.fit(["clip", "contrast"], [references], clip=2.0)
    assert chain(Sample(5.0, 1), references) == 0.5  # 2 less the mean of 1 and 2
    assert Chain.fit(["contrast", "clip"], [references], clip=2.0)(Sample(5.0, 1), references) == 2.0
    assert Clip(1.0)(Sample(-9.0, 1), ()) == -1.0


def test_without_references_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(UserError, match="at least one a prompt"):
        Chain.fit(["contrast"], [], clip=1.0)
    with pytest.raises(UserError, match="at least one a prompt"):
        Chain.fit(["contrast"], [[]], clip=1.0)
