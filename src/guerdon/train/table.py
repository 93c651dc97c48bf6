"""The algorithm table in words: names, help, papers, defaults.

Torch-free, so that `guerdon list algorithms` is instant; `algorithms.py` turns each word into its function,
and a test holds the two against each other.
"""

from __future__ import annotations

from typing import NamedTuple

from guerdon.core.errors import ConfigError, did_you_mean
from guerdon.train.config import AlgorithmConfig


class Row(NamedTuple):
    """One algorithm as a choice per axis; the words are those of `AlgorithmConfig`."""

    help: str
    paper: str
    advantage: str
    ratio: str
    surrogate: str
    aggregate: str
    epsilon: float | None = None
    epsilon_high: float | None = None
    """None: as `epsilon`."""
    beta: float = 0.0
    kl: str = "k3"
    off_policy_mask_threshold: float | None = None
    importance_sampling_correction: str = "none"


ROWS: dict[str, Row] = {
    "grpo": Row(
        "group z-score of the summed parts, PPO clip, mean per sequence",
        "arXiv:2402.03300",
        "group_zscore", "token", "clip", "sequence_mean", 0.2,
    ),
    "gdpo": Row(
        "GRPO for several rewards: normalise each part in its group, then sum, then whiten over the batch",
        "arXiv:2601.05242",
        "gdpo", "token", "clip", "sequence_mean", 0.2,
    ),
    "grpo_v32": Row(
        "GRPO as in DeepSeek-V3.2: no deviation, unbiased KL, off-policy sequence mask",
        "arXiv:2512.02556",
        "group_center", "token", "clip", "sequence_mean", 0.2, None, 1e-3, "k3_unbiased", 0.5,
    ),
    "dr_grpo": Row(
        "GRPO done right: no deviation, constant length",
        "arXiv:2503.20783",
        "group_center", "token", "clip", "constant_length", 0.2,
    ),
    "dapo": Row(
        "clip-higher, token mean; pair with rollout.dynamic_sampling_rounds and rewards.overlong",
        "arXiv:2503.14476",
        "group_zscore", "token", "clip", "token_mean", 0.2, 0.28,
    ),
    "gspo": Row(
        "one length-normalised ratio per sequence",
        "arXiv:2507.18071",
        "group_zscore", "sequence", "clip", "sequence_mean", 3e-4, 4e-4,
    ),
    "cispo": Row(
        "capped, detached ratio times log-prob; batch deviation, prompt mean (ScaleRL)",
        "arXiv:2506.13585, arXiv:2510.13786",
        "batch_std", "token", "cispo", "prompt_mean", None, 5.0,
    ),
    "rloo": Row(
        "REINFORCE with a leave-one-out baseline, summed over the tokens",
        "arXiv:2402.14740",
        "leave_one_out", "token", "reinforce", "constant_length",
    ),
    "reinforce_plus_plus": Row(
        "group mean as baseline, whitened over the batch",
        "arXiv:2501.03262",
        "reinforce_plus_plus", "token", "clip", "token_mean", 0.2,
    ),
    "gmpo": Row(
        "geometric mean of clipped token ratios",
        "arXiv:2507.20673",
        "group_zscore", "token", "gmpo", "sequence_mean", 0.4,
    ),
    "sapo": Row(
        "a smooth sigmoid gate in place of the clip",
        "arXiv:2511.20347",
        "group_zscore", "token", "sapo", "sequence_mean", 1.05, 1.0,
    ),
    "rft": Row(
        "rejective fine-tuning: imitate the best of each group, drop groups that are all alike",
        "arXiv:2304.06767, arXiv:2504.02495",
        "rejection", "token", "reinforce", "token_mean",
    ),
    "sft": Row(
        "supervised learning: advantage 1, negative log-likelihood",
        "-",
        "constant", "token", "reinforce", "token_mean",
    ),
}  # fmt: skip


class Bounds(NamedTuple):
    """Which of `epsilon`, `epsilon_high` and `delta` a surrogate reads; any other is an error."""

    reads: frozenset[str]
    epsilon: float | None = None
    """Default where a recipe puts this surrogate into another algorithm's row."""
    epsilon_high: float | None = None


SURROGATE_BOUNDS: dict[str, Bounds] = {
    "reinforce": Bounds(frozenset()),
    "clip": Bounds(frozenset({"epsilon", "epsilon_high", "delta"}), 0.2),
    "cispo": Bounds(frozenset({"epsilon_high"}), None, 5.0),
    "gmpo": Bounds(frozenset({"epsilon", "epsilon_high"}), 0.4),
    "sapo": Bounds(frozenset({"epsilon", "epsilon_high"}), 1.05, 1.0),
}
"""For sapo they are its temperatures: `epsilon` for negative, `epsilon_high` for positive advantages."""


def resolve_row(config: AlgorithmConfig) -> Row:
    """The row that a recipe names, with the recipe's changes.

    Raises:
        ConfigError: unknown name, or a key that this surrogate or loss would never read; all of them at once.
    """
    if config.name not in ROWS:
        hint = did_you_mean(config.name, ROWS)
        raise ConfigError(f"algorithm.name: unknown algorithm {config.name!r}{hint}")
    row = _changed(ROWS[config.name], config)
    _refuse_unused(config, row)
    return row


def _changed(row: Row, config: AlgorithmConfig) -> Row:
    if config.surrogate not in (None, row.surrogate):
        # A clip bound of 0.2 would be absurd as the cap of cispo: another surrogate brings its own bounds.
        bounds = SURROGATE_BOUNDS[config.surrogate or row.surrogate]
        row = row._replace(epsilon=bounds.epsilon, epsilon_high=bounds.epsilon_high)
    given = {name: getattr(config, name, None) for name in Row._fields}
    return row._replace(**{name: value for name, value in given.items() if value is not None})


def _refuse_unused(config: AlgorithmConfig, row: Row) -> None:
    problems = [
        f"algorithm.{name}: {config.name!r} with surrogate {row.surrogate!r} does not read it; remove it"
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
