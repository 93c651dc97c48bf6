"""Evaluation of a reward model on held-out pairs: who wins, how surely, and whether the scores have collapsed.

One line of evals.jsonl an evaluation, and one row a pair in evals/LABEL.jsonl, from which everything else is computed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from guerdon.core.types import Json, Preference, Problem
from guerdon.functional.calibrate import reliability
from guerdon.models.reward import RewardModel, RewardScores, Shown
from guerdon.rewards.pool import Request
from guerdon.run.evaluate import interval
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
            "open_ended": pair.problem.is_open_ended,
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

    @property
    def scores(self) -> list[float]:
        """Every score of a held-out response."""
        return [s for item in self.judged for s in (item.chosen, item.rejected) if s is not None]

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
        """Distributions of the scores, and calibration of the differences."""
        found: dict[str, float] = {}
        for prefix, (_, item) in self._healths().items():
            found |= (
                {} if item is None else {f"{prefix}{name}": value for name, value in item.metrics().items()}
            )
        gaps = [(item.gap, item.hit) for item in self.judged if item.gap is not None and item.hit is not None]
        if gaps:
            chance = torch.tensor([gap for gap, _ in gaps]).sigmoid()
            # A wrong verdict is a right one about the other side: confidence lies in 0.5 .. 1.
            sure, hit = torch.maximum(chance, 1 - chance), (chance > 0.5).float()
            found["calibration_error"] = float(reliability(sure, hit).error)
        return found


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
        """Score both sides of every pair."""
        started = time.perf_counter()
        judged: list[JudgedPair] = []
        for start in range(0, len(self.pairs), CHUNK_PAIRS):
            judged += self._judge(self.pairs[start : start + CHUNK_PAIRS])
            if tick:
                tick()
        samples: list[JudgedSample] = []
        for start in range(0, len(self.samples), CHUNK_PAIRS):
            samples += self._judge_samples(self.samples[start : start + CHUNK_PAIRS])
            if tick:
                tick()
        return RewardEvaluation(label, step, tuple(judged), time.perf_counter() - started, tuple(samples))

    def _judge(self, pairs: Sequence[Preference]) -> list[JudgedPair]:
        found = self.model.score([asked_of(pair) for pair in pairs], max_tokens=self.max_tokens)
        return [_judged(pair, scores) for pair, scores in zip(pairs, found, strict=True)]

    def _judge_samples(self, asked: Sequence[Request]) -> list[JudgedSample]:
        found = self.model.score([Shown(one.problem, one.texts) for one in asked], max_tokens=self.max_tokens)
        return [
            JudgedSample(one.problem, text, _known(score), _known(u))
            for one, scores in zip(asked, found, strict=True)
            for text, score, u in zip(one.texts, scores.score_B.tolist(), scores.u_B.tolist(), strict=True)
        ]


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
