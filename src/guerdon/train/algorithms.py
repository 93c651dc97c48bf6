"""An algorithm is a row of choices, not an `if` chain; `resolve` looks it up and applies the changes.

The rows themselves stand in `table.py`, in words; here each word becomes its function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from guerdon.core.errors import ConfigError, did_you_mean
from guerdon.functional import advantages, aggregate, kl, ratios, surrogates
from guerdon.functional.aggregate import Totals
from guerdon.functional.surrogates import Surrogate
from guerdon.train.config import AlgorithmConfig
from guerdon.train.table import ROWS, SURROGATE_BOUNDS, Row

Advantage = Callable[[Tensor, Tensor, Tensor], Tensor]
Ratio = Callable[[Tensor, Tensor], Tensor]
Aggregate = Callable[[Tensor, Tensor, Totals], Tensor]
Kl = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

ADVANTAGES: dict[str, Advantage] = {
    "group_zscore": advantages.group_zscore,
    "group_center": advantages.group_center,
    "batch_std": advantages.batch_std,
    "leave_one_out": advantages.leave_one_out,
    "opo": advantages.opo,
    "reinforce_plus_plus": advantages.reinforce_plus_plus,
    "constant": advantages.constant,
}
RATIOS: dict[str, Ratio] = {"token": ratios.token_ratio, "sequence": ratios.sequence_ratio}
AGGREGATES: dict[str, Aggregate] = {
    "sequence_mean": aggregate.sequence_mean,
    "token_mean": aggregate.token_mean,
    "constant_length": aggregate.constant_length,
    "prompt_mean": aggregate.prompt_mean,
}
KLS: dict[str, Kl] = {"k1": kl.k1, "k2": kl.k2, "k3": kl.k3, "k3_unbiased": kl.k3_unbiased}


@dataclass(frozen=True, slots=True)
class Objective:
    """Everything the loss is made of."""

    advantage: Advantage
    ratio: Ratio
    surrogate: Surrogate
    aggregate: Aggregate
    kl: Kl
    beta: float
    """Weight of the KL term; at 0 there is none, and no reference policy."""
    entropy_coef: float
    off_policy_mask_threshold: float | None
    """Nats per token; None keeps every sequence."""
    importance_sampling_correction: str
    """none, truncate or mask."""
    importance_sampling_cap: float
    ratio_bounds: tuple[float, float] | None
    """Ratios outside count as clipped in the metrics; None where the surrogate has no bound."""

    @property
    def surrogate_only(self) -> bool:
        """Whether a row of advantage 0 has no gradient at all."""
        return self.beta == 0.0 and self.entropy_coef == 0.0


def resolve(config: AlgorithmConfig) -> Objective:
    """The row `config.name` with the recipe's changes.

    Raises:
        ConfigError: unknown name, or a key that this surrogate or loss would never read; all of them at once.
    """
    if config.name not in ROWS:
        hint = did_you_mean(config.name, ROWS)
        raise ConfigError(f"algorithm.name: unknown algorithm {config.name!r}{hint}")
    row = _changed(ROWS[config.name], config)
    _refuse_unused(config, row)
    low = row.epsilon or 0.0
    high = low if row.epsilon_high is None else row.epsilon_high
    surrogate, ratio_bounds = _surrogate(row.surrogate, low, high, config.delta)
    return Objective(
        advantage=ADVANTAGES[row.advantage],
        ratio=RATIOS[row.ratio],
        surrogate=surrogate,
        aggregate=AGGREGATES[row.aggregate],
        kl=KLS[row.kl],
        beta=row.beta,
        entropy_coef=config.entropy_coef,
        off_policy_mask_threshold=row.off_policy_mask_threshold,
        importance_sampling_correction=row.importance_sampling_correction,
        importance_sampling_cap=config.importance_sampling_cap,
        ratio_bounds=ratio_bounds,
    )


def _changed(row: Row, config: AlgorithmConfig) -> Row:
    if config.surrogate not in (None, row.surrogate):
        # A clip bound of 0.2 would be absurd as the cap of cispo: another surrogate brings its own bounds.
        bounds = SURROGATE_BOUNDS[config.surrogate or row.surrogate]
        row = row._replace(epsilon=bounds.epsilon, epsilon_high=bounds.epsilon_high)
    given = {name: getattr(config, name, None) for name in Row._fields}
    return row._replace(**{name: value for name, value in given.items() if value is not None})


def _refuse_unused(config: AlgorithmConfig, row: Row) -> None:
    problems = [
        f"algorithm.{name}: the surrogate {row.surrogate!r} of {config.name!r} does not read it; remove the key"
        for name in ("epsilon", "epsilon_high", "delta")
        if getattr(config, name) is not None and name not in SURROGATE_BOUNDS[row.surrogate].reads
    ]
    if config.ratio is not None and row.surrogate == "reinforce":
        problems.append("algorithm.ratio: the surrogate 'reinforce' reads no ratio; remove the key")
    if row.ratio == "sequence" and row.surrogate == "gmpo":
        problems.append("algorithm.ratio: gmpo averages token ratios itself; remove the key")
    if config.kl is not None and row.beta == 0.0:
        problems.append("algorithm.kl: beta is 0, so there is no KL; set algorithm.beta or drop the key")
    if config.sync_ref_model and row.beta == 0.0:
        problems.append(
            "algorithm.sync_ref_model: beta is 0, so there is no reference policy; "
            "set algorithm.beta or remove the key"
        )
    if not config.sync_ref_model:
        problems += [
            f"algorithm.{name}: sync_ref_model is false; set algorithm.sync_ref_model or remove the key"
            for name in ("ref_model_sync_steps", "ref_model_mixup_alpha")
            if _is_changed(config, name)
        ]
    if row.importance_sampling_correction == "none" and _is_changed(config, "importance_sampling_cap"):
        problems.append(
            "algorithm.importance_sampling_cap: there is no correction; "
            "set algorithm.importance_sampling_correction or remove the key"
        )
    if problems:
        raise ConfigError(problems)


def _is_changed(config: AlgorithmConfig, name: str) -> bool:
    """Not "was given": a recipe read back from config.json gives every key."""
    return bool(getattr(config, name) != AlgorithmConfig.model_fields[name].default)


def _surrogate(
    name: str, low: float, high: float, dual: float | None
) -> tuple[Surrogate, tuple[float, float] | None]:
    """The surrogate, and the ratios past which it holds a token back."""
    match name:
        case "clip":
            return surrogates.clip(low, high, dual), (1.0 - low, 1.0 + high)
        case "cispo":
            return surrogates.cispo(high), (0.0, high)
        case "gmpo":
            return surrogates.gmpo(low, high), (math.exp(-low), math.exp(high))
        case "sapo":
            return surrogates.sapo(positive=high, negative=low), None
        case _:
            return surrogates.reinforce(), None
