"""From a recipe file and `--set` overrides to a `RunConfig`. Torch-free.

    recipe.toml or its shipped name --read--> table --set a.b=value--> table --validate--> RunConfig

All problems are found at once. Each names the file, or the `--set` it came from, and the key.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from guerdon.core.config import Config, EntryError, Issue, issues_of
from guerdon.core.errors import ConfigError, did_you_mean
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.run.config import RunConfig
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.folder import read_config_of
from guerdon.run.settings import RunSettings

R = TypeVar("R", bound=Config)
S = TypeVar("S", bound=RunSettings)

COMMANDS: dict[str | None, str] = {
    None: "guerdon train",
    "reward_model": "guerdon rm train",
    "preferences": "guerdon prefs make",
}
"""Which command a recipe is for, by the `kind` at its head."""
MAX_FIELDS = 25
"""Most keys of one table: a recipe says what it changes, and no more."""
MAX_BYTES = 1 << 20
"""Nobody writes a longer recipe; a model file given by mistake is refused before it is read."""


def load_recipe(path_or_name: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read the recipe of a policy and apply overrides.

    Args:
        path_or_name: a TOML file, or the name of a shipped recipe such as `quickstart`.
        overrides: `path=value` each, the value in TOML's syntax; a bare word is text.

    Raises:
        ConfigError: every problem at once.
    """
    return load_recipe_of(RunConfig, path_or_name, overrides)


def load_recipe_of(kind: type[R], path_or_name: str | Path, overrides: Sequence[str] = ()) -> R:
    """As `load_recipe`, for any kind of run.

    Raises:
        ConfigError: every problem at once, or the recipe is one of another kind.
    """
    path = find_recipe(path_or_name)
    table = _read(path)
    _check_kind(table, kind, path)
    return _resolve(table, overrides, kind, where=str(path))


def load_rubric(path_or_name: str | Path, overrides: Sequence[str] = ()) -> RubricConfig:
    """The parts and nodes of a recipe that has any: a policy's, or one for preferences.

    Raises:
        ConfigError: every problem at once, or a recipe for a reward model.
    """
    if kind_of_recipe(path_or_name) == PreferencesRunConfig.model_fields["kind"].default:
        return load_recipe_of(PreferencesRunConfig, path_or_name, overrides).rubric
    return load_recipe(path_or_name, overrides).rubric


def load_rewards(
    path_or_name: str | Path, overrides: Sequence[str] = ()
) -> tuple[RubricConfig, RunConfig | None]:
    """What a file scores with, and the policy's recipe that it is; None: it has no [data], so only its tables
    `rewards` and `reward` are read.

    Raises:
        ConfigError: every problem at once.
    """
    path = find_recipe(path_or_name)
    table = _read(path)
    _check_kind(table, RunConfig, path)
    if "data" in table or any(text.startswith("data.") for text in overrides):
        recipe = _resolve(table, overrides, RunConfig, where=str(path))
        return recipe.rubric, recipe
    problems, origin = _override(table, overrides)
    for key in table:
        if key not in RunConfig.model_fields:
            problems.append(f"{path}: {key}: unknown key{did_you_mean(key, RunConfig.model_fields)}")
    problems += [
        f"--set {text}: {path} has no [data], so of it only rewards and reward are read"
        for keys, text in origin.items()
        if keys[0] not in ("rewards", "reward")
    ]
    rubric = RubricConfig({})
    if not isinstance(table.get("rewards"), dict) or not table["rewards"]:
        problems.append(f"{path}: no table [rewards.*]; expected at least one, such as [rewards.math]")
    else:
        try:
            rubric = RubricConfig.parse(table)
        except EntryError as error:
            problems += [issue.line(_source(issue, origin, str(path))) for issue in error.issues]
    if problems:
        raise ConfigError(problems)
    return rubric, None


