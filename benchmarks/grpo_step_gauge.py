"""What both sides of grpo_step.py measure alike: the pipe to the driver, peak memory, whether weights moved.

Standard library and torch only: it is imported in Guerdon's environment and in TRL's.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import json
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


class Pipe:
    """JSON lines to the driver. Whatever libraries print on stdout goes to stderr instead."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def send(self, figures: Mapping[str, Any]) -> None:
        print(json.dumps(figures), file=self.out, flush=True)

    def wait(self) -> bool:
        """Block until the driver asks for a step; False once it has hung up."""
        return bool(sys.stdin.readline())


def peak_gb() -> float:
    """Most memory resident so far, in 10^9 bytes.

    Linux: VmHWM, because ru_maxrss of a child begins at what its parent had when it forked.
    """
    found = status_gb("VmHWM")
    if found is not None:
        return found
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def status_gb(field: str, pid: int | str = "self") -> float | None:
    """A size that Linux states of a process, in 10^9 bytes: VmHWM, VmRSS; None elsewhere, and once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith(f"{field}:")]
    return sizes[0] * 1024 / 1e9 if sizes else None


def settle() -> float:
    """Give freed memory back, begin a new peak, and say what is resident now. Linux with glibc."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return status_gb("VmRSS") or peak_gb()


def fingerprint(weights: Sequence[Tensor]) -> list[int]:
    """One exact number per tensor: it changes when a bit does, bar a rare cancellation. Copies nothing."""
    return [int(item.detach().view(BITS[item.element_size()]).sum(dtype=torch.int64)) for item in weights]


def num_changed(before: Sequence[int], after: Sequence[int]) -> int:
    """Tensors whose fingerprints differ."""
    return sum(a != b for a, b in zip(before, after, strict=True))


def digest(prompts: Sequence[Sequence[int]]) -> str:
    """The same for both systems if they were given the same token ids in the same order."""
    return hashlib.sha256(json.dumps([list(ids) for ids in prompts]).encode()).hexdigest()[:16]
