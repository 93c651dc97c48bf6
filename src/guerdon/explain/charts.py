"""Charts as inline SVG. Colours are classes that the page's CSS fills, so one drawing serves light and dark.

    lines(series, axes)          faint raw points, a moving average over them, optional whiskered marks
    areas(series, axes, total)   stacked; what is negative is stacked below zero
    bars(series, axes)           stacked bars

Each returns a `Drawing`: the SVG, and the numbers that the tooltip script reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from guerdon.core.types import Json
from guerdon.explain.curves import MAX_POINTS, Curve, align, smooth, smoothed
from guerdon.explain.escape import attribute, number

WIDTH, HEIGHT = 380, 196
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 372, 10, 172
MAX_BARS = 32
SIGNIFICANT = 4
"""Digits of the numbers in the tooltip data."""


@dataclass(frozen=True, slots=True)
class Series:
    """A curve with its name and one of the colour classes c1 to c8, or "ink"."""

    name: str
    curve: Curve
    colour: str = "c1"


@dataclass(frozen=True, slots=True)
class Axes:
    """What a chart shows, in words; `unit` "%" shows shares times 100."""

    label: str
    unit: str = ""
    zero: str = "auto"
    """`always` includes 0 on the vertical axis; `auto` only where it is near."""


@dataclass(frozen=True, slots=True)
class Whisker:
    """A measured value with its interval at one step."""

    step: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart: its SVG and the numbers behind it."""

    svg: str
    data: dict[str, Json]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The map from (step, value) to the drawing, and the ticks."""

    first: float
    last: float
    low: float
    high: float
    ticks: tuple[float, ...]

    def x(self, step: float) -> float:
        reach = self.last - self.first
        share = (step - self.first) / reach if reach else 0.5
        return _LEFT + share * (_RIGHT - _LEFT)

    def y(self, value: float) -> float:
        return _BOTTOM - (value - self.low) / (self.high - self.low) * (_BOTTOM - _TOP)

    def point(self, step: float, value: float) -> str:
        return f"{self.x(step):.1f} {self.y(value):.1f}"


def lines(
    series: Sequence[Series], axes: Axes, whiskers: Sequence[Whisker] = (), *, marked: Sequence[int] = ()
) -> Drawing:
    """Every series as a moving average over its faint raw points; each outlier stays visible.

    `marked`: steps at which something happened.
    """
    low = min([item.curve.low for item in series] + [mark.low for mark in whiskers])
    high = max([item.curve.high for item in series] + [mark.high for mark in whiskers])
    steps = [bucket.step for item in series for bucket in item.curve.buckets] + [
        mark.step for mark in whiskers
    ]
    frame = _frame(min(steps), max(steps), low, high, axes)
    body = [_raw_points(item, frame) for item in series]
    body += [
        _path([b.step for b in item.curve.buckets], smooth(item.curve), frame, item.colour) for item in series
    ]
    body += [_whisker(mark, frame) for mark in whiskers]
    body += [_marked(step, frame) for step in marked]
    longest = max(series, key=lambda item: len(item.curve.buckets)).curve
    middles, rows = align([item.curve for item in series], MAX_POINTS)
    if len(series) == 1:
        middles, rows = [bucket.step for bucket in longest.buckets], [[b.mean for b in longest.buckets]]
    return _drawing(body, frame, axes, _data(frame, middles, list(zip(series, rows, strict=True)), axes))


def areas(series: Sequence[Series], axes: Axes, total: Series | None = None) -> Drawing:
    """Stacked areas of moving averages, and the total as a line of its own."""
    everything = [*series, total] if total else list(series)
    middles, rows = align([smoothed(item.curve) for item in everything], MAX_POINTS)
    layers = _stack(rows[: len(series)])
    values = [edge for layer in layers for pair in layer for edge in pair] + (rows[-1] if total else [])
    frame = _frame(middles[0], middles[-1], min(values), max(values), axes)
    body = []
    for item, layer in zip(series, layers, strict=True):
        upper = [frame.point(step, top) for step, (_, top) in zip(middles, layer, strict=True)]
        lower = [frame.point(step, base) for step, (base, _) in zip(middles, layer, strict=True)]
        outline = "M" + "L".join(upper + lower[::-1]) + "Z"
        body.append(f'<path class="area {item.colour}" d="{outline}"/>')
    if total:
        body.append(_path(middles, rows[-1], frame, total.colour))
    return _drawing(body, frame, axes, _data(frame, middles, list(zip(everything, rows, strict=True)), axes))


def bars(series: Sequence[Series], axes: Axes) -> Drawing:
    """Stacked bars, each the mean over some neighbouring steps."""
    middles, rows = align([item.curve for item in series], MAX_BARS)
    layers = _stack(rows)
    values = [edge for layer in layers for pair in layer for edge in pair]
    half = (middles[1] - middles[0]) / 2 if len(middles) > 1 else 0.5
    frame = _frame(middles[0] - half, middles[-1] + half, min(values), max(values), axes)
    width = max(1.0, 0.8 * (frame.x(middles[0] + half) - frame.x(middles[0] - half)))
    width = min(width, 40.0)
    body = []
    for item, layer in zip(series, layers, strict=True):
        boxes = [
            f"M{frame.x(step) - width / 2:.1f} {frame.y(top):.1f}h{width:.1f}"
            f"V{frame.y(base):.1f}h{-width:.1f}Z"
            for step, (base, top) in zip(middles, layer, strict=True)
            if top > base
        ]
        body.append(f'<path class="bar {item.colour}" d="{"".join(boxes)}"/>')
    return _drawing(body, frame, axes, _data(frame, middles, list(zip(series, rows, strict=True)), axes))


def nice_ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Round numbers from at or below `low` to at or above `high`.

    >>> nice_ticks(0.0, 0.93)
    (0.0, 0.25, 0.5, 0.75, 1.0)
    """
    if not high > low:
        margin = abs(low) / 2 or 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    for size in (factor * power for factor in (1, 2, 2.5, 5, 10, 20)):
        start, end = math.floor(low / size + 1e-9), math.ceil(high / size - 1e-9)
        if end - start < most:
            return tuple(float(f"{index * size:.12g}") for index in range(start, end + 1))
    return (low, high)


