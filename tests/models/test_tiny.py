from __future__ import annotations

import string

from guerdon.models.tiny import tiny_model, tiny_tokenizer


def test_every_printable_character_round_trips() -> None:
    tokenizer = tiny_tokenizer()
    text = string.printable[:95] + "\n"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == len(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.unk_token_id not in ids


def test_a_few_million_parameters() -> None:
    number = sum(weight.numel() for weight in tiny_model(0, tiny_tokenizer()).parameters())
    assert 2_000_000 < number < 5_000_000
