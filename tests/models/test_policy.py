from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from guerdon.core.types import Message
from guerdon.models.policy import Policy


def test_render_ends_where_the_assistant_begins(tiny: Policy) -> None:
    ids = tiny.render([Message(role="system", content="be brief"), Message(role="user", content="2+2?")])
    assert tiny.tokenizer.decode(ids) == "<|system|>be brief<|end|><|user|>2+2?<|end|><|assistant|>"
    assert tiny.decode([*tiny.encode("4"), tiny.eos_id]) == "4"


def test_special_tokens_in_user_text_stay_what_they_are(tiny: Policy) -> None:
    assert "\u00e9" not in tiny.tokenizer.get_vocab()
    assert tiny.tokenizer.unk_token_id in tiny.encode("caf\u00e9")


@pytest.mark.parametrize("kind", ["tiny", "tiny_lora"])
def test_exported_folder_loads_with_plain_transformers(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    policy: Policy = request.getfixturevalue(kind)
    with torch.no_grad():
        for weight in policy.trainable().values():
            weight.add_(0.01)  # LoRA's B starts at zero: make the adapters matter
    policy.save(tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    tokens = torch.tensor([[5, 6, 7, 8]])
    from guerdon.models.attention import PackedLayout

    layout = PackedLayout([4], [[]])
    hidden_TH = policy.hidden(tokens, layout.position_T[None], layout)[0]
    torch.testing.assert_close(plain(tokens).logits[0], policy.head().logits(hidden_TH), atol=1e-4, rtol=1e-4)
    assert AutoTokenizer.from_pretrained(tmp_path).chat_template == policy.tokenizer.chat_template
    assert plain.config._attn_implementation == "sdpa"


def test_swapped_weights_come_back(tiny: Policy) -> None:
    anchor = tiny.snapshot()
    name = next(iter(anchor))
    with torch.no_grad():
        tiny.trainable()[name].add_(1.0)
    changed = tiny.trainable()[name].detach().clone()
    with tiny.swapped(anchor):
        assert torch.equal(tiny.trainable()[name], anchor[name])
    assert torch.equal(tiny.trainable()[name], changed)


def test_lora_trains_adapters_only(tiny_lora: Policy) -> None:
    assert tiny_lora.trainable()
    assert all(".lora_" in name for name in tiny_lora.trainable())


@pytest.mark.parametrize("kind", ["tiny", "tiny_lora"])
def test_a_twin_has_trained_weights_of_its_own_and_shares_the_others(
    kind: str, request: pytest.FixtureRequest
) -> None:
    from guerdon.models.attention import PackedLayout

    policy: Policy = request.getfixturevalue(kind)
    twin = policy.twin()
    layout = PackedLayout([4], [[]])
    tokens = torch.tensor([[5, 6, 7, 8]])

    def hidden(of: Policy) -> torch.Tensor:
        return of.hidden(tokens, layout.position_T[None], layout).detach()

    before = hidden(policy)
    assert torch.equal(hidden(twin), before)
    with torch.no_grad():
        for weight in policy.trainable().values():
            weight.add_(0.01)
    assert not torch.equal(hidden(policy), before)
    assert torch.equal(hidden(twin), before)  # the kernels' forwards read the twin's own modules
    twin.load(policy.snapshot(), 7)
    assert twin.version == 7
    assert torch.equal(hidden(twin), hidden(policy))
    ours, theirs = dict(policy.model.named_parameters()), dict(twin.model.named_parameters())
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert (theirs[name] is weight) is not weight.requires_grad
    assert twin.causal_lm is not policy.causal_lm


def test_the_twin_of_a_recomputed_model_recomputes_its_own_layers() -> None:
    from guerdon.models.attention import PackedLayout
    from guerdon.models.config import ModelConfig
    from guerdon.models.loading import load_policy

    policy = load_policy(ModelConfig(source="builtin:tiny", gradient_checkpointing=True), seed=0)
    twin = policy.twin()
    layout = PackedLayout([4], [[]])
    twin.hidden(torch.tensor([[5, 6, 7, 8]]), layout.position_T[None], layout).sum().backward()
    inner = "model.layers.0.mlp.down_proj.weight"
    assert dict(twin.model.named_parameters())[inner].grad is not None
    assert dict(policy.model.named_parameters())[inner].grad is None


def test_a_twin_elsewhere_has_nothing_of_this_processors_kernels(tiny_lora: Policy) -> None:
    from guerdon.models.packed_ops import has_kernels_for

    twin = tiny_lora.twin(torch.device("meta"))
    assert twin.device.type == "meta"
    assert all(weight.device.type == "meta" for weight in twin.model.parameters())
    own = [part for part in tiny_lora.causal_lm.modules() if "forward" in vars(part)]
    assert bool(own) is has_kernels_for(tiny_lora.causal_lm)
    assert not [part for part in twin.causal_lm.modules() if "forward" in vars(part)]
    assert all(weight.device.type == "cpu" for weight in tiny_lora.model.parameters())
