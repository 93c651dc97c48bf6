from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guerdon.core.errors import ModelError
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.models.reward_loading import load_reward_model
from guerdon.models.version import META
from rewarding import tiny_reward_model


def damaged(folder: Path, **changes: Any) -> ModelConfig:
    meta = json.loads((folder / META).read_text())
    (folder / META).write_text(json.dumps({**meta, **changes}))
    return ModelConfig(source=str(folder))


def test_what_cannot_be_loaded_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no reward model"):
        load_reward_model(ModelConfig(source="builtin:tiny"))
    folder = tmp_path / "rm"
    tiny_reward_model().save(folder)
    with pytest.raises(ModelError, match=r'head.kind = "scalar" \(the recipe: "binned"\)'):
        load_reward_model(ModelConfig(source=str(folder)), HeadConfig(kind="binned"))
    with pytest.raises(ModelError, match="format 99; this version of guerdon reads format 2"):
        load_reward_model(damaged(folder, format=99))
    with pytest.raises(ModelError, match="does not fit"):
        load_reward_model(damaged(folder, format=1, head={"kind": "binned"}))
    (folder / META).write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        load_reward_model(ModelConfig(source=str(folder)))


def test_a_model_that_learned_other_words_is_told_and_a_plain_one_reads_as_ever(tmp_path: Path) -> None:
    tiny_reward_model().save(tmp_path / "plain")
    load_reward_model(damaged(tmp_path / "plain", format=1))
    tiny_reward_model(fields=("reference",)).save(tmp_path / "fields")
    with pytest.raises(ModelError, match=r"was written another way .format 1.*train it again"):
        load_reward_model(damaged(tmp_path / "fields", format=1))


def test_going_on_takes_over_what_the_model_was_shown(tmp_path: Path) -> None:
    folder = tmp_path / "rm"
    tiny_reward_model(fields=["verdict", "reasoning"], max_length=99).save(folder)
    source = ModelConfig(source=str(folder))
    assert load_reward_model(source, HeadConfig()).reader.config.fields == ("verdict", "reasoning")
    wider = InputConfig(fields=("verdict", "reasoning"), max_length=300)
    assert load_reward_model(source, HeadConfig(), wider).reader.max_length == 300
    with pytest.raises(ModelError, match=r'input.fields = \["verdict", "reasoning"\] \(the recipe: \[\]\)'):
        load_reward_model(source, HeadConfig(), InputConfig())
