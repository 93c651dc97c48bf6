"""A reward model from its folder, or fresh heads on a backbone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor

from guerdon.core.errors import ModelError
from guerdon.core.seeds import derive_seed
from guerdon.models import fetch
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.models.heads import RewardHeads
from guerdon.models.loading import is_encoder, load_backbone
from guerdon.models.reward import HEADS, RewardModel
from guerdon.models.reward_input import RewardInput, check_tokens
from guerdon.models.reward_meta import check_settings, check_vocabulary, check_words, read_meta
from guerdon.models.version import META, version_of


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
        reading: what it is shown; None: as the folder says, or the defaults.
        seed: of fresh heads.
        progress: called with (bytes done, bytes in all) during a download.

    Raises:
        ModelError: not found, damaged, no reward model although one is expected, or other heads than asked for.
    """
    folder = Path(model.source).expanduser()
    meta = read_meta(folder) if folder.is_dir() else None
    if meta is not None:
        check_settings(model.source, meta, head, reading)
    with _score_expected():
        trunk = load_backbone(model, seed=seed, progress=progress)
    encoder = is_encoder(trunk)
    foreign = None if meta else _foreign_score(folder)
    if meta is not None:
        check_vocabulary(model.source, meta, trunk.tokenizer.get_vocab())
        check_words(model.source, meta, fenced=encoder)
    elif head is None and foreign is None:
        raise ModelError(
            f"{model.source}: no reward model (no {META}, and no sequence classifier with one label); "
            "train one with `guerdon rm train`"
        )
    chosen = meta.head if meta else head or HeadConfig(bias=False)
    shown = reading or (meta.shown if meta else InputConfig())
    check_tokens(trunk.tokenizer, encoder=encoder, source=model.source, writes=shown.critique is not None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "heads"))
        heads = RewardHeads(chosen, int(trunk.causal_lm.config.hidden_size))
    _fill(heads, folder if meta else None, foreign)
    return RewardModel(
        trunk=trunk,
        heads=heads.to(trunk.device),
        reader=RewardInput(trunk, shown, encoder=encoder),
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
