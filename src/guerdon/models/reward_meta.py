"""What Guerdon keeps beside the weights of a reward model: its heads, what it is shown, its tokenizer. Torch-free.

reward_model.json --read--> Meta --against a recipe--> every key that differs, before anything is loaded
                                 --against the words of today--> whether it has learned to read them
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from guerdon.core.config import Config, parse_config
from guerdon.core.errors import ModelError
from guerdon.core.seeds import content_hash
from guerdon.models.config import HeadConfig, InputConfig
from guerdon.models.version import META

FORMAT = 2
"""Of META; another number is another layout, or other words around what is shown."""
PLAIN = 1
"""The format before this one: the same wherever turns stand in no fields."""


class Meta(NamedTuple):
    """Settings of a trained reward model."""

    head: HeadConfig
    shown: InputConfig
    tokenizer: str
    """Hash of its vocabulary; empty: not recorded."""
    format: int = FORMAT


def read_meta(folder: Path) -> Meta | None:
    """The settings in a folder; None: no reward model of ours stands there.

    Raises:
        ModelError: they cannot be read, or are of another version.
    """
    path = folder / META
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known, head, shown = found["format"], found["head"], found["input"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; the folder is damaged, copy it again") from None
    if known not in (PLAIN, FORMAT):
        raise ModelError(f"{path}: format {known!r}; this version of guerdon reads format {FORMAT}")
    return Meta(
        parse_config(HeadConfig, head, where=str(path)),
        parse_config(InputConfig, shown, where=str(path)),
        str(found.get("tokenizer") or ""),
        known,
    )


def vocabulary_hash(vocabulary: Mapping[str, int]) -> str:
    """Of which number each token has, 16 hexadecimal digits."""
    return content_hash(json.dumps(sorted(vocabulary.items())))


def check_vocabulary(source: str, meta: Meta, vocabulary: Mapping[str, int]) -> None:
    """Refuse another tokenizer than the one it was trained with.

    Raises:
        ModelError: the hashes differ.
    """
    if meta.tokenizer and meta.tokenizer != vocabulary_hash(vocabulary):
        raise ModelError(
            f"{source}: its tokenizer is another than the one this reward model was trained with, so every score "
            "would be of other words; put the tokenizer's files back"
        )


def check_words(source: str, meta: Meta, *, fenced: bool) -> None:
    """Refuse a model that has learned to read a conversation written in another way.

    Args:
        source: the folder, as the recipe names it.
        meta: its settings.
        fenced: whether each turn stands in a field.

    Raises:
        ModelError: it was trained when turns stood in none.
    """
    if fenced and meta.format == PLAIN:
        raise ModelError(
            f"{source}: was trained when a conversation with fields, or for an encoder, was written another way "
            f"(format {PLAIN}), so every score would be of other words; train it again"
        )


def check_settings(source: str, meta: Meta, head: HeadConfig | None, shown: InputConfig | None) -> None:
    """Refuse a recipe that goes on with a reward model as if it were another.

    How long its input may be, and how critiques are sampled, may change.

    Args:
        source: the folder, as the recipe names it.
        meta: its settings.
        head: heads that the recipe asks for; None: those of the folder.
        shown: what it is to be shown; None: as before.

    Raises:
        ModelError: the heads, the fields it is shown, or whether it writes critiques differ; every key is named. Or it
            has learned to read its fields written in another way.
    """
    check_words(source, meta, fenced=meta.shown.is_fenced)
    heads = [] if head is None else differences("head", meta.head, head)
    inputs = [] if shown is None else differences("input", meta.shown, shown)
    inputs = [line for line in inputs if line.startswith(("input.fields", "input.critique ="))]
    if heads or inputs:
        ways = ["give the recipe this [head]"] * bool(heads) + ["leave [input] out"] * bool(inputs)
        raise ModelError(
            f"model.source: {source}: a reward model with {'; '.join([*heads, *inputs])}; {' and '.join(ways)}, or start "
            "from the backbone"
        )


def differences(table: str, stored: Config, asked: Config) -> list[str]:
    """`table.key = stored (the recipe: asked)` for each key in which the two differ, tables inside key by key."""
    found: list[str] = []
    for key in type(stored).model_fields:
        before, now = getattr(stored, key), getattr(asked, key)
        if isinstance(before, Config) and isinstance(now, Config):
            found += differences(f"{table}.{key}", before, now)
        elif before != now:
            found.append(f"{table}.{key} = {_written(before)} (the recipe: {_written(now)})")
    return found


def _written(value: object) -> str:
    if isinstance(value, Config):
        return json.dumps(value.model_dump(mode="json"))
    return "unset" if value is None else json.dumps(value, ensure_ascii=False)
