import pickle

import pytest

from guerdon.core import errors
from guerdon.core.errors import ConfigError, GuerdonError, MissingExtraError, UserError, did_you_mean

EXAMPLES = [
    errors.GuerdonError("x"),
    errors.UserError("x"),
    errors.ConfigError(["a: b", "c: d"]),
    errors.DataError("row 3"),
    errors.ModelError("x"),
    errors.PluginError("x"),
    errors.CheckpointError("x"),
    errors.MissingExtraError("report_to=wandb", "wandb"),
    errors.RolloutFailure("x"),
]


def test_every_error_of_the_module_has_an_example() -> None:
    classes = {
        item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, GuerdonError)
    }
    assert classes == {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_whole(error: GuerdonError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_stands_in_the_drawing(error: GuerdonError) -> None:
    assert type(error).__name__ in (errors.__doc__ or "")


def test_user_errors_are_standard_errors_too() -> None:
    assert issubclass(UserError, ValueError)
    assert issubclass(MissingExtraError, ImportError)
    assert issubclass(errors.RolloutFailure, RuntimeError)
    assert not issubclass(errors.RolloutFailure, UserError)


def test_a_config_error_is_one_line_a_problem() -> None:
    assert str(ConfigError("one")) == "one"
    assert str(ConfigError(["one", "two"])) == "one\ntwo"


def test_a_missing_extra_says_the_line_that_installs_it() -> None:
    assert "pip install 'guerdon[wandb]'" in str(MissingExtraError("report_to=wandb", "wandb"))


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("epsillon", ["epsilon", "beta"], " (did you mean 'epsilon'?)"),
        ("zzz", ["b", "a"], " (known: a, b)"),
        ("zzz", [], ""),
    ],
)
def test_did_you_mean(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == hint
