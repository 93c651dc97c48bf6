from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from guerdon.core.errors import ModelError
from guerdon.models.config import CritiqueConfig, HeadConfig, InputConfig
from guerdon.models.reward_meta import (
    FORMAT,
    PLAIN,
    Meta,
    check_settings,
    check_vocabulary,
    check_words,
    differences,
    read_meta,
    vocabulary_hash,
)
from guerdon.models.version import META
from rewarding import tiny_reward_model


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    assert read_meta(tmp_path) is None
    model = tiny_reward_model("ensemble", fields=["verdict"])
    model.save(tmp_path)
    meta = read_meta(tmp_path)
    assert meta == Meta(
        model.heads.config, model.reader.config, vocabulary_hash(model.trunk.tokenizer.get_vocab())
    )


def test_the_saved_tokenizer_has_the_vocabulary_of_the_loaded_one(tmp_path: Path) -> None:
    # `guerdon check` reads tokenizer.json without transformers: both must hash the same.
    tiny_reward_model().save(tmp_path)
    meta = read_meta(tmp_path)
    assert meta is not None
    vocabulary = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab(with_added_tokens=True)
    check_vocabulary("here", meta, vocabulary)
    with pytest.raises(ModelError, match="here: its tokenizer is another"):
        check_vocabulary("here", meta, {**vocabulary, "new": len(vocabulary)})


def test_a_model_that_has_learned_other_words_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    tiny_reward_model(critique={}).save(tmp_path)
    found = json.loads((tmp_path / META).read_text())
    assert found["format"] == FORMAT == 2
    (tmp_path / META).write_text(json.dumps({**found, "format": PLAIN}))
    meta = read_meta(tmp_path)
    assert meta is not None
    with pytest.raises(ModelError, match=r"\./rm: was trained when .* was written another way .format 1"):
        check_settings("./rm", meta, None, None)
    plain = meta._replace(shown=InputConfig(max_length=99))
    check_settings("./rm", plain, None, None)
    check_words("./rm", plain, fenced=False)
    with pytest.raises(ModelError, match="for an encoder, was written another way"):
        check_words("./rm", plain, fenced=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 7, "head": {}, "input": {}}', "format 7"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / META).write_text(text)
    with pytest.raises(ModelError, match=told):
        read_meta(tmp_path)


def test_every_key_that_differs_is_named() -> None:
    meta = Meta(HeadConfig(bias=False, num_bins=9), InputConfig(fields=("verdict",)), "")
    with pytest.raises(ModelError) as caught:
        check_settings("./rm", meta, HeadConfig(), InputConfig(critique=CritiqueConfig()))
    told = str(caught.value)
    assert "head.num_bins = 9 (the recipe: 21); head.bias = false (the recipe: true)" in told
    assert 'input.fields = ["verdict"] (the recipe: [])' in told
    assert "input.critique = unset (the recipe: {" in told
    assert "give the recipe this [head] and leave [input] out, or start from the backbone" in told
    assert "head.kind" not in told


def test_how_long_and_how_often_may_change() -> None:
    meta = Meta(HeadConfig(), InputConfig(critique=CritiqueConfig()), "")
    asked = InputConfig(max_length=99, critique=CritiqueConfig(votes=3))
    check_settings("./rm", meta, HeadConfig(), asked)
    check_settings("./rm", meta, None, None)
    assert differences("input", meta.shown, asked) == [
        "input.max_length = 2048 (the recipe: 99)",
        "input.critique.votes = 1 (the recipe: 3)",
    ]


def test_reading_it_never_needs_torch(tmp_path: Path) -> None:
    (tmp_path / META).write_text(json.dumps({"format": 1, "head": {}, "input": {}}))
    code = (
        "import sys, pathlib; from guerdon.models.reward_meta import read_meta; "
        f"read_meta(pathlib.Path({str(tmp_path)!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
