"""A policy: a Hugging Face causal LM, its tokenizer, and the two things the stations ask of it.

`hidden(...)` runs the trunk under an attention layout; `logprobs(...)` reads token log-probabilities off hidden states.
The sampler and the learner both hold this object, so there is one set of weights and nothing to synchronise.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from guerdon.core.errors import ModelError
from guerdon.core.types import Message
from guerdon.models import lora, packed_ops
from guerdon.models.attention import Layout
from guerdon.models.logprobs import Head, Kept, TokenLogprobs, Workspace, token_logprobs


@dataclass(slots=True)
class Policy:
    """A loaded model. Mutable on purpose: the learner updates the weights in place and counts `version` up."""

    model: Any
    """The causal LM (a PeftModel where LoRA is on)."""
    causal_lm: Any
    """The causal LM itself, without the PEFT wrapper."""
    tokenizer: Any
    source: str
    device: torch.device
    dtype: torch.dtype
    version: int = 0
    stop_ids: frozenset[int] = field(default_factory=frozenset)
    """Token ids that end a turn: the tokenizer's EOS and those of the generation config."""

    def render(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Token ids of the conversation under the chat template, ready for the assistant's answer.

        Raises:
            ModelError: the chat template refuses these messages.
        """
        chat = [{"role": message.role, "content": message.content} for message in messages]
        if self.tokenizer.chat_template is None:
            text = "\n\n".join(message.content for message in messages) + "\n"
            return tuple(self.tokenizer(text, add_special_tokens=True)["input_ids"])
        try:
            text = self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        except Exception as error:  # templates are programs: they raise what they like
            raise ModelError(f"{self.source}: the chat template refuses the messages: {error}") from None
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of plain text, no special tokens added."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        """Text of completion tokens; special tokens such as EOS are left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    @property
    def eos_id(self) -> int:
        """The token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    @property
    def max_context(self) -> int:
        """Most tokens of prompt and completion together (window of sliding-window models included)."""
        config = self.causal_lm.config
        limit = int(getattr(config, "max_position_embeddings", 1 << 30))
        window = getattr(config, "sliding_window", None)
        if window is None or not getattr(config, "use_sliding_window", True):
            return limit
        return min(limit, int(window))

    def hidden(self, tokens: Tensor, positions: Tensor, layout: Layout) -> Tensor:
        """Final hidden states [rows, T, H] for token ids and positions [rows, T]."""
        trunk = self.causal_lm.base_model
        out = trunk(input_ids=tokens, position_ids=positions, use_cache=False, layout=layout)
        return out.last_hidden_state  # type: ignore[no-any-return]

    def logprobs(
        self, hidden_TH: Tensor, target_T: Tensor, *, temperature: float = 1.0, kept: Kept | None = None
    ) -> TokenLogprobs:
        """Float32 log-probability of each target and entropy of each distribution, differentiable."""
        layer = self.causal_lm.get_output_embeddings()
        return token_logprobs(
            hidden_TH, layer.weight, bias_V=layer.bias, target_T=target_T, temperature=temperature, kept=kept
        )

    def head(self) -> Head:
        """The LM head for sampling, its weight prepared once; make a new one after each update.

        Its logits are overwritten by its next call: fresh pages for them would cost more than they do.
        """
        layer = self.causal_lm.get_output_embeddings()
        return Head(layer.weight, layer.bias, Workspace())

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Name to parameter of all that is trained."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    def snapshot(self) -> dict[str, Tensor]:
        """A copy of the trained weights, for example a KL anchor."""
        return {name: weight.detach().clone() for name, weight in self.trainable().items()}

    @contextlib.contextmanager
    def swapped(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """Run with these weights in place of the trained ones; pointers move, nothing is copied."""
        parameters = self.trainable()
        before = {name: parameters[name].data for name in weights}
        try:
            for name, tensor in weights.items():
                parameters[name].data = tensor
            yield
        finally:
            for name, tensor in before.items():
                parameters[name].data = tensor

    def twin(self, device: torch.device | None = None) -> Policy:
        """A second policy with trained weights of its own, as they are now.

        Args:
            device: where it computes; None: here, and whatever is not trained is shared.
        """
        shared = {id(weight): weight for weight in self.model.parameters() if not weight.requires_grad}
        moves = device is not None and device != self.device
        model, causal_lm = copy.deepcopy((self.model, self.causal_lm), {} if moves else shared)
        if moves:
            packed_ops.uninstall(causal_lm)
            model.to(device)
            packed_ops.install(causal_lm)
        return dataclasses.replace(self, model=model, causal_lm=causal_lm, device=device or self.device)

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor], version: int) -> None:
        """Take over these trained weights, a `snapshot` of which `version` is the number."""
        for name, weight in self.trainable().items():
            weight.copy_(weights[name])
        self.version = version

    @contextlib.contextmanager
    def dropout(self, seed: int) -> Iterator[None]:
        """The adapters' dropout acts within, forward and backward, and nowhere else; it is drawn from the seed."""
        if self.model is self.causal_lm:
            yield
        else:
            with lora.dropout(self.causal_lm, seed):
                yield

    def save(self, folder: Path) -> None:
        """Write a plain Hugging Face folder, adapters merged; the weights here are only read."""
        model = self.causal_lm
        state = None if self.model is model else lora.merged_state(model)
        implementation = model.config._attn_implementation
        model.config._attn_implementation = "sdpa"  # a reader must not need our attention function
        try:
            model.save_pretrained(folder, state_dict=state)
        finally:
            model.config._attn_implementation = implementation
        self.tokenizer.save_pretrained(folder)
