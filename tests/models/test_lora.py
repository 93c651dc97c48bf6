from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from guerdon.models.config import HeadConfig, InputConfig, LoraConfig, ModelConfig
from guerdon.models.loading import load_policy
from guerdon.models.policy import Policy
from guerdon.models.reward import Shown
from guerdon.models.reward_loading import load_reward_model
from rewarding import problem


def moved(policy: Policy) -> Policy:
    """B of fresh adapters is zero, and merging zeros changes nothing."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in policy.trainable().values():
            weight.add_(0.05 * torch.randn_like(weight))
    return policy


def with_lora(**fields: object) -> Policy:
    lora = LoraConfig.model_validate({"r": 4, **{k: v for k, v in fields.items() if k != "dtype"}})
    dtype = fields.get("dtype", "float32")
    return moved(
        load_policy(ModelConfig.model_validate({"source": "builtin:tiny", "lora": lora, "dtype": dtype}))
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_saving_leaves_every_weight_as_it_was(dtype: str, tmp_path: Path) -> None:
    policy = with_lora(dtype=dtype)
    before = {name: weight.clone() for name, weight in policy.model.state_dict().items()}
    for count in range(3):
        policy.save(tmp_path / str(count))
    after = policy.model.state_dict()
    assert before.keys() == after.keys()
    assert not [name for name, weight in before.items() if not torch.equal(weight, after[name])]


def test_what_is_saved_is_the_sum() -> None:
    policy = with_lora()
    name = "model.layers.2.self_attn.v_proj"
    layer = policy.causal_lm.get_submodule(name)
    low, high = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    wanted = layer.base_layer.weight + 32 / 4 * (high @ low)  # alpha / r
    from guerdon.models.lora import merged_state

    state = merged_state(policy.causal_lm)
    torch.testing.assert_close(state[f"{name}.weight"], wanted)
    assert state.keys() == load_policy(ModelConfig(source="builtin:tiny")).causal_lm.state_dict().keys()


def test_a_saved_folder_holds_the_format_of_the_model(tmp_path: Path) -> None:
    with_lora(dtype="bfloat16").save(tmp_path)
    kinds = {weight.dtype for weight in load_file(tmp_path / "model.safetensors").values()}
    assert kinds == {torch.bfloat16}


def read(policy: Policy) -> torch.Tensor:
    from guerdon.models.attention import PackedLayout

    layout = PackedLayout([4], [[2]])
    with torch.no_grad():
        return policy.hidden(torch.arange(6, 12)[None], layout.position_T[None], layout)


def test_dropout_acts_within_its_context_only_and_by_its_seed() -> None:
    policy = with_lora(dropout=0.5)
    quiet = read(policy)
    assert torch.equal(quiet, read(policy))
    state = torch.random.get_rng_state()
    found = []
    for seed in (1, 1, 2):
        with policy.dropout(seed):
            found.append(read(policy))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0], quiet)
    assert torch.equal(quiet, read(policy))
    assert torch.equal(state, torch.random.get_rng_state())


def test_an_error_within_ends_the_dropout() -> None:
    policy = with_lora(dropout=0.5)
    quiet = read(policy)
    with pytest.raises(RuntimeError), policy.dropout(0):
        raise RuntimeError
    assert torch.equal(quiet, read(policy))


def test_two_scorings_of_one_response_agree_where_the_adapters_have_dropout() -> None:
    lora = LoraConfig(r=4, dropout=0.5)
    model = load_reward_model(
        ModelConfig(source="builtin:tiny", lora=lora), HeadConfig(bias=False), InputConfig()
    )
    moved(model.trunk)
    item = [Shown(problem(), ("yes", "no"))]
    assert torch.equal(model.score(item)[0].u_B, model.score(item)[0].u_B)


def test_without_adapters_there_is_nothing_to_drop() -> None:
    policy = load_policy(ModelConfig(source="builtin:tiny"))
    with policy.dropout(0):
        inside = read(policy)
    assert torch.equal(inside, read(policy))
