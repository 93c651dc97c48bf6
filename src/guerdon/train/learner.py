"""The learner: one step of packed batches in, better weights out. It knows an objective, not an algorithm's name.

    per update: per micro-batch: trunk -> log-probs (fp32, chunked) -> objective -> backward;   then clip, AdamW

Four log-probs, four names: `behavior` (as sampled), `old` (start of this step), `logprobs` (now), `ref` (KL anchor).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from guerdon.core.metrics import Max, Mean, Metric, Sum, merge, values
from guerdon.core.types import StepReport
from guerdon.models.logprobs import TokenLogprobs
from guerdon.models.memory import release_memory
from guerdon.models.policy import Policy
from guerdon.train.algorithms import Objective
from guerdon.train.batch import MicroBatch, PackedBatch
from guerdon.train.config import OptimConfig
from guerdon.train.objective import TokenTerms, objective_loss
from guerdon.train.optimizer import MasterAdamW, learning_rate


class PolicyLearner:
    """Policy-gradient and supervised updates of one policy; both are rows of the same objective table."""

    def __init__(
        self, policy: Policy, objective: Objective, config: OptimConfig, *, temperature: float = 1.0
    ) -> None:
        self.policy = policy
        self.objective = objective
        self.config = config
        self.temperature = temperature
        self.optimizer = MasterAdamW(policy.trainable(), config)
        self.num_steps = 0
        """Steps taken; the learning-rate schedule counts these, however many updates each holds."""
        self.reference = policy.snapshot() if objective.beta else None
        """Weights of the KL anchor; kept only where the objective has a KL term."""
        self.best: dict[str, Tensor] | None = None
        """Weights that `mark_best` has set aside."""

    def step(self, batches: Sequence[PackedBatch]) -> StepReport:
        """One update per batch, in order.

        Args:
            batches: the minibatches of one rollout step; with several, `old` log-probs are taken before the first.
        """
        clock = _Clock()
        with clock("logprobs"):
            old = [self._grid(batch) for batch in batches] if len(batches) > 1 else [None] * len(batches)
        parts = [
            self._update(batch, old_BT, clock, first=index == 0)
            for index, (batch, old_BT) in enumerate(zip(batches, old, strict=True))
        ]
        self.num_steps += 1
        release_memory()
        metrics = values(merge(parts))
        metrics |= {f"timing_s/{name}": seconds for name, seconds in clock.seconds.items()}
        return StepReport(metrics=metrics)

    def _update(
        self, batch: PackedBatch, old_BT: Tensor | None, clock: _Clock, *, first: bool
    ) -> Mapping[str, Metric]:
        shares: list[Mapping[str, Metric]] = []
        with clock("logprobs"):
            ref_BT = self._reference_grid(batch)
        for micro in batch.micro:
            with clock("forward"):
                loss, metrics = self._loss(batch, micro, old_BT, ref_BT, first=first)
            shares.append(metrics)
            with clock("backward"):
                loss.backward()  # type: ignore[no-untyped-call]
        rate = learning_rate(self.config, self.num_steps)
        with clock("update"):
            norm, finite = self.optimizer.step(rate)
        self.policy.version += 1
        update = merge(shares)
        # Micro-batches add up to the loss of one update; a step of several updates reports their mean.
        update |= {
            name: Mean(update[name].value or 0.0, 1) for name in ("loss", "policy_loss") if name in update
        }
        update |= {
            "grad_norm": Mean(norm if finite else 0.0, 1),
            "learning_rate": Mean(rate, 1),
            "signal/nonfinite_updates": Sum(float(not finite)),
            "signal/rows_skipped": Sum(float(batch.num_skipped)),
            "signal/rows_trained": Sum(float(sum(len(micro.rows) for micro in batch.micro))),
        }
        return update

    def _loss(
        self,
        batch: PackedBatch,
        micro: MicroBatch,
        old_BT: Tensor | None,
        ref_BT: Tensor | None,
        *,
        first: bool,
    ) -> tuple[Tensor, Mapping[str, Metric]]:
        width = batch.mask_BT.shape[1]
        found = self._read(micro)
        logprobs_BT = micro.scatter(found.logprobs_T, width)
        behavior_BT = batch.behavior_logprobs_BT[micro.rows]
        mask_BT = batch.mask_BT[micro.rows]
        terms = TokenTerms(
            logprobs_BT=logprobs_BT,
            old_logprobs_BT=logprobs_BT.detach() if old_BT is None else old_BT[micro.rows],
            behavior_logprobs_BT=behavior_BT,
            ref_logprobs_BT=None if ref_BT is None else ref_BT[micro.rows],
            advantages_BT=batch.advantages_BT[micro.rows],
            mask_BT=mask_BT,
            entropy_BT=micro.scatter(found.entropy_T, width) if self.objective.entropy_coef else None,
        )
        loss = objective_loss(self.objective, terms, batch.totals_of(micro.rows))
        entropy = found.entropy_T.detach()
        metrics: dict[str, Metric] = {
            **loss.metrics,
            "loss": Sum(float(loss.loss.detach())),
            "entropy": Mean(float(entropy.sum()), len(entropy)),
        }
        if (
            first
        ):  # before the first update of a step sampler and learner hold the same weights: this must be small
            gap_BT = ((logprobs_BT.detach() - behavior_BT) * mask_BT).abs()
            metrics["sampling/sampling_logp_difference/mean"] = Mean(
                float(gap_BT.sum()), float(mask_BT.sum())
            )
            metrics["sampling/sampling_logp_difference/max"] = Max(
                float(gap_BT.max()) if gap_BT.numel() else 0.0
            )
        return loss.loss, metrics

    def _read(self, micro: MicroBatch) -> TokenLogprobs:
        hidden_TH = self.policy.hidden(micro.tokens_T[None], micro.layout.position_T[None], micro.layout)[0]
        return self.policy.logprobs(
            hidden_TH.index_select(0, micro.predict_S),
            micro.target_S,
            temperature=self.temperature,
            kept=micro.kept,
        )

    @torch.no_grad()
    def _grid(self, batch: PackedBatch) -> Tensor:
        """Log-probabilities [B, T] under the weights as they are."""
        grid_BT = torch.zeros_like(batch.behavior_logprobs_BT)
        for micro in batch.micro:
            grid_BT[micro.rows] = micro.scatter(self._read(micro).logprobs_T, grid_BT.shape[1])
        return grid_BT

    def _reference_grid(self, batch: PackedBatch) -> Tensor | None:
        if self.reference is None:
            return None
        with self.policy.swapped(self.reference):
            return self._grid(batch)

    @torch.no_grad()
    def refresh_reference(self, mixup: float) -> None:
        """Ref = mixup x policy + (1 - mixup) x ref (TRL: sync_ref_model)."""
        if self.reference is not None:
            for name, weight in self.policy.trainable().items():
                self.reference[name].lerp_(weight, mixup)

    def mark_best(self) -> None:
        """Set the weights aside, as they are now."""
        self.best = {name: master.detach().clone() for name, master in self.optimizer.masters.items()}

    def return_to_best(self) -> None:
        """Back to the weights set aside last; without such, nothing changes."""
        self.optimizer.set_weights(self.best or {})
        self.policy.version += 1

    def raise_beta(self, factor: float) -> None:
        """Multiply the weight of the KL term."""
        self.objective = dataclasses.replace(self.objective, beta=self.objective.beta * factor)

    def state_tensors(self) -> dict[str, Tensor]:
        """Everything a bit-exact resume needs besides the number of steps."""
        tensors = self.optimizer.state_tensors()
        if self.best is not None:
            tensors |= {f"best/{name}": weight for name, weight in self.best.items()}
        if self.reference is not None:
            tensors |= {f"reference/{name}": weight for name, weight in self.reference.items()}
        return tensors

    def load_state_tensors(self, tensors: Mapping[str, Tensor], *, num_steps: int, version: int) -> None:
        """Continue from `state_tensors`."""
        self.optimizer.load_state_tensors(tensors)
        best = {name.removeprefix("best/"): tensors[name] for name in tensors if name.startswith("best/")}
        self.best = {name: weight.to(self.policy.device) for name, weight in best.items()} or None
        if self.reference is not None:
            for name, weight in self.reference.items():
                weight.copy_(tensors[f"reference/{name}"])
        self.num_steps = num_steps
        self.policy.version = version

    def close(self) -> None:
        """Let go of the parameters."""
        self.optimizer.close()


class _Clock:
    """Seconds per station."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
