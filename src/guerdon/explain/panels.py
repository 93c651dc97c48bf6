"""Which curves a stage gets, in which order, with which words. Knows metric names; draws nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from guerdon.explain.charts import Axes, Drawing, Series, Whisker, areas, bars, lines
from guerdon.explain.curves import Curve, scaled
from guerdon.explain.glossary import Term, term
from guerdon.explain.read import Run, Stage
from guerdon.explain.words import amount, duration, label_name, plain

MAX_LAYERS = 8
"""Colours there are; further layers of a stack are left out of it (they stand in the numbers table)."""
NOTHING = 5e-4
"""Share of the time below which a station is not drawn: it would read 0.0 %."""
STATIONS = ("rollout", "score", "pack", "logprobs", "forward", "backward", "update", "record")
_REASONS = ("learning", "all_right", "all_wrong", "all_equal", "unverifiable", "truncated", "failed")
_COLOURS = {"learning": "c1", "all_right": "c3", "all_wrong": "c6", "all_equal": "c7", "truncated": "c5"}
_COLOURS |= {"unverifiable": "c4", "failed": "c2"}
"""A reason keeps its colour whether or not the others occurred."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a legend."""

    colour: str
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart and the words around it."""

    title: str
    meaning: str
    unit: str
    summary: str
    """From the beginning to the end of the stage: "0.31 → 0.82"."""
    legend: tuple[Entry, ...]
    drawing: Drawing


def panels(run: Run, stage: Stage) -> list[Panel]:
    """The charts of one stage; what was not recorded has none."""
    first = [_single(stage, "loss")] if stage.is_supervised else [_reward(run, stage), _accuracy(run, stage)]
    lengths = [
        _single(stage, f"completions/{name}", zero="always") for name in ("mean_length", "clipped_ratio")
    ]
    signal = [_single(stage, "signal/effective_samples", zero="always"), _reasons(stage)]
    cost = [_single(stage, name, zero="always") for name in ("memory/peak_rss_gb", "cost/tokens_per_s")]
    found = [
        *first,
        _hacking(run, stage),
        _single(stage, "kl"),
        _single(stage, "entropy"),
        *([] if stage.is_supervised else [*lengths, *signal]),
        _single(stage, "learning_rate", zero="always"),
        _single(stage, "grad_norm", zero="always"),
        _timing(stage),
        *cost,
    ]
    return [panel for panel in found if panel is not None]


def reward_panels(run: Run, stage: Stage) -> list[Panel]:
    """The charts of a reward model's training."""
    names = ("learning_rate", "grad_norm")
    found = [
        _single(stage, "loss"),
        _pair_accuracy(run, stage),
        *(_single(stage, name, zero="always") for name in names),
    ]
    return [panel for panel in found if panel is not None]


def _pair_accuracy(run: Run, stage: Stage) -> Panel | None:
    curve = stage.curves.get("accuracy")
    if curve is None:
        return None
    marks = list(_held_out(run, stage, "accuracy"))
    axes = Axes(_described(Term("Accuracy in training", "", "%"), curve, stage), "%", "always")
    return Panel(
        title="Accuracy by step",
        meaning="Share of the step’s training pairs whose chosen side the model preferred before it learned from them; "
        "and of the held-out pairs.",
        unit="%",
        summary=_from_to(curve, "%"),
        legend=(Entry("c1", "training pairs"), *_held_out_entry(marks, "pairs")),
        drawing=lines([Series("training", curve)], axes, marks),
    )


def _held_out_entry(marks: Sequence[Whisker], what: str) -> tuple[Entry, ...]:
    return (Entry("held", f"held-out {what}, with 95 % interval"),) if marks else ()


def _single(stage: Stage, name: str, *, zero: str = "auto") -> Panel | None:
    curve = stage.curves.get(name)
    if curve is None or (name == "kl" and curve.low == curve.high == 0):
        return None  # without a KL term its metric is constantly 0, and a flat line says nothing
    known = term(name)
    axes = Axes(_described(known, curve, stage), known.unit, zero)
    return Panel(
        title=known.label,
        meaning=known.meaning,
        unit=known.unit,
        summary=_from_to(curve, known.unit),
        legend=(),
        drawing=lines([Series(known.label, curve)], axes),
    )


