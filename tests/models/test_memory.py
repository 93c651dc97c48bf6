from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
import torch

from guerdon.models.memory import release_memory


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_freed_tensors_leave_the_process() -> None:
    pieces = [torch.ones(30_000) for _ in range(2000)]  # 240 MB in pieces that malloc keeps on its heap
    keep = pieces[::50]
    before = resident_mb()
    pieces.clear()
    gc.collect()
    release_memory()
    assert resident_mb() < before - 150
    assert len(keep) == 40
