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

    Args:
        objective: which pieces.
        terms: log-probabilities, advantages and mask of the rows at hand.
        totals: denominators of the whole update.
    """
    mask_BT = terms.mask_BT
    log_ratio_BT = log_ratio(terms.logprobs_BT, terms.old_logprobs_BT, mask_BT)
    ratio_BT = objective.ratio(log_ratio_BT, mask_BT)
    advantages_BT = terms.advantages_BT.masked_fill(~mask_BT, 0.0)
    policy_BT = objective.surrogate(ratio_BT, advantages_BT, terms.logprobs_BT, mask_BT)
    weight_BT = _correction(objective, terms)
    keep_B1 = _kept(objective, terms)
    policy_BT = policy_BT * weight_BT * keep_B1
    loss = objective.aggregate(policy_BT, mask_BT, totals)
    metrics: dict[str, Metric] = {"policy_loss": Sum(float(loss.detach()))}
    metrics |= _ratio_metrics(objective, ratio_BT.detach(), advantages_BT, mask_BT)
    if objective.beta and terms.ref_logprobs_BT is not None:
        kl_BT = objective.kl(terms.logprobs_BT, terms.ref_logprobs_BT, terms.behavior_logprobs_BT, mask_BT)
        loss = loss + objective.beta * objective.aggregate(kl_BT, mask_BT, totals)
        metrics["kl"] = _masked_mean(kl_BT.detach(), mask_BT)
    if objective.entropy_coef and terms.entropy_BT is not None:
        loss = loss - objective.entropy_coef * objective.aggregate(terms.entropy_BT, mask_BT, totals)
    if objective.off_policy_mask_threshold is not None:
        metrics["off_policy/kept"] = Mean(float(keep_B1.sum()), len(keep_B1))
    if objective.importance_sampling_correction != "none":
        metrics["sampling/importance_sampling_ratio/mean"] = _masked_mean(weight_BT, mask_BT)
    return Loss(loss, metrics)


def _correction(objective: Objective, terms: TokenTerms) -> Tensor:
    arguments = (terms.old_logprobs_BT, terms.behavior_logprobs_BT, terms.mask_BT)
    cap = objective.importance_sampling_cap
    match objective.importance_sampling_correction:
        case "truncate":
            return truncated_importance(*arguments, cap)
        case "mask":
            return masked_importance(*arguments, 1.0 / cap, cap)
        case _:
            return torch.ones_like(terms.advantages_BT)


def _kept(objective: Objective, terms: TokenTerms) -> Tensor:
    if objective.off_policy_mask_threshold is None:
        return torch.ones_like(terms.advantages_BT[:, :1])
    return off_policy_sequence_mask(
        terms.advantages_BT,
        terms.logprobs_BT,
        terms.behavior_logprobs_BT,
        terms.mask_BT,
        objective.off_policy_mask_threshold,
    ).float()


def _ratio_metrics(objective: Objective, ratio_BT: Tensor, advantages_BT: Tensor, mask_BT: Tensor) -> dict[str, Metric]:
    """TRL's clip ratios: the share of tokens whose update the bound stopped."""
    if not objective.low and not objective.high:
        return {}
    low_BT = (ratio_BT < 1 - objective.low) & (advantages_BT < 0)
    high_BT = (ratio_BT > 1 + objective.high) & (advantages_BT > 0)
    return {
        "clip_ratio/low_mean": _masked_mean(low_BT.float(), mask_BT),
        "clip_ratio/high_mean": _masked_mean(high_BT.float(), mask_BT),
        "clip_ratio/region_mean": _masked_mean((low_BT | high_BT).float(), mask_BT),
    }


def _masked_mean(values_BT: Tensor, mask_BT: Tensor) -> Metric:
    return Mean(float(values_BT.masked_fill(~mask_BT, 0.0).sum()), float(mask_BT.sum()))
