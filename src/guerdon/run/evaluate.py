"""Evaluation on held-out problems: one greedy and several sampled answers each, with bootstrap intervals.

The same problems and the same random numbers every time, so two evaluations differ by the weights alone and their
difference has a paired interval.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from guerdon.core.errors import DataError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Json, Problem, Score, ScoredGroup
from guerdon.data.mix import SET
from guerdon.functional.stats import bootstrap_interval, pass_at_k
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.rollouter import Rollouter, greedy
from guerdon.run.config import EvalConfig

RESAMPLES = 2000
MAX_SETS = 16
"""More sets than these are not told apart: a page of so many rows tells nothing."""
CHUNK_ROWS = 512
"""Answers sampled between two ticks of the progress bar: several times the rows that decode at once, so that few of
their places are ever empty."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one evaluation found."""

    label: str
    stage: str
    step: int
    per_problem: dict[str, list[float]]
    """Metric to one value per problem, in the order of the problems."""
    greedy: list[ScoredGroup]
    sampled: list[ScoredGroup]
    seconds: float

    def record(self, previous: Mapping[str, Sequence[float]] | None, seed: int) -> dict[str, Json]:
        """The line of evals.jsonl: metrics with intervals, and paired changes against the evaluation before.

        Args:
            previous: `per_problem` of the evaluation before, over the same problems; None for the first.
            seed: of the bootstrap.
        """
        line: dict[str, Json] = {
            "label": self.label,
            "stage": self.stage,
            "step": self.step,
            "num_problems": len(self.sampled),
            "time": self.seconds,
            "metrics": {name: interval(items, seed) for name, items in self.per_problem.items()},
            "per_problem": {name: list(items) for name, items in self.per_problem.items()},
        }
        if previous is not None:
            line["changes"] = {
                name: interval([b - a for a, b in zip(previous[name], items, strict=True)], seed)
                for name, items in self.per_problem.items()
                if len(previous.get(name, ())) == len(items)
            }
        return line


