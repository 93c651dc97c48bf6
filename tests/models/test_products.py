from __future__ import annotations

import pytest
import torch

from guerdon.models import products
from guerdon.models.products import BLOCK_COLUMNS, BLOCK_ROWS, PackedWeight, has_products, packed

WEIGHT = torch.zeros(4, 4, dtype=torch.bfloat16)
needs_kernel = pytest.mark.skipif(not has_products(WEIGHT), reason="no bfloat16 products on this CPU")


@needs_kernel
@pytest.mark.parametrize("rows", [1, 3, BLOCK_ROWS, 2 * BLOCK_ROWS + 5])
@pytest.mark.parametrize("columns", [1, 7, BLOCK_COLUMNS, 2 * BLOCK_COLUMNS + 33])
@pytest.mark.parametrize("inputs", [2, 64, 578])
def test_products_are_exact_up_to_the_order_of_addition(rows: int, columns: int, inputs: int) -> None:
    generator = torch.Generator().manual_seed(rows * columns + inputs)
    left = torch.randn(rows, inputs, generator=generator).bfloat16()
    weight = torch.randn(columns, inputs, generator=generator).bfloat16()
    out = torch.full((rows, columns), float("nan"))
    assert PackedWeight(weight).multiply(left, out) is out
    wanted = left.double() @ weight.double().T
    # float32 sums of exact products; a bfloat16 result would be off by up to 2^-9 of its size
    assert (out.double() - wanted).abs().max() < 1e-6 * inputs


@needs_kernel
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing(threads: int) -> None:
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(70, 32, generator=generator).bfloat16()
    packed = PackedWeight(torch.randn(3 * BLOCK_COLUMNS, 32, generator=generator).bfloat16())
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        wanted = packed.multiply(left, torch.empty(70, packed.num_columns))
        torch.set_num_threads(threads)
        found = packed.multiply(left, torch.empty(70, packed.num_columns))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found, wanted)


@needs_kernel
def test_only_its_own_columns_are_written() -> None:
    wide = torch.zeros(2, 10)
    PackedWeight(torch.ones(4, 2, dtype=torch.bfloat16)).multiply(
        torch.ones(2, 2, dtype=torch.bfloat16), wide[:, :4]
    )
    assert wide.tolist() == [[2.0] * 4 + [0.0] * 6] * 2


@needs_kernel
def test_a_weight_is_packed_once_after_each_change() -> None:
    weight = torch.nn.Parameter(torch.ones(4, 2, dtype=torch.bfloat16))
    first = packed(weight)
    assert packed(weight) is first
    with torch.no_grad():
        weight.mul_(2)
    second = packed(weight)
    assert second is not first
    left = torch.ones(1, 2, dtype=torch.bfloat16)
    assert second.multiply(left, torch.empty(1, 4)).tolist() == [[4.0] * 4]
    other = torch.full((4, 2), 3.0, dtype=torch.bfloat16)
    before, weight.data = weight.data, other  # as `Policy.swapped` does
    assert packed(weight).multiply(left, torch.empty(1, 4)).tolist() == [[6.0] * 4]
    weight.data = before
    assert packed(weight).multiply(left, torch.empty(1, 4)).tolist() == [[4.0] * 4]


def test_what_the_kernel_cannot_hold_is_told_apart() -> None:
    assert not has_products(torch.zeros(4, 4))
    assert not has_products(torch.zeros(4, 3, dtype=torch.bfloat16))


def test_another_release_without_the_function_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_BRGEMM", "_ZN2at6native7cpublas6brgemmEv")
    products._kernels.cache_clear()
    try:
        assert not has_products(WEIGHT)
    finally:
        products._kernels.cache_clear()
