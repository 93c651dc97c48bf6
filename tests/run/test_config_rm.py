from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import ConfigError
from guerdon.run.config import RunConfig
from guerdon.run.config_rm import own_judges, own_parts, preferences_recipe, reward_recipe
from guerdon.run.judge_config import RewardModelConfig

RECIPE: dict[str, Any] = {
    "seed": 3,
    "stages": ["sft", "rm", "grpo"],
    "model": {"source": "builtin:tiny", "lora": {"r": 4}},
    "data": {"system_prompt": "Think.", "train": {"kind": "arith", "num_problems": 40}},
    "rollout": {"max_completion_length": 17, "temperature": 0.7},
    "rewards": {
        "math": {},
        "format": {"weight": 0.1},
        "judge": {"kind": "reward_model"},
        "other": {"kind": "reward_model", "path": "runs/other", "weight": 0.0},
    },
    "rm": {
        "num_problems": 30,
        "num_generations": 6,
        "pairing": {"max_pairs": 2},
        "train": {"batch_size": 5},
        "head": {"kind": "ensemble"},
    },
}


def config(**changes: Any) -> RunConfig:
    return parse_config(RunConfig, {**RECIPE, **changes})


def test_a_reward_model_without_a_path_is_the_run_s_own() -> None:
    rewards = config().rewards
    assert own_judges(rewards) == ["judge"]
    (own,) = own_parts(rewards, Path("/runs/x")).values()
    assert isinstance(own, RewardModelConfig)
    assert (own.name, own.path) == ("judge", "/runs/x/rm")


def test_its_pairs_are_of_the_run_s_own_problems_sampling_and_labels() -> None:
    recipe = preferences_recipe(config(), "/ckpt/model")
    assert (recipe.seed, recipe.num_problems, recipe.model.source) == (3, 30, "/ckpt/model")
    assert recipe.data == config().data
    sampling = recipe.sampling
    assert (sampling.num_generations, sampling.max_completion_length, sampling.temperature) == (6, 17, 0.7)
    assert list(recipe.rewards) == ["math"], "left out: the part that eval.accuracy names"
    assert recipe.pairing.max_pairs == 2
    chosen = preferences_recipe(config(rm={"labels": ["math", "format"]}), "m")
    assert list(chosen.rewards) == ["math", "format"]


def test_where_sets_are_mixed_each_is_labelled_by_its_own_part() -> None:
    """The part of the other set has nothing to say, and must not mask the label."""
    mixed = config(
        data={"train": {"sums": {"kind": "arith"}, "lists": {"kind": "lists"}}},
        rewards={**RECIPE["rewards"], "listing": {"weight": 0.0}},
        eval={"accuracy": {"sums": "math", "lists": "listing"}},
    )
    rewards = preferences_recipe(mixed, "m").rewards
    assert {name: (part.weight, part.when_missing) for name, part in rewards.items()} == {
        "math": (1.0, "skip"),
        "listing": (1.0, "skip"),
    }
    assert preferences_recipe(config(), "m").rewards["math"].when_missing == "mask"