def interval(per_problem: Sequence[float], seed: int) -> dict[str, Json]:
    """Mean and bootstrap 95 % interval over problems."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "bootstrap"))
    found = bootstrap_interval(
        torch.tensor(per_problem, dtype=torch.float64), num_resamples=RESAMPLES, generator=generator
    )
    return {"value": float(found.mean), "low": float(found.low), "high": float(found.high)}


class Evaluator:
    """Runs evaluations of one run; holds the held-out problems fixed."""

    def __init__(
        self,
        rollouter: Rollouter,
        rubric: Rubric,
        config: EvalConfig,
        sampling: SamplingConfig,
        *,
        problems: Sequence[Problem],
        seed: int,
    ) -> None:
        self.rollouter = rollouter
        self.rubric = rubric
        self.config = config
        self.problems = list(problems[: config.num_problems])
        self.sets = sets_of(self.problems)
        self.seed = derive_seed(seed, "eval")
        limits = {"max_completion_length": sampling.max_completion_length, "stop": sampling.stop}
        self.sampling = SamplingConfig.model_validate({"temperature": config.temperature, **limits})

    @property
    def num_ticks(self) -> int:
        """How often `tick` is called in one evaluation."""
        return sum(len(self._chunks(count)) for _, count in self._samplings())

    def _samplings(self) -> list[tuple[SamplingConfig, int]]:
        """Ways to answer, and how many answers to each problem."""
        best = [(greedy(self.sampling), 1)] if self.config.greedy else []
        return [*best, (self.sampling, self.config.num_samples)]

    def _chunks(self, count: int) -> list[Sequence[Problem]]:
        size = max(1, CHUNK_ROWS // count)
        return [self.problems[start : start + size] for start in range(0, len(self.problems), size)]

    async def evaluate(
        self, label: str, stage: str, step: int, *, tick: Callable[[], None] | None = None
    ) -> Evaluation:
        """Answer and score every held-out problem."""
        started = time.perf_counter()
        scored: list[list[ScoredGroup]] = []
        for sampling, count in self._samplings():
            scored.append([])
            for problems in self._chunks(count):
                scored[-1] += await self._score(problems, sampling, count)
                if tick:
                    tick()
        best, sampled = scored if self.config.greedy else ([], scored[0])
        _need_answers(label, sampled)
        return Evaluation(
            label=label,
            stage=stage,
            step=step,
            per_problem=self._measure(best, sampled),
            greedy=best,
            sampled=sampled,
            seconds=time.perf_counter() - started,
        )

    async def _score(
        self, problems: Sequence[Problem], sampling: SamplingConfig, count: int
    ) -> list[ScoredGroup]:
        groups = self.rollouter.rollout(problems, sampling, num_generations=count, seed=self.seed)
        return await self.rubric.score(groups)

    def _measure(self, best: list[ScoredGroup], sampled: list[ScoredGroup]) -> dict[str, list[float]]:
        found = self._accuracies(best, sampled)
        if self.config.format and any(
            group.scores and group.scores[0].part(self.config.format) for group in sampled
        ):
            name = self.config.format
            found["format_rate"] = [
                _mean([_passes(score, name) for score in group.scores]) for group in sampled
            ]
        found["mean_length"] = [
            _mean([float(r.num_tokens) for r in group.group.rollouts]) for group in sampled
        ]
        for name in self.sets:
            inside = self._accuracies(_of_set(name, best), _of_set(name, sampled))
            inside["sampled_value"] = [
                _mean([value for value in self._values(group) if value is not None])
                for group in _of_set(name, sampled)
            ]
            found |= {f"{metric}/{name}": items for metric, items in inside.items()}
        return found

    def _accuracies(self, best: list[ScoredGroup], sampled: list[ScoredGroup]) -> dict[str, list[float]]:
        right = [self._right(group) for group in sampled]
        found = {"greedy_accuracy": [_mean(self._right(group)) for group in best]} if best else {}
        found["sampled_accuracy"] = [_mean(row) for row in right]
        samples = self.config.num_samples
        found[f"pass@{samples}"] = [
            pass_at_k(len(row), int(sum(row)), min(samples, len(row))) if row else 0.0 for row in right
        ]
        return found

    def _right(self, group: ScoredGroup) -> list[float]:
        """1 for each answer whose accuracy part has its full value; could-not-verify is not a pass."""
        return [_passes(score, self._part(group.group.problem)) for score in group.scores]

    def _values(self, group: ScoredGroup) -> list[float | None]:
        parts = [score.part(self._part(group.group.problem)) for score in group.scores]
        return [None if part is None else part.value for part in parts]

    def _part(self, problem: Problem) -> str:
        """Name of the part that says whether an answer to this problem is right."""
        parts = self.config.accuracy
        return parts if isinstance(parts, str) else parts[str(problem.info.get(SET))]


def sets_of(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Names of the sets that are mixed here; none where there is but one."""
    found = {str(problem.info[SET]): None for problem in problems if SET in problem.info}
    return tuple(found) if 1 < len(found) <= MAX_SETS else ()


def _of_set(name: str, groups: Sequence[ScoredGroup]) -> list[ScoredGroup]:
    return [group for group in groups if group.group.problem.info.get(SET) == name]


def _passes(score: Score, name: str) -> float:
    """1 if the part has its full value; a verdict of could-not-verify is not a pass."""
    part = score.part(name)
    return float(part is not None and part.value is not None and part.value >= 1.0)


def _need_answers(label: str, groups: Sequence[ScoredGroup]) -> None:
    """Refuse to call nothing at all an accuracy of 0."""
    if groups and not any(group.group.rollouts for group in groups):
        reasons = [failure.message for group in groups for failure in group.group.failures]
        raise DataError(
            f"evaluating {label}: none of the {len(groups)} held-out problems could be answered; first reason: "
            f"{reasons[0] if reasons else 'unknown'}"
        )


def _mean(items: Sequence[float]) -> float:
    return sum(items) / len(items) if items else 0.0
