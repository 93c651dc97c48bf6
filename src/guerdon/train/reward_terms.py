"""The functions of the loss table: each the sum of one loss over the items of a pass, or None where it has no items.

Mathematics stands in `functional/preference.py`; here it meets the rows of a pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from guerdon.functional import preference
from guerdon.models.heads import Readout, RewardHeads
from guerdon.train.config import RewardLossConfig

if TYPE_CHECKING:
    from guerdon.train.reward import RewardMicroBatch


class Seen(NamedTuple):
    """What a loss is made of."""

    micro: RewardMicroBatch
    read: Readout
    heads: RewardHeads
    loss: RewardLossConfig


def bradley_terry(seen: Seen) -> Tensor | None:
    """Pairs, by their margins where the recipe says so; ties pull together."""
    micro, loss = seen.micro, seen.loss

    def won(chosen_N: Tensor, rejected_N: Tensor) -> Tensor:
        margin_N = micro.margin_N if loss.use_margin else 0.0
        return preference.bradley_terry(
            chosen_N, rejected_N, margin_N=margin_N, label_smoothing=loss.label_smoothing
        )

    return _pairs(seen, won)


def prompt_aware(seen: Seen) -> Tensor | None:
    """Pairs, with a utility of their own for open-ended prompts; ties pull together."""
    open_N = seen.micro.open_N
    return _pairs(seen, lambda chosen_N, rejected_N: preference.prompt_aware(chosen_N, rejected_N, open_N))


def binned_pairs(seen: Seen) -> Tensor | None:
    """Pairs of a binned head; a tie is half a win for either side."""
    micro, bins_BK = seen.micro, seen.read.bins_BK
    if not len(micro.chosen_N) or bins_BK is None:
        return None
    first, second = bins_BK[micro.chosen_N], bins_BK[micro.rejected_N]
    won_N = preference.bin_pair(first, second)
    even_N = 0.5 * (won_N + preference.bin_pair(second, first))
    return torch.where(micro.tie_N, even_N, won_N).sum()


def listwise(seen: Seen) -> Tensor | None:
    """Whole lists; equal ranks are left unordered."""
    list_LB = seen.micro.list_LB
    if not len(list_LB):
        return None
    u_LB = seen.read.u_B[list_LB.clamp(min=0)]
    return preference.plackett_luce(u_LB, list_LB >= 0, seen.micro.rank_LB).sum()


def critique(seen: Seen) -> Tensor | None:
    """The tokens of the critiques."""
    return None if seen.read.critique_C is None else -seen.read.critique_C.sum()


def pointwise(seen: Seen) -> Tensor | None:
    """Squashed scores against ratings."""
    rated_B = ~seen.micro.rating_B.isnan()
    if not bool(rated_B.any()):
        return None
    score_B = seen.heads.squashed(seen.read)
    return preference.pointwise(score_B[rated_B], seen.micro.rating_B[rated_B]).sum()


def binned_ratings(seen: Seen) -> Tensor | None:
    """The bins against ratings."""
    rated_B, bins_BK = ~seen.micro.rating_B.isnan(), seen.read.bins_BK
    if not bool(rated_B.any()) or bins_BK is None:
        return None
    return preference.bin_label(bins_BK[rated_B], seen.micro.rating_B[rated_B]).sum()


def attributes(seen: Seen) -> Tensor | None:
    """Each attribute against its ratings."""
    wanted_BK, found_BK = seen.micro.attributes_BK, seen.read.attributes_BK
    if wanted_BK is None or found_BK is None:
        return None
    return (preference.pointwise(found_BK, wanted_BK.nan_to_num()) * ~wanted_BK.isnan()).sum()


def centering(seen: Seen) -> Tensor | None:
    """Pairs against the level of their prompt."""
    micro, read = seen.micro, seen.read
    if not len(micro.chosen_N):
        return None
    level_N = read.bias_B[micro.chosen_N].detach()
    return preference.centering(read.u_B[micro.chosen_N], read.u_B[micro.rejected_N], level_N).sum()


def bias(seen: Seen) -> Tensor | None:
    """The bias against the mean u of its prompt; of a prompt with one response it would only repeat that one."""
    parent_B = seen.micro.parent_B
    several_B = torch.bincount(parent_B)[parent_B] > 1
    if not bool(several_B.any()):
        return None
    level_B = _group_means(seen.read.u_B.detach(), parent_B)
    return preference.bias_regression(seen.read.bias_B[several_B], level_B[several_B]).sum()


def variance_floor(seen: Seen) -> Tensor | None:
    """Every score, by the running deviation of scores."""
    heads, score_B = seen.heads, seen.heads.squashed(seen.read)
    mean, deviation = heads.score_mean, heads.score_deviation
    return preference.variance_floor(score_B, mean, deviation, seen.loss.min_std).sum()


def _pairs(seen: Seen, won: Callable[[Tensor, Tensor], Tensor]) -> Tensor | None:
    """The sum over the pairs; of an ensemble each member learns from its own half of them."""
    micro, read = seen.micro, seen.read
    if not len(micro.chosen_N):
        return None

    def found(u_B: Tensor) -> Tensor:
        chosen_N, rejected_N = u_B[micro.chosen_N], u_B[micro.rejected_N]
        return torch.where(micro.tie_N, preference.tie(chosen_N, rejected_N), won(chosen_N, rejected_N))

    if read.members_EB is None or micro.weight_EN is None:
        return found(read.u_B).sum()
    members = zip(micro.weight_EN, read.members_EB, strict=True)
    return torch.stack([(weight_N * found(u_B)).sum() for weight_N, u_B in members]).mean()


def _group_means(value_B: Tensor, parent_B: Tensor) -> Tensor:
    count = torch.bincount(parent_B)
    total = value_B.new_zeros(len(count)).index_add(0, parent_B, value_B)
    return (total / count)[parent_B]
