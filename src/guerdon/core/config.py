"""The base of everything a person writes, and how its problems are told.

A `Config` is a frozen, torch-free pydantic class; the docstring under a field is its help and documentation.
All problems are found at once; each becomes an `Issue`: where it stands, and one sentence. A validator that
parses plug-ins inside a larger config raises `EntryError`, whose issues keep their own paths:

    rewards.math.wieght: unknown key (did you mean 'weight'?)
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from guerdon.core.errors import ConfigError, did_you_mean
from guerdon.core.registry import Registry

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Frozen, no unknown keys, no coercion ("5" is no number, true is not 1), no NaN."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
        validate_default=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_as_tuples(cls, data: Any) -> Any:
        # TOML and JSON know lists only; a frozen config holds tuples.
        if not isinstance(data, Mapping):
            return data
        return {key: tuple(item) if _is_list_for(cls, key, item) else item for key, item in data.items()}


class Issue(NamedTuple):
    """One problem of a config: where it stands, and what is wrong there."""

    path: tuple[str, ...]
    message: str

    @classmethod
    def parse(cls, line: str) -> Issue:
        """The inverse of `line` for `path: message`.

        >>> Issue.parse("algorithm.name: unknown algorithm 'x'").path
        ('algorithm', 'name')
        """
        path, _, message = line.partition(": ")
        return cls(tuple(path.split(".")), message)

    def line(self, where: str = "") -> str:
        """`where: path: message`, without the parts that are empty.

        >>> Issue(("train", "max_steps"), "missing").line("recipe.toml")
        'recipe.toml: train.max_steps: missing'
        """
        return ": ".join(part for part in (where, ".".join(self.path), self.message) if part)


class EntryError(ConfigError):
    """Problems of a config inside another one; paths start at the inner one."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__([issue.line() for issue in self.issues])
        self.args = (self.issues,)


def parse_config(cls: type[C], data: Mapping[str, Any], *, where: str = "") -> C:
    """Validate `data` as `cls`; `where` (a file, say) stands before every problem.

    Raises:
        ConfigError: with every problem at once, each as `where: key: what, got, expected`.
    """
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        raise ConfigError(problems_of(error, cls, where)) from None


def parse_plugin(
    registry: Registry, data: Mapping[str, Any], *, at: str = "", kind: str | None = None
) -> Any:
    """The config of a plug-in from a table with a `kind`; for use inside validators.

    Args:
        registry: where `kind` is looked up.
        data: the table.
        at: key of the table in its owner; the paths of problems start with it.
        kind: used where the table names none.

    Raises:
        EntryError: every problem of the table.
    """
    here = (at,) if at else ()
    chosen = data.get("kind", kind)
    if not isinstance(chosen, str):
        known = ", ".join(registry.table())
        what = "missing" if chosen is None else f"expected text; got {_short(chosen)}"
        raise EntryError([Issue((*here, "kind"), f"{what}; one of {known}")])
    try:
        cls = registry.get(chosen)
    except ConfigError as error:
        raise EntryError([Issue((*here, "kind"), str(error))]) from None
    try:
        return cls.model_validate({**data, "kind": chosen})
    except ValidationError as error:
        found = issues_of(error, cls)
        raise EntryError([Issue((*here, *issue.path), issue.message) for issue in found]) from None


def parse_plugins(registry: Registry, tables: Any) -> Any:
    """The configs of several plug-ins, each in a table under a name of its own; for use inside validators.

    Args:
        registry: where each `kind` is looked up.
        tables: configs or tables by name; what is no mapping is left to the validator.

    Raises:
        EntryError: the problems of every table at once.
    """
    if not isinstance(tables, Mapping):
        return tables
    issues: list[Issue] = []
    parsed = {}
    for name, table in tables.items():
        try:
            parsed[name] = parse_plugin(registry, table, at=name) if isinstance(table, dict) else table
        except EntryError as error:
            issues += error.issues
    if issues:
        raise EntryError(issues)
    return parsed


def problems_of(error: ValidationError, cls: type[BaseModel], where: str = "") -> list[str]:
    """Each problem as one line in the words of the person who wrote the recipe."""
    return [issue.line(where) for issue in issues_of(error, cls)]


def issues_of(error: ValidationError, cls: type[BaseModel]) -> list[Issue]:
    """Each problem with its path below `cls`."""
    found: list[Issue] = []
    for item in error.errors():
        path = _written(cls, item["loc"])
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, EntryError):
            found += [Issue((*path, *issue.path), issue.message) for issue in cause.issues]
        elif isinstance(cause, ConfigError):
            found += [Issue(path, problem) for problem in cause.problems]
        elif len(path) < len(item["loc"]):
            _add_choice(found, Issue(path, _message(item, cls)))
        else:
            found.append(Issue(path, _message(item, cls)))
    return found


