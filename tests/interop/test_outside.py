from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from guerdon.core.errors import ConfigError, PluginError
from guerdon.interop.outside import OutsideRubric, read_rewards

RECIPE = """# only the rewards are read
[model]
nonsense = true

[rewards.math]
extract = "hash"

[rewards.style]
kind = "function"
path = "{path}:length"
weight = 0.5
"""
MINE = """
def length(prompts, completions, **columns):
    return [len(completions) / 10] * len(completions)
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "mine.toml").write_text(RECIPE.format(path=tmp_path / "mine.py"))
    return tmp_path / "mine.toml"


@pytest.fixture
def rubric(recipe: Path) -> Iterator[OutsideRubric]:
    made = OutsideRubric(recipe)
    yield made
    made.close()


@pytest.mark.slow
def test_neighbours_with_one_problem_are_one_group(rubric: OutsideRubric) -> None:
    rows = [{"question": "2 + 2", "answer": "4"}] * 3 + [{"question": "2 + 3", "answer": "5"}]
    problems = [rubric.problem(row, f"row {index}") for index, row in enumerate(rows)]
    scores = rubric.score(problems, ["#### 4", "#### 5", "#### 4", "#### 5"])
    assert [score["parts"][0]["value"] for score in scores] == [1.0, 0.0, 1.0, 1.0]
    assert [score["parts"][1]["value"] for score in scores] == [
        0.3,
        0.3,
        0.3,
        0.1,
    ]  # the function saw the group
    assert [score["value"] for score in scores] == pytest.approx([1.15, 0.15, 1.15, 1.05])


@pytest.mark.slow
def test_it_works_inside_an_event_loop(rubric: OutsideRubric) -> None:
    async def ask() -> float | None:
        problem = rubric.problem({"answer": "4"}, "row 0")
        value: float | None = rubric.score([problem], ["#### 4"])[0]["value"]
        return value

    assert asyncio.run(ask()) == pytest.approx(1.05)


def test_a_row_that_cannot_be_used_is_named(recipe: Path) -> None:
    rubric = OutsideRubric(recipe)
    with pytest.raises(PluginError, match=r"row 3: target is \[4\]"):
        rubric.problem({"answer": [4]}, "row 3")
    rubric.close()


def test_mistakes_in_the_file_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for text, told in {
        "[rewards.math]\nextrct = 'hash'\n[rewards.maths]\n": r"rewards\.math\.extrct.*\n.*rewards\.maths\.kind",
        "[model]\n": "no table",
        "[rewards": "not TOML",
    }.items():
        path.write_text(text)
        with pytest.raises(ConfigError, match=told):
            read_rewards(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_rewards(tmp_path / "no.toml")


TREE = """
[rewards.math]
extract = "hash"
[rewards.format]
layout = "hash"
[reward.gate]
condition = "format"
then = "math"
"""


def test_the_tree_of_a_file_is_read_and_its_mistakes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TREE)
    config = read_rewards(path)
    assert config.weights() == {"math": 0.0, "format": 0.0, "gate": 1.0}
    assert read_rewards(config) is config
    path.write_text(TREE.replace('"math"', '"mth"') + "[reward.minimum]\nof = ['gate', 'maths']\n")
    with pytest.raises(ConfigError) as caught:
        read_rewards(path)
    assert [line.removeprefix(f"{path}: ").split(" (")[0] for line in caught.value.problems] == [
        "reward.gate.then: no part and no node 'mth'",
        "reward.minimum.of: no part and no node 'maths'",
    ]


@pytest.mark.slow
def test_every_trainer_gets_the_trees_reward(tmp_path: Path) -> None:
    from guerdon.interop.openrlhf import reply
    from guerdon.interop.rubrics import as_compute_score, as_trl_rubric

    path = tmp_path / "mine.toml"
    path.write_text(TREE)
    texts = ["so\n#### 4", "4 it is"]
    metrics: dict[str, float] = {}
    reward = as_trl_rubric(path)
    found = reward(["2 + 2"] * 2, texts, answer=["4"] * 2, log_metric=metrics.__setitem__)
    assert found == [1.0, -1.0]
    assert metrics["rewards/rubric/gate/mean"] == 0.0
    scored = as_compute_score(path)("data", texts[1], "4")
    assert scored == {"score": -1.0, "verified": 1.0, "math": scored["math"], "format": 0.0, "gate": -1.0}
    rubric = OutsideRubric(path)
    problem = rubric.problem({"answer": "4"}, "row 0")
    answer = reply(rubric.score([problem] * 2, texts))
    assert answer["rewards"] == [1.0, -1.0]
    assert answer["extra_logs"]["gate"] == [1.0, -1.0]
    rubric.close()
