from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.functional.shaping import soft_overlong

QUICK = settings(max_examples=30, deadline=None)


def test_by_hand() -> None:
    # limit 16, cache 4: free up to 12, then (12 - l) / 4
    lengths = torch.tensor([1, 12, 13, 15, 16, 40])
    assert soft_overlong(lengths, 16, 4).tolist() == [0.0, 0.0, -0.25, -0.75, -1.0, -1.0]


@QUICK
@given(st.integers(1, 50).flatmap(lambda limit: st.tuples(st.just(limit), st.integers(1, limit))))
def test_falls_from_zero_to_minus_one(limits: tuple[int, int]) -> None:
    limit, cache = limits
    found = soft_overlong(torch.arange(0, 2 * limit + 2), limit, cache)
    assert found[: limit - cache + 1].abs().max() == 0.0
    assert (found[limit:] == -1.0).all()
    assert (found.diff() <= 0.0).all()


@pytest.mark.parametrize("cache", [0, -1, 17])
def test_refuses_a_cache_that_cannot_be(cache: int) -> None:
    with pytest.raises(ValueError, match=f"got cache {cache}, max_length 16"):
        soft_overlong(torch.tensor([1.0]), 16, cache)
