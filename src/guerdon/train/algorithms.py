"""An algorithm is a row of choices, not an `if` chain; `resolve` looks it up and applies the changes.

The rows themselves stand in `table.py`, in words; here each word becomes its function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from guerdon.functional import advantages, aggregate, kl, ratios, surrogates
from guerdon.functional.aggregate import Totals
from guerdon.functional.surrogates import Surrogate
from guerdon.train.config import AlgorithmConfig
from guerdon.train.table import resolve_row

Advantage = Callable[..., Tensor]
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
    "gdpo": advantages.gdpo,
    "rejection": advantages.rejection,
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
    def by_part(self) -> bool:
        """Whether the advantages see each part of the reward, not only their sum."""
        return self.advantage in advantages.BY_PART

    @property
    def surrogate_only(self) -> bool:
        """Whether a row of advantage 0 has no gradient at all."""
        return self.beta == 0.0 and self.entropy_coef == 0.0


def resolve(config: AlgorithmConfig) -> Objective:
    """The row `config.name` with the recipe's changes.

    Raises:
        ConfigError: unknown name, or a key that this surrogate or loss would never read; all of them at once.
    """
    row = resolve_row(config)
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
