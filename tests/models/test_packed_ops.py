from __future__ import annotations

import copy

import pytest
import torch

from decoding import small_policy
from guerdon.models.attention import PackedLayout, PrefillLayout
from guerdon.models.kernels import kernels
from guerdon.models.packed_ops import has_kernels_for, install
from guerdon.models.policy import Policy

pytestmark = pytest.mark.skipif(kernels() is None, reason="no kernels on this machine")
KINDS = ["llama", "mistral", "qwen2", "qwen3"]


def installed(policy: Policy) -> Policy:
    """The same weights, with the kernels."""
    other = copy.deepcopy(policy)
    install(other.causal_lm)
    return other


def packed(seed: int = 0) -> tuple[torch.Tensor, PackedLayout]:
    """Tokens and layout of three families: with several answers, with none, with an empty and a long one."""
    layout = PackedLayout([5, 19, 1], [[7, 3, 12], [], [0, 40]])
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(6, 100, (layout.num_tokens,), generator=generator), layout


def gradients(policy: Policy) -> dict[str, torch.Tensor]:
    """Of a weighted sum of all hidden states, with respect to all that is trained."""
    tokens, layout = packed()
    hidden_TH = policy.hidden(tokens[None], layout.position_T[None], layout)[0]
    weight_TH = torch.randn(hidden_TH.shape, generator=torch.Generator().manual_seed(1))
    (hidden_TH.float() * weight_TH).sum().backward()
    found = {name: weight.grad for name, weight in policy.trainable().items() if weight.grad is not None}
    return {"hidden": hidden_TH.detach(), **found}


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_hidden_states_and_gradients_are_the_models_own(kind: str, lora: bool) -> None:
    policy = small_policy(kind, lora=lora)
    plain, found = gradients(copy.deepcopy(policy)), gradients(installed(policy))
    assert found.keys() == plain.keys()
    assert len(found) > 10
    for name, wanted in plain.items():
        scale = float(wanted.abs().max())
        torch.testing.assert_close(found[name], wanted, atol=2e-5 * max(scale, 1.0), rtol=1e-3, msg=name)


def test_bfloat16_gradients_are_as_near_to_float32_as_the_models_own() -> None:
    rounded = small_policy("qwen3", dtype=torch.bfloat16)
    exact = small_policy("qwen3")
    with torch.no_grad():
        for weight, source in zip(exact.model.parameters(), rounded.model.parameters(), strict=True):
            weight.copy_(source)
    wanted = gradients(exact)
    errors = {"plain": 0.0, "kernels": 0.0}
    for label, policy in (("plain", copy.deepcopy(rounded)), ("kernels", installed(rounded))):
        for name, found in gradients(policy).items():
            errors[label] += float((found.float() - wanted[name]).norm() / wanted[name].norm())
    assert errors["kernels"] < errors["plain"]


def test_less_is_kept_for_the_backward_pass() -> None:
    def kept(policy: Policy) -> int:
        tokens, layout = packed()
        held: dict[int, int] = {}

        def count(tensor: torch.Tensor) -> torch.Tensor:
            held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            hidden = policy.hidden(tokens[None], layout.position_T[None], layout)
        hidden.sum().backward()
        weights = sum(weight.untyped_storage().nbytes() for weight in policy.model.parameters())
        return sum(held.values()) - weights

    policy = small_policy("llama", dtype=torch.bfloat16)
    assert kept(installed(policy)) < 0.5 * kept(copy.deepcopy(policy))


def test_other_layouts_attend_as_before() -> None:
    policy = small_policy("llama")
    tokens = torch.arange(10, 16)
    found = []
    for one in (copy.deepcopy(policy), installed(policy)):
        layout = PrefillLayout([4, 2])
        with torch.no_grad():
            found.append(one.hidden(tokens[None], layout.position_T[None], layout))
        assert len(layout.keys) == 2
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-4)


def test_the_weights_of_a_norm_that_does_not_learn_get_no_gradient() -> None:
    policy = installed(small_policy("llama"))
    norm = policy.causal_lm.base_model.norm
    norm.weight.requires_grad_(False)
    gradients(policy)
    assert norm.weight.grad is None


def test_what_the_kernels_cannot_do_is_left_alone() -> None:
    other = small_policy("gpt_neox")
    install(other.causal_lm)
    assert not has_kernels_for(other.causal_lm)
    policy = small_policy("llama")
    policy.causal_lm.config.hidden_act = "gelu"
    before = {name: module.forward for name, module in policy.causal_lm.named_modules()}
    install(policy.causal_lm)
    assert {name: module.forward for name, module in policy.causal_lm.named_modules()} == before
