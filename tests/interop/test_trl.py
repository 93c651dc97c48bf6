from typing import Any

import pytest

from guerdon.core.config import parse_config
from guerdon.interop.draft import Draft, Fate
from guerdon.interop.trl import translate
from guerdon.run.config import RunConfig
from guerdon.train.table import ROWS

BASE = {
    "model_name_or_path": "org/model",
    "dataset_name": "openai/gsm8k",
    "reward_funcs": "accuracy_reward",
    "max_steps": 10,
}


def recipe(**keys: Any) -> RunConfig:
    return parse_config(RunConfig, translate({**BASE, **keys}).recipe)


def fates(draft: Draft) -> dict[str, Fate]:
    return {line.theirs: line.fate for line in draft.lines}


def test_trls_defaults_are_written_out() -> None:
    config = recipe()
    assert config.algorithm.aggregate == "token_mean"  # loss_type dapo
    assert config.algorithm.advantage == "group_zscore"
    assert config.rollout.max_completion_length == 512
    assert config.rollout.generation_batch_size == 8
    assert config.train.lr_scheduler_type == "linear"
    assert config.stages == ("grpo",)


def test_the_batch_counts_completions_over_devices_and_micro_steps() -> None:
    # 4 a device x 2 devices x 8 micro-steps = 64 completions = 8 prompts x 8; one update a generation
    draft = translate(
        {**BASE, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 8, "num_processes": 2}
    )
    config = parse_config(RunConfig, draft.recipe)
    assert config.rollout.generation_batch_size == 64
    assert config.train.steps_per_generation == 1
    note = next(line.note for line in draft.lines if "x steps_per_generation" in line.theirs)
    assert note == "4 completions x 2 devices x 8 micro-steps = 64 completions = 8 prompts x 8"


def test_max_steps_counts_updates_there_and_generations_here() -> None:
    # 8 micro-steps / 4 accumulated = 2 updates, x 3 iterations = 6 updates a generation: ceil(100 / 6) = 17
    config = recipe(steps_per_generation=8, gradient_accumulation_steps=4, num_iterations=3, max_steps=100)
    assert config.train.max_steps == 17
    assert config.train.steps_per_generation == 2
    assert config.train.num_iterations == 3


def test_epochs_are_left_to_a_person_with_the_sum_to_do() -> None:
    keys = {key: value for key, value in BASE.items() if key != "max_steps"}
    draft = translate({**keys, "num_train_epochs": 2})
    (line,) = [line for line in draft.lines if line.fate is Fate.BY_HAND]
    assert line.ours == "train.max_steps"
    assert "2 epochs x problems / 1 problems a step" in line.note


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"loss_type": "grpo"}, {"aggregate": "sequence_mean"}),
        (
            {"loss_type": "dr_grpo", "scale_rewards": False},
            {"aggregate": "constant_length", "advantage": "group_center"},
        ),
        (
            {"loss_type": "bnpo", "scale_rewards": "batch"},
            {"aggregate": "token_mean", "advantage": "batch_std"},
        ),
        ({"multi_objective_aggregation": "normalize_then_sum"}, {"advantage": "gdpo"}),
        ({"multi_objective_aggregation": "sum_then_normalize"}, {"advantage": "group_zscore"}),
        (
            {"importance_sampling_level": "sequence", "epsilon": 3e-4, "epsilon_high": 4e-4},
            {"ratio": "sequence", "epsilon": 3e-4, "epsilon_high": 4e-4},
        ),
        ({"epsilon": 0.1}, {"epsilon": 0.1, "epsilon_high": 0.1}),
        ({"epsilon_high": 0.28}, {"epsilon": None, "epsilon_high": 0.28}),
        (
            {"loss_type": "cispo", "epsilon": 0.2, "epsilon_high": 5.0},
            {"surrogate": "cispo", "epsilon": None, "epsilon_high": 5.0},
        ),
        ({"loss_type": "sapo", "epsilon": 0.2}, {"surrogate": "sapo", "epsilon": 1.05, "epsilon_high": 1.0}),
        ({"beta": "1e-3", "use_bias_correction_kl": True}, {"beta": 1e-3, "kl": "k3_unbiased"}),
        (
            {"delta": 4.0, "mask_truncated_completions": "true"},
            {"delta": 4.0, "mask_truncated_completions": True},
        ),
        (
            {"beta": 0.1, "sync_ref_model": True, "ref_model_sync_steps": 64.0},
            {"sync_ref_model": True, "ref_model_sync_steps": 64},
        ),
        ({"sync_ref_model": True, "use_bias_correction_kl": True}, {"sync_ref_model": False, "kl": None}),
        ({"beta": 0.1, "ref_model_sync_steps": 64}, {"sync_ref_model": False, "ref_model_sync_steps": 400}),
    ],
)
def test_the_objective(keys: dict[str, Any], expected: dict[str, Any]) -> None:
    config = recipe(**keys).algorithm
    assert {key: getattr(config, key) for key in expected} == expected
    assert config.name in ROWS
    pytest.importorskip("torch")
    from guerdon.train.algorithms import resolve

    resolve(config)  # no bound that the surrogate does not read


