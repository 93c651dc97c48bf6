"""What is read off the last hidden state of a response, in float32. Axes: B responses, H hidden, E members, K, bins.

    hidden at the response's end --score--> u (members, attributes or bins)     what is learned from pairs
    hidden at the prompt's end   --bias---> b(x), gate                          what the prompt alone says
    s = tanh((u - b) / tau)                                                     in [-1, 1]

b and the gate never send a gradient into the trunk: they describe the prompt's level, they do not shape it. b is a
learned part on top of a running level, which follows u however fast it drifts; tau is the running deviation of u - b.
So scores neither saturate nor crowd around 0.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from guerdon.functional.preference import bin_mean, squash
from guerdon.functional.uncertainty import mean_minus_variance
from guerdon.models.config import HeadConfig

MOMENTUM = 0.9
"""Of the running statistics, per optimiser step."""
WIDTH = 128
"""Hidden numbers of an ensemble's member and of the gate."""


class Readout(NamedTuple):
    """What the heads say about B responses; differentiable."""

    u_B: Tensor
    """The utility: pairs are compared by it."""
    bias_B: Tensor
    """b(x) of each response's prompt; no gradient into the trunk."""
    members_EB: Tensor | None = None
    """Of an ensemble."""
    attributes_BK: Tensor | None = None
    """Ratings in [-1, 1]."""
    bins_BK: Tensor | None = None
    """Logits over the bins."""
    critique_C: Tensor | None = None
    """Log-probability of every critique token, where a critique loss is asked for."""


class RewardHeads(nn.Module):
    """All heads of one reward model."""

    level: Tensor
    """Running mean of u, the part of b that all prompts share."""
    deviation: Tensor
    """tau: running deviation of u - b."""
    score_mean: Tensor
    score_deviation: Tensor
    """Running statistics of the squashed score."""
    num_updates: Tensor

    def __init__(self, config: HeadConfig, hidden_size: int) -> None:
        super().__init__()
        self.config = config
        match config.kind:
            case "ensemble":
                shapes = (config.num_heads, hidden_size, WIDTH), (config.num_heads, WIDTH)
                self.inner, self.outer = (nn.Parameter(_random(shape)) for shape in shapes)
                self.register_buffer("inner_prior", _random(shapes[0]))
                self.register_buffer("outer_prior", _random(shapes[1]))
            case "attributes":
                self.score = nn.Linear(hidden_size, len(config.attributes))
                self.gate = nn.Sequential(
                    nn.Linear(hidden_size, WIDTH), nn.ReLU(), nn.Linear(WIDTH, len(config.attributes))
                )
            case "binned":
                self.score = nn.Linear(hidden_size, config.num_bins)
            case _:  # the layer of transformers' sequence classification, so that its classes load the model
                self.score = nn.Linear(hidden_size, 1, bias=False)
                nn.init.normal_(self.score.weight, std=hidden_size**-0.5)
        if config.bias:
            self.bias = nn.Linear(hidden_size, 1)
            nn.init.zeros_(self.bias.weight)
            nn.init.zeros_(self.bias.bias)
        for name in ("deviation", "score_deviation"):
            self.register_buffer(name, torch.ones(()))
        for name in ("level", "score_mean"):
            self.register_buffer(name, torch.zeros(()))
        self.register_buffer("num_updates", torch.zeros((), dtype=torch.long))

    def forward(self, end_BH: Tensor, prompt_BH: Tensor) -> Readout:
        """Read the hidden states at the ends of responses and of their prompts."""
        end_BH, prompt_BH = end_BH.float(), prompt_BH.detach().float()
        bias_B = torch.zeros_like(end_BH[:, 0])
        if self.config.bias:
            bias_B = self.level + self.bias(prompt_BH)[:, 0]
        match self.config.kind:
            case "ensemble":
                members_EB = self._members(end_BH)
                return Readout(mean_minus_variance(members_EB, self.config.pessimism), bias_B, members_EB)
            case "attributes":
                ratings_BK = self.score(end_BH)
                gate_BK = self.gate(prompt_BH).softmax(1)
                # Pairs teach the gate what counts here; only ratings teach what an attribute is.
                u_B = (gate_BK * (ratings_BK.detach() if self.training else ratings_BK)).sum(1)
                return Readout(u_B, bias_B, attributes_BK=ratings_BK)
            case "binned":
                bins_BK = self.score(end_BH)
                return Readout(bin_mean(bins_BK), bias_B, bins_BK=bins_BK)
            case _:
                return Readout(self.score(end_BH)[:, 0], bias_B)

    def _members(self, end_BH: Tensor) -> Tensor:
        """[E, B]: each member plus a random network of its own that is never trained (arXiv:1806.03335).

        Where there is no data, the fixed parts differ, and so do the members.
        """
        trained_EB = _networks(end_BH, self.inner, self.outer)
        inner_prior, outer_prior = cast(Tensor, self.inner_prior), cast(Tensor, self.outer_prior)
        return trained_EB + _networks(end_BH.detach(), inner_prior, outer_prior)

    def squashed(self, read: Readout) -> Tensor:
        """The score [B] in [-1, 1]."""
        if self.config.kind == "binned":
            return read.u_B
        scale = self.deviation if self.config.bias else 1.0
        return squash(read.u_B, read.bias_B, scale)

    @torch.no_grad()
    def observe(self, read: Readout) -> None:
        """Move the running statistics towards those of these responses (one call an optimiser step)."""
        if len(read.u_B) < 2:
            return
        momentum = MOMENTUM if int(self.num_updates) else 0.0
        away_B = read.u_B - read.bias_B
        if self.config.bias:
            self.level.add_((1 - momentum) * away_B.mean())
        self.deviation.lerp_(away_B.std().clamp(min=1e-3), 1 - momentum)
        score_B = self.squashed(read)
        self.score_mean.lerp_(score_B.mean(), 1 - momentum)
        self.score_deviation.lerp_(score_B.std(), 1 - momentum)
        self.num_updates += 1

    @torch.no_grad()
    def settle(self, read: Readout) -> None:
        """Set level and tau to those of these responses exactly, where training left running means of a moving u."""
        if not self.config.bias or len(read.u_B) < 2:
            return
        away_B = read.u_B - read.bias_B
        self.level.add_(away_B.mean())
        self.deviation.copy_(away_B.std().clamp(min=1e-3))


def _random(shape: tuple[int, ...]) -> Tensor:
    """Normal numbers with a deviation of 1 / sqrt(inputs)."""
    scale: float = shape[1] ** -0.5
    return torch.randn(shape) * scale


def _networks(input_BH: Tensor, inner_EHM: Tensor, outer_EM: Tensor) -> Tensor:
    """E networks of one hidden layer, applied to the same input [E, B]."""
    hidden_EBM = torch.einsum("bh,ehm->ebm", input_BH, inner_EHM).relu()
    out_EB: Tensor = torch.einsum("ebm,em->eb", hidden_EBM, outer_EM)
    return out_EB
