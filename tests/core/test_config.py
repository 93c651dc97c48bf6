import pickle
import sys
import types
from typing import Any, Literal

import pytest
from pydantic import Field, field_validator

from guerdon.core.config import Config, EntryError, Issue, parse_config, parse_plugin, parse_plugins
from guerdon.core.errors import ConfigError
from guerdon.core.registry import Registry


class Coin(Config):
    """A plug-in."""

    kind: Literal["coin"] = "coin"
    sides: int = Field(default=2, ge=2)
    """How many sides."""


class Inner(Config):
    """A nested table."""

    learning_rate: float = Field(default=0.1, gt=0.0)
    """Rate."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Shape."""


class Outer(Config):
    """A whole config."""

    name: str
    """Required."""
    tags: tuple[str, ...] = ()
    """Words."""
    keep: bool = True
    """Switch."""
    inner: Inner = Field(default_factory=Inner)
    """Nested."""
    other: Inner | None = None
    """Optional and nested."""
    coin: Any = None
    """A plug-in by kind."""
    pair: tuple[str, ...] = Field(default=("a", "b"), min_length=2)
    """Two at least."""
    limit: str | float | None = None
    """A word or a number."""
    parts: str | dict[str, str] = "all"
    """A word or a table."""

    @field_validator("coin", mode="before")
    @classmethod
    def _coin(cls, value: Any) -> Any:
        return parse_plugin(COINS, value) if isinstance(value, dict) else value


COINS = Registry(noun="coin", group="guerdon.tests.none", builtins={"coin": "coins_of_this_test:Coin"})


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("coins_of_this_test")
    vars(module)["Coin"] = Coin
    monkeypatch.setitem(sys.modules, "coins_of_this_test", module)


def problems(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(Outer, data, where="f.toml")
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "f.toml: name: missing; this key is required"),
        ({"name": 3}, "f.toml: name: expected text in quotes; got 3"),
        ({"name": "a", "keep": 1}, "f.toml: keep: expected true or false; got 1"),
        ({"name": "a", "tags": "x"}, "f.toml: tags: expected a list; got 'x'"),
        ({"name": "a", "inner": 3}, "f.toml: inner: expected a table; got 3"),
        (
            {"name": "a", "inner": {"learning_rate": "1"}},
            "f.toml: inner.learning_rate: expected a number; got '1'",
        ),
        (
            {"name": "a", "inner": {"learning_rate": True}},
            "f.toml: inner.learning_rate: expected a number; got true",
        ),
        (
            {"name": "a", "inner": {"learning_rate": 0}},
            "f.toml: inner.learning_rate: expected more than 0.0; got 0",
        ),
        (
            {"name": "a", "inner": {"learning_rate": float("nan")}},
            "f.toml: inner.learning_rate: expected a finite number; got nan",
        ),
        (
            {"name": "a", "inner": {"schedule": "cosin"}},
            "f.toml: inner.schedule: expected 'constant' or 'cosine'; got 'cosin' (did you mean 'cosine'?)",
        ),
        ({"name": "a", "nmae": "b"}, "f.toml: nmae: unknown key (did you mean 'name'?)"),
        (
            {"name": "a", "other": {"shedule": "x"}},
            "f.toml: other.shedule: unknown key (did you mean 'schedule'?)",
        ),
        (
            {"name": "a", "schedule": "constant"},
            "f.toml: schedule: unknown key (did you mean inner.schedule or other.schedule?)",
        ),
        (
            {"name": "a", "coin": {"kind": "coin", "sides": 1}},
            "f.toml: coin.sides: expected at least 2; got 1",
        ),
        (
            {"name": "a", "coin": {"kind": "coin", "side": 1}},
            "f.toml: coin.side: unknown key (did you mean 'sides'?)",
        ),
        (
            {"name": "a", "coin": {"kind": "coins"}},
            "f.toml: coin.kind: unknown coin 'coins' (did you mean 'coin'?)",
        ),
        ({"name": "a", "coin": {"sides": 2}}, "f.toml: coin.kind: missing; one of coin"),
        ({"name": "a", "coin": {"kind": 3}}, "f.toml: coin.kind: expected text; got 3; one of coin"),
        ({"name": "a", "pair": ["x"]}, "f.toml: pair: expected at least 2 of them; got ['x']"),
        (
            {"name": "a", "limit": float("inf")},
            "f.toml: limit: expected text in quotes or a finite number; got inf",
        ),
        ({"name": "a", "parts": 3}, "f.toml: parts: expected text in quotes or a table; got 3"),
        ({"name": "a", "parts": {"one": 3}}, "f.toml: parts.one: expected text in quotes; got 3"),
    ],
)
def test_one_problem_is_one_line_with_its_path(data: dict[str, Any], expected: str) -> None:
    assert problems(data) == [expected]


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        {"tags": 1, "inner": {"x": 1, "learning_rate": -1}, "coin": {"kind": "coin", "a": 1, "b": 2}}
    )
    assert len(found) == 6
    assert {line.split(": ")[1] for line in found} == {
        "name",
        "tags",
        "inner.x",
        "inner.learning_rate",
        "coin.a",
        "coin.b",
    }


def test_lists_become_tuples_and_whole_numbers_are_numbers() -> None:
    config = parse_config(Outer, {"name": "a", "tags": ["x", "y"], "inner": {"learning_rate": 1}})
    assert config.tags == ("x", "y")
    assert config.inner.learning_rate == 1.0


def test_a_long_value_is_cut() -> None:
    (line,) = problems({"name": "a", "keep": "x" * 500})
    assert len(line) < 150
    assert line.endswith("...")


def test_an_entry_error_survives_pickling_with_its_paths() -> None:
    error = pickle.loads(pickle.dumps(EntryError([Issue(("math", "weight"), "expected a number")])))
    assert error.issues == (Issue(("math", "weight"), "expected a number"),)
    assert str(error) == "math.weight: expected a number"


def test_a_config_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Inner().learning_rate = 2.0  # type: ignore[misc]


def test_several_plug_ins_tell_all_their_problems_at_once() -> None:
    tables = {"a": {"kind": "coin", "sides": 1}, "b": {"kind": "coin"}, "c": {}, "d": Coin(sides=4)}
    with pytest.raises(EntryError) as caught:
        parse_plugins(COINS, tables)
    assert [issue.path for issue in caught.value.issues] == [("a", "sides"), ("c", "kind")]
    good = parse_plugins(COINS, {name: tables[name] for name in "bd"})
    assert {name: coin.sides for name, coin in good.items()} == {"b": 2, "d": 4}
    assert parse_plugins(COINS, "coin") == "coin"
