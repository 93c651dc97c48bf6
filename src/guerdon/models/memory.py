"""Keep a process as large as its tensors, and its pages for as long as it needs them.

Packed batches differ in size in every step. So the C heap fragments and grows, and oneDNN, which compiles a kernel for
each new shape and keeps the last 1024, holds hundreds of megabytes of kernels that are never called again. The C library,
on the other hand, gives a large block back to the system as soon as it is freed, and the next activation of the same size
pays for fresh pages, 4 KiB at a time.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable

NUM_KERNELS = 64
"""Enough for one micro-batch of any model: its layers share some twenty shapes."""


def bound_kernel_cache() -> None:
    """Let oneDNN keep few kernels; heeded if called before its first matmul, and the user's own setting stands."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(NUM_KERNELS))


_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of mallopt(3)."""
_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@functools.cache
def keep_pages() -> bool:
    """Let glibc keep freed blocks of any size on its heap until `release_memory`; false where it is not asked.

    A step of training then asks the system for its pages once. Settings of the user in the environment stand.
    """
    if any(os.environ.get(name) for name in _SETTINGS):
        return False
    try:
        choose: Callable[[int, int], int] = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(choose(_MMAP_MAX, 0) and choose(_TRIM_THRESHOLD, 2**31 - 1))


@functools.cache
def _trimmer() -> Callable[[int], int] | None:
    """The malloc_trim of glibc, or None on other systems."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return None
    return trim


def release_memory() -> None:
    """Return free pages of the heap; milliseconds, and nothing where the C library has no such call."""
    trim = _trimmer()
    if trim is not None:
        trim(0)
