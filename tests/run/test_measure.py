import pytest

from guerdon.core.errors import ConfigError
from guerdon.run.measure import evaluate_recipe
from guerdon.run.recipe import load_recipe

SMALL = [
    "model.source=builtin:tiny",
    "eval.num_problems=4",
    "eval.num_samples=2",
    "rollout.max_completion_length=4",
    "data.train.num_problems=40",
]


def test_the_same_model_measures_the_same_twice() -> None:
    config = load_recipe("quickstart", SMALL)
    first, second = (evaluate_recipe(config, model="builtin:tiny") for _ in range(2))
    assert first["label"] == "builtin:tiny"
    assert first["num_problems"] == 4
    assert first["metrics"] == second["metrics"]
    assert first["per_problem"] == second["per_problem"]


def test_evaluation_turned_off_is_an_error() -> None:
    with pytest.raises(ConfigError, match="turns evaluation off"):
        evaluate_recipe(load_recipe("quickstart", [*SMALL, "eval.num_problems=0"]))