def test_it_is_trained_as_its_table_says(tmp_path: Path) -> None:
    recipe = reward_recipe(config(), "/ckpt/model", tmp_path)
    assert Path(recipe.output_dir, recipe.name) == tmp_path / "rm"
    assert (recipe.seed, recipe.train.batch_size, recipe.head.kind) == (3, 5, "ensemble")
    assert recipe.model.lora
    assert recipe.model.lora.r == 4
    (pairs,) = recipe.data.train.values()
    assert pairs.model_dump()["path"] == str(tmp_path / "rm_pairs.jsonl")
    assert parse_config(type(recipe), recipe.model_dump(mode="json")) == recipe, (
        "it is written down and resumed"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stages": ["sft", "grpo"]}, r"rewards.judge.path: missing.*stages = \[\"sft\", \"rm\", \"grpo\"\]"),
        ({"stages": ["sft", "grpo", "rm"]}, "rewards.judge.path: missing"),
        ({"stages": ["sft", "rm"]}, "stages: ends with rm.*guerdon rm train"),
        ({"rm": {"labels": ["maths"]}}, "rm.labels: 'maths' names no part"),
        ({"rm": {"labels": ["judge"]}}, "rm.labels: 'judge' is the reward model that is to be trained"),
        ({"rm": {"num_generations": 1}}, "rm.num_generations"),
        ({"rm": {"input": {"fields": ["verdict"]}}}, "rewards.judge.verdict: missing; rm.input.fields shows"),
        (
            {
                "rewards": {"math": {}, "judge": {"kind": "reward_model", "verdict": "math"}},
                "eval": {"format": None},
            },
            "rewards.judge.verdict: has no use; rm.input.fields shows no verdict",
        ),
    ],
)
def test_what_cannot_work_is_said_before_the_run(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config(**changes)


def test_what_a_label_reads_is_computed_and_does_not_label() -> None:
    rewards = {
        **RECIPE["rewards"],
        "other": {"kind": "reward_model", "path": "runs/other", "verdict": "format"},
    }
    chosen = preferences_recipe(config(rewards=rewards, rm={"labels": ["math", "other"]}), "m")
    assert {name: part.weight for name, part in chosen.rewards.items()} == {
        "math": 1.0,
        "format": 0.0,
        "other": 1.0,
    }


def test_without_grpo_nobody_needs_the_judge() -> None:
    assert config(stages=["sft"]).stages == ("sft",)


def test_it_may_start_from_another_backbone() -> None:
    other = {"model": {"source": "pypi:minilm-l6"}}
    recipe = reward_recipe(config(rm=other), "/ckpt/model", Path("/runs/x"))
    assert recipe.model.source == "pypi:minilm-l6"
    assert recipe.model.lora is None, "the policy's adapters are not its"
    assert reward_recipe(config(), "/ckpt/model", Path("/runs/x")).model.source == "/ckpt/model"


def test_people_s_pairs_mix_with_the_run_s_own() -> None:
    human = {"kind": "jsonl", "path": "human.jsonl", "weight": 1.0}
    mixed = config(rm={"more": {"human": human}, "weight": 3.0})
    sets = reward_recipe(mixed, "m", Path("/runs/x")).data.train
    assert {name: (one.source, one.weight) for name, one in sets.items()} == {
        "own": ("r1_like", 3.0),
        "human": ("human", 1.0),
    }


@pytest.mark.parametrize(
    ("rm", "said"),
    [
        ({"more": {"own": {"kind": "jsonl", "path": "x"}}}, "choose another name"),
        (
            {"more": {"human": {"kind": "jsonl", "path": "x", "weight": 1.0}}},
            "weight: missing, but other sets",
        ),
        ({"more": {"human": {"kind": "jsonl", "path": "x"}}, "weight": 1.0}, "more.human.weight: missing"),
    ],
)
def test_a_mix_that_does_not_add_up_is_refused(rm: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config(rm=rm)


def test_losses_that_nothing_reads_are_told_under_the_stage_s_name() -> None:
    with pytest.raises(ConfigError) as caught:
        config(rm={"head": {"kind": "binned"}, "loss": {"use_margin": True, "listwise": 1.0}})
    assert caught.value.problems == (
        "rm.loss.use_margin: nothing reads it, because head.kind is 'binned'; remove the key",
        "rm.loss.listwise: the run's own answers come as pairs; add a set of lists to rm.more, or remove the key",
    )


def told(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        config(**changes)
    return str(caught.value)


def test_a_verdict_beside_the_labels_of_the_stage() -> None:
    rm = {**RECIPE["rm"], "labels": ["format"], "verdict": "math", "input": {"fields": ["verdict"]}}
    rewards = {**RECIPE["rewards"], "judge": {"kind": "reward_model", "verdict": "math"}}
    found = config(rm=rm, rewards=rewards)
    recipe = preferences_recipe(found, "m")
    assert recipe.verdict == "math"
    assert recipe.rewards is not None
    assert {name: part.weight for name, part in recipe.rewards.items()} == {"format": 0.1, "math": 0.0}
    assert "rewards.judge.verdict: missing; rm.input.fields shows a rule's verdict" in told(rm=rm)
    other = {**rewards, "judge": {"kind": "reward_model", "verdict": "format"}}
    assert "rewards.judge.verdict: 'format', but the pairs hold the verdict of 'math' (rm.verdict)" in told(
        rm=rm, rewards=other
    )
    assert "rm.verdict: 'math' alone labels the answers" in told(rm={**rm, "labels": ["math"]})
    assert "rm.verdict: 'mth' names no part of rewards" in told(rm={**rm, "verdict": "mth"})
    without = {key: value for key, value in rm.items() if key != "verdict"}
    assert "rm.verdict: missing; the reward model is shown a rule's verdict" in told(rm=without)
