"""Evaluation of a reward model on held-out pairs: who wins, how surely, and whether the scores have collapsed.

One line of evals.jsonl an evaluation, and one row a pair in evals/LABEL.jsonl, from which everything else is computed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from guerdon.core.types import Json, Preference
from guerdon.functional.calibrate import reliability
from guerdon.models.reward import RewardModel, RewardScores
from guerdon.run.evaluate import interval
from guerdon.run.reward_source import shown_of
from guerdon.train.reward import OPEN_ENDED

SATURATED = 0.98
"""Scores beyond this, either way, say nothing about how much better."""
MIN_STD = 0.05
"""A smaller deviation of the scores, which lie in [-1, 1], is a collapse."""
MAX_SATURATED = 0.5
"""A larger share of saturated scores is a collapse."""
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

    @property
    def gap(self) -> float | None:
        """By how much u prefers the chosen response."""
        if self.chosen_u is None or self.rejected_u is None:
            return None
        return self.chosen_u - self.rejected_u

    @property
    def hit(self) -> float | None:
        """1: the chosen one wins, 0: it loses, one half: equal; None: a tie by label, or not scored."""
        gap = self.gap
        if gap is None or self.pair.tie:
            return None
        return 0.5 if gap == 0 else float(gap > 0)

    @property
    def is_open_ended(self) -> bool:
        """Whether many answers may be good."""
        return bool(self.pair.problem.info.get(OPEN_ENDED, self.pair.problem.target is None))

    def record(self) -> dict[str, Json]:
        """The row of evals/LABEL.jsonl."""
        pair = self.pair
        subset = pair.problem.info.get("subset")
        return {
            "id": pair.problem.id,
            "set": str(pair.problem.info.get("set", "")),
            "source": pair.source,
            "subset": subset if isinstance(subset, str) else None,
            "tie": pair.tie,
            "margin": pair.margin,
            "open_ended": self.is_open_ended,
            "chosen_score": self.chosen,
            "rejected_score": self.rejected,
            "chosen_u": self.chosen_u,
            "rejected_u": self.rejected_u,
            **self._team(),
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

    @property
    def scores(self) -> list[float]:
        """Every score of a held-out response."""
        return [s for item in self.judged for s in (item.chosen, item.rejected) if s is not None]

    def collapse(self) -> str | None:
        """What is wrong with the distribution of scores, in words; None: nothing."""
        scores = torch.tensor(self.scores)
        if len(scores) < 8:
            return None
        std, saturated = float(scores.std()), float((scores.abs() > SATURATED).float().mean())
        if std < MIN_STD:
            return f"scores are nearly constant (std {std:.3f} on held-out responses, below {MIN_STD})"
        if saturated > MAX_SATURATED:
            return f"{saturated:.0%} of the scores on held-out responses are at -1 or 1"
        return None

    def record(self, seed: int) -> dict[str, Json]:
        """The line of evals.jsonl.

        Args:
            seed: of the bootstrap.
        """
        hits = [item.hit for item in self.judged if item.hit is not None]
        metrics: dict[str, Json] = {}
        if hits:
            metrics["accuracy"] = interval(hits, seed)
        for name, items in self._slices().items():
            if items and len(items) < len(hits):
                metrics[f"accuracy/{name}"] = interval(items, seed)
        metrics |= {name: {"value": value} for name, value in self._health().items()}
        return {
            "label": self.label,
            "stage": "rm",
            "step": self.step,
            "num_problems": len(self.judged),
            "num_unscored": sum(item.gap is None for item in self.judged),
            "time": self.seconds,
            "metrics": metrics,
            "per_problem": {"accuracy": list(hits)},
        }

    def _slices(self) -> dict[str, list[float]]:
        """Hits by source, by set, and by whether the chosen response is the longer one."""
        found: dict[str, list[float]] = {}
        for item in self.judged:
            if item.hit is None:
                continue
            chosen, rejected = len(item.pair.chosen), len(item.pair.rejected)
            longer = "" if chosen == rejected else "chosen longer" if chosen > rejected else "chosen shorter"
            names = [
                f"source {item.pair.source}",
                f"set {item.pair.problem.info.get('set', '')}",
                f"set {item.pair.problem.info.get('set', '')}, {item.pair.problem.info.get('subset')}",
                longer,
            ]
            for name in filter(None, names):
                if not name.endswith(", None"):
                    found.setdefault(name, []).append(item.hit)
        return dict(sorted(found.items()))

    def _health(self) -> dict[str, float]:
        """Distribution of the scores, and calibration of the differences."""
        scores = torch.tensor(self.scores)
        found: dict[str, float] = {}
        if len(scores) > 1:
            found["score_mean"] = float(scores.mean())
            found["score_std"] = float(scores.std())
            found["saturated"] = float((scores.abs() > SATURATED).float().mean())
        gaps = [(item.gap, item.hit) for item in self.judged if item.gap is not None and item.hit is not None]
        if gaps:
            chance = torch.tensor([gap for gap, _ in gaps]).sigmoid()
            # A wrong verdict is a right one about the other side: confidence lies in 0.5 .. 1.
            sure, hit = torch.maximum(chance, 1 - chance), (chance > 0.5).float()
            found["calibration_error"] = float(reliability(sure, hit).error)
        spread = ks_distance(*(self._of(open_ended) for open_ended in (True, False)))
        if spread is not None:
            found["open_closed_distance"] = spread
        return found

    def _of(self, open_ended: bool) -> list[float]:
        items = [item for item in self.judged if item.is_open_ended is open_ended]
        return [s for item in items for s in (item.chosen, item.rejected) if s is not None]


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
        for start in range(0, len(self.pairs), CHUNK_PAIRS):
            judged += self._judge(self.pairs[start : start + CHUNK_PAIRS])
            if tick:
                tick()
        return RewardEvaluation(label, step, tuple(judged), time.perf_counter() - started)

    def _judge(self, pairs: Sequence[Preference]) -> list[JudgedPair]:
        items = [shown_of(pair)._replace(critiques=None) for pair in pairs]
        found = self.model.score(items, max_tokens=self.max_tokens)
        return [_judged(pair, scores) for pair, scores in zip(pairs, found, strict=True)]


def _judged(pair: Preference, scores: RewardScores) -> JudgedPair:
    chosen, rejected = map(_known, scores.score_B.tolist())
    chosen_u, rejected_u = map(_known, scores.u_B.tolist())
    teams = _members(scores, 0), _members(scores, 1)
    return JudgedPair(pair, chosen, rejected, chosen_u, rejected_u, *teams)


def _members(scores: RewardScores, side: int) -> tuple[float, ...]:
    if scores.members_EB is None:
        return ()
    values = tuple(float(value) for value in scores.members_EB[:, side].tolist())
    return () if any(value != value for value in values) else values


def ks_distance(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kolmogorov-Smirnov distance of two samples, 0..1; None where one is empty.

    >>> ks_distance([0.0, 1.0], [2.0, 3.0])
    1.0
    """
    if not first or not second:
        return None
    one, two = torch.tensor(sorted(first)), torch.tensor(sorted(second))
    at = torch.cat([one, two])
    below = [torch.searchsorted(side, at, right=True) / len(side) for side in (one, two)]
    return float((below[0] - below[1]).abs().max())


def _known(value: float) -> float | None:
    return None if value != value else value


def accuracy_of(record: Mapping[str, Json]) -> float:
    """The accuracy of a line of evals.jsonl; NaN where no pair could be judged."""
    metrics = record["metrics"]
    found = metrics.get("accuracy") if isinstance(metrics, dict) else None
    value = found.get("value") if isinstance(found, dict) else None
    return float(value) if isinstance(value, int | float) else float("nan")
