"""The loss of one micro-batch: the only place where ratio, surrogate, correction, KL and aggregation meet.

    behavior --correction--> weight                     ref --kl--> beta
    old --ratio--> surrogate(A) x weight x kept  +  KL x beta  -  entropy x coef  --aggregate--> loss

Pure tensors [B, T] in, one number out. Axes: B rows, T completion tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from guerdon.core.metrics import Mean, Metric, Sum
from guerdon.functional.aggregate import Totals
from guerdon.functional.correction import masked_importance, off_policy_sequence_mask, truncated_importance
from guerdon.functional.masked import zeroed
from guerdon.functional.ratios import log_ratio
from guerdon.train.algorithms import Objective


class TokenTerms(NamedTuple):
    """What is known of every completion token [B, T]; masked positions may hold anything."""

    logprobs_BT: Tensor
    """Now, with gradient."""
    old_logprobs_BT: Tensor
    """At the start of this rollout step."""
    behavior_logprobs_BT: Tensor
    """As sampled."""
    ref_logprobs_BT: Tensor | None
    """Under the KL anchor, where there is one."""
    advantages_BT: Tensor
    mask_BT: Tensor
    entropy_BT: Tensor | None = None
    """Entropy of each token's distribution, with gradient, where the objective has an entropy bonus."""


class Loss(NamedTuple):
    """A share of the optimiser step's loss, with its metrics as sums."""

    loss: Tensor
    metrics: dict[str, Metric]


def objective_loss(objective: Objective, terms: TokenTerms, totals: Totals) -> Loss:
    """The loss of these rows; summed over an update's micro-batches it is the update's loss.

    Corrections and the off-policy mask touch the surrogate only, never KL or entropy.

    Args:
        objective: which pieces.
        terms: log-probabilities, advantages and mask of the rows at hand.
        totals: denominators of the whole update, with the per-row counts of these rows.
    """
    mask_BT = terms.mask_BT
    advantages_BT = zeroed(terms.advantages_BT, mask_BT)
    ratio_BT = objective.ratio(log_ratio(terms.logprobs_BT, terms.old_logprobs_BT, mask_BT), mask_BT)
    policy_BT = objective.surrogate(ratio_BT, advantages_BT, terms.logprobs_BT, mask_BT)
    weight_BT = _correction(objective, terms)
    keep_B1 = _kept(objective, terms)
    loss = objective.aggregate(policy_BT * weight_BT * keep_B1, mask_BT, totals)
    metrics: dict[str, Metric] = {"policy_loss": Sum(float(loss.detach()))}
    metrics |= _clip_metrics(objective, ratio_BT.detach(), advantages_BT, mask_BT)
    if objective.beta and terms.ref_logprobs_BT is not None:
        kl_BT = objective.kl(terms.logprobs_BT, terms.ref_logprobs_BT, terms.behavior_logprobs_BT, mask_BT)
        loss = loss + objective.beta * objective.aggregate(kl_BT, mask_BT, totals)
        metrics["kl"] = _token_mean(kl_BT.detach(), mask_BT)
    if objective.entropy_coef and terms.entropy_BT is not None:
        loss = loss - objective.entropy_coef * objective.aggregate(terms.entropy_BT, mask_BT, totals)
    if objective.off_policy_mask_threshold is not None:
        metrics["off_policy/kept"] = Mean(float(keep_B1.sum()), len(keep_B1))
    if objective.importance_sampling_correction != "none":
        metrics["sampling/importance_sampling_ratio/mean"] = _token_mean(weight_BT, mask_BT)
    return Loss(loss, metrics)


def _correction(objective: Objective, terms: TokenTerms) -> Tensor:
    """Weights [B, T] that turn samples of the behaviour policy into samples of the old one."""
    tensors = (terms.old_logprobs_BT, terms.behavior_logprobs_BT, terms.mask_BT)
    cap = objective.importance_sampling_cap
    match objective.importance_sampling_correction:
        case "truncate":
            return truncated_importance(*tensors, cap)
        case "mask":
            return masked_importance(*tensors, 1.0 / cap, cap)
        case _:
            return torch.ones_like(terms.advantages_BT)


def _kept(objective: Objective, terms: TokenTerms) -> Tensor:
    """1 for the sequences that the off-policy mask keeps, else 0 [B, 1]."""
    if objective.off_policy_mask_threshold is None:
        return torch.ones_like(terms.advantages_BT[:, :1])
    return off_policy_sequence_mask(
        terms.advantages_BT,
        terms.logprobs_BT,
        terms.behavior_logprobs_BT,
        terms.mask_BT,
        objective.off_policy_mask_threshold,
    ).float()


def _clip_metrics(
    objective: Objective, ratio_BT: Tensor, advantages_BT: Tensor, mask_BT: Tensor
) -> dict[str, Metric]:
    """TRL's clip ratios: the share of tokens whose update the bound stopped (for cispo: held at the cap)."""
    if objective.ratio_bounds is None:
        return {}
    lowest, highest = objective.ratio_bounds
    low_BT = (ratio_BT < lowest) & (advantages_BT < 0)
    high_BT = (ratio_BT > highest) & (advantages_BT > 0)
    return {
        "clip_ratio/low_mean": _token_mean(low_BT.float(), mask_BT),
        "clip_ratio/high_mean": _token_mean(high_BT.float(), mask_BT),
        "clip_ratio/region_mean": _token_mean((low_BT | high_BT).float(), mask_BT),
    }


def _token_mean(values_BT: Tensor, mask_BT: Tensor) -> Metric:
    return Mean(float(zeroed(values_BT, mask_BT).sum()), float(mask_BT.sum()))
