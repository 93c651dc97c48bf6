"""A generative reward model in this process: it writes critiques of a group's responses and scores them, k times.

    responses --shuffled, dealt out--> questions --policy--> critiques --last lines--> votes --mean--> score in [-1, 1]

A vote that cannot be read is left out; a response without any is None. With a meta reward model only the best critiques
of each response count (DeepSeek-GRM, arXiv:2504.02495, section 4). Deterministic: orders and critiques are drawn from
what is judged, so a group gets the same scores in whatever company and order it comes.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from guerdon.core.critique import HIGH, LOW, critic_messages, read_scores
from guerdon.core.errors import ModelError, UserError
from guerdon.core.seeds import content_hash, derive_seed
from guerdon.core.types import Evidence, Message, Part, Problem, RolloutGroup
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.engine import Request
from guerdon.run.critic_config import GenerativeConfig
from guerdon.run.folder import newest_model

if TYPE_CHECKING:
    from guerdon.models.reward import RewardModel
    from guerdon.rollout.rollouter import Rollouter

EXCERPT = 400
"""Characters of a critique that are kept as evidence."""
SCORE_TOKENS = 24
"""Enough for the rest of a last line."""


class Vote(NamedTuple):
    """One critique and what it says of some of the responses."""

    problem: Problem
    places: tuple[int, ...]
    """Which responses it was shown, in its order."""
    text: str
    scores: tuple[int, ...] | None
    """None: they could not be read."""
    worth: float = 0.0
    """What the meta reward model thinks of it."""


class _Judged(NamedTuple):
    value: float | None
    note: str


class GenerativeJudge:
    """Scores groups with one generative reward model."""

    def __init__(self, config: GenerativeConfig) -> None:
        self.config = config
        self._version = ""
        self._rollouter: Rollouter | None = None
        self._meta: RewardModel | None = None
        self._known: OrderedDict[str, list[_Judged]] = OrderedDict()
        self._waiting: list[RolloutGroup] = []

    @property
    def version(self) -> str:
        """Hash of its weights, and of those of the meta reward model.

        Raises:
            ModelError: one of the two cannot be loaded.
        """
        _ = self.rollouter
        return self._version

    def check(self) -> None:
        """Load it now.

        Raises:
            UserError: it cannot be loaded; the key is named.
        """
        _ = self.rollouter

    @property
    def rollouter(self) -> Rollouter:
        """Policy and engine, loaded once.

        Raises:
            ModelError: one of the two models cannot be loaded.
        """
        if self._rollouter is None:
            from guerdon.models.config import ModelConfig
            from guerdon.models.loading import load_policy, policy_version
            from guerdon.models.reward_loading import load_reward_model
            from guerdon.rollout.local import LocalEngine
            from guerdon.rollout.rollouter import Rollouter
            from guerdon.run.critiques import with_writer

            config = self.config
            folder = _folder("path", config.path)
            settings = {"dtype": config.dtype, "device": config.device}
            chosen = ModelConfig.model_validate({"source": str(folder), **settings})
            with _named("path"):
                policy = load_policy(chosen)
            versions = [policy_version(chosen, policy)]
            if config.meta is not None:
                meta = _folder("meta", config.meta)
                with _named("meta"):
                    self._meta = with_writer(
                        load_reward_model(ModelConfig.model_validate({"source": str(meta), **settings}))
                    )
                if "verdict" in self._meta.reader.config.fields:
                    raise ModelError(
                        f"meta: {config.meta}: this reward model is shown a rule's verdict, and nobody gives one on a "
                        'critique; name another, trained without input.fields = ["verdict"]'
                    )
                versions.append(self._meta.version)
            self._version = "+".join(versions)
            engine = LocalEngine(policy, max_batch_rows=config.max_batch_rows)
            self._rollouter = Rollouter(policy, engine)
        return self._rollouter

    async def score(self, group: RolloutGroup) -> list[Part]:
        """One part for each rollout. Groups that are asked about at the same time are critiqued together."""
        self._waiting.append(group)
        await asyncio.sleep(0)  # let the others of this step join
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._judge_all(waiting)
        texts = _distinct(group)
        key = self._key(group.problem, texts)
        found = dict(zip(texts, self._known[key], strict=True))
        self._known.move_to_end(key)
        while len(self._known) > max(self.config.num_cached, 1):
            self._known.popitem(last=False)
        return [self._part(found[rollout.text]) for rollout in group.rollouts]

    def _judge_all(self, groups: Sequence[RolloutGroup]) -> None:
        _ = self.rollouter  # its version is part of every key
        items = {self._key(group.problem, _distinct(group)): group for group in groups}
        fresh = {key: group for key, group in items.items() if key not in self._known}
        asked = [(group.problem, _distinct(group)) for group in fresh.values()]
        for key, (_, texts), votes in zip(fresh, asked, self.votes(asked), strict=True):
            self._known[key] = [self._verdict(place, votes) for place in range(len(texts))]

    def votes(self, items: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[Vote]]:
        """Every critique of each item, in order.

        Args:
            items: a problem, and different responses to it.
        """
        dealt: list[tuple[int, tuple[int, ...]]] = []
        asked: list[Problem] = []
        for index, (problem, texts) in enumerate(items):
            hands = [hand for vote in range(self.config.votes) for hand in self._deal(problem, texts, vote)]
            dealt += [(index, hand) for hand in hands]
            asked += [self._ask(problem, texts, number, hand) for number, hand in enumerate(hands)]
        groups = self.rollouter.rollout(asked, self._sampling(), num_generations=1, seed=self.config.seed)
        votes: list[Vote] = []
        for (_, places), one in zip(dealt, groups, strict=True):
            text = one.rollouts[0].text if one.rollouts and not one.rollouts[0].truncated else ""
            votes.append(Vote(one.problem, places, text, read_scores(text, len(places))))
        found: list[list[Vote]] = [[] for _ in items]
        for (index, _), vote in zip(dealt, self._weighed(votes), strict=True):
            found[index].append(vote)
        return found

    def _sampling(self) -> SamplingConfig:
        config = self.config
        return SamplingConfig(
            temperature=config.temperature, max_completion_length=config.max_completion_length
        )

    def _deal(self, problem: Problem, texts: Sequence[str], vote: int) -> list[tuple[int, ...]]:
        """Each response once, in hands of `responses`; the last hand is filled up with others."""
        size = min(self.config.responses, len(texts))
        order = list(range(len(texts)))
        random.Random(derive_seed(self.config.seed, "order", problem.id, *texts, vote)).shuffle(order)
        filled = order + order[: -len(order) % size]
        return [tuple(filled[start : start + size]) for start in range(0, len(filled), size)]

    def _ask(self, problem: Problem, texts: Sequence[str], number: int, places: tuple[int, ...]) -> Problem:
        config = self.config
        reference = problem.target if config.show_reference else None
        system = (Message(role="system", content=config.system_prompt),) if config.system_prompt else ()
        shown = critic_messages(problem.messages, [texts[place] for place in places], reference)
        return Problem(
            id=f"vote/{number}/{content_hash(chr(30).join(texts))}/{problem.id}", messages=system + shown
        )

    def _weighed(self, votes: list[Vote]) -> list[Vote]:
        from guerdon.models.reward import Shown

        if self._meta is None:
            return votes
        readable = [vote for vote in votes if vote.scores is not None]
        found = self._meta.score([Shown(vote.problem, [vote.text]) for vote in readable], max_tokens=4096)
        worth = {id(vote): float(score.score_B[0]) for vote, score in zip(readable, found, strict=True)}
        return [vote._replace(worth=worth.get(id(vote), 0.0)) for vote in votes]

    def _verdict(self, place: int, votes: Sequence[Vote]) -> _Judged:
        asked = [vote for vote in votes if place in vote.places]
        read = [vote for vote in asked if vote.scores is not None]
        read.sort(key=lambda vote: -vote.worth if vote.worth == vote.worth else float("inf"))
        read = read[: self.config.kept_votes]
        if not read:
            return _Judged(None, f"none of {len(asked)} critiques ends in scores that can be read")
        scores = [vote.scores[vote.places.index(place)] for vote in read if vote.scores is not None]
        value = 2.0 * (sum(scores) / len(scores) - LOW) / (HIGH - LOW) - 1.0
        note = f"{len(read)} of {len(asked)} votes count: {', '.join(map(str, scores))}; "
        seen = read[0].places.index(place) + 1
        return _Judged(value, f"{note}as response {seen}: {read[0].text[:EXCERPT]}")

    def _part(self, judged: _Judged) -> Part:
        evidence = Evidence(
            note=f"generative reward model {self.version}: {judged.note}", extracted=self.version
        )
        return Part(name=self.config.name, value=judged.value, weight=self.config.weight, evidence=evidence)

    def _key(self, problem: Problem, texts: Sequence[str]) -> str:
        said = "\x1e".join(f"{message.role}\x1f{message.content}" for message in problem.messages)
        return content_hash("\x1d".join([self.version, problem.id, said, problem.target or "", *texts]))


def given_critiques(
    rollouter: Rollouter, problems: Sequence[Problem], critiques: Sequence[str]
) -> list[tuple[int, ...] | None]:
    """The scores that a critic gives, greedily, after critiques that are put into its mouth.

    With its own critiques these are its scores; with those of other problems they must get worse, or the critique
    decorates a score that was made without it.

    Args:
        rollouter: the critic.
        problems: questions to it; `num_responses` in `info`, as data of kind `critiques` has it.
        critiques: without their last line, one for each problem.
    """
    sampling = SamplingConfig(temperature=0.0, max_completion_length=SCORE_TOKENS, stop=("\n",))
    policy = rollouter.policy
    opening = "Scores:"
    requests = [
        Request(
            prompt_ids=policy.render(problem.messages) + policy.encode(f"{critique.rstrip()}\n{opening}"),
            sampling=sampling,
            seed=0,
        )
        for problem, critique in zip(problems, critiques, strict=True)
    ]
    completions = rollouter.engine.generate(requests)
    return [
        read_scores(opening + completion.text.rstrip(), int(str(problem.info["num_responses"])))
        for problem, completion in zip(problems, completions, strict=True)
    ]


def _distinct(group: RolloutGroup) -> list[str]:
    """Sorted: the same scores whatever the order, and equal responses are equal."""
    return sorted({rollout.text for rollout in group.rollouts})


@contextmanager
def _named(key: str) -> Iterator[None]:
    """What cannot be loaded is told under the key that names it."""
    try:
        yield
    except UserError as error:
        raise ModelError(f"{key}: {str(error).removeprefix('model.source: ')}") from None


def _folder(key: str, path: str) -> Path:
    folder = Path(path).expanduser()
    if (folder / "checkpoints").is_dir():
        with _named(key):
            return newest_model(folder)
    if not folder.exists() and not path.startswith(("builtin:", "pypi:")) and path.count("/") != 1:
        how = "guerdon rm train RECIPE" if key == "meta" else "guerdon train critic"
        raise ModelError(f"{key}: {path}: no such folder; train one: {how}")
    return folder
