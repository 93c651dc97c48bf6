"""Evaluation of a reward model on held-out pairs: who wins, how surely, and whether the scores have collapsed.

One line of evals.jsonl an evaluation, and one row a pair in evals/LABEL.jsonl, from which everything else is computed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from guerdon.core.types import Json, Preference, Problem
from guerdon.explain.read import Interval
from guerdon.explain.reward_model.measures import accuracy, calibration
from guerdon.explain.reward_model.rows import ScoredPair, pair_from
from guerdon.explain.reward_model.summary import IN_CHARACTERS, IN_TOKENS, slice_name, slices
from guerdon.models.reward import RewardModel, RewardScores, Shown
from guerdon.rewards.pool import Request
from guerdon.run.evaluate import MAX_SETS
from guerdon.run.reward_health import Health, Measured, alarms, health_of
from guerdon.run.reward_source import asked_of

SAMPLE = "reward_health/sample_"
"""Prefix of the metrics on the reference policy's samples."""
CHUNK_PAIRS = 32
"""Pairs between two ticks of the progress bar."""


class JudgedPair(NamedTuple):
    """One held-out pair and its scores; None: a response was too long to be read."""

    pair: Preference
    chosen: float | None
    rejected: float | None
    chosen_u: float | None
    rejected_u: float | None
    chosen_members: tuple[float, ...] = ()
    """What each member of an ensemble says; empty: there is no ensemble, or not scored."""
    rejected_members: tuple[float, ...] = ()
    chosen_tokens: int | None = None
    """Of the text, by the model's tokenizer; None: not counted."""
    rejected_tokens: int | None = None

    def record(self) -> dict[str, Json]:
        """The row of evals/LABEL.jsonl."""
        pair = self.pair
        return {
            "id": pair.problem.id,
            "source": pair.source,
            "set": str(pair.problem.info.get("set", "")),
            "data_set": _word(pair.problem, "source"),
            "domain": _word(pair.problem, "domain"),
            "subset": _word(pair.problem, "subset"),
            "tie": pair.tie,
            "margin": pair.margin,
            "open_ended": pair.problem.is_open_ended,
            "chosen_score": self.chosen,
            "rejected_score": self.rejected,
            "chosen_u": self.chosen_u,
            "rejected_u": self.rejected_u,
            **self._team(),
            "chosen_tokens": self.chosen_tokens,
            "rejected_tokens": self.rejected_tokens,
            "chosen_chars": len(pair.chosen),
            "rejected_chars": len(pair.rejected),
            "prompt": "\n".join(message.content for message in pair.problem.messages),
            "chosen": pair.chosen,
            "rejected": pair.rejected,
        }

    def measured(self) -> list[Measured]:
        """Both sides, where they were scored."""
        both = ((self.chosen, self.chosen_u), (self.rejected, self.rejected_u))
        open_ended = self.pair.problem.is_open_ended
        return [Measured(score, u, open_ended) for score, u in both if score is not None and u is not None]

    def _team(self) -> dict[str, Json]:
        if not self.chosen_members or not self.rejected_members:
            return {}
        return {
            "chosen_members": list(self.chosen_members),
            "rejected_members": list(self.rejected_members),
        }


class JudgedSample(NamedTuple):
    """One answer of the reference policy and its score; None: it was too long to be read."""

    problem: Problem
    text: str
    score: float | None
    u: float | None

    def record(self) -> dict[str, Json]:
        """The row of evals/LABEL_samples.jsonl."""
        return {
            "id": self.problem.id,
            "open_ended": self.problem.is_open_ended,
            "score": self.score,
            "u": self.u,
            "prompt": "\n".join(message.content for message in self.problem.messages),
            "completion": self.text,
        }


@dataclass(frozen=True, slots=True)
class RewardEvaluation:
    """What one evaluation found."""

    label: str
    step: int
    judged: tuple[JudgedPair, ...]
    seconds: float
    samples: tuple[JudgedSample, ...] = ()
    """Answers of the reference policy."""
    num_tokens: int = 0
    """Read in that time."""

    @property
    def pairs(self) -> list[ScoredPair]:
        """As measures, page and table take them."""
        return [
            pair_from(item.record(), f"{self.label}, pair {number}")
            for number, item in enumerate(self.judged, start=1)
        ]

    def collapse(self, first: Mapping[str, Json] | None = None) -> list[str]:
        """What is wrong with the distributions of scores, in words; empty: nothing.

        Args:
            first: the line of the run's first evaluation, which tells how far u spread then.
        """
        return [
            message
            for prefix, (where, found) in self._healths().items()
            if found
            for message in alarms(
                found, where, None if first is None else value_of(first, f"{prefix}u_std")
            ).values()
        ]

    def _healths(self) -> dict[str, tuple[str, Health | None]]:
        """By the prefix of their metrics: on which responses, and the figures."""
        samples = [
            Measured(item.score, item.u, item.problem.is_open_ended)
            for item in self.samples
            if item.score is not None and item.u is not None
        ]
        held = [one for item in self.judged for one in item.measured()]
        return {
            "": ("on held-out responses", health_of(held)),
            SAMPLE: ("on the policy's samples", health_of(samples)),
        }

    def record(self) -> dict[str, Json]:
        """The line of evals.jsonl; intervals of accuracies are Wilson's."""
        pairs = self.pairs
        metrics: dict[str, Json] = dict(_accuracies(pairs))
        metrics |= {name: {"value": value} for name, value in self._health(pairs).items()}
        return {
            "label": self.label,
            "stage": "rm",
            "step": self.step,
            "num_problems": len(self.judged),
            "num_unscored": sum(pair.difference is None for pair in pairs),
            "time": self.seconds,
            "metrics": metrics,
            "per_problem": {"accuracy": [pair.hit for pair in pairs if pair.hit is not None]},
        }

    def _health(self, pairs: Sequence[ScoredPair]) -> dict[str, float]:
        """Distributions of the scores, and calibration of the differences."""
        found: dict[str, float] = {}
        for prefix, (_, item) in self._healths().items():
            found |= (
                {} if item is None else {f"{prefix}{name}": value for name, value in item.metrics().items()}
            )
        stated = calibration(pairs)
        return found if stated is None else {**found, "calibration_error": stated.error}


