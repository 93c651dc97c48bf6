import tomllib
from pathlib import Path

import pytest

from guerdon.core.errors import ConfigError, UserError
from guerdon.run.config import RunConfig
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.recipe import (
    find_recipe,
    load_recipe,
    load_recipe_of,
    load_rewards,
    load_run,
    parse_override,
    recipe_summary,
    shipped_recipes,
)

MINIMAL = """
[data.train]
kind = "arith"

[rewards.math]
weight = 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    return path


def problems(path: Path | str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, overrides)
    return list(caught.value.problems)


def test_there_are_recipes_to_test() -> None:
    assert "quickstart" in shipped_recipes()


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_every_shipped_recipe_loads_by_name(name: str) -> None:
    kinds = {"reward_model": RewardRunConfig, "preferences": PreferencesRunConfig}
    kind = kinds.get(tomllib.loads(shipped_recipes()[name].read_text()).get("kind", ""), RunConfig)
    config = load_recipe_of(kind, name)
    assert config.seed == 0
    assert recipe_summary(shipped_recipes()[name]), (
        "the first line of a recipe is a comment that says what it is"
    )


def test_a_sparse_recipe_has_every_default(recipe: Path) -> None:
    config = load_recipe(recipe)
    assert config.rollout.num_generations == 8
    assert config.rewards["math"].kind == "math"
    assert config.rewards["math"].weight == 1.0


@pytest.mark.parametrize(
    ("override", "keys", "value"),
    [
        ("a=1", ("a",), 1),
        ("a.b.c=1e-5", ("a", "b", "c"), 1e-5),
        ("a=true", ("a",), True),
        ("a=['x', 'y']", ("a",), ["x", "y"]),
        ("a={ b = 1 }", ("a",), {"b": 1}),
        ("a='8'", ("a",), "8"),
        ("a=builtin:tiny", ("a",), "builtin:tiny"),
        ("a=x=y", ("a",), "x=y"),
        ("a=", ("a",), ""),
        ("a=1\nb=2", ("a",), "1\nb=2"),  # no smuggling of a second key
    ],
)
def test_a_value_is_toml_and_a_bare_word_is_text(override: str, keys: tuple[str, ...], value: object) -> None:
    assert parse_override(override) == (keys, value)


@pytest.mark.parametrize("override", ["a", "=3", "a..b=3", ".a=3"])
def test_an_override_needs_a_path_and_a_value(override: str) -> None:
    with pytest.raises(ConfigError, match="expected path=value"):
        parse_override(override)


def test_overrides_win_over_the_file_and_later_ones_over_earlier(recipe: Path) -> None:
    config = load_recipe(
        recipe, ["train.max_steps=3", "rewards.math.weight=2", "train.max_steps=4", "model.lora={}"]
    )
    assert config.train.max_steps == 4
    assert config.rewards["math"].weight == 2.0
    assert config.model.lora is not None
    assert config.model.lora.r == 16


def test_a_policy_with_dropout_is_refused_and_a_reward_model_is_not(recipe: Path) -> None:
    (line,) = problems(recipe, "model.lora.dropout=0.1")
    assert "model.lora.dropout: 0.1, but a policy learns from the log-probabilities" in line
    config = load_recipe_of(RewardRunConfig, "reward_model", ["model.lora.dropout=0.1"])
    assert config.model.lora is not None
    assert config.model.lora.dropout == 0.1


def test_a_reward_table_can_be_replaced_whole(recipe: Path) -> None:
    config = load_recipe(recipe, ["rewards={ random = {} }", "eval.accuracy=random"])
    assert list(config.rewards) == ["random"]


def test_all_problems_at_once_each_with_file_or_override_and_key(recipe: Path) -> None:
    recipe.write_text(MINIMAL + 'wieght = 2\n[train]\nmax_steps = "many"\n', encoding="utf-8")
    found = problems(recipe, "rollout.temprature=1", "rollout.num_generations=x", "name.x=1", "nonsense")
    assert sorted(found) == sorted(
        [
            "--set nonsense: expected path=value, for example --set rollout.num_generations=16",
            "--set rollout.temprature=1: rollout.temprature: unknown key (did you mean 'temperature'?)",
            "--set rollout.num_generations=x: rollout.num_generations: expected a whole number; got 'x'",
            f"{recipe}: rewards.math.wieght: unknown key (did you mean 'weight'?)",
            f"{recipe}: train.max_steps: expected a whole number; got 'many'",
            "--set name.x=1: name: expected text in quotes; got {'x': 1}",
        ]
    )


def test_a_choice_that_contradicts_another_is_told_with_its_override(recipe: Path) -> None:
    overrides = ["algorithm.name=cispo", "algorithm.epsilon=0.2", "eval.accuracy=nothing"]
    assert problems(recipe, *overrides) == [
        "--set algorithm.epsilon=0.2: algorithm.epsilon: 'cispo' with surrogate 'cispo' does not read it; "
        "remove it",
        "--set eval.accuracy=nothing: eval.accuracy: 'nothing' names no part of rewards (math)",
    ]


def test_a_flat_key_as_in_trl_is_told_its_table(recipe: Path) -> None:
    assert problems(recipe, "epsilon=0.3") == [
        "--set epsilon=0.3: epsilon: unknown key (did you mean algorithm.epsilon?)"
    ]


def test_a_path_through_a_value_is_refused(recipe: Path) -> None:
    assert problems(recipe, "rewards.math.weight.x=1") == [
        "--set rewards.math.weight.x=1: rewards.math.weight is a value, not a table"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = \n", 2), ("a = 1\n\n[x\n", 3), ("a = 1\na = 2\n", 2), ("a = [1,", 1)],
)
def test_a_syntax_error_names_file_and_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    (problem,) = problems(path)
    assert problem.startswith(f"{path}:{line}: not TOML: ")


def test_what_is_no_recipe_is_refused_in_one_line(tmp_path: Path) -> None:
    binary = tmp_path / "model.gguf"
    binary.write_bytes(b"GGUF\xff\xfe\x00")
    assert problems(binary) == [f"{binary}: not UTF-8 text (byte 4); a recipe is a TOML file"]
    assert problems(tmp_path) == [f"{tmp_path}: a folder, not a recipe; give a .toml file"]
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (2 << 20))
    assert "a recipe is a small TOML file" in problems(huge)[0]


def test_a_misspelt_recipe_gets_the_nearest(recipe: Path) -> None:
    assert problems(recipe.with_name("mime.toml")) == [
        f"{recipe.with_name('mime.toml')}: no such file (did you mean {str(recipe)!r}?)"
    ]
    (problem,) = problems("quickstrat")
    assert problem.endswith("(did you mean 'quickstart'?)")


def test_a_file_wins_over_a_shipped_name(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe.rename(recipe.with_name("quickstart"))
    monkeypatch.chdir(recipe.parent)
    assert find_recipe("quickstart") == Path("quickstart")


def test_a_table_with_too_many_keys_is_no_recipe(recipe: Path) -> None:
    keys = "\n".join(f"k{number} = 1" for number in range(26))
    recipe.write_text(MINIMAL + f"[model]\n{keys}\n", encoding="utf-8")
    assert any("model: 26 keys in one table" in problem for problem in problems(recipe))


def test_the_config_of_a_run_folder_with_overrides(recipe: Path, tmp_path: Path) -> None:
    import json

    config = load_recipe(recipe)
    (tmp_path / "config.json").write_text(
        json.dumps({"config": config.model_dump(mode="json")}), encoding="utf-8"
    )
    assert load_run(tmp_path) == config
    assert load_run(tmp_path, ["eval.num_problems=3"]).eval.num_problems == 3
    with pytest.raises(UserError, match="did you mean 'num_problems'"):
        load_run(tmp_path, ["eval.num_problem=3"])


HYBRID = """
stages = ["grpo"]
eval = { num_problems = 0 }
data.train.kind = "arith"
[rewards.math]
[rewards.format]
[reward]
calibrate = { math = "zscore" }
[reward.gate]
condition = "format"
then = "math"
"""


def test_the_reward_table_is_part_of_the_recipe(recipe: Path) -> None:
    recipe.write_text(HYBRID)
    config = load_recipe(recipe, ["reward.gate.otherwise=-0.5"])
    assert config.rubric.weights() == {"math": 0.0, "math_zscore": 0.0, "format": 0.0, "gate": 1.0}
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


def test_mistakes_of_the_reward_table_come_with_all_others(recipe: Path) -> None:
    recipe.write_text(HYBRID)
    found = problems(recipe, "reward.gate.then=fromat", "eval.num_problems=4", "eval.accuracy=maths")
    assert found[0] == (
        "--set reward.gate.then=fromat: reward.gate.then: no part and no node 'fromat' (did you mean 'format'?)"
    )
    assert "eval.accuracy" in found[1]
    assert len(found) == 2, "that nothing uses rewards.math now follows from the first"
    assert "reward.gate.thn: unknown key" in problems(recipe, "reward.gate.thn=math")[0]
    assert "reward.gate: a cycle: gate -> gate" in problems(recipe, "reward.gate.then=gate")[0]


MIXED = """
[data.train.sums]
kind = "arith"
[data.train.lists]
kind = "lists"
[rewards.math]
[rewards.listing]
weight = 0.0
[eval]
accuracy = { sums = "math", lists = "listing" }
"""


def test_sets_under_names_their_overrides_and_the_config_of_their_run(recipe: Path, tmp_path: Path) -> None:
    import json

    recipe.write_text(MIXED, encoding="utf-8")
    config = load_recipe(recipe, ["data.train.lists.num_problems=7"])
    (tmp_path / "config.json").write_text(
        json.dumps({"config": config.model_dump(mode="json")}), encoding="utf-8"
    )
    assert load_run(tmp_path) == config
    assert [
        len(one.build(0))
        for one in load_run(tmp_path, ["data.train.sums.num_problems=3"]).data.train.of.values()
    ] == [3, 7]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            ", lists = ",
            ", list = ",
            "eval.accuracy: has sums, list; expected a part for each set (lists, sums)",
        ),
        (
            ', lists = "listing"',
            "",
            "eval.accuracy: has sums; expected a part for each set (lists, sums)",
        ),
        ('"listing" }', '"listings" }', "eval.accuracy: 'listings' names no part of rewards"),
        ("[data.train.lists]", "[data.train.sums.x]", "data.train.sums.x: unknown key"),
    ],
)
def test_an_accuracy_for_each_set_fits_the_sets(recipe: Path, old: str, new: str, told: str) -> None:
    recipe.write_text(MIXED.replace(old, new), encoding="utf-8")
    assert any(told in problem for problem in problems(recipe))


def test_an_accuracy_for_each_set_needs_sets(recipe: Path) -> None:
    recipe.write_text(MINIMAL + '[eval]\naccuracy = { a = "math" }\n', encoding="utf-8")
    assert any("the problems are not mixed of sets" in problem for problem in problems(recipe))


@pytest.mark.parametrize(
    ("monitor", "says"),
    [
        ("{ probes = ['formt'] }", "no part of rewards is called 'formt' (did you mean 'format'?)"),
        ("{ probes = ['math'] }", "'math' is in the reward"),
        ("{ probes = ['quiet'], action = 'raise_beta' }", "algorithm.beta is 0"),
        (
            "{ probes = ['quiet'], action = 'raise_beta' }\n[algorithm]\nbeta = 2.0",
            "train.monitor.max_beta: 1, but algorithm.beta is 2 to begin with",
        ),
        ("{ probes = [] }", "at least 1"),
    ],
)
def test_a_monitor_that_cannot_watch_is_refused(tmp_path: Path, monitor: str, says: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(
        "[data.train]\nkind = 'arith'\n[rewards.math]\n[rewards.format]\n"
        f"[rewards.quiet]\nkind = 'format'\nweight = 0.0\n[train]\nmonitor = {monitor}\n"
    )
    with pytest.raises(ConfigError) as error:
        load_recipe(path)
    assert says in str(error.value)


def test_rewards_alone_are_enough_to_score_with(recipe: Path, tmp_path: Path) -> None:
    path = tmp_path / "alone.toml"
    path.write_text("[rewards.math]\n[rewards.format]\n[reward.sum]\nof = { math = 1.0, format = 0.5 }\n")
    rubric, whole = load_rewards(path, ["rewards.math.extract=boxed", "reward.sum.of.format=0.1"])
    assert whole is None
    assert rubric.weights() == {"math": 1.0, "format": 0.1, "sum": 0.0}
    assert rubric.rewards["math"].extract == "boxed"  # type: ignore[attr-defined]
    rubric, whole = load_rewards(recipe)
    assert whole == load_recipe(recipe)
    assert rubric == whole.rubric


@pytest.mark.parametrize(
    ("text", "override", "told"),
    [
        ("[rewards.math]\n", "train.max_steps=3", "so of it only rewards and reward are read"),
        ("[rewards.maths]\n", "seed=1", "did you mean 'math'?"),
        ("[rewards.math]\n[evl]\n", "rewards.math.weight=2", "evl: unknown key (did you mean 'eval'?)"),
        ("seed = 1\n", "seed=1", "no table [rewards.*]"),
        ("[rewards.math]\n[data.train]\nkind = 'arith'\n", "train.max_step=3", "did you mean 'max_steps'"),
    ],
)
def test_mistakes_of_what_only_scores_are_told(text: str, override: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "alone.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_rewards(path, [override])
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("rollout.staleness=1",), "rollout.staleness: 1, but nothing corrects for samples of older weights"),
        (
            ("rollout.num_threads=1",),
            "rollout.num_threads: while staleness is 0, sampling and learning take turns",
        ),
        (("rollout.device=cpu",), "rollout.device: while staleness is 0, sampling and learning take turns"),
        (("rollout.staleness=1", "algorithm.kl=k1"), "algorithm.kl: beta is 0"),
        (
            (
                "rollout.staleness=2",
                "algorithm.importance_sampling_correction=mask",
                "rewards.rm={ kind = 'reward_model', path = 'x', shaping = ['contrast'] }",
            ),
            "rollout.staleness: 2, but rewards.rm.shaping samples its references between the steps",
        ),
        (("rollout.staleness=-1",), "rollout.staleness: "),
    ],
)
def test_a_lag_that_cannot_work_is_refused_in_one_line(
    recipe: Path, overrides: tuple[str, ...], expected: str
) -> None:
    (problem,) = problems(recipe, *overrides)
    assert expected in problem
    assert "\n" not in problem


def test_a_lag_with_a_correction_is_fine(recipe: Path) -> None:
    for correction in ("truncate", "mask"):
        config = load_recipe(
            recipe, ("rollout.staleness=1", f"algorithm.importance_sampling_correction={correction}")
        )
        assert config.rollout.staleness == 1
