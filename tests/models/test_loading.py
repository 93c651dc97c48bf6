from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from guerdon.core.errors import ModelError
from guerdon.models.config import LoraConfig, ModelConfig
from guerdon.models.loading import choose_device, choose_dtype, load_policy
from guerdon.models.policy import Policy


def test_same_seed_same_weights() -> None:
    one, two, other = (
        load_policy(ModelConfig(source="builtin:tiny"), seed=seed).snapshot() for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("pypi:smollm2-135", "did you mean 'pypi:smollm2-135m'"),
        ("builtin:small", "there is builtin:tiny"),
        ("./nowhere", "no such folder"),
        ("./nowhere.gguf", "no such GGUF file"),
    ],
)
def test_unknown_sources_are_named(source: str, message: str) -> None:
    with pytest.raises(ModelError, match=message.replace("(", r"\(")):
        load_policy(ModelConfig(source=source))


def test_missing_shards_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "model-00001-of-00002.safetensors").touch()
    with pytest.raises(ModelError, match="1 of 2 shards missing, first model-00002-of-00002"):
        load_policy(ModelConfig(source=str(tmp_path)))


def test_folder_without_config_or_with_pickled_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_policy(ModelConfig(source=str(tmp_path)))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(ModelError, match="pickled weights"):
        load_policy(ModelConfig(source=str(tmp_path)))


def test_damaged_weights_are_one_line(tiny: Policy, tmp_path: Path) -> None:
    tiny.save(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_policy(ModelConfig(source=str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_tokenizer_of_another_model_is_refused(tiny: Policy, tmp_path: Path) -> None:
    tiny.save(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_tokens([f"extra{i}" for i in range(500)])
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="belongs to another model"):
        load_policy(ModelConfig(source=str(tmp_path)))


def test_a_saved_folder_loads_again(tiny: Policy, tmp_path: Path) -> None:
    tiny.save(tmp_path)
    again = load_policy(ModelConfig(source=str(tmp_path)))
    for name, weight in tiny.snapshot().items():
        assert torch.equal(weight, again.snapshot()[name]), name
    assert again.stop_ids == tiny.stop_ids == {tiny.eos_id}


def test_lora_on_layers_that_are_not_there() -> None:
    with pytest.raises(ModelError, match=r"model\.lora"):
        load_policy(ModelConfig(source="builtin:tiny", lora=LoraConfig(target_modules=("nope",))))


def test_device_and_dtype_choices() -> None:
    cpu = torch.device("cpu")
    assert choose_dtype("auto", cpu, 1_000_000) == torch.float32
    assert choose_dtype("bfloat16", cpu, 1) == torch.bfloat16
    assert choose_dtype("auto", torch.device("cuda"), 1_000_000_000) == torch.bfloat16
    with pytest.raises(ModelError, match="unknown device"):
        choose_device("graphics")
    if not torch.cuda.is_available():
        assert choose_device("auto") == cpu
        with pytest.raises(ModelError, match="no CUDA device"):
            choose_device("cuda")