def _frame(first: float, last: float, low: float, high: float, axes: Axes) -> _Frame:
    near_zero = 0 < low <= 0.6 * high
    if low > 0 and (axes.zero == "always" or near_zero):
        low = 0.0
    high = max(high, 0.0) if axes.zero == "always" else high
    high = 1.0 if low == high == 0 else high  # a line along the bottom, not through the middle
    ticks = nice_ticks(low, high)
    return _Frame(first=first, last=last, low=ticks[0], high=ticks[-1], ticks=ticks)


def _stack(rows: Sequence[Sequence[float]]) -> list[list[tuple[float, float]]]:
    """(lower, upper) edge of each layer: positives up from 0, negatives down from 0."""
    ups, downs = [0.0] * len(rows[0]), [0.0] * len(rows[0])
    layers = []
    for row in rows:
        layer = []
        for place, value in enumerate(row):
            side = ups if value >= 0 else downs
            edges = sorted((side[place], side[place] + value))
            side[place] += value
            layer.append((edges[0], edges[1]))
        layers.append(layer)
    return layers


def _raw_points(item: Series, frame: _Frame) -> str:
    """A dot for each step; where steps were joined, a thin line from their lowest to their highest value."""
    marks = []
    for bucket in item.curve.buckets:
        top, bottom = frame.y(bucket.high), frame.y(bucket.low)
        end = f"V{bottom:.1f}" if bottom - top > 0.05 else "h0"
        marks.append(f"M{frame.x(bucket.step):.1f} {top:.1f}{end}")
    return f'<path class="raw {item.colour}" d="{"".join(marks)}"/>'


def _path(steps: Sequence[float], values: Sequence[float], frame: _Frame, colour: str) -> str:
    points = "L".join(frame.point(step, value) for step, value in zip(steps, values, strict=True))
    tail = "h0" if len(steps) == 1 else ""  # a single point is still a dot
    return f'<path class="line {colour}" d="M{points}{tail}"/>'


def _whisker(mark: Whisker, frame: _Frame) -> str:
    x, low, high = frame.x(mark.step), frame.y(mark.low), frame.y(mark.high)
    return (
        f'<path class="whisker" d="M{x:.1f} {low:.1f}V{high:.1f}'
        f'M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"/>'
        f'<circle class="held" cx="{x:.1f}" cy="{frame.y(mark.value):.1f}" r="3.5"/>'
    )


def _marked(step: int, frame: _Frame) -> str:
    return f'<path class="alarm" d="M{frame.x(step):.1f} {_TOP}V{_BOTTOM}"/>'


def _drawing(body: Sequence[str], frame: _Frame, axes: Axes, data: dict[str, Json]) -> Drawing:
    parts = [*_grid(frame, axes), *body, '<line class="cursor" y1="10" y2="172"/>']
    label = attribute(axes.label)
    svg = (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" tabindex="0">'
        f"{''.join(parts)}</svg>"
    )
    return Drawing(svg, data)


def _grid(frame: _Frame, axes: Axes) -> list[str]:
    parts = []
    factor = 100 if axes.unit == "%" else 1
    labels = tick_labels([tick * factor for tick in frame.ticks])
    for tick, label in zip(frame.ticks, labels, strict=True):
        y = frame.y(tick)
        kind = "axis" if tick == 0 or tick == frame.ticks[0] else "grid"
        parts.append(f'<line class="{kind}" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(tick_text(_LEFT - 6, y + 3.6, "end", label))
    steps = [tick for tick in nice_ticks(frame.first, frame.last, 6) if frame.first <= tick <= frame.last]
    shown = [tick for tick in steps if tick == int(tick)] or [float(round(frame.last))]
    for tick in shown:
        x = frame.x(tick)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_BOTTOM}" y2="{_BOTTOM + 3}"/>')
        anchor = "end" if x > _RIGHT - 8 else "middle"
        parts.append(tick_text(min(x, _RIGHT), _BOTTOM + 15, anchor, f"{int(tick):,}"))
    return parts


def tick_text(x: float, y: float, anchor: str, text: str) -> str:
    """A word beside an axis; `text` is HTML."""
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def tick_labels(values: Sequence[float]) -> list[str]:
    """With as few digits as tell them apart."""
    labels: list[str] = []
    for digits in (3, 4, 5, 6):
        labels = [_tick(value, digits) for value in values]
        if len(set(labels)) == len(labels):
            break
    return labels


def _tick(value: float, digits: int) -> str:
    size = abs(value)
    if size >= 1e6:
        return f"{number(value / 1e6, digits)}M"
    return f"{number(value / 1e3, digits)}k" if size >= 1e4 else number(value, digits)


def _data(
    frame: _Frame, steps: Sequence[float], rows: Sequence[tuple[Series, Sequence[float]]], axes: Axes
) -> dict[str, Json]:
    names: list[Json] = [
        {"n": item.name, "c": item.colour, "v": [_short(value) for value in row]} for item, row in rows
    ]
    whole = all(abs(right - left - 1) < 1e-6 for left, right in pairwise(steps))  # one step a bucket
    labels: list[Json] = [round(step) if whole else round(step, 1) for step in steps]
    places: list[Json] = [_short(frame.x(step)) for step in steps]
    return {"x": places, "t": labels, "u": axes.unit, "s": names}


def _short(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT}g}")
