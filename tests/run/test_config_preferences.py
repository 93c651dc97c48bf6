from __future__ import annotations

from pathlib import Path

import pytest

from guerdon.core.errors import ConfigError
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.recipe import load_recipe, load_recipe_of


def test_the_shipped_recipe() -> None:
    config = load_recipe_of(PreferencesRunConfig, "preferences", ["pairing.max_pairs=3"])
    assert config.pairing.max_pairs == 3
    assert config.rubric.rewards["math"].kind == "math"
    assert config.judged_by == "r1_like"


def test_a_recipe_for_another_command_is_told() -> None:
    with pytest.raises(ConfigError, match="use: guerdon prefs make"):
        load_recipe("preferences")
    with pytest.raises(ConfigError, match="use: guerdon rm train"):
        load_recipe_of(PreferencesRunConfig, "reward_model")
    with pytest.raises(ConfigError, match="a policy's is for: guerdon train"):
        load_recipe_of(PreferencesRunConfig, "quickstart")


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigError, match="did you mean 'pairing'"):
        load_recipe_of(PreferencesRunConfig, "preferences", ["paring.min_gap=1.0"])


RECIPE = """
kind = "preferences"
[model]
source = "builtin:tiny"
[data.train]
kind = "arith"
num_problems = 20
"""


def recipe(tmp_path: Path, more: str) -> PreferencesRunConfig:
    (tmp_path / "p.toml").write_text(RECIPE + more)
    return load_recipe_of(PreferencesRunConfig, tmp_path / "p.toml")


def problems(tmp_path: Path, more: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        recipe(tmp_path, more)
    return [line.removeprefix(f"{tmp_path}/p.toml: ") for line in caught.value.problems]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[rewards]", "rewards: empty; name a part, such as [rewards.math]"),
        ("[rewards.math]\nweight = 0.0", "rewards: at least one part needs a weight other than 0"),
        (
            "[rewards.math]\n[reward.a]\nkind = 'sum'\nof = { b = 1.0, math = 1.0 }\n"
            "[reward.b]\nkind = 'minimum'\nof = ['a', 'math']",
            "reward.a: a cycle: a -> b -> a",
        ),
        ("[rewards.math]\n[reward.sum]\nof = { mth = 1.0 }", "reward.sum.of: no part and no node 'mth'"),
        (
            "[rewards.math]\n[reward.gate]\ncondition = 'safe'\nthen = 'math'",
            "reward.gate.condition: no part and no node 'safe'",
        ),
        ("[reward.sum]\nof = { math = 1.0 }", "reward: there are no [rewards] to make it of"),
        (
            "[sampling]\nnum_generations = 1\n[rewards.math]",
            "sampling.num_generations: 1 answer to a problem",
        ),
        ("[rewards.verdict]\nkind = 'math'", "rewards.verdict: this name is that of the rule's verdict"),
    ],
)
def test_rewards_that_cannot_label_are_refused(tmp_path: Path, more: str, told: str) -> None:
    assert any(line.startswith(told) for line in problems(tmp_path, more))


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    tree = "[rewards.math]\n[rewards.format]\n[reward.sum]\nof = { mth = 1.0, format = 0.0 }\n[pairing]\npolicy = 'some'\n"
    assert len(problems(tmp_path, tree)) == 1  # a key that cannot be read hides what depends on it
    assert len(problems(tmp_path, tree.partition("[pairing]")[0])) == 2


def test_without_rewards_people_judge(tmp_path: Path) -> None:
    config = recipe(tmp_path, "")
    assert (config.rewards, config.judged_by, config.rubric.rewards) == (None, "human", {})
    assert recipe(tmp_path, "[rewards.math]").judged_by == "r1_like"


@pytest.mark.parametrize(
    ("parts", "verdict", "told"),
    [
        ("[rewards.math]", "math", "verdict: 'math' alone labels the answers"),
        ("[rewards.math]", "mth", "verdict: no part of rewards is called 'mth' (did you mean 'math'?)"),
        ("", "math", "verdict: no part of rewards is called 'math'"),
        (
            "[rewards.math]\n[rewards.rm]\nkind = 'reward_model'\npath = 'x'",
            "rm",
            "verdict: 'rm' is what a model thinks (reward_model); a verdict is a rule's",
        ),
    ],
)
def test_a_verdict_is_a_rule_s_and_not_the_label(tmp_path: Path, parts: str, verdict: str, told: str) -> None:
    (tmp_path / "p.toml").write_text(f"verdict = {verdict!r}\n{RECIPE}{parts}")
    with pytest.raises(ConfigError) as caught:
        load_recipe_of(PreferencesRunConfig, tmp_path / "p.toml")
    assert told in str(caught.value)


def test_a_verdict_that_is_a_part_of_the_label_is_told(tmp_path: Path) -> None:
    def remarks(weight: str) -> list[str]:
        (tmp_path / "p.toml").write_text(
            f"verdict = 'math'\n{RECIPE}[rewards.math]\nweight = {weight}\n[rewards.coin]\nkind = 'random'"
        )
        return load_recipe_of(PreferencesRunConfig, tmp_path / "p.toml").remarks()

    assert remarks("0.0") == []
    assert "'math' also labels the answers" in remarks("0.5")[0]
