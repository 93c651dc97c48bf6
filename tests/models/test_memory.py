from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from guerdon.models.memory import NUM_KERNELS, bound_kernel_cache, keep_pages, release_memory


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


GROWTH = """
import ctypes, sys, torch
from guerdon.models.memory import bound_kernel_cache
if sys.argv[1] == "bounded":
    bound_kernel_cache()
def used():
    fields = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    info = type("Info", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_size_t) for name in fields]})
    call = ctypes.CDLL("libc.so.6").mallinfo2
    call.restype = info
    return call().uordblks
weight = torch.ones(256, 256, dtype=torch.bfloat16)
def multiply(sizes):
    for rows in sizes:
        torch.ones(rows, 256, dtype=torch.bfloat16) @ weight
multiply(range(16, 96))
before = used()
multiply(range(100, 500))
print(used() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="no oneDNN in this PyTorch")
def test_kernels_of_old_shapes_are_let_go() -> None:
    grown = {}
    for how in ("bounded", "free"):
        environment = {
            key: value for key, value in os.environ.items() if key != "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
        }
        done = subprocess.run(
            [sys.executable, "-c", GROWTH, how], env=environment, capture_output=True, text=True, check=True
        )
        grown[how] = int(done.stdout)
    assert grown["bounded"] < grown["free"] / 2, grown


FAULTS = """
import resource, sys, torch
from guerdon.models.memory import keep_pages, release_memory
if sys.argv[1] == "kept":
    assert keep_pages()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    kept = [torch.ones(10_000_000) for _ in range(3)]
for _ in range(10):
    step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
release_memory()
print(int(open("/proc/self/statm").read().split()[1]) * 4096)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_pages_of_a_step_are_asked_for_once_and_given_back_after_it() -> None:
    environment = {key: value for key, value in os.environ.items() if "MALLOC" not in key}
    found = {}
    for how in ("kept", "free"):
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, how], env=environment, capture_output=True, text=True, check=True
        )
        found[how] = [int(line) for line in done.stdout.split()]
    assert found["kept"][0] < found["free"][0] / 10, found
    assert found["kept"][1] < found["free"][1] + 10e6, found


def test_a_setting_of_the_heap_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    assert not keep_pages.__wrapped__()


def test_a_setting_of_the_user_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")
    bound_kernel_cache()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "7"
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    bound_kernel_cache()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == str(NUM_KERNELS)
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY")
