"""Losses of reward models: pairs, ties, lists, ratings; and what keeps a reward model from collapsing.

A reward model reads a response and says u, a real number; only differences of u within a prompt mean anything, so its
level drifts and a squashed score saturates unless something holds it. Every loss is one number per item, to be summed
over a denominator of the whole update. Axes: N pairs, lists or responses, L responses of a list, K bins.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import huber_loss, log_softmax, logsigmoid

from guerdon.functional.masked import full_precision, zeroed


def bradley_terry(
    chosen_N: Tensor, rejected_N: Tensor, *, margin_N: Tensor | float = 0.0, label_smoothing: float = 0.0
) -> Tensor:
    """-log P(chosen beats rejected by the margin) [N]: -log sigmoid(u_w - u_l - m) (Bradley and Terry 1952).

    Args:
        chosen_N: u of the better responses.
        rejected_N: u of the worse ones.
        margin_N: by how much better they should be (Llama 2, arXiv:2307.09288, eq. 2).
        label_smoothing: share of labels taken to be wrong, 0..0.5 (conservative loss, arXiv:2305.18290 and its notes).

    Raises:
        ValueError: `label_smoothing` is not in 0..0.5.

    >>> bradley_terry(torch.tensor([1.0]), torch.tensor([1.0])).exp()
    tensor([2.])
    """
    if not 0.0 <= label_smoothing <= 0.5:
        raise ValueError(f"bradley_terry needs label_smoothing in 0..0.5; got {label_smoothing}")
    gap_N = full_precision(chosen_N) - full_precision(rejected_N) - margin_N
    return -(1.0 - label_smoothing) * logsigmoid(gap_N) - label_smoothing * logsigmoid(-gap_N)


def tie(first_N: Tensor, second_N: Tensor) -> Tensor:
    """A pair that was judged equal, as half a win for either side [N]; smallest, log 2, at a difference of 0.

    >>> tie(torch.tensor([0.3]), torch.tensor([0.3])).exp()
    tensor([2.])
    """
    return bradley_terry(first_N, second_N, label_smoothing=0.5)


def prompt_aware(
    chosen_N: Tensor, rejected_N: Tensor, open_ended_N: Tensor, *, epsilon: float = 0.1
) -> Tensor:
    """-U(z) for z = sigmoid(u_w) - sigmoid(u_l), where the utility U depends on the prompt [N] (arXiv:2305.17608).

    One utility for all prompts forces one and the same distribution of rewards onto each of them. With U(z) = z the
    rewards of a closed-ended prompt go to both ends; with U(z) = 1 - epsilon / (z + epsilon), the paper's -1/z kept
    finite and continued below 0 by its tangent, those of an open-ended prompt spread evenly. Both have slope 1 at 0
    after scaling.

    Args:
        chosen_N: u of the better responses.
        rejected_N: u of the worse ones.
        open_ended_N: bool, whether many answers to the prompt may be good.
        epsilon: above 0; how sharply a small difference is rewarded.

    >>> zero, far = torch.zeros(2), torch.tensor([40.0, 40.0])
    >>> prompt_aware(far, -far, torch.tensor([False, True])).tolist()
    [-1.0, -0.09090909361839294]
    """
    z_N = full_precision(chosen_N).sigmoid() - full_precision(rejected_N).sigmoid()
    spread_N = epsilon**2 / (z_N.clamp(min=0.0) + epsilon) - epsilon - z_N.clamp(max=0.0)
    return torch.where(open_ended_N.bool(), spread_N, -z_N)


def plackett_luce(utility_NL: Tensor, mask_NL: Tensor, rank_NL: Tensor | None = None) -> Tensor:
    """-log probability of ranked lists [N] (Plackett 1975): each item is drawn from itself and those ranked below it.

    Items of equal rank never meet: neither order of the two is asked for, and a list of equals alone costs nothing.

    Args:
        utility_NL: u of the responses.
        mask_NL: which places hold a response.
        rank_NL: their ranks, lower is better, equal is undecided; None: they stand best first.

    >>> plackett_luce(torch.zeros(1, 3), torch.ones(1, 3)).exp().round()
    tensor([6.])
    >>> plackett_luce(torch.zeros(1, 3), torch.ones(1, 3), torch.tensor([[1, 1, 2]])).exp().round() # two choices of two
    tensor([4.])
    """
    mask_NL = mask_NL.bool()
    utility_NL = zeroed(full_precision(utility_NL), mask_NL)
    place_L = torch.arange(mask_NL.shape[1], device=mask_NL.device)
    rank_NL = place_L.expand_as(mask_NL) if rank_NL is None else rank_NL
    below_NLL = (rank_NL[:, None, :] > rank_NL[:, :, None]) & mask_NL[:, None, :]
    among_NLL = below_NLL | (place_L[:, None] == place_L)
    floor = torch.finfo(utility_NL.dtype).min
    rest_NL = utility_NL[:, None, :].expand_as(among_NLL).masked_fill(~among_NLL, floor).logsumexp(2)
    return zeroed(rest_NL - utility_NL, mask_NL).sum(1)


def pointwise(score_N: Tensor, label_N: Tensor, *, delta: float = 0.5) -> Tensor:
    """Huber loss between scores and labels, both in [-1, 1] [N]; beyond `delta` an error counts linearly.

    >>> pointwise(torch.tensor([0.5]), torch.tensor([0.25])).item() # 0.25^2 / 2
    0.03125
    """
    return huber_loss(full_precision(score_N), full_precision(label_N), reduction="none", delta=delta)


def centering(chosen_N: Tensor, rejected_N: Tensor, bias_N: Tensor | float = 0.0) -> Tensor:
    """(u_w + u_l - 2 b)^2 [N]: keeps the level of u at the bias b (arXiv:2312.09244; there b = 0).

    >>> centering(torch.tensor([3.0]), torch.tensor([1.0]), torch.tensor([2.0]))
    tensor([0.])
    """
    return (full_precision(chosen_N) + full_precision(rejected_N) - 2 * bias_N).square()


def bias_regression(bias_N: Tensor, level_N: Tensor) -> Tensor:
    """(b - level)^2 [N], with no gradient into the level: b learns what u is on average for a prompt.

    >>> bias_regression(torch.tensor([1.0]), torch.tensor([3.0]))
    tensor([4.])
    """
    return (full_precision(bias_N) - full_precision(level_N).detach()).square()


def variance_floor(score_N: Tensor, mean: Tensor, deviation: Tensor, floor: float) -> Tensor:
    """Max(0, floor - std)^2 per response [N], with the gradient it has where std is that of many responses.

    Mean and deviation are running statistics of the scores, constants here, so that the term is a sum over responses
    and micro-batching cannot change it; its gradient pushes each score away from the mean (as in arXiv:2105.04906,
    where the batch is the statistic).

    >>> near = torch.tensor([0.1, -0.1], requires_grad=True)
    >>> variance_floor(near, torch.tensor(0.0), torch.tensor(0.1), 0.3).sum().backward()
    >>> (10 * near.grad).round() # -2 (0.3 - 0.1) / 0.1 * 0.1
    tensor([-4.,  4.])
    """
    short = (floor - deviation).clamp(min=0.0)
    away_N = -(short / deviation.clamp(min=1e-3)) * (full_precision(score_N) - mean).square()
    return short.square() + away_N - away_N.detach()


def squash(u_N: Tensor, bias_N: Tensor | float, scale: Tensor | float) -> Tensor:
    """The score tanh((u - b) / tau) in [-1, 1].

    >>> squash(torch.tensor([2.0]), 2.0, 1.0)
    tensor([0.])
    """
    return torch.tanh((full_precision(u_N) - bias_N) / scale)


def bin_values(num_bins: int) -> Tensor:
    """Centres [K] of the bins of a binned head: evenly from -1 to 1.

    >>> bin_values(5).tolist()
    [-1.0, -0.5, 0.0, 0.5, 1.0]
    """
    return torch.arange(1 - num_bins, num_bins, 2) / (num_bins - 1)  # the middle one is exactly 0


def bin_mean(logits_NK: Tensor) -> Tensor:
    """Expected score of a binned head [N], in [-1, 1].

    >>> bin_mean(torch.tensor([[0.0, 0.0, 0.0]]))
    tensor([0.])
    """
    probability_NK = full_precision(logits_NK).softmax(1)
    return probability_NK @ bin_values(logits_NK.shape[1]).to(probability_NK)


def bin_pair(chosen_NK: Tensor, rejected_NK: Tensor) -> Tensor:
    """-log P(a score drawn for chosen is above one drawn for rejected), equal bins counting half [N].

    >>> bin_pair(torch.zeros(1, 3), torch.zeros(1, 3)).exp()
    tensor([2.])
    """
    chosen_NK, rejected_NK = full_precision(chosen_NK), full_precision(rejected_NK)
    joint_NKK = log_softmax(chosen_NK, 1)[:, :, None] + log_softmax(rejected_NK, 1)[:, None, :]
    above_KK = torch.ones_like(joint_NKK[0]).tril()
    above_KK = above_KK - 0.5 * torch.diag(above_KK.diagonal())
    return -(joint_NKK + above_KK.log()).logsumexp((1, 2))


def bin_label(logits_NK: Tensor, label_N: Tensor) -> Tensor:
    """Cross-entropy against a label in [-1, 1] that is shared between its two nearest bins [N] (arXiv:2403.03950).

    >>> bin_label(torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([0.5])).exp()
    tensor([3.])
    """
    bins = logits_NK.shape[1]
    place_N = (full_precision(label_N).clamp(-1.0, 1.0) + 1.0) * (bins - 1) / 2
    low_N = place_N.floor().clamp(max=bins - 2)
    share_N = place_N - low_N
    logprob_NK = log_softmax(full_precision(logits_NK), 1)
    index_N1 = low_N.long()[:, None]
    low, high = logprob_NK.gather(1, index_N1)[:, 0], logprob_NK.gather(1, index_N1 + 1)[:, 0]
    return -(1.0 - share_N) * low - share_N * high


def spct_reward(score_L: Tensor, best: int, *, single_label: float | None = None) -> float:
    """+1 or -1 for one critique's scores (DeepSeek-GRM, arXiv:2504.02495, eq. 4): is the right response strictly best?

    Args:
        score_L: the scores it gives to L responses.
        best: which response is best.
        single_label: with one response, the score it should have.

    >>> spct_reward(torch.tensor([7.0, 7.0]), 0)
    -1.0
    """
    if len(score_L) == 1:
        return 1.0 if single_label is not None and float(score_L[0]) == single_label else -1.0
    others = torch.cat([score_L[:best], score_L[best + 1 :]])
    return 1.0 if bool((score_L[best] > others).all()) else -1.0
