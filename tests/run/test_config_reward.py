from __future__ import annotations

from pathlib import Path

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import ConfigError
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.recipe import load_recipe, load_recipe_of

MINIMAL = 'kind = "reward_model"\n[data.train.p]\nkind = "arith"\n'


def recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rm.toml"
    path.write_text(text)
    return path


def problems(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_recipe_of(RewardRunConfig, path, overrides)
    return "\n".join(caught.value.problems)


def test_a_sparse_recipe_has_every_default(tmp_path: Path) -> None:
    config = load_recipe_of(RewardRunConfig, recipe(tmp_path, MINIMAL))
    assert config.name == "rm"
    assert config.head.kind == "scalar"
    assert config.loss.ranking == "bradley_terry"
    assert config.save_steps == 25


def test_recipes_and_commands_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="guerdon rm train"):
        load_recipe(recipe(tmp_path, MINIMAL))
    with pytest.raises(ConfigError, match="guerdon train"):
        load_recipe_of(RewardRunConfig, "quickstart")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("head.knd=scalar", "head.knd: unknown key (did you mean 'kind'?)"),
        ("loss.ranking=none", "nothing to learn from"),
        ("loss.label_smoothing=0.9", "loss.label_smoothing"),
        ("head.attributes=['a']", "belong together"),
        ("data.train.p.label_noise=0.7", "label_noise"),
        ("report_to=['wandbb']", "wandb"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, override: str, told: str) -> None:
    assert told in problems(recipe(tmp_path, MINIMAL), override)


def test_binned_scores_have_no_utility(tmp_path: Path) -> None:
    found = problems(recipe(tmp_path, MINIMAL), "head.kind=binned", "loss.ranking=prompt_aware")
    assert "a binned head has none" in found


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["loss.ranking=prompt_aware", "loss.use_margin=true", "loss.label_smoothing=0.1"],
            [
                "loss.use_margin: nothing reads it, because loss.ranking is 'prompt_aware'; remove the key",
                "loss.label_smoothing: nothing reads it, because loss.ranking is 'prompt_aware'; remove the key",
            ],
        ),
        (
            ["head.kind=binned", "loss.use_margin=true", "loss.centering=0.5", "loss.variance_floor=0.2"],
            [
                f"loss.{key}: nothing reads it, because head.kind is 'binned'; remove the key"
                for key in ("use_margin", "centering", "variance_floor")
            ],
        ),
        (
            ["loss.variance_floor=0.0", "loss.min_std=0.2"],
            ["loss.min_std: nothing reads it, because loss.variance_floor is 0; remove the key"],
        ),
        (
            ["head.bias=false", "loss.bias=0.4", "input.max_length=99", "loss.critique=0.9"],
            [
                "loss.bias: nothing reads it, because head.bias is false; remove the key",
                "loss.critique: nothing reads it, because there is no input.critique; remove the key",
            ],
        ),
    ],
)
def test_a_loss_setting_that_nothing_reads_is_refused(
    tmp_path: Path, overrides: list[str], told: list[str]
) -> None:
    place = recipe(tmp_path, MINIMAL)
    assert problems(place, *overrides).splitlines() == [f"{place}: {line}" for line in told]


def test_a_recipe_read_back_from_its_run_gives_every_key(tmp_path: Path) -> None:
    overrides = ["head.kind=binned", "loss.centering=0.0"]  # asking for nothing is no mistake
    config = load_recipe_of(RewardRunConfig, recipe(tmp_path, MINIMAL), overrides)
    again = parse_config(RewardRunConfig, config.model_dump(mode="json"))
    assert again == config