def _written(cls: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys as a recipe has them: pydantic also names the member of a union that it tried."""
    keys, path = list(loc), []
    owner: type[BaseModel] | None = cls
    while keys:
        key = str(keys.pop(0))
        path.append(key)
        info = owner.model_fields.get(key) if owner else None
        owner = _owner(owner, (key,)) if owner else None
        members = [arg for arg in typing.get_args(info.annotation) if arg is not type(None)] if info else []
        if info and typing.get_origin(info.annotation) in _UNIONS and len(members) > 1:
            del keys[:1]
    return tuple(path)


_UNIONS = (typing.Union, types.UnionType)


def _add_choice(found: list[Issue], issue: Issue) -> None:
    """What one member of a union says: with what the others say it is one problem, and who looked deeper knows more."""
    last = found[-1] if found else None
    if last is None or issue.path[: len(last.path)] != last.path:
        found.append(issue)
    elif issue.path != last.path:
        found[-1] = issue
    else:
        expected, _, got = issue.message.partition("; got ")
        first = last.message.partition("; got ")[0]
        found[-1] = Issue(issue.path, f"{first} or {expected.removeprefix('expected ')}; got {got}")


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_pattern_mismatch": "text that matches {pattern}",
}
"""pydantic's error types in a recipe writer's words; braces are filled from the error's own context."""


def _message(item: Any, cls: type[BaseModel]) -> str:
    if item["type"] == "extra_forbidden":
        return f"unknown key{_hint(cls, item['loc'])}"
    if item["type"] == "missing":
        return "missing; this key is required"
    if item["type"] == "value_error":
        return str(item["msg"].removeprefix("Value error, "))
    got = f"got {_short(item['input'])}"
    if item["type"] in _EXPECTED:
        expected = _EXPECTED[item["type"]].format_map(item.get("ctx", {}))
        hint = _near(item) if item["type"] == "literal_error" else ""
        return f"expected {expected}; {got}{hint}"
    return f"{item['msg'][0].lower()}{item['msg'][1:]}; {got}"


def _hint(cls: type[BaseModel], path: tuple[int | str, ...]) -> str:
    """What was probably meant: the same word in another table, or the nearest word of this one."""
    word = str(path[-1])
    elsewhere = [".".join(place) for place in _places(cls, word)]
    if elsewhere:
        return f" (did you mean {' or '.join(elsewhere)}?)"
    owner = _owner(cls, path[:-1])
    return did_you_mean(word, owner.model_fields if owner else ())


def _places(cls: type[BaseModel], word: str) -> list[tuple[str, ...]]:
    """Paths below `cls` that end in `word`."""
    found: list[tuple[str, ...]] = []
    for name in cls.model_fields:
        if name == word:
            found.append((name,))
        inner = _owner(cls, (name,))
        found += [(name, *path) for path in (_places(inner, word) if inner else ())]
    return found


def _near(item: Any) -> str:
    import re

    choices = re.findall(r"'([^']*)'", item["ctx"]["expected"])
    hint = did_you_mean(str(item["input"]), choices)
    return hint if "did you mean" in hint else ""  # the choices stand in the sentence already


def _owner(cls: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The config class at `path` below `cls`, where it can be told from annotations alone."""
    current: type[BaseModel] | None = cls
    for key in path:
        info = current.model_fields.get(str(key)) if current else None
        if info is None:
            return None
        found = [
            arg
            for arg in (info.annotation, *typing.get_args(info.annotation))
            if isinstance(arg, type) and issubclass(arg, BaseModel)
        ]
        current = found[0] if found else None
    return current


def _is_list_for(cls: type[BaseModel], key: object, item: object) -> bool:
    """Whether `item` is a list where `cls` has a tuple."""
    info = cls.model_fields.get(str(key))
    if info is None or not isinstance(item, list):
        return False
    hints = (info.annotation, *typing.get_args(info.annotation))
    return any(hint is tuple or typing.get_origin(hint) is tuple for hint in hints)


def _short(value: object) -> str:
    shown = list(value) if isinstance(value, tuple) else value  # TOML and JSON know lists only
    text = str(value).lower() if isinstance(value, bool) else repr(shown)
    return text if len(text) <= 80 else text[:77] + "..."
