"""Statistics of evaluations: pass@k, and bootstrap intervals of means and of paired differences.

Deterministic: the same generator state gives the same interval.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

_CHUNK = 256
"""Resamples held in memory at once; divides the work, does not change the result."""


class Interval(NamedTuple):
    """A mean with its bootstrap percentile interval; scalars."""

    mean: Tensor
    low: Tensor
    high: Tensor


def pass_at_k(num_samples: int, num_right: int, k: int) -> float:
    """Unbiased chance that at least one of k samples is right: 1 - C(n - c, k) / C(n, k) (arXiv:2107.03374).

    Raises:
        ValueError: counts that cannot be.

    >>> pass_at_k(4, 1, 2)
    0.5
    """
    if not 0 <= num_right <= num_samples or not 1 <= k <= num_samples:
        raise ValueError(
            "pass@k needs 0 <= num_right <= num_samples and 1 <= k <= num_samples; "
            f"got num_samples {num_samples}, num_right {num_right}, k {k}"
        )
    return 1.0 - math.comb(num_samples - num_right, k) / math.comb(num_samples, k)


def bootstrap_interval(
    values_B: Tensor, *, num_resamples: int, generator: torch.Generator, confidence: float = 0.95
) -> Interval:
    """Percentile interval of the mean (Efron 1979), resampling the B values with replacement.

    Args:
        values_B: at least one number; one per independent unit (a problem, not a sample of it).
        num_resamples: 1000 or more give a stable second digit.
        generator: on the CPU.
        confidence: share of resampled means inside, 0..1.

    Raises:
        ValueError: no values.

    >>> found = bootstrap_interval(torch.ones(5), num_resamples=100, generator=torch.Generator())
    >>> tuple(bound.item() for bound in found)
    (1.0, 1.0, 1.0)
    """
    count = len(values_B)
    if count == 0:
        raise ValueError("bootstrap_interval needs at least one value")
    means = []
    for start in range(0, num_resamples, _CHUNK):
        size = (min(_CHUNK, num_resamples - start), count)
        means.append(values_B[torch.randint(count, size, generator=generator)].mean(1))
    tails = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=values_B.dtype)
    low, high = torch.quantile(torch.cat(means), tails)
    return Interval(values_B.mean(), low, high)


def paired_difference(
    before_B: Tensor,
    after_B: Tensor,
    *,
    num_resamples: int,
    generator: torch.Generator,
    confidence: float = 0.95,
) -> Interval:
    """Interval of mean(after - before) where row b of both is the same problem; problems are resampled.

    Much narrower than two intervals side by side when hard problems stay hard. 0 inside = no change shown.

    Raises:
        ValueError: the two do not belong together, or are empty.

    >>> before, after = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.25, 0.75, 1.25])
    >>> found = paired_difference(before, after, num_resamples=100, generator=torch.Generator())
    >>> tuple(bound.item() for bound in found)
    (0.25, 0.25, 0.25)
    """
    if before_B.shape != after_B.shape:
        raise ValueError(
            f"paired_difference needs the same problems twice; got {len(before_B)} and {len(after_B)}"
        )
    return bootstrap_interval(
        after_B - before_B, num_resamples=num_resamples, generator=generator, confidence=confidence
    )
