"""What both sides of grpo_step.py measure alike: the pipe to the driver, peak memory, whether weights moved.

Standard library and torch only: it is imported in Guerdon's environment and in TRL's.
"""

from __future__ import annotations

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
    status = Path("/proc/self/status")
    if status.exists():
        lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        if lines:
            return int(lines[0].split()[1]) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def fingerprint(weights: Sequence[Tensor]) -> list[int]:
    """One exact number per tensor: it changes when a bit does, bar a rare cancellation. Copies nothing."""
    return [int(item.detach().view(BITS[item.element_size()]).sum(dtype=torch.int64)) for item in weights]


def num_changed(before: Sequence[int], after: Sequence[int]) -> int:
    """Tensors whose fingerprints differ."""
    return sum(a != b for a, b in zip(before, after, strict=True))


def digest(prompts: Sequence[Sequence[int]]) -> str:
    """The same for both systems if they were given the same token ids in the same order."""
    return hashlib.sha256(json.dumps([list(ids) for ids in prompts]).encode()).hexdigest()[:16]
