"""The local engine: decodes on the policy's own weights, in this process.

Prompts that are equal are prefilled once; all rows step together; finished rows leave the batch and waiting ones take
their places. There is no second copy of the weights, so the sampler cannot be stale.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

from guerdon.core.types import StopReason
from guerdon.models.decoders import Decoder, decoder_of
from guerdon.models.logprobs import Head
from guerdon.models.memory import release_memory
from guerdon.models.policy import Policy
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.engine import Completion, Done, Request
from guerdon.rollout.sampling import Sampled, sample

RENEWED_SHARE = 0.125
"""Finished rows are replaced or dropped once they are this share of the batch: each time the cache is written to."""


@dataclass(slots=True)
class _Row:
    """What one request has produced so far."""

    place: int
    """Among the requests."""
    request: Request
    uniforms: Tensor
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    kept: list[tuple[int, ...]] = field(default_factory=list)
    stop: StopReason | None = None
    completed: Completion | None = None
    """Once it has been told."""


class StoppedError(RuntimeError):
    """An engine was told to stop while it was decoding."""


class LocalEngine:
    """`Engine` on a `Policy`; see the module docstring."""

    def __init__(self, policy: Policy, *, max_batch_rows: int = 256) -> None:
        self.policy = policy
        self.max_batch_rows = max_batch_rows
        self._stopped = threading.Event()

    def stop(self) -> None:
        """From another thread, for good: what is being generated ends at its next token with a `StoppedError`."""
        self._stopped.set()

    @property
    def version(self) -> int:
        """The policy's own version: nothing is ever copied."""
        return self.policy.version

    @torch.inference_mode()
    def generate(self, requests: list[Request], done: Done | None = None) -> list[Completion]:
        """As `Engine.generate`; all requests of a call share their sampling settings.

        Raises:
            ValueError: requests with different sampling settings, or an empty prompt.
        """
        if any(request.sampling != requests[0].sampling for request in requests):
            raise ValueError("requests of one call must share their sampling settings")
        if any(not request.prompt_ids for request in requests):
            raise ValueError("a request has an empty prompt")
        rows = [_Row(place, request, _uniforms(request)) for place, request in enumerate(requests)]
        # Short prompts first: the cache is as wide as the longest prompt that has been in it.
        if rows:
            self._decode(sorted(rows, key=lambda row: len(row.request.prompt_ids)), self.policy.head(), done)
        release_memory()
        return [row.completed or self._complete(row) for row in rows]

    def _decode(self, rows: list[_Row], head: Head, done: Done | None) -> None:
        """Run until every row has stopped, at most `max_batch_rows` of them at a time."""
        alive, waiting = rows[: self.max_batch_rows], deque(rows[self.max_batch_rows :])
        decoder = decoder_of(self.policy, alive[0].request.sampling.max_completion_length)
        token_N = self._draw(alive, head, decoder.begin(_prompts(alive)))
        while waiting or not all(row.stop for row in alive):
            if self._stopped.is_set():
                raise StoppedError("the engine was stopped")
            if done:
                self._tell(alive, done)
            if sum(row.stop is not None for row in alive) >= max(1, RENEWED_SHARE * len(alive)):
                alive, token_N = self._renew(alive, waiting, head=head, decoder=decoder, token_N=token_N)
                continue  # a new row may have ended with its first token
            token_N = self._draw(alive, head, decoder.step(token_N))
        if done:
            self._tell(alive, done)

    def _tell(self, rows: list[_Row], done: Done) -> None:
        """Completions that have ended since the last call."""
        for row in rows:
            if row.stop and not row.completed:
                row.completed = self._complete(row)
                done(row.place, row.completed)

    def _renew(
        self, alive: list[_Row], waiting: deque[_Row], *, head: Head, decoder: Decoder, token_N: Tensor
    ) -> tuple[list[_Row], Tensor]:
        """Waiting rows take the places of finished ones; places that nobody takes are given up."""
        finished = [index for index, row in enumerate(alive) if row.stop]
        new = [waiting.popleft() for _ in finished[: len(waiting)]]
        if new:
            places_M = torch.tensor(finished[: len(new)], device=token_N.device)
            token_N[places_M] = self._draw(new, head, decoder.replace(places_M, _prompts(new)))
            for index, row in zip(finished, new, strict=False):
                alive[index] = row
        if given_up := set(finished[len(new) :]):
            kept = [index for index in range(len(alive)) if index not in given_up]
            keep_N = torch.tensor(kept, dtype=torch.long, device=token_N.device)
            decoder.keep(keep_N)
            return [alive[index] for index in kept], token_N[keep_N]
        return alive, token_N

    def _draw(self, rows: list[_Row], head: Head, hidden_NH: Tensor) -> Tensor:
        """The next token of each row [N], recorded in the rows that have not stopped."""
        sampling = rows[0].request.sampling
        logits_NV = head.logits(hidden_NH)
        self._forbid_eos(logits_NV, rows)
        uniform_N = torch.stack([row.uniforms[min(len(row.ids), len(row.uniforms) - 1)] for row in rows])
        drawn = sample(logits_NV, uniform_N.to(logits_NV.device), sampling)
        self._append(rows, drawn, sampling)
        return drawn.token_N

    def _forbid_eos(self, logits_NV: Tensor, rows: list[_Row]) -> None:
        forbidden = [index for index, row in enumerate(rows) if row.request.ignore_eos]
        if forbidden:
            stops = torch.tensor(sorted(self.policy.stop_ids), device=logits_NV.device)
            logits_NV[torch.tensor(forbidden, device=logits_NV.device)[:, None], stops] = float("-inf")

    def _append(self, rows: list[_Row], drawn: Sampled, sampling: SamplingConfig) -> None:
        kept = None if drawn.kept_NV is None else drawn.kept_NV.cpu()
        drawn_rows = zip(rows, drawn.token_N.tolist(), drawn.logprob_N.tolist(), strict=True)
        for index, (row, token, logprob) in enumerate(drawn_rows):
            if row.stop:
                continue
            row.ids.append(token)
            row.logprobs.append(logprob)
            if kept is not None:
                row.kept.append(tuple(kept[index].nonzero()[:, 0].tolist()))
            row.stop = self._stop(row, sampling)

    def _stop(self, row: _Row, sampling: SamplingConfig) -> StopReason | None:
        if row.ids[-1] in self.policy.stop_ids:
            return StopReason.EOS
        if sampling.stop:
            # a stop string may begin inside an earlier token; it is never longer than its bytes in tokens
            tail = self.policy.decode(row.ids[-(max(map(len, sampling.stop)) + 8) :])
            if any(word in tail for word in sampling.stop):
                return StopReason.STOP_STRING
        return StopReason.LENGTH if len(row.ids) >= sampling.max_completion_length else None

    def _complete(self, row: _Row) -> Completion:
        return Completion(
            token_ids=tuple(row.ids),
            logprobs=tuple(row.logprobs),
            text=self.policy.decode(row.ids),
            stop=row.stop or StopReason.LENGTH,
            kept=tuple(row.kept) if row.kept else None,
        )


def _prompts(rows: list[_Row]) -> list[tuple[int, ...]]:
    return [row.request.prompt_ids for row in rows]


def _uniforms(request: Request) -> Tensor:
    """All random numbers of one answer."""
    generator = torch.Generator().manual_seed(request.seed)
    return torch.rand(request.sampling.max_completion_length, generator=generator, dtype=torch.float64)
