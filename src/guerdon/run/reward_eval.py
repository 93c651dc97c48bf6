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
from guerdon.explain.reward_model.measures import (
    accuracy,
    calibration,
    distribution,
    ks_distance,
    scores_of,
)
from guerdon.explain.reward_model.rows import ScoredPair, pair_from
from guerdon.explain.reward_model.summary import IN_CHARACTERS, IN_TOKENS, slice_name, slices
from guerdon.models.reward import RewardModel, RewardScores
from guerdon.run.evaluate import MAX_SETS
from guerdon.run.reward_source import shown_pair
from guerdon.train.reward import OPEN_ENDED

MIN_STD = 0.05
"""A smaller deviation of the scores, which lie in [-1, 1], is a collapse."""
MAX_SATURATED = 0.5
"""A larger share of saturated scores is a collapse."""
MIN_SCORES = 8
"""Fewer say nothing about a collapse."""
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

    @property
    def is_open_ended(self) -> bool:
        """Whether many answers may be good."""
        return bool(self.pair.problem.info.get(OPEN_ENDED, self.pair.problem.target is None))

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
            "open_ended": self.is_open_ended,
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

    def _team(self) -> dict[str, Json]:
        if not self.chosen_members or not self.rejected_members:
            return {}
        return {
            "chosen_members": list(self.chosen_members),
            "rejected_members": list(self.rejected_members),
        }


@dataclass(frozen=True, slots=True)
class RewardEvaluation:
    """What one evaluation found."""

    label: str
    step: int
    judged: tuple[JudgedPair, ...]
    seconds: float
    num_tokens: int = 0
    """Read in that time."""

    @property
    def pairs(self) -> list[ScoredPair]:
        """As measures, page and table take them."""
        return [
            pair_from(item.record(), f"{self.label}, pair {number}")
            for number, item in enumerate(self.judged, start=1)
        ]

    def collapse(self) -> str | None:
        """What is wrong with the distribution of scores, in words; None: nothing."""
        found = distribution(scores_of(self.pairs))
        if found is None or found.count < MIN_SCORES:
            return None
        if found.std < MIN_STD:
            return f"scores are nearly constant (std {found.std:.3f} on held-out responses, below {MIN_STD})"
        if found.saturated > MAX_SATURATED:
            return f"{found.saturated:.0%} of the scores on held-out responses are at -1 or 1"
        return None

    def record(self) -> dict[str, Json]:
        """The line of evals.jsonl; intervals of accuracies are Wilson's."""
        pairs = self.pairs
        metrics: dict[str, Json] = dict(_accuracies(pairs))
        metrics |= {name: {"value": value} for name, value in _health(pairs).items()}
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


def _health(pairs: Sequence[ScoredPair]) -> dict[str, float]:
    """Distribution of the scores, and calibration of the differences."""
    found: dict[str, float] = {}
    scores, stated = distribution(scores_of(pairs)), calibration(pairs)
    if scores is not None and scores.count > 1:
        found |= {"score_mean": scores.mean, "score_std": scores.std, "saturated": scores.saturated}
    if stated is not None:
        found["calibration_error"] = stated.error
    distance = ks_distance(*(scores_of(pairs, open_ended=kind) for kind in (True, False)))
    return found if distance is None else {**found, "open_closed_distance": distance}


class RewardEvaluator:
    """Evaluates one reward model on the same held-out pairs every time."""

    def __init__(self, model: RewardModel, pairs: Sequence[Preference], *, max_tokens: int) -> None:
        self.model = model
        self.pairs = list(pairs)
        self.max_tokens = max_tokens

    @property
    def num_ticks(self) -> int:
        """How often `tick` is called."""
        return -(-len(self.pairs) // CHUNK_PAIRS)

    def evaluate(self, label: str, step: int, *, tick: Callable[[], None] | None = None) -> RewardEvaluation:
        """Score both sides of every pair."""
        started = time.perf_counter()
        judged: list[JudgedPair] = []
        num_tokens = 0
        for start in range(0, len(self.pairs), CHUNK_PAIRS):
            pairs = self.pairs[start : start + CHUNK_PAIRS]
            items = [shown_pair(pair)._replace(critiques=None) for pair in pairs]
            found = self.model.score(items, max_tokens=self.max_tokens)
            judged += [self._judged(pair, scores) for pair, scores in zip(pairs, found, strict=True)]
            num_tokens += sum(scores.num_tokens for scores in found)
            if tick:
                tick()
        return RewardEvaluation(label, step, tuple(judged), time.perf_counter() - started, num_tokens)

    def _judged(self, pair: Preference, scores: RewardScores) -> JudgedPair:
        chosen, rejected = map(_known, scores.score_B.tolist())
        chosen_u, rejected_u = map(_known, scores.u_B.tolist())
        teams = _members(scores, 0), _members(scores, 1)
        lengths = self.model.count_tokens(pair.chosen), self.model.count_tokens(pair.rejected)
        return JudgedPair(pair, chosen, rejected, chosen_u, rejected_u, *teams, *lengths)


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
    metrics = record["metrics"]
    found = metrics.get("accuracy") if isinstance(metrics, dict) else None
    value = found.get("value") if isinstance(found, dict) else None
    return float(value) if isinstance(value, int | float) else float("nan")
