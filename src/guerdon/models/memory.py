"""Give freed memory back to the system. Packed batches differ in size, so the C heap fragments and grows without this."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable


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
