"""What this machine and this installation can do. Changes nothing; works without torch.

A `Finding` is one row of `guerdon doctor`: what was looked at, what was found, and what to do about it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from guerdon.cli.extras import extras
from guerdon.models.home import guerdon_home

CPU_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
LANDLOCK_CREATE_RULESET = 444
"""The system call's number, the same on every architecture."""


class Finding(NamedTuple):
    """One row of the doctor's table."""

    topic: str
    name: str
    found: str
    todo: str = ""
    """What to type or to know; empty where all is well."""


def findings() -> list[Finding]:
    """Every finding, in the order of the table."""
    return [*_software(), *_hardware(), *_sandbox(), *_models(), *_extras(), _chromium()]


def _software() -> list[Finding]:
    found = [
        Finding("software", "guerdon", version("guerdon")),
        Finding("software", "python", platform.python_version()),
    ]
    for name in ("torch", "transformers"):
        try:
            found.append(Finding("software", name, version(name)))
        except PackageNotFoundError:
            todo = "needed by train and eval: pip install 'guerdon[train]'"
            found.append(Finding("software", name, "not installed", todo))
    return found


def _hardware() -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [
        Finding("hardware", "cpu", *_cpu()),
        Finding("hardware", "cores", f"{cores} usable of {os.cpu_count()}"),
        Finding("hardware", "memory", *_memory()),
        Finding("hardware", "disk", *_disk()),
        Finding("hardware", "gpu", *_gpu()),
    ]


def _cpu() -> tuple[str, str]:
    flags = _field(Path("/proc/cpuinfo"), "flags").split()
    if not flags:
        return platform.machine(), ""
    have = [name for name in CPU_FEATURES if name in flags]
    fast = {"avx512_bf16", "amx_bf16"} & set(have)
    todo = "" if fast else 'no native bfloat16: model.dtype = "auto" takes float32'
    return f"{platform.machine()} {' '.join(have)}".strip(), todo


def _memory() -> tuple[str, str]:
    """Total and available, and the container's own limit where it is lower."""
    total, free = (_kib(_field(Path("/proc/meminfo"), name)) for name in ("MemTotal", "MemAvailable"))
    if not total:
        return "unknown", ""
    limit = _text(Path("/sys/fs/cgroup/memory.max")).strip()
    text = f"{free / 1e9:.1f} GB free of {total / 1e9:.1f}"
    if limit.isdigit() and int(limit) < total:
        text += f", this container may use {int(limit) / 1e9:.1f}"
    return text, "the quickstart needs 4 GB" if free < 4e9 else ""


def _disk() -> tuple[str, str]:
    place = guerdon_home()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return (
        f"{free / 1e9:.1f} GB free for {guerdon_home()}",
        "models and checkpoints need a few GB" if free < 5e9 else "",
    )


def _gpu() -> tuple[str, str]:
    if find_spec("torch") is None:
        return ("nvidia driver present", "") if Path("/proc/driver/nvidia/gpus").is_dir() else ("none", "")
    import torch

    if not torch.cuda.is_available():
        driver = Path("/proc/driver/nvidia/gpus").is_dir()
        return "none", "there is an nvidia driver, but this torch was built without CUDA" if driver else ""
    cards = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return ", ".join(f"{card.name} {card.total_memory / 1e9:.0f} GB" for card in cards), ""


def _sandbox() -> list[Finding]:
    found = []
    for name, ok, text in (_namespaces(), _landlock(), _seccomp()):
        todo = "" if ok else "answers that are code cannot be confined with it here"
        found.append(Finding("sandbox", name, text, todo))
    return found


def _namespaces() -> tuple[str, bool, str]:
    """Tried in a child: a namespace once entered cannot be left."""
    probe = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000) != 0)"  # CLONE_NEWUSER
    ok = sys.platform == "linux" and _child(probe) == 0
    return "user namespaces", ok, "yes" if ok else "refused"


def _landlock() -> tuple[str, bool, str]:
    probe = (
        "import ctypes, sys; call = ctypes.CDLL(None).syscall; call.restype = ctypes.c_long; "
        f"abi = call({LANDLOCK_CREATE_RULESET}, None, ctypes.c_size_t(0), 1); sys.exit(abi if abi > 0 else 0)"
    )
    abi = _child(probe) if sys.platform == "linux" else 0
    return "Landlock", abi > 0, f"ABI {abi}" if abi > 0 else "no"


def _seccomp() -> tuple[str, bool, str]:
    actions = _text(Path("/proc/sys/kernel/seccomp/actions_avail")).split()
    ok = "kill_process" in actions or bool(_field(Path("/proc/self/status"), "Seccomp"))
    return "seccomp", ok, "yes" if ok else "no"


def _models() -> list[Finding]:
    cached = sorted(path.parent for path in (guerdon_home() / "models").glob("*/complete"))
    rows = [Finding("models", path.name, f"{_size(path) / 1e6:.0f} MB in {path}") for path in cached]
    return rows or [
        Finding("models", "cached", f"none in {guerdon_home()}", "guerdon train quickstart fetches one")
    ]


def _extras() -> list[Finding]:
    rows = []
    for extra, missing in sorted(extras().items()):
        text = f"lacks {', '.join(missing)}" if missing else "complete"
        rows.append(Finding("extras", extra, text, f"pip install 'guerdon[{extra}]'" if missing else ""))
    return rows


def _chromium() -> Finding:
    """The browser that the report's own tests drive; reports are read in any."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    cached = sorted((Path.home() / ".cache" / "ms-playwright").glob("chromium-*"))
    if found or cached:
        return Finding("tests", "chromium", found or str(cached[-1]))
    return Finding("tests", "chromium", "not found", "only for `pytest -m ui`: playwright install chromium")


def _child(code: str) -> int:
    """Exit code of a bare Python that runs `code`; -1 where none can be started."""
    try:
        return subprocess.run([sys.executable, "-I", "-S", "-c", code], timeout=10, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return -1


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _field(path: Path, name: str) -> str:
    """The value of the first `name: value` line of a /proc file; empty where there is none."""
    for line in _text(path).splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return ""


def _kib(text: str) -> float:
    """`16384 kB` as bytes."""
    number = text.partition(" ")[0]
    return float(number) * 1024 if number.isdigit() else 0.0


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
