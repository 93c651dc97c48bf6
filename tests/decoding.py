"""Small random models of several architectures, and hidden states as plain transformers computes them."""

from __future__ import annotations

import functools
from typing import Any

import torch

from guerdon.models import attention
from guerdon.models.config import LoraConfig
from guerdon.models.lora import with_adapters
from guerdon.models.policy import Policy
from guerdon.models.tiny import tiny_tokenizer

PROMPTS = [(7, 8, 9), (7, 8, 9), (20, 21, 22, 23, 24), tuple(range(10, 29))]


@functools.cache
def _tokenizer() -> Any:
    return tiny_tokenizer()


def small_policy(
    kind: str, *, dtype: torch.dtype = torch.float32, lora: bool = False, seed: int = 0
) -> Policy:
    """A policy of one architecture, all weights random (norms and biases too)."""
    import transformers

    tokenizer = _tokenizer()
    names = {
        "llama": "Llama",
        "mistral": "Mistral",
        "qwen2": "Qwen2",
        "qwen3": "Qwen3",
        "gpt_neox": "GPTNeoX",
    }
    more: dict[str, Any] = {"head_dim": 32} if kind in ("qwen3", "mistral") else {}
    shared = {} if kind == "gpt_neox" else {"num_key_value_heads": 2, **more}
    config = getattr(transformers, f"{names[kind]}Config")(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=192, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, **shared,
    )  # fmt: skip
    attention.register()
    config._attn_implementation = attention.ATTENTION
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, f"{names[kind]}ForCausalLM")(config)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.05 * torch.randn_like(weight))
        model.to(dtype).train(False)
        wrapped = _adapted(model) if lora else model
    return Policy(
        model=wrapped, causal_lm=model, tokenizer=tokenizer, source=kind, device=torch.device("cpu"), dtype=dtype,
        stop_ids=frozenset({tokenizer.eos_token_id}),
    )  # fmt: skip


def _adapted(model: Any) -> Any:
    wrapped = with_adapters(model, LoraConfig(r=4, alpha=8, dropout=0.5), 0)  # which acts in training only
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.05 * torch.randn_like(weight))
    return wrapped


@torch.no_grad()
def plain_hidden(policy: Policy, ids: tuple[int, ...]) -> torch.Tensor:
    """Last hidden state [H] of one text, by transformers' own attention."""
    config = policy.causal_lm.config
    config._attn_implementation = "sdpa"
    try:
        out = policy.causal_lm.base_model(input_ids=torch.tensor([ids]), use_cache=False)
    finally:
        config._attn_implementation = attention.ATTENTION
    found: torch.Tensor = out.last_hidden_state[0, -1].float()
    return found
