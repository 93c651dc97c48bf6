"""A reward model from its folder, or fresh heads on a backbone."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from guerdon.core.config import parse_config
from guerdon.core.errors import ModelError
from guerdon.core.seeds import derive_seed
from guerdon.models import fetch
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.models.heads import RewardHeads
from guerdon.models.loading import is_encoder, load_backbone
from guerdon.models.reward import FORMAT, HEADS, RewardModel, vocabulary_hash
from guerdon.models.reward_input import RewardInput, check_tokens
from guerdon.models.version import META, version_of

PLAIN = 1
"""The format before this one: the same wherever turns stand in no fields."""


def load_reward_model(
    model: ModelConfig,
    head: HeadConfig | None = None,
    reading: InputConfig | None = None,
    *,
    seed: int = 0,
    progress: fetch.Progress | None = None,
) -> RewardModel:
    """A reward model from its folder, or fresh heads on a backbone.

    Args:
        model: a reward model's folder or hub name, or any causal LM or encoder to start from.
        head: which heads; None: those of the folder, which must then be a reward model.
        reading: what it is shown; None: as the folder says.
        seed: of fresh heads.
        progress: called with (bytes done, bytes in all) during a download.

    Raises:
        ModelError: not found, damaged, no reward model although one is expected, or other heads than asked for.
    """
    folder = Path(model.source).expanduser()
    meta = _read_meta(folder) if folder.is_dir() else {}
    with _score_expected():
        trunk = load_backbone(model, seed=seed, progress=progress)
    encoder = is_encoder(trunk)
    stored = parse_config(HeadConfig, meta["head"], where=str(folder / META)) if meta else None
    foreign = None if meta else _foreign_score(folder)
    if head is None and stored is None and foreign is None:
        raise ModelError(
            f"{model.source}: no reward model (no {META}, and no sequence classifier with one label); "
            "train one with `guerdon rm train`"
        )
    if stored is not None and head is not None and head != stored:
        raise ModelError(
            f"{model.source}: has a {stored.kind} head, the recipe asks for another ({head.kind}); take it over "
            "unchanged, or start from the backbone"
        )
    chosen = stored or head or HeadConfig(bias=False)
    shown = reading or (
        parse_config(InputConfig, meta["input"], where=str(folder / META)) if meta else InputConfig()
    )
    check_tokens(trunk.tokenizer, encoder=encoder, source=model.source, writes=shown.critique is not None)
    reader = RewardInput(trunk, shown, encoder=encoder)
    _check_words(meta, reader, model.source)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "heads"))
        heads = RewardHeads(chosen, int(trunk.causal_lm.config.hidden_size))
    _fill(heads, folder if meta else None, foreign if stored is None else None)
    return RewardModel(
        trunk=trunk,
        heads=heads.to(trunk.device),
        reader=reader,
        encoder=encoder,
        version=version_of(folder) if meta or foreign is not None else "untrained",
    )


@contextmanager
def _score_expected() -> Iterator[None]:
    """Keep transformers from telling that a causal LM has no place for `score.weight`: it is read here, not there."""
    with suppress(ImportError):  # whoever loads says what is missing
        from transformers.utils import logging as configured

        configured.get_logger()  # makes the handler
    handlers = list(logging.getLogger("transformers").handlers)

    def is_news(record: logging.LogRecord) -> bool:
        told = record.getMessage()
        wrong = any(word in told for word in ("MISSING", "MISMATCH"))
        return (
            wrong or "LOAD REPORT" not in told or told.count("UNEXPECTED") != told.count("score.weight") + 1
        )

    for handler in handlers:
        handler.addFilter(is_news)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_news)


def _read_meta(folder: Path) -> Mapping[str, Any]:
    path = folder / META
    if not path.is_file():
        return {}
    try:
        meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = meta["format"], meta["head"], meta["input"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; the folder is damaged, copy it again") from None
    if known[0] not in (PLAIN, FORMAT):
        raise ModelError(f"{path}: format {known[0]!r}; this version of guerdon reads format {FORMAT}")
    return meta


def _check_words(meta: Mapping[str, Any], reader: RewardInput, source: str) -> None:
    """Refuse to score other words than those that the model has learned to read."""
    trained_with = meta.get("tokenizer")
    if trained_with and trained_with != vocabulary_hash(reader.policy.tokenizer):
        raise ModelError(
            f"{source}: its tokenizer is another than the one this reward model was trained with, so every score "
            "would be of other words; put the tokenizer's files back"
        )
    if meta and meta["format"] == PLAIN and reader.fences_turns:
        raise ModelError(
            f"{source}: was trained when a conversation with fields, or for an encoder, was written another way "
            f"(format {PLAIN}), so every score would be of other words; train it again"
        )


def _foreign_score(folder: Path) -> Tensor | None:
    """`score.weight` [1, H] of a sequence classifier that others trained; None: there is none."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        with safe_open(path, framework="pt") as file:
            if "score.weight" in file.keys() and file.get_slice("score.weight").get_shape()[0] == 1:  # noqa: SIM118
                weight: Tensor = file.get_tensor("score.weight")
                return weight.float()
    return None


def _fill(heads: RewardHeads, folder: Path | None, foreign: Tensor | None) -> None:
    from safetensors.torch import load_file

    if foreign is not None and heads.config.kind == "scalar":
        heads.score.weight.data.copy_(foreign)
    if folder is None:
        return
    try:
        heads.load_state_dict(load_file(folder / HEADS))
    except (OSError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"{folder / HEADS}: does not fit {META}: {first}; copy the folder again") from None
