"""A chat model as a judge: it writes a critique, then a score; k votes on one response become one value in [-1, 1].

response --escaped fields--> judge, k times --strict grammar--> readable votes --mean--> [low, high] --> [-1, 1]
too few: None, and what the judge said instead
"""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from guerdon.core.seeds import derive_seed
from guerdon.core.types import Evidence, Message, Part, Problem, RolloutGroup, to_json
from guerdon.rewards.chat import Chat, Endpoint, Reply
from guerdon.rewards.http import Http
from guerdon.rewards.judges.cache import Kept, VerdictCache, key_of
from guerdon.rewards.judges.config import LlmJudgeConfig
from guerdon.rewards.judges.probe import Probe
from guerdon.rewards.judges.prompt import Verdict, conversation, read_verdict, seal_of, too_long
from guerdon.rewards.judges.versions import Settled, VersionWatch, models_version, shown_version

if TYPE_CHECKING:
    import httpx

MAX_NOTE = 300
"""Characters of a critique that the evidence holds."""


class _Question(NamedTuple):
    """One vote on one response."""

    text: str
    messages: tuple[Message, ...]
    seal: str
    seed: int


class LlmJudge:
    """A `Judge` that asks a chat model.

    Raises:
        MissingExtraError: httpx is not installed.
        PluginError: the cache's file cannot be used.
    """

    def __init__(self, config: LlmJudgeConfig, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.config = config
        self.chat = Chat(_endpoint(config), transport=transport)
        self.cache = VerdictCache(config.cache_size, config.cache_file)
        # A client of its own: a question about the version must not wait behind answers to be judged.
        asking = Http(config.patience(), transport=transport)
        self._probe = Probe(asking, f"{config.url.rstrip('/')}/models", config.model, models_version)
        policy = config.on_version_change
        self.listed = VersionWatch(config.name, config.url, config.version, policy=policy)
        """By the server's list of models."""
        self.named = VersionWatch(config.name, config.url, "", policy=policy)
        """By the name in its answers, where an alias is replaced by what it stands for."""

    def check(self) -> None:
        """Ask the server for its models now, so that a wrong address shows before a run starts.

        Raises:
            PluginError: there is no key, no server, or another version than the recipe's.
        """
        self.listed.check(self._probe.check() or "")

    @property
    def version(self) -> str:
        """Of the model that answered last; "": none is known."""
        return self.listed.current

    def close(self) -> None:
        """Close the cache's file."""
        self.cache.close()

    async def score(self, group: RolloutGroup) -> list[Part]:
        """One part for each rollout; equal answers are asked about once.

        Raises:
            PluginError: another version answers than before, and `on_version_change` is to refuse that.
        """
        texts = dict.fromkeys(rollout.text for rollout in group.rollouts)
        hidden = {text: too_long(self.config, group.problem, text) for text in texts}
        asked = [
            question
            for text in texts
            if not hidden[text]
            for question in _questions(self.config, group.problem, text)
        ]
        votes, settled = await self._votes(asked)
        return [
            self._refused(hidden[rollout.text] or settled.trouble)
            if hidden[rollout.text] or settled.trouble
            else self._part(votes[rollout.text], settled)
            for rollout in group.rollouts
        ]

    async def _votes(self, asked: Sequence[_Question]) -> tuple[dict[str, list[Verdict]], Settled]:
        """What the judge says to each question, by response, and the one version that said it."""
        before = await self._version() if asked else ""
        version, name = before or self.listed.current, self.named.current
        kept = await self._kept(asked, version, name)
        missing = [question for question in asked if question not in kept]
        replies = await self.chat.ask(
            [question.messages for question in missing],
            seeds=[question.seed for question in missing],
            limit_s=self.config.limit_s,
        )
        after = await self._version() if missing else ""
        listed = self.listed.settle([version if kept else "", before, after])
        named = self.named.settle([name if kept else "", *(shown_version(reply.model) for reply in replies)])
        fresh = dict(zip(missing, map(self._read, missing, replies), strict=True))
        settled = _both(listed, named, self.config.model)
        if not settled.trouble:
            await self._keep(fresh, listed.version or version, named.version or name)
        votes: dict[str, list[Verdict]] = {}
        for question in asked:
            votes.setdefault(question.text, []).append(kept.get(question) or fresh[question])
        return votes, settled

    def _read(self, question: _Question, reply: Reply) -> Verdict:
        if reply.text is None:
            return Verdict(None, f"the judge gave no answer: {reply.trouble}")
        if reply.cut:  # "Score: 1" may have been going to be "Score: 10"
            return Verdict(None, f"the judge's answer was cut off at {self.config.max_tokens} tokens")
        return read_verdict(self.config, reply.text, question.seal)

    async def _version(self) -> str:
        return await self._probe.version(self.config.timeout_s) or ""

    async def _kept(self, asked: Sequence[_Question], version: str, name: str) -> dict[_Question, Verdict]:
        keys = {question: self._key(question, version, name) for question in asked}
        kept = await asyncio.to_thread(self.cache.get, list(keys.values()))
        return {question: Verdict(*kept[key]) for question, key in keys.items() if key in kept}

    async def _keep(self, fresh: dict[_Question, Verdict], version: str, name: str) -> None:
        verdicts = {
            self._key(question, version, name): Kept(verdict.score, verdict.note[:MAX_NOTE])
            for question, verdict in fresh.items()
            if verdict.score is not None
        }
        await asyncio.to_thread(self.cache.put, verdicts)

    def _key(self, question: _Question, version: str, name: str) -> str:
        config = self.config
        sampling = [config.temperature, config.max_tokens, question.seed]
        answers_to = "" if name == config.model else name
        return key_of(
            config.url, config.model, version, answers_to, "chat", to_json(question.messages), *sampling,
            config.low, config.high,
        )  # fmt: skip

    def _part(self, votes: Sequence[Verdict], settled: Settled) -> Part:
        config = self.config
        scores = [vote.score for vote in votes if vote.score is not None]
        said = next((vote.note for vote in votes if vote.score is not None), "")
        troubles = [vote.note for vote in votes if vote.score is None]
        source = f"{config.model}, version {settled.version or 'unknown'}"
        counted = f"{len(scores)} of {len(votes)} votes could be read"
        if len(scores) < config.min_votes:
            return self._refused(f"{counted} from {source}; {troubles[0]}")
        mean = statistics.fmean(scores)
        value = 2.0 * (mean - config.low) / (config.high - config.low) - 1.0
        note = f"{mean:.4g} of {config.low} to {config.high} from {source}"
        if len(votes) > 1:
            agree = Counter(scores).most_common(1)[0][1]
            note += f"; {counted} ({', '.join(f'{score:g}' for score in scores)}), {agree} agree"
        note += f"; unread: {troubles[0]}" if troubles else ""
        note += f'; "{said[:MAX_NOTE]}"' if said else ""
        return Part(name=config.name, value=value, weight=config.weight, evidence=Evidence(note=note))

    def _refused(self, why: str) -> Part:
        return Part(name=self.config.name, value=None, weight=self.config.weight, evidence=Evidence(note=why))


def _questions(config: LlmJudgeConfig, problem: Problem, text: str) -> list[_Question]:
    seal = seal_of(config, problem, text)
    messages = tuple(conversation(config, problem, text, seal))
    # The same votes for the same response in every run: 31 bits are what servers take.
    seeds = (
        derive_seed(config.seed, "vote", problem.id, text, vote) % (1 << 31)
        for vote in range(config.num_votes)
    )
    return [_Question(text, messages, seal, seed) for seed in dict.fromkeys(seeds)]


def _both(listed: Settled, named: Settled, model: str) -> Settled:
    # An answer's name tells something only where it is not the one that was asked for.
    told = [named.version] if named.version != model or not listed.version else []
    versions = dict.fromkeys(version for version in (listed.version, *told) if version)
    return Settled("/".join(versions), listed.trouble or named.trouble)


def _endpoint(config: LlmJudgeConfig) -> Endpoint:
    return Endpoint(
        url=config.url,
        model=config.model,
        api_key_env=config.api_key_env,
        timeout_s=config.timeout_s,
        retries=config.max_retries,
        concurrency=config.concurrency,
        seed=config.seed,
        max_tokens=config.max_tokens,
        temperature=config.temperature,
    )
