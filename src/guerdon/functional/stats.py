"""Statistics of evaluations."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Interval(NamedTuple):
    """A mean with its bootstrap percentile interval."""

    mean: Tensor
    low: Tensor
    high: Tensor


def pass_at_k(num_samples: int, num_right: int, k: int) -> float:
    """Unbiased chance that at least one of k samples is right: 1 - C(n - c, k) / C(n, k) (arXiv:2107.03374).

    >>> pass_at_k(4, 1, 2)
    0.5
    """
    if not 0 <= num_right <= num_samples or not 1 <= k <= num_samples:
        raise ValueError(f"pass@k needs 0 <= right <= samples and 1 <= k <= samples; got {num_right}, {num_samples}, {k}")
    return 1.0 - math.comb(num_samples - num_right, k) / math.comb(num_samples, k)


def bootstrap_interval(
    values_B: Tensor, *, num_resamples: int, generator: torch.Generator, confidence: float = 0.95
) -> Interval:
    """Percentile interval of the mean (Efron 1979), resampling the B values; B >= 1.

    For a paired difference, pass the differences.
    """
    count = len(values_B)
    low, high = (1 - confidence) / 2, (1 + confidence) / 2
    means = torch.cat(
        [
            values_B[torch.randint(count, (min(256, num_resamples - start), count), generator=generator)].mean(1)
            for start in range(0, num_resamples, 256)
        ]
    )
    bounds = torch.quantile(means, torch.tensor([low, high], dtype=means.dtype))
    return Interval(values_B.mean(), bounds[0], bounds[1])
