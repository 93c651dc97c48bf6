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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
BUILD_S = 300.0

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


class Segments(NamedTuple):
    """Packed prompts and completions as the attention kernels read them; int64."""

    segment_S4: Tensor
    """Start and length of each segment, start and length of its prompt (0 where it is one)."""
    place_S: Tensor
    """Where the gradients of its prompt's tokens begin among those of all segments."""
    token_P: Tensor
    """Which token each of those belongs to."""
    longest: int
    """Most tokens of a segment and its prompt."""

    def shape(self, q_THD: Tensor, k_TSD: Tensor) -> ctypes.Array[ctypes.c_int64]:
        """As kernels.c has it."""
        tokens, heads, size = q_THD.shape
        return (ctypes.c_int64 * 6)(len(self.segment_S4), heads, k_TSD.shape[1], size, self.longest, tokens)


def segments(spans: Sequence[tuple[int, int, int, int]]) -> Segments:
    """Of (start, length, prompt's start, prompt's length) of each segment."""
    past = [span[3] for span in spans]
    tokens = [token for span in spans for token in range(span[2], span[2] + span[3])]
    return Segments(
        torch.tensor(spans, dtype=torch.long),
        torch.tensor([0, *past]).cumsum(0)[:-1].contiguous(),
        torch.tensor(tokens, dtype=torch.long),
        max((span[1] + span[3] for span in spans), default=0),
    )


class Kernels:
    """The loaded library; every tensor is contiguous, on the CPU, and of one format, float32 or bfloat16."""

    def __init__(self, library: ctypes.CDLL) -> None:
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        signatures = {
            "rms_norm": [pointer] * 3 + [number] * 4 + [ctypes.c_float],
            "rms_norm_backward": [pointer] * 5 + [number] * 2 + [ctypes.c_float],
            "silu_mul": [pointer] * 3 + [number] * 3,
            "silu_mul_backward": [pointer] * 5 + [number] * 2,
            "rotate_all": [pointer] * 4 + [number] * 4,
            "packed_attention": [pointer] * 7 + [ctypes.c_float],
            "packed_attention_backward": [pointer] * 12 + [ctypes.c_float],
            "decode_attention": [pointer] * 9 + [ctypes.c_float],
        }
        self._functions: dict[tuple[str, torch.dtype], Callable[..., None]] = {}
        for name, kinds in signatures.items():
            for dtype, suffix in _SUFFIX.items():
                function = getattr(library, f"{name}_{suffix}")
                function.argtypes, function.restype = kinds, None
                self._functions[name, dtype] = function

    def __deepcopy__(self, memo: dict[int, Any]) -> Kernels:
        """A copy of a model calls the same library."""
        return self

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
        return self._silu_mul(gate_up_NI, gate_up_NI[:, double // 2 :], rows, double // 2, double)

    def silu_mul_apart(self, gate_NI: Tensor, up_NI: Tensor) -> Tensor:
        """silu(gate) * up [N, I]."""
        rows, size = gate_NI.shape
        return self._silu_mul(gate_NI, up_NI, rows, size, size)

    def _silu_mul(self, gate: Tensor, up: Tensor, rows: int, size: int, stride: int) -> Tensor:
        out_NI = gate.new_empty(rows, size)
        self._functions["silu_mul", gate.dtype](
            gate.data_ptr(), up.data_ptr(), out_NI.data_ptr(), rows, size, stride
        )
        return out_NI

    def silu_mul_backward(self, gate_NI: Tensor, up_NI: Tensor, grad_NI: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of gate and up [N, I]."""
        found = torch.empty_like(gate_NI), torch.empty_like(up_NI)
        tensors = (gate_NI, up_NI, grad_NI, *found)
        self._functions["silu_mul_backward", gate_NI.dtype](
            *(tensor.data_ptr() for tensor in tensors), *gate_NI.shape
        )
        return found

    def rms_norm_backward(
        self, x_NH: Tensor, weight_H: Tensor, grad_NH: Tensor, epsilon: float, *, with_weight: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Gradients of the rows [N, H], and of the weight [H] in float32 if asked for."""
        out_NH = torch.empty_like(x_NH)
        weight_grad_H = torch.zeros(len(weight_H)) if with_weight else None
        self._functions["rms_norm_backward", x_NH.dtype](
            x_NH.data_ptr(), weight_H.data_ptr(), grad_NH.data_ptr(), out_NH.data_ptr(),
            None if weight_grad_H is None else weight_grad_H.data_ptr(), *x_NH.shape, epsilon,
        )  # fmt: skip
        return out_NH, weight_grad_H

    def rotate(self, x_THD: Tensor, cos_TD: Tensor, sin_TD: Tensor, *, back: bool = False) -> Tensor:
        """Rotary embedding of every head [T, H, D]; `back`: its transpose, for gradients."""
        out_THD = torch.empty_like(x_THD)
        tensors = (x_THD, cos_TD, sin_TD, out_THD)
        self._functions["rotate_all", x_THD.dtype](
            *(tensor.data_ptr() for tensor in tensors), *x_THD.shape, int(back)
        )
        return out_THD

    def packed_attention(
        self, q_THD: Tensor, k_TSD: Tensor, v_TSD: Tensor, plan: Segments, scale: float
    ) -> tuple[Tensor, Tensor]:
        """Attention of packed segments: output [T, H, D] and log of the sums of exponentials [T, H], float32."""
        out_THD = torch.empty_like(q_THD)
        lse_TH = torch.empty(q_THD.shape[:2])
        tensors = (q_THD, k_TSD, v_TSD, plan.segment_S4, out_THD, lse_TH)
        shape = plan.shape(q_THD, k_TSD)
        self._functions["packed_attention", q_THD.dtype](
            *(tensor.data_ptr() for tensor in tensors), ctypes.addressof(shape), scale
        )
        return out_THD, lse_TH

    def packed_attention_backward(
        self,
        saved: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
        grad_THD: Tensor,
        plan: Segments,
        scale: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of queries, in their format, and of keys and values [T, S, D] in float32.

        Args:
            saved: queries, keys, values, output, and the log of the sums, as of the forward pass.
            grad_THD: of the output.
            plan: as there.
            scale: as there.
        """
        q_THD, k_TSD, v_TSD, out_THD, lse_TH = saved
        dq_THD = torch.empty_like(q_THD)
        both_2TSD = torch.empty(2, *k_TSD.shape)
        prompts_P2SD = torch.empty(len(plan.token_P), 2, *k_TSD.shape[1:])
        tensors = (
            q_THD, k_TSD, v_TSD, out_THD, grad_THD, lse_TH, plan.segment_S4, plan.place_S, dq_THD, both_2TSD, prompts_P2SD,
        )  # fmt: skip
        shape = plan.shape(q_THD, k_TSD)
        self._functions["packed_attention_backward", q_THD.dtype](
            *(tensor.data_ptr() for tensor in tensors), ctypes.addressof(shape), scale
        )
        both_2TSD.index_add_(1, plan.token_P, prompts_P2SD.transpose(0, 1))
        return dq_THD, both_2TSD[0], both_2TSD[1]

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
