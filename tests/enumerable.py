"""A policy small enough to enumerate: five words, two tokens, 25 answers; expectations are exact."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

V, T = 5, 2
ANSWERS_BT = torch.tensor(list(itertools.product(range(V), repeat=T)))
MASK_BT = torch.ones(V**T, T, dtype=torch.bool)
REWARDS_B = torch.linspace(-1.0, 2.0, V**T, dtype=torch.float64).square() - ANSWERS_BT[:, 0]


class Policy:
    """p(first) and p(second | first), softmax of free logits."""

    def __init__(self, seed: int, scale: float = 0.5) -> None:
        generator = torch.Generator().manual_seed(seed)
        first_V = torch.randn(V, generator=generator, dtype=torch.float64) * scale
        second_VV = torch.randn(V, V, generator=generator, dtype=torch.float64) * scale
        self.weights = (first_V.requires_grad_(), second_VV.requires_grad_())

    def logprobs(self) -> Tensor:
        """Of both tokens of all answers [25, 2]."""
        first, second = ANSWERS_BT.T
        return torch.stack(
            [self.weights[0].log_softmax(0)[first], self.weights[1].log_softmax(1)[first, second]], dim=1
        )

    def probabilities(self) -> Tensor:
        """Of all answers [25]."""
        return self.logprobs().sum(1).exp()

    def gradient(self, loss: Tensor) -> Tensor:
        """Of a scalar, with respect to all logits, as one vector."""
        grads = torch.autograd.grad(
            loss, self.weights, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return torch.cat([grad.flatten() for grad in grads])

    def reward_gradient(self) -> Tensor:
        """The exact gradient of the expected reward."""
        return self.gradient((self.probabilities() * REWARDS_B).sum())


def exact_advantages(policy: Policy) -> Tensor:
    """Reward minus its exact expectation, on both tokens [25, 2]."""
    expected = (policy.probabilities() * REWARDS_B).sum().detach()
    return (REWARDS_B - expected)[:, None].expand(-1, T)