def _reward(run: Run, stage: Stage) -> Panel | None:
    total = stage.curves.get("reward")
    if total is None:
        return None
    weights = run.weights
    means = {
        name: curve
        for key, curve in stage.curves.items()
        if (name := key.removeprefix("rewards/").removesuffix("/mean")) and key == f"rewards/{name}/mean"
    }
    layers = [
        Series(
            f"{name} × {plain(weights.get(name, 1.0), '')}",
            scaled(curve, weights.get(name, 1.0)),
            f"c{index}",
        )
        for index, (name, curve) in enumerate(
            [item for item in means.items() if weights.get(item[0], 1.0)][:MAX_LAYERS], start=1
        )
    ]
    known = term("reward")
    axes = Axes(_described(known, total, stage), "", "always")
    whole = Series("reward", total, "ink")
    return Panel(
        title=known.label,
        meaning=f"{known.meaning} Areas: weight × mean of each part, smoothed; line: the reward itself.",
        unit="",
        summary=_from_to(total, ""),
        legend=(*(Entry(item.colour, item.name) for item in layers), Entry("ink", "reward"))
        if layers
        else (),
        drawing=areas(layers, axes, whole) if layers else lines([whole], axes),
    )


def _accuracy(run: Run, stage: Stage) -> Panel | None:
    name = run.accuracy_part
    curve = stage.curves.get(f"rewards/{name}/mean")
    if curve is None:
        return None
    marks = list(_held_out(run, stage, "sampled_accuracy"))
    axes = Axes(_described(Term("Accuracy in training", "", "%"), curve, stage), "%", "always")
    return Panel(
        title="Accuracy",
        meaning=f"Mean of the part “{name}”: the share of sampled answers that are right.",
        unit="%",
        summary=_from_to(curve, "%"),
        legend=(Entry("c1", "training rollouts"), *_held_out_entry(marks, "problems")) if marks else (),
        drawing=lines([Series("training", curve)], axes, marks),
    )


def _hacking(run: Run, stage: Stage) -> Panel | None:
    """What the monitor against reward hacking saw."""
    proxy = stage.curves.get("monitor/proxy_z")
    if proxy is None:
        return None
    probes = {
        name.removeprefix("monitor/").removesuffix("_z"): curve
        for name, curve in stage.curves.items()
        if name.startswith("monitor/") and name.endswith("_z") and name != "monitor/proxy_z"
    }
    shown = list(probes.items())[: MAX_LAYERS - 1]
    series = [Series(name, curve, f"c{index}") for index, (name, curve) in enumerate(shown, start=1)]
    series.append(Series("reward", proxy, "ink"))
    alarms = [
        event for event in run.events if event.stage == stage.name and event.kind.startswith("hacking_")
    ]
    said = f"alarm at step {alarms[0].step:,}" if alarms else "no alarm"
    label = f"Reward and probes, {label_name(stage.name)}, in deviations from the first steps: {said}"
    meaning = "Reward and probes that it does not contain, in standard deviations from the first steps. "
    legend = [Entry(item.colour, item.name) for item in series]
    legend += [Entry("alarm", "alarm")] if alarms else []
    return Panel(
        title="Reward hacking",
        meaning=meaning
        + (f"{alarms[0].message}." if alarms else "An alarm: the reward is up and a probe is down."),
        unit="",
        summary=said,
        legend=tuple(legend),
        drawing=lines(series, Axes(label), marked=[event.step for event in alarms]),
    )


