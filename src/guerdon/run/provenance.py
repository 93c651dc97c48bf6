"""Where a run came from: the code, the packages, the machine. Read-only facts, never a decision."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path

from guerdon.core.types import Json


def provenance(recipe: Path | None = None) -> dict[str, Json]:
    """What stands under "provenance" in config.json; `recipe` is the file whose repository is named."""
    return {
        "guerdon": version("guerdon"),
        "git_commit": git_commit(recipe.resolve().parent) if recipe else None,
        "python": platform.python_version(),
        "packages": installed_packages(),
        "machine": machine(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def git_commit(folder: Path) -> str | None:
    """The commit that `folder` is at, then "-dirty" if tracked files were changed; None without git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def installed_packages() -> dict[str, Json]:
    """Name to version of every installed distribution, sorted."""
    found = {
        dist.metadata["Name"].lower(): dist.version
        for dist in distributions()
        if dist.metadata["Name"] is not None
    }
    return dict(sorted(found.items()))


def machine() -> dict[str, Json]:
    """Operating system, processor, usable cores, and memory in GB."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "cpu": _cpu_model(),
        "num_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
