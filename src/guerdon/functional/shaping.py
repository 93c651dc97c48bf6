"""Reward shaping by length."""

from __future__ import annotations

import torch
from torch import Tensor


def soft_overlong(length_B: Tensor, max_length: int, cache: int) -> Tensor:
    """DAPO's punishment (arXiv:2503.14476, eq. 13): 0 up to max - cache tokens, then linear to -1 at max.

    >>> soft_overlong(torch.tensor([6.0, 8.0, 10.0, 12.0]), 10, 4)
    tensor([ 0.0000, -0.5000, -1.0000, -1.0000])
    """
    return ((max_length - cache - length_B) / cache).clamp(-1.0, 0.0) + torch.zeros_like(length_B)
