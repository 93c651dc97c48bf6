import pytest

from guerdon.core.metrics import Max, Mean, Sum, merge, values


def test_a_mean_of_micro_batches_weighs_by_count() -> None:
    # (1 + 2 + 3) / 3 and 9 / 1: the mean of four numbers is 15 / 4, the mean of means would be 5.5.
    merged = merge([{"kl": Mean(6.0, 3)}, {"kl": Mean(9.0, 1)}])
    assert values(merged) == {"kl": 3.75}


def test_sums_add_and_maxima_compete() -> None:
    parts = [{"tokens": Sum(3.0), "peak": Max(2.0)}, {"tokens": Sum(4.0), "peak": Max(1.0)}]
    assert values(merge(parts)) == {"tokens": 7.0, "peak": 2.0}


def test_what_was_never_counted_is_left_out() -> None:
    assert Mean(0.0, 0).value is None
    assert values({"kl": Mean(0.0, 0), "n": Sum(0.0)}) == {"n": 0.0}


def test_a_name_only_one_part_has_is_kept() -> None:
    assert values(merge([{"a": Sum(1.0)}, {"b": Sum(2.0)}])) == {"a": 1.0, "b": 2.0}


def test_one_name_of_two_kinds_is_a_bug() -> None:
    with pytest.raises(TypeError, match="'x' is both Sum and Mean"):
        merge([{"x": Sum(1.0)}, {"x": Mean(1.0, 1)}])
