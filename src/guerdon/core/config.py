"""The base of everything a person writes, and how its problems are told.

A `Config` is a frozen, torch-free pydantic class. The docstring under a field is its help and its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from guerdon.core.errors import ConfigError, did_you_mean

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Frozen, no unknown keys, no coercion surprises, no NaN."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
        validate_default=True,
    )


def parse_config(cls: type[C], data: Mapping[str, Any], *, where: str = "") -> C:
    """Validate `data` as `cls`.

    Raises:
        ConfigError: with every problem at once, each as `where.key: what, got, expected`.
    """
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        raise ConfigError(problems_of(error, cls, where)) from None


def problems_of(error: ValidationError, cls: type[BaseModel], where: str = "") -> list[str]:
    """Each pydantic error as one line in the words of the person who wrote the recipe."""
    return [_problem(item, cls, where) for item in error.errors()]


def _problem(item: Any, cls: type[BaseModel], where: str) -> str:
    # a dict of configs keyed by name reports ("rewards", "math", "weight"); drop discriminator noise.
    path = ".".join(str(key) for key in item["loc"])
    full = ".".join(part for part in (where, path) if part) or "recipe"
    if item["type"] == "extra_forbidden":
        owner = _owner(cls, item["loc"][:-1])
        hint = did_you_mean(str(item["loc"][-1]), owner.model_fields if owner else ())
        return f"{full}: unknown key{hint}"
    if item["type"] == "missing":
        return f"{full}: missing; this key is required"
    message = item["msg"].removeprefix("Value error, ")
    got = "" if item["type"] == "value_error" else f"; got {_short(item['input'])}"
    return f"{full}: {message[0].lower() + message[1:]}{got}"


def _owner(cls: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The config class at `path` below `cls`, where it can be told from annotations alone."""
    import typing

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


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
