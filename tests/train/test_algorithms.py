from __future__ import annotations

import math
import typing

import pytest
import torch
from torch import Tensor

from guerdon.core.errors import ConfigError
from guerdon.functional import advantages, aggregate, kl, ratios
from guerdon.train import config
from guerdon.train.algorithms import ADVANTAGES, AGGREGATES, KLS, RATIOS, Objective, resolve
from guerdon.train.config import AlgorithmConfig
from guerdon.train.table import ROWS, SURROGATE_BOUNDS


def made(**changes: object) -> Objective:
    return resolve(AlgorithmConfig.model_validate(changes))


def problems(**changes: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        made(**changes)
    return caught.value.problems


def surrogate_at(objective: Objective, ratio: float, advantage: float, logprob: float = -1.0) -> float:
    tensors = (torch.tensor([[number]]) for number in (ratio, advantage, logprob))
    return float(objective.surrogate(*tensors, torch.ones(1, 1)))


def test_the_words_of_the_config_are_the_names_of_the_functions() -> None:
    for words, table in (
        (config.AdvantageName, ADVANTAGES),
        (config.RatioName, RATIOS),
        (config.SurrogateName, SURROGATE_BOUNDS),
        (config.AggregateName, AGGREGATES),
        (config.KlName, KLS),
    ):
        assert set(typing.get_args(words)) == set(table)
    for word, function in (*ADVANTAGES.items(), *AGGREGATES.items(), *KLS.items()):
        assert function.__name__ == word
    for word, function in RATIOS.items():
        assert function.__name__ == f"{word}_ratio"


@pytest.mark.parametrize("name", ROWS)
def test_every_row_resolves_to_its_own_words(name: str) -> None:
    row, objective = ROWS[name], made(name=name)
    assert objective.advantage is getattr(advantages, row.advantage)
    assert objective.ratio is getattr(ratios, f"{row.ratio}_ratio")
    assert objective.aggregate is getattr(aggregate, row.aggregate)
    assert objective.kl is getattr(kl, row.kl)
    assert objective.beta == row.beta
    assert objective.surrogate_only == (row.beta == 0.0)


@pytest.mark.parametrize(
    ("name", "ratio", "advantage", "expected"),
    [
        ("grpo", 2.0, 1.0, -1.2),
        ("dr_grpo", 0.5, -1.0, 0.8),
        ("dapo", 2.0, 1.0, -1.28),
        ("dapo", 0.5, -1.0, 0.8),
        ("gspo", 2.0, 1.0, -1.0004),
        ("gspo", 0.5, -1.0, 0.9997),
        ("cispo", 9.0, 1.0, 5.0),  # -5 * 1 * -1
        ("gmpo", 2.0, 1.0, -math.exp(0.4)),
        ("sapo", 2.0, 1.0, -4 / (1 + math.exp(-1))),
        ("sapo", 2.0, -1.0, 4 / 1.05 / (1 + math.exp(-1.05))),
        ("rloo", 9.0, 2.0, 2.0),
        ("sft", 9.0, 1.0, 1.0),
    ],
)
def test_rows_carry_their_published_bounds(
    name: str, ratio: float, advantage: float, expected: float
) -> None:
    assert surrogate_at(made(name=name), ratio, advantage) == pytest.approx(expected, rel=1e-6)


def test_deepseek_v32_as_published() -> None:
    objective = made(name="grpo_v32")
    assert objective.advantage is advantages.group_center
    assert objective.kl is kl.k3_unbiased
    assert objective.off_policy_mask_threshold == 0.5


def test_changes_reach_the_functions() -> None:
    objective = made(
        name="grpo", aggregate="token_mean", advantage="opo", epsilon=0.1, epsilon_high=0.5, delta=3.0, beta=0.1, kl="k2"
    )  # fmt: skip
    assert objective.aggregate is aggregate.token_mean
    assert objective.advantage is advantages.opo
    assert objective.kl is kl.k2
    assert surrogate_at(objective, 2.0, 1.0) == pytest.approx(-1.5)
    assert surrogate_at(objective, 0.5, -1.0) == pytest.approx(0.9)
    assert surrogate_at(objective, 9.0, -1.0) == pytest.approx(3.0)
    assert objective.ratio_bounds == (0.9, 1.5)


def test_epsilon_alone_moves_both_bounds_as_in_trl() -> None:
    assert made(name="grpo", epsilon=0.1).ratio_bounds == (0.9, 1.1)
    assert made(name="dapo", epsilon=0.1).ratio_bounds == (0.9, 1.28)  # its upper bound is its own


def test_another_surrogate_brings_its_own_bounds() -> None:
    assert surrogate_at(made(name="grpo", surrogate="cispo"), 9.0, 1.0) == pytest.approx(
        5.0
    )  # not 0.2 or 1.2
    assert made(name="cispo", surrogate="clip").ratio_bounds == (0.8, 1.2)
    assert made(name="gspo", surrogate="clip").ratio_bounds == (
        1 - 3e-4,
        1 + 4e-4,
    )  # its own: nothing replaced
    assert made(name="grpo", surrogate="cispo", epsilon_high=3.0).ratio_bounds == (0.0, 3.0)


@pytest.mark.parametrize("name", ["rloo", "sft", "sapo"])
def test_no_bound_no_clip_metric(name: str) -> None:
    assert made(name=name).ratio_bounds is None


def test_unknown_name_says_what_was_meant() -> None:
    assert problems(name="grppo") == ("algorithm.name: unknown algorithm 'grppo' (did you mean 'grpo'?)",)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"name": "cispo", "delta": 4.0}, "delta"),
        ({"name": "cispo", "epsilon": 0.2}, "epsilon"),
        ({"name": "rloo", "epsilon_high": 0.2}, "epsilon_high"),
        ({"name": "grpo", "surrogate": "sapo", "delta": 4.0}, "delta"),
        ({"name": "gmpo", "delta": 4.0}, "delta"),
        ({"name": "rloo", "ratio": "token"}, "ratio"),
        ({"name": "gmpo", "ratio": "sequence"}, "ratio"),
        ({"name": "grpo", "kl": "k2"}, "kl"),
        ({"name": "grpo", "sync_ref_model": True}, "sync_ref_model"),
        ({"name": "grpo", "beta": 0.1, "ref_model_sync_steps": 9}, "ref_model_sync_steps"),
        ({"name": "grpo", "beta": 0.1, "ref_model_mixup_alpha": 0.5}, "ref_model_mixup_alpha"),
        ({"name": "grpo", "importance_sampling_cap": 3.0}, "importance_sampling_cap"),
    ],
)
def test_a_key_that_nothing_would_read_is_an_error(changes: dict[str, object], key: str) -> None:
    (found,) = problems(**changes)
    assert found.startswith(f"algorithm.{key}: ")
    assert "remove" in found or "drop" in found  # says what to do


def test_all_unused_keys_at_once() -> None:
    assert len(problems(name="cispo", delta=4.0, epsilon=0.2, kl="k1", sync_ref_model=True)) == 4


def test_a_recipe_read_back_from_its_record_is_still_right() -> None:
    """config.json names every key, also those at their defaults."""
    for name in ROWS:
        dump = AlgorithmConfig(name=name).model_dump(mode="json")
        assert made(**dump).ratio_bounds == made(name=name).ratio_bounds


def test_advantages_of_a_step_by_row() -> None:
    def of(name: str) -> Tensor:
        return made(name=name).advantage(
            torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0, 0, 1]), torch.ones(3)
        )

    assert of("dr_grpo").tolist() == [0.5, -0.5, 0.0]
    assert of("rloo").tolist() == [1.0, -1.0, 0.0]
    assert of("sft").tolist() == [1.0, 1.0, 1.0]
    assert of("grpo")[0].item() == pytest.approx(0.5 / (0.5**0.5 + 1e-4))
