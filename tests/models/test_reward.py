from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from guerdon.core.errors import ModelError
from guerdon.models.config import HeadConfig, InputConfig, LoraConfig, ModelConfig
from guerdon.models.loading import load_policy
from guerdon.models.reward import RewardModel, Shown
from guerdon.models.reward_loading import load_reward_model
from guerdon.models.version import version_of
from rewarding import problem, tiny_reward_model

ITEMS = [
    Shown(problem("a"), ("yes", "a much longer answer than that", "no")),
    Shown(problem("bcd"), ("maybe",)),
    Shown(problem("e"), ("four", "five")),
]


def alone(model: RewardModel) -> list[float]:
    """u of every response, each in a pass of its own."""
    return [model.score([Shown(item, (text,))])[0].u_B.item() for item, texts, *_ in ITEMS for text in texts]


def together(model: RewardModel, max_tokens: int = 8192) -> list[float]:
    return [value for scores in model.score(ITEMS, max_tokens=max_tokens) for value in scores.u_B.tolist()]


@pytest.mark.parametrize("kind", ["scalar", "ensemble", "attributes", "binned"])
def test_a_score_does_not_depend_on_what_else_is_scored(kind: str) -> None:
    model = tiny_reward_model(kind)
    assert together(model) == pytest.approx(alone(model), abs=1e-5)
    assert together(model, max_tokens=40) == pytest.approx(alone(model), abs=1e-5)


def test_the_reading_of_a_response_is_its_last_token_in_plain_transformers() -> None:
    # Plain LlamaModel on [prompt, response, end], no packing, no attention function of ours.
    model = tiny_reward_model()
    item, texts, *_ = ITEMS[0]
    found = model.score([ITEMS[0]])[0].u_B
    trunk = model.trunk.causal_lm.model
    trunk.config._attn_implementation = "sdpa"
    encoded = model.encode(item, texts)
    for value, ids in zip(found.tolist(), encoded.responses, strict=True):
        assert ids is not None
        hidden = trunk(input_ids=torch.tensor([encoded.prompt_ids + ids])).last_hidden_state[0, -1]
        assert model.heads.score(hidden).item() == pytest.approx(value, abs=1e-4)


def test_a_response_too_long_is_unscored_and_its_siblings_are_not() -> None:
    model = tiny_reward_model(max_length=64)
    (found,) = model.score([Shown(problem(), ("x" * 200, "ok"))])
    assert math.isnan(found.score_B[0])
    assert not math.isnan(found.score_B[1])
    (nothing,) = model.score([Shown(problem(), ("x" * 200,))])
    assert math.isnan(nothing.u_B[0])


def moved(model: RewardModel) -> RewardModel:
    """As after training: nothing is at its initial value."""
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in model.trainable().values():
            weight.add_(0.02 * torch.randn_like(weight))
        model.heads.level.fill_(0.3)
        model.heads.deviation.fill_(0.7)
    return model


@pytest.mark.parametrize("kind", ["scalar", "ensemble", "attributes", "binned"])
def test_a_saved_model_scores_as_before(kind: str, tmp_path: Path) -> None:
    model = moved(tiny_reward_model(kind, fields=("verdict",)))
    model.save(tmp_path / "rm")
    again = load_reward_model(ModelConfig(source=str(tmp_path / "rm")))
    assert again.heads.config == model.heads.config
    assert again.reader.config.fields == ("verdict",)
    before, after = (item.score(ITEMS) for item in (model, again))
    for one, two in zip(before, after, strict=True):
        assert torch.allclose(one.score_B, two.score_B, atol=1e-5)


def test_plain_transformers_load_a_scalar_model(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = moved(tiny_reward_model())
    model.save(tmp_path / "rm")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "rm")
    assert plain.config.num_labels == 1
    chats = [
        [{"role": "user", "content": item.messages[0].content}, {"role": "assistant", "content": text}]
        for item, texts, *_ in ITEMS
        for text in texts
    ]
    rows = [tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False) for chat in chats]
    width = max(map(len, rows))
    pad = plain.config.pad_token_id
    tokens = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    with torch.no_grad():
        found = plain(input_ids=tokens, attention_mask=mask).logits[:, 0]
    assert found.tolist() == pytest.approx(together(model), abs=1e-4)


def test_adapters_are_merged_into_what_is_saved(tmp_path: Path) -> None:
    model = load_reward_model(
        ModelConfig(source="builtin:tiny", lora=LoraConfig(r=4)), HeadConfig(), InputConfig()
    )
    moved(model)
    assert all("lora_" in name or name.startswith("heads.") for name in model.trainable())
    model.save(tmp_path / "rm")
    again = load_reward_model(ModelConfig(source=str(tmp_path / "rm")))
    assert together(again) == pytest.approx(together(model), abs=1e-4)