def _accuracies(pairs: Sequence[ScoredPair]) -> Iterator[tuple[str, Json]]:
    """Of all pairs, and of each slice that has not too many parts to be read."""

    def entry(share: Interval) -> Json:
        return {"value": share.value, "low": share.low, "high": share.high}

    everything = accuracy(pairs).share
    if everything is not None:
        yield "accuracy", entry(everything)
    found = slices(pairs)
    if IN_TOKENS in found:
        found.pop(IN_CHARACTERS, None)  # the same once more; the page has both
    for kind, table in found.items():
        for part, item in table.items() if len(table) <= MAX_SETS else ():
            if item.share is not None:
                yield f"accuracy/{slice_name(kind, part)}", entry(item.share)


class RewardEvaluator:
    """Evaluates one reward model on the same held-out pairs every time."""

    def __init__(
        self,
        model: RewardModel,
        pairs: Sequence[Preference],
        *,
        max_tokens: int,
        samples: Sequence[Request] = (),
    ) -> None:
        """`samples`: answers of the reference policy."""
        self.model = model
        self.pairs = list(pairs)
        self.max_tokens = max_tokens
        self.samples = list(samples)

    @property
    def num_ticks(self) -> int:
        """How often `tick` is called."""
        return sum(-(-len(items) // CHUNK_PAIRS) for items in (self.pairs, self.samples))

    def evaluate(self, label: str, step: int, *, tick: Callable[[], None] | None = None) -> RewardEvaluation:
        """Score both sides of every pair, and every sample."""
        started = time.perf_counter()
        judged: list[JudgedPair] = []
        num_tokens = 0
        for start in range(0, len(self.pairs), CHUNK_PAIRS):
            pairs = self.pairs[start : start + CHUNK_PAIRS]
            found = self.model.score([asked_of(pair) for pair in pairs], max_tokens=self.max_tokens)
            judged += [self._judged(pair, scores) for pair, scores in zip(pairs, found, strict=True)]
            num_tokens += sum(scores.num_tokens for scores in found)
            if tick:
                tick()
        samples: list[JudgedSample] = []
        for start in range(0, len(self.samples), CHUNK_PAIRS):
            asked = self.samples[start : start + CHUNK_PAIRS]
            found = self.model.score(
                [Shown(one.problem, one.texts) for one in asked], max_tokens=self.max_tokens
            )
            samples += [
                one for item, scores in zip(asked, found, strict=True) for one in _samples(item, scores)
            ]
            num_tokens += sum(scores.num_tokens for scores in found)
            if tick:
                tick()
        seconds = time.perf_counter() - started
        return RewardEvaluation(label, step, tuple(judged), seconds, tuple(samples), num_tokens)

    def _judged(self, pair: Preference, scores: RewardScores) -> JudgedPair:
        chosen, rejected = map(_known, scores.score_B.tolist())
        chosen_u, rejected_u = map(_known, scores.u_B.tolist())
        teams = _members(scores, 0), _members(scores, 1)
        lengths = self.model.count_tokens(pair.chosen), self.model.count_tokens(pair.rejected)
        return JudgedPair(pair, chosen, rejected, chosen_u, rejected_u, *teams, *lengths)


def _samples(asked: Request, scores: RewardScores) -> list[JudgedSample]:
    return [
        JudgedSample(asked.problem, text, _known(score), _known(u))
        for text, score, u in zip(asked.texts, scores.score_B.tolist(), scores.u_B.tolist(), strict=True)
    ]


def _word(problem: Problem, column: str) -> str | None:
    """A column of the row that nothing else has used, where it holds text."""
    value = problem.info.get(column)
    return value if isinstance(value, str) else None


def _members(scores: RewardScores, side: int) -> tuple[float, ...]:
    if scores.members_EB is None:
        return ()
    values = tuple(float(value) for value in scores.members_EB[:, side].tolist())
    return () if any(value != value for value in values) else values


def _known(value: float) -> float | None:
    return None if value != value else value


def accuracy_of(record: Mapping[str, Json]) -> float:
    """The accuracy of a line of evals.jsonl; NaN where no pair could be judged."""
    found = value_of(record, "accuracy")
    return float("nan") if found is None else found


def value_of(record: Mapping[str, Json], name: str) -> float | None:
    """A metric of a line of evals.jsonl; None: it has none."""
    metrics = record["metrics"]
    found = metrics.get(name) if isinstance(metrics, dict) else None
    value = found.get("value") if isinstance(found, dict) else None
    return float(value) if isinstance(value, int | float) else None