@pytest.mark.parametrize("loss", ["vespo", "luspo", "something_new"])
def test_an_objective_we_do_not_have_is_named(loss: str) -> None:
    assert fates(translate({**BASE, "loss_type": loss}))["loss_type"] is Fate.MISSING


def test_rewards_with_weights_in_their_order() -> None:
    funcs = ["accuracy_reward", "think_format_reward", "my.pkg.rewards.brevity", "local_fn"]
    config = recipe(reward_funcs=funcs, reward_weights=[1, 0.2, "0.1", 3])
    assert {name: (part.kind, part.weight) for name, part in config.rewards.items()} == {
        "math": ("math", 1.0),
        "format": ("format", 0.2),
        "brevity": ("function", 0.1),
        "local_fn": ("function", 3.0),
    }
    assert config.rewards["brevity"].path == "my.pkg.rewards:brevity"  # type: ignore[attr-defined]
    assert config.rewards["local_fn"].path == "rewards.py:local_fn"  # type: ignore[attr-defined]


def test_a_reward_model_has_no_counterpart_and_the_recipe_still_stands() -> None:
    draft = translate({**BASE, "reward_funcs": ["org/reward-model"]})
    assert any(line.fate is Fate.MISSING and "org/reward-model" in line.note for line in draft.lines)
    assert any(line.fate is Fate.BY_HAND and line.ours == "rewards.math" for line in draft.lines)
    parse_config(RunConfig, draft.recipe)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("rows.jsonl", "jsonl"), ("rows.jsonl.gz", "jsonl"), ("rows.parquet", "parquet"), ("org/set", "hub")],
)
def test_a_dataset_is_a_file_or_a_hub_name(name: str, kind: str) -> None:
    assert recipe(dataset_name=name).data.train.kind == kind


def test_what_changes_nothing_is_not_called_missing() -> None:
    found = fates(translate({**BASE, "repetition_penalty": 1.0, "fp16": False, "push_to_hub": None}))
    assert {found[key] for key in ("repetition_penalty", "fp16", "push_to_hub")} == {Fate.UNUSED}
    assert fates(translate({**BASE, "repetition_penalty": 1.1}))["repetition_penalty"] is Fate.MISSING


def test_dropout_of_the_adapters_is_left_out_and_told() -> None:
    draft = translate({**BASE, "use_peft": True, "lora_r": 8, "lora_dropout": 0.05})
    assert fates(draft)["lora_dropout"] is Fate.MISSING
    assert draft.recipe["model"]["lora"] == {"r": 8}
    parse_config(RunConfig, draft.recipe)  # a policy with dropout would be refused
    assert fates(translate({**BASE, "lora_dropout": 0.05}))["lora_dropout"] is Fate.UNUSED


def test_an_unknown_key_is_never_dropped_in_silence() -> None:
    found = fates(translate({**BASE, "brand_new_key": 3, "vllm_brand_new": 1}))
    assert found["brand_new_key"] is Fate.MISSING
    assert found["vllm_brand_new"] is Fate.UNUSED
