"""The kernels of kernels.c: compiled by the machine's own C compiler on first use, and kept in the cache.

What lies between the matrix products of a decoding step is a few numbers a row: PyTorch would spend more on calling some
forty operations a layer than on their arithmetic. Without a compiler (or where PyTorch brings no OpenMP of GCC's) there
are no kernels, and decoding goes through the model's own modules.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from guerdon.core.seeds import content_hash
from guerdon.models.home import guerdon_home

SOURCE = Path(__file__).with_name("kernels.c")
FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-fopenmp")
LANES = 16
"""Numbers of one vector: head sizes and widths must be multiples of it, and prompts are padded to it."""
MAX_GROUP = 16
"""Most query heads that share a key head."""
BUILD_S = 60.0

_SUFFIX = {torch.float32: "float", torch.bfloat16: "half"}


class DecodeStep(NamedTuple):
    """What is the same for every layer of one decoding step; tables are int64."""

    cos_ND: Tensor
    """Of the new tokens' positions."""
    sin_ND: Tensor
    prompt_N: Tensor
    """Address of each row's prompt."""
    length_N: Tensor
    """Its positions."""
    block_NC: Tensor
    """Addresses of each row's blocks."""
    own_N: Tensor
    """Positions in them so far."""
    heads: int
    shared: int
    """Key heads."""
    size: int
    """Numbers of one head."""
    block: int
    """Positions of one block."""
    longest: int
    """No row has more positions."""


class Kernels:
    """The loaded library; every tensor is contiguous, on the CPU, and of one format, float32 or bfloat16."""

    def __init__(self, library: ctypes.CDLL) -> None:
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        signatures = {
            "rms_norm": [pointer] * 3 + [number] * 4 + [ctypes.c_float],
            "silu_mul": [pointer] * 2 + [number] * 2,
            "decode_attention": [pointer] * 9 + [ctypes.c_float],
        }
        self._functions: dict[tuple[str, torch.dtype], Callable[..., None]] = {}
        for name, kinds in signatures.items():
            for dtype, suffix in _SUFFIX.items():
                function = getattr(library, f"{name}_{suffix}")
                function.argtypes, function.restype = kinds, None
                self._functions[name, dtype] = function

    def rms_norm(self, x_NH: Tensor, weight_H: Tensor, epsilon: float) -> Tensor:
        """Each row over its root mean square, times the weight: [N, H]."""
        out_NH = torch.empty_like(x_NH)
        rows, size = x_NH.shape
        self._functions["rms_norm", x_NH.dtype](
            x_NH.data_ptr(), weight_H.data_ptr(), out_NH.data_ptr(), rows, size, 1, size, epsilon
        )
        return out_NH

    def rms_norm_heads(
        self, x_NW: Tensor, weight_D: Tensor, epsilon: float, *, first: int, heads: int
    ) -> None:
        """Heads `first` to `first + heads` of each row, each over its own root mean square, in place."""
        rows, width = x_NW.shape
        size = len(weight_D)
        start = x_NW.data_ptr() + first * size * x_NW.element_size()
        self._functions["rms_norm", x_NW.dtype](
            start, weight_D.data_ptr(), start, rows, width, heads, size, epsilon
        )

    def silu_mul(self, gate_up_NI: Tensor) -> Tensor:
        """silu(gate) * up [N, I] for gate and up side by side [N, 2 I]."""
        rows, double = gate_up_NI.shape
        out_NI = gate_up_NI.new_empty(rows, double // 2)
        self._functions["silu_mul", gate_up_NI.dtype](
            gate_up_NI.data_ptr(), out_NI.data_ptr(), rows, double // 2
        )
        return out_NI

    def decode_attention(self, qkv_NW: Tensor, step: DecodeStep, layer: int, scale: float) -> Tensor:
        """Attention of one new token a row over the caches, whose entry of that token is written: [N, heads D].

        Args:
            qkv_NW: queries, keys and values of the new tokens; queries and keys are rotated in place.
            step: where everything lies.
            layer: which layer's caches.
            scale: of the scores.
        """
        out_NW = qkv_NW.new_empty(len(qkv_NW), step.heads * step.size)
        shape = (ctypes.c_int64 * 8)(
            len(qkv_NW),
            step.heads,
            step.shared,
            step.size,
            step.block_NC.shape[1],
            step.block,
            step.longest,
            layer,
        )
        tensors = (
            qkv_NW,
            step.cos_ND,
            step.sin_ND,
            step.prompt_N,
            step.length_N,
            step.block_NC,
            step.own_N,
            out_NW,
        )
        addresses = [tensor.data_ptr() for tensor in tensors]
        self._functions["decode_attention", qkv_NW.dtype](*addresses, ctypes.addressof(shape), scale)
        return out_NW


@functools.cache
def kernels() -> Kernels | None:
    """The kernels, or None where they cannot be built."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    runtime = next(iter(sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))), None)
    if platform.system() != "Linux" or compiler is None or runtime is None:
        return None
    path = guerdon_home() / "kernels" / f"{_key(compiler)}.so"
    try:
        if not path.is_file():
            _build(compiler, runtime, path)
        return Kernels(ctypes.CDLL(str(path)))
    except (OSError, subprocess.SubprocessError, AttributeError):
        return None


def _key(compiler: str) -> str:
    """Of all that the library depends on; a home folder may be shared by different machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    cpu = [line for line in lines if line.startswith(("flags", "Features", "model name"))][:2]
    return content_hash("\n".join([SOURCE.read_text(), *FLAGS, compiler, torch.__version__, *cpu]))


def _build(compiler: str, runtime: Path, path: Path) -> None:
    """Compile, and put the library there by one rename.

    It is linked with the OpenMP runtime that PyTorch has loaded: two of them would fight for the cores.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made, library = Path(folder) / "kernels.o", Path(folder) / "kernels.so"
        for command in (
            [compiler, *FLAGS, "-c", str(SOURCE), "-o", str(made)],
            [compiler, "-shared", str(made), str(runtime), "-lm", "-o", str(library)],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=BUILD_S)
        os.replace(library, path)
