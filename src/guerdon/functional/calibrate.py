"""Scores onto a common scale, against reference samples; and how far stated confidence is from the truth.

Axes: N values, R reference values, B bins.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from guerdon.functional.masked import full_precision


def zscore(value_N: Tensor, reference_R: Tensor) -> Tensor:
    """Standard deviations above the reference's mean [N]; 0 for a reference without spread, float residue aside.

    >>> from torch import tensor
    >>> zscore(tensor([3.0]), tensor([0.0, 2.0]))
    tensor([2.])
    """
    value_N, reference_R = full_precision(value_N), full_precision(reference_R)
    deviation = reference_R.std(correction=0)
    has_spread = deviation > 1e-6 * reference_R.abs().amax().clamp(min=1.0)
    safe = torch.where(has_spread, deviation, torch.ones_like(deviation))
    return torch.where(has_spread, (value_N - reference_R.mean()) / safe, torch.zeros_like(value_N))


def rank_scale(value_N: Tensor, reference_R: Tensor) -> Tensor:
    """Share of reference values below minus share above, in [-1, 1] [N]: 0 is the median, ties count half.

    >>> from torch import tensor
    >>> rank_scale(tensor([1.0, 5.0]), tensor([0.0, 1.0, 2.0]))
    tensor([0., 1.])
    """
    value_N, ordered_R = full_precision(value_N), full_precision(reference_R).sort().values
    below_N = torch.searchsorted(ordered_R, value_N.contiguous(), right=False)
    upto_N = torch.searchsorted(ordered_R, value_N.contiguous(), right=True)
    return (below_N + upto_N).to(value_N) / len(ordered_R) - 1.0


def contrast(value_N: Tensor, reference_NM: Tensor) -> Tensor:
    """Reward above the mean of M reference responses to the same prompt [N] (contrastive rewards, arXiv:2403.07708).

    Constant within a prompt, so it changes nothing in an advantage that subtracts the group's mean: it matters
    where rewards are clipped, squashed or normalised over the batch.

    >>> from torch import tensor
    >>> contrast(tensor([2.0]), tensor([[0.0, 1.0]]))
    tensor([1.5000])
    """
    return full_precision(value_N) - full_precision(reference_NM).mean(1)


def preference_as_reward(value_N: Tensor, reference_NM: Tensor) -> Tensor:
    """PAR (arXiv:2502.18770) in 0..1 [N]: the mean chance, under Bradley-Terry, to beat each of M reference responses.

    Rises fast, then saturates: a response that is clearly better gains nothing by an even higher proxy.

    >>> from torch import tensor
    >>> preference_as_reward(tensor([1.0]), tensor([[1.0, 1.0]]))
    tensor([0.5000])
    """
    return (full_precision(value_N)[:, None] - full_precision(reference_NM)).sigmoid().mean(1)


class Reliability(NamedTuple):
    """How often each stated confidence was right."""

    confidence_B: Tensor
    """Mean stated confidence of each bin; NaN in an empty one."""
    accuracy_B: Tensor
    """Share of hits of each bin; NaN in an empty one."""
    count_B: Tensor
    error: Tensor
    """Expected calibration error: the mean distance of the two, weighted by count (Guo et al. 2017)."""


def reliability(confidence_N: Tensor, hit_N: Tensor, *, num_bins: int = 10) -> Reliability:
    """Bins of equal width over confidences in 0..1.

    >>> from torch import tensor
    >>> round(reliability(tensor([0.75, 0.75]), tensor([1.0, 0.0])).error.item(), 3)
    0.25
    """
    confidence_N, hit_N = full_precision(confidence_N), full_precision(hit_N)
    place_N = (confidence_N * num_bins).long().clamp(0, num_bins - 1)
    count_B = torch.bincount(place_N, minlength=num_bins).to(confidence_N)
    stated_B = torch.zeros_like(count_B).index_add(0, place_N, confidence_N) / count_B
    right_B = torch.zeros_like(count_B).index_add(0, place_N, hit_N) / count_B
    gap_B = torch.where(count_B > 0, (stated_B - right_B).abs(), torch.zeros_like(count_B))
    return Reliability(stated_B, right_B, count_B, (gap_B * count_B).sum() / max(1, len(confidence_N)))


def smoothed(x_N: Tensor, y_N: Tensor, *, span: float = 0.5, num_robust: int = 3) -> Tensor:
    """LOWESS [N] (Cleveland 1979): at each x, the local line through its nearest share `span` of points, tricube weights.

    Fitted again `num_robust` times with bisquare weights of the residuals, so that outliers pull nothing; 0 is the plain
    fit. Subtracted from scores against length, it takes out what length alone explains (arXiv:2409.17407, whose code
    calls statsmodels' `lowess` with these numbers). Where fewer than two points keep a weight, what was there before stays.

    >>> x = torch.arange(5.0)
    >>> smoothed(x, 2 * x + 1, span=1.0).round()
    tensor([1., 3., 5., 7., 9.])
    """
    x_N, y_N = full_precision(x_N).double(), full_precision(y_N).double()
    near = min(len(x_N), max(2, int(span * len(x_N) + 1e-10)))
    if not len(x_N):
        return y_N.float()
    here_U, place_N = torch.unique(
        x_N, return_inverse=True
    )  # lengths repeat: one line for each, not for each response
    trust_N, count_U = torch.ones_like(y_N), torch.bincount(place_N)
    fit_U = torch.zeros_like(here_U).index_add(0, place_N, y_N) / count_U
    for _ in range(num_robust + 1):
        lines = [_local_line(x_N, y_N, trust_N, here, near) for here in here_U]
        fit_U = torch.stack(
            [before if line is None else line for line, before in zip(lines, fit_U, strict=True)]
        )
        trust_N = _bisquare((y_N - fit_U[place_N]).abs())
    return fit_U[place_N].float()


def _bisquare(residual_N: Tensor) -> Tensor:
    """Weights [N] by the size of residuals: 0 beyond six times their median."""
    scale = 6 * residual_N.quantile(0.5)
    if scale == 0.0:
        return (residual_N == 0.0).to(residual_N)
    return (1 - (residual_N / scale).clamp(max=1.0) ** 2) ** 2


def _local_line(x_N: Tensor, y_N: Tensor, trust_N: Tensor, here: Tensor, near: int) -> Tensor | None:
    """Its value at `here`; None: too few points have any weight."""
    distance_N = (x_N - here).abs()
    reach = distance_N.kthvalue(near).values * (1 + 1e-9)
    # So many equal x that there is no line: then only their mean.
    near_N = (
        (distance_N == 0.0).to(x_N) if reach == 0.0 else (1 - (distance_N / reach).clamp(max=1.0) ** 3) ** 3
    )
    weight_N = near_N * trust_N
    if (weight_N > 1e-12).sum() < 2:
        return None
    total = weight_N.sum()
    x_mean, y_mean = (weight_N * x_N).sum() / total, (weight_N * y_N).sum() / total
    spread = (weight_N * (x_N - x_mean) ** 2).sum()
    if spread <= 1e-12 * total:
        return y_mean
    slope = (weight_N * (x_N - x_mean) * (y_N - y_mean)).sum() / spread
    return y_mean + slope * (here - x_mean)
