"""AdamW with float32 master weights, whatever format the policy computes in; and learning-rate schedules.

Gradients of bfloat16 weights are added up in float32 as each micro-batch produces them, then dropped, so many
micro-batches sum exactly as one. All state is plain tensors by name: a checkpoint restores it bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from guerdon.core.errors import CheckpointError
from guerdon.train.config import OptimConfig


def learning_rate(config: OptimConfig, step: int) -> float:
    """Learning rate of update `step` (0-based): linear warm-up, then constant, linear or cosine decay to 0."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.lr_scheduler_type == "constant":
        return config.learning_rate
    progress = (step - config.warmup_steps) / max(1, config.max_steps - config.warmup_steps)
    progress = min(1.0, progress)
    share = (
        1.0 - progress if config.lr_scheduler_type == "linear" else 0.5 * (1.0 + math.cos(math.pi * progress))
    )
    return config.learning_rate * share


class MasterAdamW:
    """AdamW (arXiv:1711.05101) over named parameters."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], config: OptimConfig) -> None:
        self.config = config
        self.parameters = dict(parameters)
        self.masters = {
            name: weight if weight.dtype == torch.float32 else weight.detach().float().clone()
            for name, weight in self.parameters.items()
        }
        for master in self.masters.values():
            master.grad = torch.zeros_like(master)
        self.hooks = [
            weight.register_post_accumulate_grad_hook(self._collector(self.masters[name]))  # type: ignore[no-untyped-call]
            for name, weight in self.parameters.items()
            if weight is not self.masters[name]
        ]
        self.optimizer = torch.optim.AdamW(
            list(self.masters.values()),
            lr=config.learning_rate,
            betas=(config.adam_beta1, config.adam_beta2),
            eps=config.adam_epsilon,
            weight_decay=config.weight_decay,
            fused=True,
        )

    @staticmethod
    def _collector(master: Tensor) -> Callable[[Tensor], None]:
        def collect(weight: Tensor) -> None:
            assert master.grad is not None
            assert weight.grad is not None
            master.grad.add_(weight.grad)
            weight.grad = None

        return collect

    def gradients(self) -> dict[str, Tensor]:
        """Float32 gradient of each parameter, by name."""
        return {name: master.grad for name, master in self.masters.items() if master.grad is not None}

    @torch.no_grad()
    def step(self, rate: float) -> tuple[float, bool]:
        """Clip, update, write back, clear.

        Returns:
            The gradient norm before clipping, and whether the update was made: a non-finite gradient is thrown away.
        """
        norm = float(torch.nn.utils.clip_grad_norm_(list(self.masters.values()), self.config.max_grad_norm))
        finite = math.isfinite(norm)
        if finite:
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
            for name, weight in self.parameters.items():
                if weight is not self.masters[name]:
                    weight.copy_(self.masters[name])
        for master in self.masters.values():
            assert master.grad is not None
            master.grad.zero_()
        return norm, finite

    @torch.no_grad()
    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Put these float32 weights in place of the masters, by name; moments stay."""
        for name, weight in weights.items():
            self.masters[name].copy_(weight)
            if self.parameters[name] is not self.masters[name]:
                self.parameters[name].copy_(weight)

    def close(self) -> None:
        """Detach from the parameters, so that another optimiser can take over."""
        for hook in self.hooks:
            hook.remove()
        for weight in self.parameters.values():
            weight.grad = None

    def state_tensors(self) -> dict[str, Tensor]:
        """Masters and moments under `master/NAME`, `exp_avg/NAME`, `exp_avg_sq/NAME`, `step/NAME`."""
        tensors: dict[str, Tensor] = {}
        for name, master in self.masters.items():
            tensors[f"master/{name}"] = master.detach()
            for key, value in self.optimizer.state.get(master, {}).items():
                tensors[f"{key}/{name}"] = value
        return tensors

    @torch.no_grad()
    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state_tensors`.

        Raises:
            CheckpointError: the tensors belong to another model.
        """
        for name, master in self.masters.items():
            saved = tensors.get(f"master/{name}")
            if saved is None or saved.shape != master.shape:
                raise CheckpointError(f"the checkpoint's optimizer state does not fit the model at {name}")
            master.copy_(saved)
            self.parameters[name].copy_(master)
            moments = {
                key: tensors[f"{key}/{name}"]
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"{key}/{name}" in tensors
            }
            if moments:
                self.optimizer.state[master] = {
                    key: value.to(_place(key, master)) for key, value in moments.items()
                }


def _place(key: str, master: Tensor) -> torch.device:
    return torch.device("cpu") if key == "step" and master.device.type == "cpu" else master.device