def _held_out(run: Run, stage: Stage, metric: str) -> Iterator[Whisker]:
    """An accuracy on what is held out where the stage began, and within or after it."""
    before = None
    for evaluation in run.evals:
        found = evaluation.metrics.get(metric)
        mark = None
        if found is not None and found.low is not None and found.high is not None:
            step = evaluation.step if evaluation.stage == stage.name else 0
            mark = Whisker(step, found.value, found.low, found.high)
        if evaluation.stage == stage.name:
            if before is not None:
                yield before
            before = None
            if mark is not None:
                yield mark
        else:
            before = mark
    if before is not None and run.evals[-1].stage != stage.name and stage is run.stages[-1]:
        yield before  # the stage is not finished: only its beginning was measured


def _reasons(stage: Stage) -> Panel | None:
    prefix = "signal/groups_"
    names = [name for name in _REASONS if prefix + name in stage.curves]
    names = [name for name in names if stage.curves[prefix + name].high > 0]
    if not names:
        return None
    layers = [
        Series(term(prefix + name).label, stage.curves[prefix + name], _COLOURS.get(name, "c7"))
        for name in names
    ]
    means = [item.curve.mean for item in layers]
    learning = stage.curves.get(f"{prefix}learning")
    said = f"{plain(sum(means), 'tokens')} a step"
    if learning is not None:
        said = f"{plain(learning.mean, 'tokens')} of {plain(sum(means), 'tokens')} teach"
    axes = Axes(f"Groups per step by what they teach, {label_name(stage.name)}: {said}", "", "always")
    return Panel(
        title="Groups by signal",
        meaning="Rollouts of a group that all earn the same have no advantage. Groups per step, by reason.",
        unit="",
        summary=said,
        legend=tuple(
            Entry(item.colour, item.name, plain(mean, "tokens"))
            for item, mean in zip(layers, means, strict=True)
        ),
        drawing=bars(layers, axes),
    )


def _timing(stage: Stage) -> Panel | None:
    found: Mapping[str, Curve] = {
        name.removeprefix("timing_s/"): curve
        for name, curve in stage.curves.items()
        if name.startswith("timing_s/")
    }
    order = [*(name for name in STATIONS if name in found), *sorted(set(found) - set(STATIONS))]
    total = sum(curve.mean for curve in found.values())
    shown = [name for name in order if found[name].mean > NOTHING * total][:MAX_LAYERS]
    if not shown:
        return None
    layers = [Series(name, found[name], _station_colour(name)) for name in shown]
    seconds = {item.name: sum(bucket.total for bucket in item.curve.buckets) for item in layers}
    whole = sum(seconds.values()) or 1.0
    step = stage.curves.get("step_time")
    mean = step.mean if step else sum(item.curve.mean for item in layers)
    axes = Axes(
        f"Seconds per step by station, {label_name(stage.name)}: {plain(mean, '')} s a step", "s", "always"
    )
    return Panel(
        title="Time by station",
        meaning="Seconds of a step in each station, mean over neighbouring steps; shares of the stage.",
        unit="s",
        summary=f"{duration(mean)} a step",
        legend=tuple(Entry(i.colour, i.name, amount(seconds[i.name] / whole, "%")) for i in layers),
        drawing=bars(layers, axes),
    )


def _station_colour(name: str) -> str:
    return f"c{STATIONS.index(name) + 1}" if name in STATIONS else "c8"


def _from_to(curve: Curve, unit: str) -> str:
    if len(curve.buckets) < 2 or plain(curve.start(), unit) == plain(curve.end(), unit):
        return amount(curve.end(), "%" if unit == "%" else "")
    end = amount(curve.end(), "%") if unit == "%" else plain(curve.end(), unit)
    return f"{plain(curve.start(), unit)} → {end}"


def _described(known: Term, curve: Curve, stage: Stage) -> str:
    """The chart in words, for those who cannot see it."""
    unit = known.unit
    start, end = amount(curve.start(), unit), amount(curve.end(), unit)
    return (
        f"{known.label}, {label_name(stage.name)}, {stage.last_step} steps: from {start} at the start "
        f"to {end} at the end; lowest {plain(curve.low, unit)}, highest {plain(curve.high, unit)}"
    )


def curves_of(stage: Stage) -> Sequence[tuple[str, Curve]]:
    """Every metric of a stage for the table of numbers, by name."""
    return sorted(stage.curves.items())