def load_run(folder: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The resolved recipe of a policy's run folder, with overrides.

    Raises:
        UserError: not a run folder, or an override that does not fit.
    """
    return load_run_of(RunConfig, folder, overrides)


def load_run_of(kind: type[S], folder: Path, overrides: Sequence[str] = ()) -> S:
    """As `load_run`, for any kind of run.

    Raises:
        UserError: not a run folder of this kind, or an override that does not fit.
    """
    saved = read_config_of(kind, folder)
    if not overrides:
        return saved
    return _resolve(saved.model_dump(mode="json"), overrides, kind, where=str(folder / "config.json"))


def _check_kind(table: Mapping[str, Any], kind: type[Config], path: Path) -> None:
    """Tell a recipe that was given to the wrong command by its right one."""
    wanted = kind.model_fields["kind"].default if "kind" in kind.model_fields else None
    given = table.get("kind")
    if given == wanted or given not in COMMANDS:
        return
    if given is None:
        raise ConfigError(
            f'{path}: not a recipe for `{COMMANDS[wanted]}`, which begins with kind = "{wanted}"; '
            f"a policy's is for: {COMMANDS[None]} {path}"
        )
    raise ConfigError(f"{path}: a recipe of kind {given!r}; use: {COMMANDS[given]} {path}")


def kind_of_recipe(path_or_name: str | Path) -> str | None:
    """The `kind` at the head of a recipe; None: a policy's.

    Raises:
        ConfigError: no such file, no TOML, or a kind that no command is for.
    """
    path = find_recipe(path_or_name)
    kind = _read(path).get("kind")
    if kind not in COMMANDS:
        known = ", ".join(f'"{name}"' for name in COMMANDS if name)
        raise ConfigError(f"{path}: kind is {kind!r}; expected {known}, or no kind for a policy")
    return None if kind is None else str(kind)


def find_recipe(path_or_name: str | Path) -> Path:
    """The file of a recipe given by path or by shipped name.

    Raises:
        ConfigError: neither, with the nearest shipped name or file.
    """
    given = Path(path_or_name).expanduser()
    if given.is_file():
        return given
    if given.is_dir():
        raise ConfigError(f"{given}: a folder, not a recipe; give a .toml file")
    shipped = shipped_recipes()
    word = str(path_or_name)
    if word in shipped:
        return shipped[word]
    if given.suffix or len(given.parts) > 1:
        siblings = (
            [str(path) for path in sorted(given.parent.glob("*.toml"))] if given.parent.is_dir() else []
        )
        near = difflib.get_close_matches(str(given), siblings, n=1) or [
            f"{name}" for name in [given.stem] if name in shipped
        ]
        raise ConfigError(f"{given}: no such file{f' (did you mean {near[0]!r}?)' if near else ''}")
    raise ConfigError(
        f"{word}: no such file, and no shipped recipe has this name{did_you_mean(word, shipped)}"
    )


def shipped_recipes() -> dict[str, Path]:
    """Name to file of every recipe that comes with the package, from a wheel or from a clone."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "recipes", package.parent.parent / "recipes"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    return {}


def recipe_summary(path: Path) -> str:
    """The recipe's first comment line."""
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def parse_override(text: str) -> tuple[tuple[str, ...], Any]:
    """A `--set` argument as path and value.

    >>> parse_override("rollout.num_generations=16")
    (('rollout', 'num_generations'), 16)
    >>> parse_override("model.source=builtin:tiny")
    (('model', 'source'), 'builtin:tiny')

    Raises:
        ConfigError: no `=`, an empty key, or a value that begins as TOML and does not end as such.
    """
    path, equals, value = text.partition("=")
    keys = tuple(key.strip() for key in path.split("."))
    if not equals or not all(keys):
        raise ConfigError(f"--set {text}: expected path=value, for example --set rollout.num_generations=16")
    return keys, _value(text, value.strip())


def _value(text: str, value: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {value}")
        if set(parsed) == {"value"}:
            return parsed["value"]
    except tomllib.TOMLDecodeError as error:
        if value[:1] in ('"', "'", "[", "{"):
            raise ConfigError(f"--set {text}: the value is not TOML: {error}") from None
    return value


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: {path.stat().st_size} bytes; a recipe is a small TOML file")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax(path, error)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); a recipe is a TOML file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _syntax(path: Path, error: tomllib.TOMLDecodeError) -> str:
    """`file:line: what`, from "what (at line 3, column 7)"."""
    message = str(error)
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if found is None:
        lines = path.read_text(encoding="utf-8").count("\n") + 1
        what = message.removesuffix(" (at end of document)")
        return f"{path}:{lines}: not TOML: {what}, at the end of the file"
    return f"{path}:{found[1]}: not TOML: {message[: found.start()]}, column {found[2]}"


def _resolve(table: dict[str, Any], overrides: Sequence[str], kind: type[R], *, where: str) -> R:
    problems = [issue.line(where) for issue in _limits(table)]
    more, origin = _override(table, overrides)
    problems += more
    try:
        config = kind.model_validate(table)
    except ValidationError as error:
        problems += [issue.line(_source(issue, origin, where)) for issue in issues_of(error, kind)]
    if problems:
        raise ConfigError(problems)
    return config


def _override(
    table: dict[str, Any], overrides: Sequence[str]
) -> tuple[list[str], dict[tuple[str, ...], str]]:
    """Put overrides into the table: what was wrong with them, and the text of each by its path."""
    problems: list[str] = []
    origin: dict[tuple[str, ...], str] = {}
    for text in overrides:
        try:
            path, value = parse_override(text)
            _put(table, path, value, text)
            origin[path] = text
        except ConfigError as error:
            problems += error.problems
    return problems, origin


def _put(table: dict[str, Any], path: tuple[str, ...], value: Any, text: str) -> None:
    owner = table
    for depth, key in enumerate(path[:-1], start=1):
        inner = owner.get(key)
        if inner is None:  # also an explicit null of a saved config
            inner = owner[key] = {}
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {text}: {'.'.join(path[:depth])} is a value, not a table")
        owner = inner
    owner[path[-1]] = value


def _source(issue: Issue, origin: Mapping[tuple[str, ...], str], where: str) -> str:
    """The `--set` an issue came from, else the file."""
    for path in reversed(list(origin)):
        shared = min(len(path), len(issue.path))
        if shared and path[:shared] == issue.path[:shared]:
            return f"--set {origin[path]}"
    return where


def _limits(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[Issue]:
    found = []
    if len(table) > MAX_FIELDS:
        found.append(
            Issue(
                path,
                f"{len(table)} keys in one table; a recipe says only what it changes (at most {MAX_FIELDS})",
            )
        )
    for key, value in table.items():
        if isinstance(value, dict):
            found += _limits(value, (*path, key))
    return found
