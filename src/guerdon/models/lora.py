"""Low-rank adapters (peft) on a model's linear layers: putting them on, writing them merged, and their dropout.

Dropout acts inside `dropout(...)` only, drawn from a seed: so a training pass can be repeated, and nothing else ever
sees it. The live weights are only read: a run that saves learns as one that does not.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from guerdon.core.errors import MissingExtraError, ModelError
from guerdon.models.config import LoraConfig


def with_adapters(model: Any, config: LoraConfig, seed: int) -> Any:
    """The model with fresh adapters, everything else frozen (a PeftModel).

    Raises:
        ModelError: a layer that the recipe names does not exist.
    """
    try:
        import peft
    except ImportError:
        raise MissingExtraError("model.lora", "train") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapters = peft.LoraConfig(
            r=config.r,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=_targets(model, config),
            task_type="CAUSAL_LM" if hasattr(model, "lm_head") else "FEATURE_EXTRACTION",
        )
        try:
            with warnings.catch_warnings():
                # peft asks transformers by a name that is going away; nothing a user can change.
                warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
                wrapped = peft.get_peft_model(model, adapters, autocast_adapter_dtype=False)
        except ValueError as error:
            raise ModelError(f"model.lora: {str(error).splitlines()[0]}") from None
    wrapped.train(False)
    return wrapped


def _targets(model: Any, config: LoraConfig) -> list[str] | str:
    """The recipe's layers; where it left the default and the model has other names, every linear layer."""
    last = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    default = LoraConfig.model_fields["target_modules"].default
    given = list(config.target_modules)
    return "all-linear" if config.target_modules == default and not last & set(given) else given


def _adapted(model: nn.Module) -> dict[str, Any]:
    """Name to layer of all that carry an adapter."""
    from peft.tuners.lora import LoraLayer

    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}


@torch.no_grad()
def merged_state(causal_lm: nn.Module) -> dict[str, Tensor]:
    """Weights of the plain model: of each adapted layer a copy in main memory with its adapter added.

    On an accelerator no more than one layer is there twice.
    """
    state: dict[str, Tensor] = {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in causal_lm.state_dict().items()
        if ".lora_" not in name
    }
    for name, layer in _adapted(causal_lm).items():
        merged = state[f"{name}.weight"].float()
        for adapter in layer.active_adapters:
            merged = merged + layer.get_delta_weight(adapter).float()
        state[f"{name}.weight"] = merged.to(layer.get_base_layer().weight.dtype).cpu()
    return state


@contextlib.contextmanager
def dropout(model: nn.Module, seed: int) -> Iterator[None]:
    """Dropout inside the adapters acts within, forward and backward; what is dropped depends on the seed alone."""
    places = [
        place
        for layer in _adapted(model).values()
        for place in layer.lora_dropout.modules()
        if isinstance(place, nn.Dropout)
    ]
    if not places:
        yield
        return
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        try:
            for place in places:
                place.train()
            yield
        finally:
            for place in places:
                place.eval()
