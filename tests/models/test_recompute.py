from __future__ import annotations

import warnings
from collections import Counter

import pytest
import torch
from torch import nn

from guerdon.core.errors import ModelError
from guerdon.models.attention import PackedLayout
from guerdon.models.config import HeadConfig, InputConfig, LoraConfig, ModelConfig
from guerdon.models.loading import load_policy
from guerdon.models.policy import Policy
from guerdon.models.recompute import recompute_layers
from guerdon.models.reward_loading import load_reward_model

LORA = LoraConfig(r=4, dropout=0.3)


def policy(*, checkpointing: bool, lora: LoraConfig | None = None) -> Policy:
    found = load_policy(
        ModelConfig(source="builtin:tiny", gradient_checkpointing=checkpointing, lora=lora), seed=0
    )
    torch.manual_seed(2)
    with torch.no_grad():
        for weight in found.trainable().values():
            weight.add_(0.02 * torch.randn_like(weight))
    return found


def runs_of_layers(model: Policy) -> Counter[int]:
    """Counts how often the attention of each layer runs from now on."""
    count: Counter[int] = Counter()
    for index, layer in enumerate(model.causal_lm.model.layers):
        layer.self_attn.register_forward_hook(lambda *_, index=index: count.update([index]))
    return count


def backward(model: Policy, *, seed: int | None = None) -> tuple[torch.Tensor, dict[str, torch.Tensor], int]:
    """Loss, gradients, and bytes that the forward pass kept, of two groups packed into one row."""
    layout = PackedLayout([5, 3], [[4, 6], [2, 7, 1]])
    tokens = torch.arange(layout.num_tokens)[None] % 90 + 6
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {weight.untyped_storage().data_ptr() for weight in model.model.parameters()}
    with model.dropout(seed or 0):
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model.hidden(tokens, layout.position_T[None], layout).float().square().sum()
        loss.backward()
    gradients = {
        name: weight.grad.clone() for name, weight in model.trainable().items() if weight.grad is not None
    }
    return loss.detach(), gradients, sum(size for place, size in kept.items() if place not in weights)


@pytest.mark.parametrize("lora", [None, LORA])
def test_gradients_are_equal_and_less_is_kept(lora: LoraConfig | None) -> None:
    plain_loss, plain, plain_bytes = backward(policy(checkpointing=False, lora=lora), seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = policy(checkpointing=True, lora=lora)
        loss, found, kept = backward(model, seed=3)
    assert torch.equal(loss, plain_loss)
    assert plain.keys() == found.keys()
    assert all(torch.equal(gradient, found[name]) for name, gradient in plain.items())
    assert kept < plain_bytes / 4


def test_each_layer_runs_again_in_the_backward_pass_and_only_there() -> None:
    model = policy(checkpointing=True)
    count = runs_of_layers(model)
    backward(model)
    assert count == dict.fromkeys(range(4), 2)
    layout = PackedLayout([3], [[]])
    with torch.no_grad():
        model.hidden(torch.tensor([[7, 8, 9]]), layout.position_T[None], layout)
    assert count == dict.fromkeys(range(4), 3)
    assert not model.model.training


def test_a_policy_samples_as_without_it() -> None:
    from guerdon.rollout.config import SamplingConfig
    from guerdon.rollout.engine import Request
    from guerdon.rollout.local import LocalEngine

    sampling = SamplingConfig(temperature=1.0, max_completion_length=6)
    requests = [Request(prompt_ids=(7, 8, 9), sampling=sampling, seed=seed) for seed in range(3)]
    texts = [
        [item.text for item in LocalEngine(policy(checkpointing=checkpointing)).generate(requests)]
        for checkpointing in (False, True)
    ]
    assert texts[0] == texts[1]


def test_a_reward_model_recomputes_too() -> None:
    config = ModelConfig(source="builtin:tiny", gradient_checkpointing=True)
    model = load_reward_model(config, HeadConfig(), InputConfig())
    count = runs_of_layers(model.trunk)
    model.read(model.plan([((7, 8), [(9, 1), (10, 11, 1)])])).u_B.sum().backward()
    assert count == dict.fromkeys(range(4), 2)


def test_a_model_without_layers_to_recompute_is_told() -> None:
    with pytest.raises(ModelError, match=r"model\.gradient_checkpointing: flat: .* remove the key"):
        recompute_layers(nn.Linear(2, 2), "flat")
