"""Gradient checkpointing: a decoder layer keeps its input only, and is run again in the backward pass.

    forward   input -> [layer] -> input -> [layer] -> ...      kept: one hidden state a layer
    backward  for each layer, last to first: run it again, then its gradient

Where no gradient is wanted (sampling, scoring, evaluation) nothing changes. A model in evaluation mode stays in it, so
no dropout begins to act; one that is drawn all the same is drawn alike the second time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from guerdon.core.errors import ModelError


class Recomputed:
    """The forward of a layer, in its place."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.forward = forward

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """What the layer gives; a layout that comes along must not remember anything."""
        if not torch.is_grad_enabled():
            return self.forward(*inputs, **options)
        return checkpoint(self.forward, *inputs, use_reentrant=False, **options)


def recompute_layers(model: nn.Module, source: str) -> None:
    """Let every decoder (or encoder) layer of a transformers model be recomputed, in place.

    Raises:
        ModelError: the model has no such layers.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    found: list[str] = []
    for name, layer in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(layer, GradientCheckpointingLayer) and not inside:
            layer.forward = Recomputed(layer.forward)
            found.append(name)
    if not found:
        raise ModelError(
            f"model.gradient_checkpointing: {source}: transformers knows no layers of this model that could be recomputed; "
            "remove the key, or choose another model"
        )
