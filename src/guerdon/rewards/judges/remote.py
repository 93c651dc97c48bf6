"""A reward model behind HTTP as a judge: a group's answers in batches, each answer once, each score with its version.

group --cache--> unknown answers --batches--> server --scores, version--> scale --> parts
a batch that is refused: one by one        no score: None, and why
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guerdon.core.types import Evidence, Json, Part, Problem, RolloutGroup, to_json
from guerdon.rewards.http import Answer, Http
from guerdon.rewards.judges.cache import Kept, VerdictCache, key_of
from guerdon.rewards.judges.config import RemoteConfig
from guerdon.rewards.judges.probe import Probe
from guerdon.rewards.judges.protocols import (
    PROTOCOLS,
    NonsenseError,
    Scored,
    address,
    batch_size,
    request_for,
)
from guerdon.rewards.judges.versions import Settled, VersionWatch, header_version, shown_version

if TYPE_CHECKING:
    import httpx

_REFUSED = frozenset({400, 413, 422})
"""What a server says to a batch of which it takes some."""


class RemoteJudge:
    """A `Judge` that asks a served reward model.

    Raises:
        MissingExtraError: httpx is not installed.
        PluginError: the cache's file cannot be used.
    """

    def __init__(self, config: RemoteConfig, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.config = config
        self.protocol = PROTOCOLS[config.protocol]
        self.http = Http(config.patience(), transport=transport)
        probe = address(config, self.protocol.probe)
        # A client of its own: a question about the version must not wait behind answers to be scored.
        asking = Http(config.patience(), transport=transport)
        self._probe = Probe(asking, probe, config.model, self.protocol.probed)
        self.cache = VerdictCache(config.cache_size, config.cache_file)
        self.versions = VersionWatch(config.name, config.url, config.version, policy=config.on_version_change)

    def check(self) -> None:
        """Ask the server for its version now, so that a wrong address shows before a run starts.

        Raises:
            PluginError: there is no key, no server, or another version than the recipe's.
        """
        self.versions.check(self._probe.check() or "")

    @property
    def version(self) -> str:
        """Of the model that answered last; "": none is known."""
        return self.versions.current

    def close(self) -> None:
        """Close the cache's file."""
        self.cache.close()

    async def score(self, group: RolloutGroup) -> list[Part]:
        """One part for each rollout; equal answers are asked about once.

        Raises:
            PluginError: another version answers than before, and `on_version_change` is to refuse that.
        """
        texts = list(dict.fromkeys(rollout.text for rollout in group.rollouts))
        before = await self._version()
        version = before or self.versions.current
        kept = await self._kept(group.problem, texts, version)
        missing = [text for text in texts if text not in kept]
        fresh, said = await self._ask(group.problem, missing)
        after = await self._version() if missing else ""
        settled = self.versions.settle([version if kept else "", before, *said, after])
        if not settled.trouble:
            await self._keep(group.problem, fresh, settled.version or version)
        return [
            self._part(kept.get(rollout.text) or fresh[rollout.text], settled, cached=rollout.text in kept)
            for rollout in group.rollouts
        ]

    async def _ask(self, problem: Problem, texts: Sequence[str]) -> tuple[dict[str, Scored], list[str]]:
        """Each text's score, and what the responses said about the version."""
        size = batch_size(self.config)
        batches = [list(texts[start : start + size]) for start in range(0, len(texts), size)]
        answers = await self._send(problem, batches)
        for batch, answer in list(zip(batches, answers, strict=True)):
            if answer.status in _REFUSED and len(batch) > 1:
                # One answer that is too long for the model must not take its siblings along.
                alone = [[text] for text in batch]
                batches += alone
                answers += await self._send(problem, alone)
        found: dict[str, Scored] = {}
        for batch, answer in zip(batches, answers, strict=True):
            found |= dict(zip(batch, self._read(answer, len(batch)), strict=True))
        return found, [_said(answer) for answer in answers] if self.protocol.says else []

    async def _send(self, problem: Problem, batches: Sequence[list[str]]) -> list[Answer]:
        requests = [request_for(self.config, problem, batch) for batch in batches]
        return await self.http.send(requests, limit_s=self.config.limit_s)

    def _read(self, answer: Answer, count: int) -> list[Scored]:
        if answer.body is None:
            return [Scored(None, f"no score from {self.config.url}: {answer.trouble}")] * count
        try:
            return self.protocol.read(answer.json(), count)
        except NonsenseError as error:
            trouble = str(error)
        except ValueError:
            trouble = "the response is no JSON"
        return [Scored(None, f"no score from {self.config.url}: {trouble}")] * count

    async def _version(self) -> str:
        """What the server says of itself; "": it does not say, or could not be asked."""
        if not self.protocol.probe:
            return ""
        return await self._probe.version(self.config.timeout_s) or ""

    def _keys(self, problem: Problem, texts: Sequence[str], version: str) -> list[str]:
        config = self.config
        asked: list[Json] = [config.url, config.model, version, config.protocol, config.prompt_format]
        shown: Json = [to_json(problem.messages), problem.target]
        if config.protocol == "guerdon":  # the only one that is told the other columns
            shown = [shown, problem.id, to_json(problem.info)]
        return [key_of(*asked, to_json(config.options), shown, text) for text in texts]

    async def _kept(self, problem: Problem, texts: Sequence[str], version: str) -> dict[str, Scored]:
        keys = dict(zip(texts, self._keys(problem, texts, version), strict=True))
        kept = await asyncio.to_thread(self.cache.get, list(keys.values()))
        return {text: Scored(*kept[key]) for text, key in keys.items() if key in kept}

    async def _keep(self, problem: Problem, fresh: dict[str, Scored], version: str) -> None:
        keys = self._keys(problem, list(fresh), version)
        verdicts = {
            key: Kept(item.value, item.note)
            for key, item in zip(keys, fresh.values(), strict=True)
            if item.value is not None
        }
        await asyncio.to_thread(self.cache.put, verdicts)

    def _part(self, scored: Scored, settled: Settled, *, cached: bool) -> Part:
        value, note = None, scored.note
        if settled.trouble:
            note = f"refused: {settled.trouble}"
        elif scored.value is not None:
            value = scaled(scored.value, self.config)
            source = f"{self.config.model or self.config.url}, version {settled.version or 'unknown'}"
            note = f"{scored.value:.6g} from {source}{', cached' if cached else ''}"
            note += f" ({scored.note})" if scored.note else ""
        return Part(
            name=self.config.name, value=value, weight=self.config.weight, evidence=Evidence(note=note)
        )


def scaled(score: float, config: RemoteConfig) -> float:
    """The model's score as a part's value."""
    if config.scale == "none":
        return score
    ratio = score / config.width
    if config.scale == "tanh":
        return math.tanh(ratio)
    return 0.5 * (1.0 + math.tanh(ratio / 2))  # the logistic function, without an exponential that overflows


def _said(answer: Answer) -> str:
    """What a scoring response says about the version: by header, or in its field."""
    named = header_version(answer.headers)
    if named or answer.body is None:
        return named
    try:
        body = answer.json()
    except ValueError:
        return ""
    return shown_version(body.get("version")) if isinstance(body, dict) else ""