def test_the_lm_head_is_not_trained_where_it_is_a_layer_of_its_own() -> None:
    model = tiny_reward_model()
    lm = model.trunk.causal_lm
    assert any("embed_tokens" in name for name in model.trainable())  # tied: it is the embedding
    lm.lm_head.weight = torch.nn.Parameter(lm.lm_head.weight.detach().clone())
    assert not any("lm_head" in name for name in model.trainable())


def test_a_version_is_that_of_the_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    tiny_reward_model().save(first)
    tiny_reward_model().save(second)
    assert version_of(first) == version_of(second)
    moved(tiny_reward_model()).save(second)
    assert version_of(first) != version_of(second)


def test_level_and_scale_are_those_of_the_reference_and_then_as_before() -> None:
    model = moved(tiny_reward_model())
    texts = [
        (problem(str(index)), (f"{index * 37 % 101}", f"{index * 53 % 89} x"), None) for index in range(20)
    ]
    with model.settled(texts, max_tokens=200):
        scores = torch.cat([item.score_B for item in model.score(texts)])
        assert scores.mean().abs() < 0.15
        assert scores.std() > 0.4
    assert model.heads.level.item() == pytest.approx(0.3)
    assert model.heads.deviation.item() == pytest.approx(0.7)


def encoder(tmp_path: Path) -> ModelConfig:
    """A small BERT, made here."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "user", ":", "Say", ".", "a", "b", "yes", "no"]
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]"
    )
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=64, **sizes)).save_pretrained(
        tmp_path / "bert"
    )
    fast.save_pretrained(tmp_path / "bert")
    return ModelConfig(source=str(tmp_path / "bert"))


def test_the_bias_of_an_encoder_does_not_see_the_response(tmp_path: Path) -> None:
    model = load_reward_model(encoder(tmp_path), HeadConfig(), InputConfig())
    with torch.no_grad():
        model.heads.bias.weight.normal_()
    encoded = model.encode(problem("a"), ("yes", "no no no"))
    ids = [one for one in encoded.responses if one is not None]
    bias = model.read(model.plan([(encoded.prompt_ids, ids)])).bias_B
    assert bias[0].item() == pytest.approx(bias[1].item(), abs=1e-6)


def test_a_sequence_classifier_of_others_is_a_reward_model(tmp_path: Path) -> None:
    from transformers import LlamaForSequenceClassification

    policy = load_policy(ModelConfig(source="builtin:tiny"))
    config = policy.causal_lm.config
    config.num_labels, config._attn_implementation = 1, "sdpa"
    torch.manual_seed(5)
    other = LlamaForSequenceClassification(config).eval()
    other.save_pretrained(tmp_path / "theirs")
    policy.tokenizer.save_pretrained(tmp_path / "theirs")
    model = load_reward_model(ModelConfig(source=str(tmp_path / "theirs")))
    encoded = model.encode(*ITEMS[1][:2])
    assert encoded.responses[0] is not None
    with torch.no_grad():
        row = torch.tensor([encoded.prompt_ids + encoded.responses[0]])
        wanted = other.score(other.model(input_ids=row).last_hidden_state[0, -1])
    assert model.score([ITEMS[1]])[0].u_B.item() == pytest.approx(wanted.item(), abs=1e-4)
    assert len(model.version) == 16


def test_an_encoder_can_be_the_backbone_and_cannot_be_a_policy(tmp_path: Path) -> None:
    config = encoder(tmp_path)
    model = load_reward_model(config, HeadConfig(), InputConfig())
    assert together(model) == pytest.approx(alone(model), abs=1e-5)
    # The mean over [CLS] prompt [SEP] response [SEP], as plain transformers compute it.
    encoded = model.encode(*ITEMS[1][:2])
    assert encoded.responses[0] is not None
    found = together(model)
    model.save(tmp_path / "rm")
    again = load_reward_model(ModelConfig(source=str(tmp_path / "rm")))
    assert together(again) == pytest.approx(found, abs=1e-5)
    plain = model.trunk.causal_lm
    plain.config._attn_implementation = "sdpa"
    row = torch.tensor([encoded.prompt_ids + encoded.responses[0]])
    with torch.no_grad():
        wanted = model.heads.score(plain(input_ids=row).last_hidden_state[0].mean(0)).item()
    assert found[3] == pytest.approx(wanted, abs=1e-4)
    with pytest.raises(ModelError, match=r"an encoder .bert. cannot write"):
        load_policy(config)
