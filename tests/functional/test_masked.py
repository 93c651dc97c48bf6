from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.functional.masked import full_precision, masked_mean, row_mean, zeroed

QUICK = settings(max_examples=30, deadline=None)

NAN = float("nan")
MASK_BT = torch.tensor([[1, 0, 1], [0, 0, 0]])
VALUES_BT = torch.tensor([[1.0, NAN, 4.0], [float("inf"), NAN, -float("inf")]])


def test_by_hand() -> None:
    assert zeroed(VALUES_BT, MASK_BT).tolist() == [[1.0, 0.0, 4.0], [0.0, 0.0, 0.0]]
    assert masked_mean(VALUES_BT, MASK_BT).item() == 2.5  # (1 + 4) / 2
    assert row_mean(VALUES_BT, MASK_BT).tolist() == [[2.5], [0.0]]  # a row without tokens is 0, not NaN


def test_masked_nan_has_exactly_no_gradient() -> None:
    for reduce in (
        lambda v: zeroed(v, MASK_BT).sum(),
        lambda v: masked_mean(v, MASK_BT),
        lambda v: row_mean(v, MASK_BT).sum(),
    ):
        values_BT = VALUES_BT.clone().requires_grad_()
        reduce(values_BT).backward()
        assert values_BT.grad is not None
        assert torch.isfinite(values_BT.grad).all()
        assert (values_BT.grad[MASK_BT == 0] == 0.0).all()
        assert (values_BT.grad[MASK_BT == 1] != 0.0).all()


@QUICK
@given(st.lists(st.tuples(st.floats(-9, 9, width=32), st.booleans()), min_size=1, max_size=12))
def test_mean_is_that_of_the_kept_values(rows: list[tuple[float, bool]]) -> None:
    values, mask = zip(*rows, strict=True)
    kept = [value for value, keep in rows if keep]
    found = masked_mean(torch.tensor([values]), torch.tensor([mask]))
    torch.testing.assert_close(
        found, torch.tensor(sum(kept) / max(1, len(kept)), dtype=torch.float32), atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(row_mean(torch.tensor([values]), torch.tensor([mask]))[0, 0], found)


def test_half_precision_is_widened_and_double_kept() -> None:
    wide = {
        torch.bfloat16: torch.float32,
        torch.float16: torch.float32,
        torch.float32: torch.float32,
        torch.float64: torch.float64,
    }
    assert {kind: full_precision(torch.zeros(1, dtype=kind)).dtype for kind in wide} == wide
