"""Reward shaping by length."""

from __future__ import annotations

from torch import Tensor


def soft_overlong(length_B: Tensor, max_length: int, cache: int) -> Tensor:
    """DAPO's punishment (arXiv:2503.14476, eq. 13) [B]: 0 up to max - cache tokens, then linear to -1 at max.

    Raises:
        ValueError: `cache` is not in 1..max_length.

    >>> from torch import tensor
    >>> soft_overlong(tensor([5, 8, 10, 12]), 10, 4).tolist()
    [0.0, -0.5, -1.0, -1.0]
    """
    if not 1 <= cache <= max_length:
        raise ValueError(
            f"soft_overlong needs 1 <= cache <= max_length; got cache {cache}, max_length {max_length}"
        )
    return ((max_length - cache - length_B) / cache).clamp(-1.0, 0.0)
