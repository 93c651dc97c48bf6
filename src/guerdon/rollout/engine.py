"""The seam to any sampler: requests in, completions out, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from guerdon.core.types import StopReason
from guerdon.rollout.config import SamplingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One answer to sample. Requests with equal prompts share the prompt's prefill."""

    prompt_ids: tuple[int, ...]
    sampling: SamplingConfig
    seed: int
    """Decides every random number of this answer; its neighbours have no say."""
    ignore_eos: bool = False
    """Forbid the end-of-turn tokens: every answer has exactly the maximal length (benchmarks)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled answer."""

    token_ids: tuple[int, ...]
    """EOS included where the model ended its turn."""
    logprobs: tuple[float, ...]
    text: str
    stop: StopReason
    kept: tuple[tuple[int, ...], ...] | None = None
    """Per token, the ids that truncated sampling left; None where nothing was truncated."""


Done = Callable[[int, Completion], None]
"""Called with the place of a request and its completion as soon as that is finished."""


class Engine(Protocol):
    """Samples answers from one version of the weights."""

    @property
    def version(self) -> int:
        """Number of the weights in use."""
        ...

    def generate(self, requests: list[Request], done: Done | None = None) -> list[Completion]:
        """One completion per request, in order; each is also told to `done` when it ends, in any order."""
        ...
