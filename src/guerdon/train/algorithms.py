"""An algorithm is a row of choices, not an `if` chain; `resolve` looks the row up and applies the recipe's changes.

The rows themselves stand in `table.py`, in words; here each word becomes its function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from guerdon.core.errors import ConfigError, did_you_mean
from guerdon.functional import advantages, aggregate, kl, ratios, surrogates
from guerdon.functional.aggregate import Totals
from guerdon.functional.surrogates import Surrogate
from guerdon.train.config import AlgorithmConfig
from guerdon.train.table import ROWS, Row

ADVANTAGES = {
    name: getattr(advantages, name)
    for name in (
        "group_zscore", "group_center", "batch_std", "leave_one_out", "opo", "reinforce_plus_plus", "constant",
    )
}  # fmt: skip
RATIOS = {"token": ratios.token_ratio, "sequence": ratios.sequence_ratio}
AGGREGATES = {
    name: getattr(aggregate, name) for name in ("sequence_mean", "token_mean", "constant_length", "prompt_mean")
}
KLS = {name: getattr(kl, name) for name in ("k1", "k2", "k3", "k3_unbiased")}
SURROGATE_OPTIONS: dict[str, frozenset[str]] = {
    "reinforce": frozenset(),
    "clip": frozenset({"epsilon", "epsilon_high", "delta"}),
    "cispo": frozenset({"epsilon_high"}),
    "gmpo": frozenset({"epsilon", "epsilon_high"}),
    "sapo": frozenset({"epsilon", "epsilon_high"}),
}
"""Which bounds each surrogate reads; a bound it does not read is an error. For sapo they are its two temperatures:
`epsilon` for negative and `epsilon_high` for positive advantages."""


@dataclass(frozen=True, slots=True)
class Objective:
    """Everything the loss is made of."""

    advantage: Callable[[Tensor, Tensor, Tensor], Tensor]
    ratio: Callable[[Tensor, Tensor], Tensor]
    surrogate: Surrogate
    aggregate: Callable[[Tensor, Tensor, Totals], Tensor]
    kl: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    beta: float
    entropy_coef: float
    off_policy_mask_threshold: float | None
    importance_sampling_correction: str
    importance_sampling_cap: float
    low: float
    high: float
    """Bounds outside which a ratio counts as clipped in the metrics."""

    @property
    def surrogate_only(self) -> bool:
        """Whether a row of advantage 0 has no gradient at all."""
        return self.beta == 0.0 and self.entropy_coef == 0.0


def resolve(config: AlgorithmConfig) -> Objective:
    """The row `config.name` with the recipe's changes.

    Raises:
        ConfigError: unknown name, or a key that this surrogate or loss would never read.
    """
    if config.name not in ROWS:
        raise ConfigError(f"algorithm.name: unknown algorithm {config.name!r}{did_you_mean(config.name, ROWS)}")
    row = ROWS[config.name]
    changes = {name: value for name in Row._fields if (value := getattr(config, name, None)) is not None}
    row = row._replace(**changes)
    _refuse_unused(config, row)
    low = row.epsilon or 0.0
    high = row.epsilon_high if row.epsilon_high is not None else low
    return Objective(
        advantage=ADVANTAGES[row.advantage],
        ratio=RATIOS[row.ratio],
        surrogate=_surrogate(row.surrogate, low, high, config.delta),
        aggregate=AGGREGATES[row.aggregate],
        kl=KLS[row.kl],
        beta=row.beta,
        entropy_coef=config.entropy_coef,
        off_policy_mask_threshold=row.off_policy_mask_threshold,
        importance_sampling_correction=row.importance_sampling_correction,
        importance_sampling_cap=config.importance_sampling_cap,
        low=low,
        high=high,
    )


def _refuse_unused(config: AlgorithmConfig, row: Row) -> None:
    problems = [
        f"algorithm.{name}: the surrogate {row.surrogate!r} of {config.name!r} does not read it; remove the key"
        for name in ("epsilon", "epsilon_high", "delta")
        if getattr(config, name) is not None and name not in SURROGATE_OPTIONS[row.surrogate]
    ]
    if config.kl is not None and row.beta == 0.0:
        problems.append("algorithm.kl: beta is 0, so there is no KL term; set algorithm.beta or remove the key")
    if config.sync_ref_model and row.beta == 0.0:
        problems.append("algorithm.sync_ref_model: beta is 0, so there is no reference policy; set algorithm.beta")
    if problems:
        raise ConfigError(problems)


def _surrogate(name: str, low: float, high: float, dual: float | None) -> Surrogate:
    match name:
        case "clip":
            return surrogates.clip(low, high, dual)
        case "cispo":
            return surrogates.cispo(high)
        case "gmpo":
            return surrogates.gmpo(low, high)
        case "sapo":
            return surrogates.sapo(positive=high, negative=low)
        case _:
            return surrogates.reinforce()
