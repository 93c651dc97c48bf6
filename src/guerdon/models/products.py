"""bfloat16 x bfloat16 matrix products with float32 results on a CPU.

PyTorch has them on CUDA only (`torch.mm(..., out_dtype=torch.float32)`): on a CPU a bfloat16 matmul rounds its result, and
a float32 one with bfloat16 precision converts its operands again in every call. The kernel exists all the same, oneDNN's
brgemm behind `at::native::cpublas::brgemm`, a public function of PyTorch's C++ library. It is called here under its mangled
name, which spells every parameter's type: a release with another signature has another name, and then the float32
matmul takes over.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

BLOCK_ROWS = 64
"""Rows of the left side in one kernel call."""
BLOCK_COLUMNS = 512
"""Columns of the result in one kernel call: with 576 inputs their weights fill half of a level-2 cache."""
_BRGEMM = "_ZN2at6native7cpublas6brgemmEllllllbPKN3c108BFloat16ES5_Pfb"
_RELEASE = "_ZN2at6native7cpublas14brgemm_releaseEb"

Kernel = Callable[..., None]


@functools.cache
def _library() -> ctypes.CDLL | None:
    path = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    return ctypes.CDLL(str(path)) if path.is_file() else None


@functools.cache
def _kernels() -> tuple[Kernel, Kernel] | None:
    """The product and the release of its per-thread state; None where this PyTorch or this CPU has none."""
    backend: Any = torch.backends.mkldnn
    supported = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    library = _library() if supported and backend.is_available() else None
    try:
        multiply, release = getattr(library, _BRGEMM), getattr(library, _RELEASE)
    except AttributeError:
        return None
    pointer = ctypes.c_void_p
    multiply.argtypes = [*[ctypes.c_int64] * 6, ctypes.c_bool, pointer, pointer, pointer, ctypes.c_bool]
    release.argtypes = [ctypes.c_bool]
    multiply.restype = release.restype = None
    return multiply, release


@functools.cache
def _helpers(count: int) -> ThreadPoolExecutor:
    """Threads beside the caller's; the kernel lets go of the interpreter's lock."""
    return ThreadPoolExecutor(count, thread_name_prefix="product")


def has_products(weight_NK: Tensor) -> bool:
    """Whether `PackedWeight` can hold this weight and multiply with it."""
    fits = (
        weight_NK.dtype == torch.bfloat16 and weight_NK.device.type == "cpu" and weight_NK.shape[1] % 2 == 0
    )
    return fits and _kernels() is not None


_PACKED: Any = WeakIdKeyDictionary()
"""Of each live weight: where and which version of it was packed, and the copy."""


def packed(weight_NK: Tensor) -> PackedWeight:
    """The weight in the kernel's layout, copied once after each change.

    A change is what autograd counts as one: every in-place operation, but none on `.data`.
    """
    state = weight_NK.data_ptr(), weight_NK._version, weight_NK.shape
    known = _PACKED.get(weight_NK)
    if known is None or known[0] != state:
        known = _PACKED[weight_NK] = state, PackedWeight(weight_NK)
    found: PackedWeight = known[1]
    return found


class PackedWeight:
    """A bfloat16 weight [N, K] in the kernel's layout: in each block of columns, pairs of inputs side by side."""

    def __init__(self, weight_NK: Tensor) -> None:
        """Copy the weight.

        Args:
            weight_NK: bfloat16, on the CPU, K even (see `has_products`).
        """
        self.num_columns, self.num_inputs = weight_NK.shape
        self.blocks = [
            block_NK.view(len(block_NK), -1, 2).transpose(0, 1).contiguous()
            for block_NK in torch.split(weight_NK.detach(), BLOCK_COLUMNS)
        ]

    def multiply(self, left_MK: Tensor, out_MN: Tensor) -> Tensor:
        """`left @ weight.T` [M, N] in float32, written into `out_MN`.

        Args:
            left_MK: bfloat16.
            out_MN: float32, its rows contiguous.
        """
        left_MK = left_MK.contiguous()
        assert left_MK.dtype == torch.bfloat16
        assert out_MN.dtype == torch.float32
        assert out_MN.stride(1) == 1
        threads = min(torch.get_num_threads(), len(self.blocks))
        shares = [range(start, len(self.blocks), threads) for start in range(threads)]
        others = [_helpers(threads - 1).submit(self._share, share, left_MK, out_MN) for share in shares[1:]]
        self._share(shares[0], left_MK, out_MN)
        for other in others:
            other.result()
        return out_MN

    def _share(self, blocks: range, left_MK: Tensor, out_MN: Tensor) -> None:
        found = _kernels()
        assert found is not None
        multiply, release = found
        inputs, width = self.num_inputs, out_MN.stride(0)
        left, out = left_MK.data_ptr(), out_MN.data_ptr()
        for index in blocks:
            block = self.blocks[index]
            columns, weight = block.shape[1], block.data_ptr()
            for row in range(0, len(left_MK), BLOCK_ROWS):
                multiply(
                    min(BLOCK_ROWS, len(left_MK) - row), columns, inputs,
                    inputs, columns, width,
                    False, left + 2 * row * inputs, weight, out + 4 * (row * width + index * BLOCK_COLUMNS), True,
                )  # fmt: skip
        release(True)
