"""Numbers in sentences: intervals, changes, durations, and the one-sentence verdict on a run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from guerdon.explain.escape import number
from guerdon.explain.glossary import term
from guerdon.explain.read import REWARD_MODEL, Evaluation, Interval, Run, Stage

Item = TypeVar("Item")

RESAMPLES = 2000
_MINUS = str.maketrans("-", "−")
_MAX_COLUMNS = 3


def amount(value: float, unit: str) -> str:
    r"""A value with its unit: a share as a percentage with one decimal, a length with one decimal.

    >>> amount(0.31, "%"), amount(48.25, "tokens"), amount(0.5, "")
    ('31.0\xa0%', '48.2\xa0tokens', '0.5')
    """
    if unit == "%":
        return f"{plain(value, unit)}\u00a0%"
    return f"{plain(value, unit)}\u00a0{unit}" if unit else plain(value, unit)


def plain(value: float, unit: str) -> str:
    """As `amount`, without the unit."""
    if unit == "%":
        return f"{100 * value:.1f}".translate(_MINUS)
    return f"{value:.1f}".translate(_MINUS) if unit == "tokens" else number(value)


def change(value: float, unit: str) -> str:
    """A difference with its sign, without its unit.

    >>> change(0.142, "%"), change(-3.0, "tokens"), change(0.0, "%")
    ('+14.2', '−3.0', '0.0')
    """
    text = plain(value, unit)
    if not text.strip("−0."):
        return text.removeprefix("−")
    return text if value < 0 else f"+{text}"


def span(interval: Interval, unit: str) -> str:
    """The interval's ends, without unit: "27.9 to 34.2"; empty where there is none."""
    if interval.low is None or interval.high is None:
        return ""
    return f"{plain(interval.low, unit)} to {plain(interval.high, unit)}"


def counted(number: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "tie"), counted(1200, "tie")
    ('1 tie', '1,200 ties')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def change_unit(unit: str) -> str:
    """Shares differ by percentage points.

    >>> change_unit("%"), change_unit("tokens")
    ('points', 'tokens')
    """
    return "points" if unit == "%" else unit


def is_clear(interval: Interval) -> bool:
    """Whether the interval of a change leaves 0 out."""
    return interval.low is not None and interval.high is not None and (interval.low > 0 or interval.high < 0)


def first_and_last(evals: Sequence[Item]) -> Sequence[Item]:
    """Evaluations for the columns of a table: of many, as a reward model has on its way, the first and the last."""
    return evals if len(evals) <= _MAX_COLUMNS else (evals[0], evals[-1])


def whole_change(first: Evaluation, last: Evaluation, metric: str) -> Interval | None:
    """The change between two evaluations of the same problems: paired bootstrap, 95 %, fixed seed."""
    before, after = first.per_problem.get(metric, ()), last.per_problem.get(metric, ())
    if first is last or len(before) != len(after) or len(before) < 2:
        return None
    gaps = [late - early for early, late in zip(before, after, strict=True)]
    draw = random.Random(0)
    means = sorted(sum(draw.choices(gaps, k=len(gaps))) / len(gaps) for _ in range(RESAMPLES))
    edge = round(0.025 * RESAMPLES)
    return Interval(sum(gaps) / len(gaps), means[edge], means[-edge - 1])


def stage_name(name: str) -> str:
    """A stage or evaluation label for reading.

    >>> stage_name("grpo"), stage_name("after sft"), stage_name("before")
    ('GRPO', 'After SFT', 'Before')
    """
    text = label_name(name)
    return text[:1].upper() + text[1:]


def label_name(name: str) -> str:
    """As `stage_name`, in the middle of a sentence.

    >>> label_name("after sft")
    'after SFT'
    """
    return " ".join(word.upper() if word in ("sft", "rm", "grpo") else word for word in name.split())


def duration(seconds: float) -> str:
    r"""Seconds for reading.

    >>> duration(0.42), duration(75), duration(7500)
    ('0.4\xa0s', '1\xa0min 15\xa0s', '2\xa0h 05\xa0min')
    """
    if seconds < 60:
        return f"{seconds:.1f}\u00a0s" if seconds < 10 else f"{seconds:.0f}\u00a0s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}\u00a0min {whole % 60:02d}\u00a0s"
    return f"{whole // 3600}\u00a0h {whole % 3600 // 60:02d}\u00a0min"


def verdict(run: Run) -> str:
    """One sentence: did it get better, by how much, how sure is that."""
    metric = headline_metric(run.evals)
    if metric is None:
        return _verdict_of_training(run.stages)
    found = [evaluation for evaluation in run.evals if metric in evaluation.metrics]
    first, last = found[0], found[-1]
    label = term(metric).label
    start, end = first.metrics[metric], last.metrics[metric]
    if first is last:
        ends = span(start, "%")
        sure = f" (95\u00a0% interval {ends})" if ends else ""
        rest = "has no later evaluation" if run_is_finished(run) else "has no later evaluation yet"
        return f"{label} {first.label} training was {amount(start.value, '%')}{sure}; the run {rest}."
    values = amount(start.value, "%"), amount(end.value, "%")
    return f"{label} {_movement(first, last, metric).format(*values)}{_stage_share(last, metric)}."


def headline_metric(evals: Sequence[Evaluation]) -> str | None:
    """The metric that the verdict is about."""
    names = ("sampled_accuracy", "greedy_accuracy")
    return next((name for name in names if any(name in item.metrics for item in evals)), None)


def run_is_finished(run: Run) -> bool:
    """Whether every stage of the recipe has all its steps."""
    planned = run.setting("stages")
    names = [str(name) for name in planned] if isinstance(planned, list) else []
    names = [name for name in names if name != REWARD_MODEL]  # it has a folder of its own
    ended = {event.stage for event in run.events if event.kind == "hacking_stop"}
    done = {
        stage.name
        for stage in run.stages
        if stage.last_step >= (stage.planned_steps or 0) or stage.name in ended
    }
    return set(names) <= done


def _movement(first: Evaluation, last: Evaluation, metric: str) -> str:
    whole = whole_change(first, last, metric)
    gap = last.metrics[metric].value - first.metrics[metric].value
    if gap == 0 or (whole is not None and not is_clear(whole)):
        return "did not change measurably: {} before, {} after"
    return "rose from {} to {}" if gap > 0 else "fell from {} to {}"


def _stage_share(last: Evaluation, metric: str) -> str:
    step = last.changes.get(metric)
    if step is None:
        return ""
    ends = span(step, "%")
    sure = f", 95\u00a0% interval {ends}" if ends else ""
    return f" ({stage_name(last.stage)} stage: {change(step.value, '%')} points{sure})"


def _verdict_of_training(stages: Sequence[Stage]) -> str:
    for stage in reversed(stages):
        name = "loss" if stage.is_supervised else "reward"
        if name in stage.curves:
            curve = stage.curves[name]
            return (
                f"Training {name} went from {number(curve.start())} to {number(curve.end())} over "
                f"{stage.last_step} {stage_name(stage.name)} steps; there is no held-out evaluation."
            )
    return "No step has been recorded yet."
