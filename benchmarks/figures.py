"""What benchmarks compute from their figures and draw of them: fitted slopes, bars against targets, panels of curves.

Standard library only; pictures are plain SVG that follows the reader's light or dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

Points = Sequence[tuple[float, float]]

STYLE = (
    "<style>text{fill:#333}.g{stroke:#ccc;stroke-width:.7}.d{fill:none;stroke:#999;stroke-dasharray:4 3}"
    ".b{fill:#2a6fb0}.w{fill:#c0562b}.t{stroke:#333;stroke-width:1.6}.m{fill:none;stroke-width:1.8}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.g{stroke:#555}.t{stroke:#ddd}}</style>"
)
MAX_DOTS = 24
"""Longer curves are drawn without a dot a value."""
COLOURS = ("#2a6fb0", "#c0562b", "#3d8c40", "#8a5fb0")


def slope(points: Points) -> float:
    """Of the least-squares line.

    >>> slope([(0, 1), (1, 3), (2, 5)])
    2.0
    """
    mean_x = math.fsum(x for x, _ in points) / len(points)
    mean_y = math.fsum(y for _, y in points) / len(points)
    spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0.0:
        raise ValueError("a slope needs two different places")
    return math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def exponent(points: Points) -> float:
    """The p of y = c * x^p, fitted on logarithmic axes.

    >>> round(exponent([(1, 3), (2, 12), (4, 48)]), 6)
    2.0
    """
    return slope([(math.log(x), math.log(y)) for x, y in points])


class Bar(NamedTuple):
    """One row of `bars`."""

    label: str
    value: float
    target: float
    note: str
    """What stands behind the bar."""


def bars(rows: Sequence[Bar], title: str) -> str:
    """Horizontal bars, each as long as its share of its own target; the line is the target."""
    left, width, step, top = 330, 300, 24, 40
    reach = max(1.25, *(min(row.value / row.target, 2.0) for row in rows)) if rows else 1.25
    height = top + step * len(rows) + 16
    scale = width / reach
    parts = [_open(left + width + 150, height, title), STYLE, _text(12, 20, title, "start", bold=True)]
    for number, row in enumerate(rows):
        share, y = row.value / row.target, top + step * number
        parts.append(_text(left - 8, y + 13, row.label, "end"))
        kind = "b" if share >= 1.0 else "w"
        parts.append(
            f'<rect class="{kind}" x="{left}" y="{y + 2}" width="{scale * min(share, reach):.1f}" height="15"/>'
        )
        parts.append(_text(left + width + 8, y + 13, row.note, "start"))
    x = left + scale
    parts.append(f'<path class="t" d="M{x:.1f} {top - 4}V{height - 12}"/>')
    parts.append(_text(x, top - 8, "target", "middle"))
    return "\n".join([*parts, "</svg>"]) + "\n"


class Panel(NamedTuple):
    """One set of axes of `panels`."""

    title: str
    x_label: str
    series: dict[str, Points]
    dashed: dict[str, Points] = {}  # noqa: RUF012  never written to
    """Drawn as dashed lines without dots: what theory says."""
    log: bool = True


def panels(found: Sequence[Panel], title: str) -> str:
    """Panels side by side, two in a row; series of one name have one colour, told in the last line."""
    width, height, columns = 380, 270, min(2, len(found))
    rows = math.ceil(len(found) / columns)
    names = list(dict.fromkeys(name for panel in found for name in panel.series))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    total = 34 + rows * height + 26
    parts = [_open(columns * width, total, title), STYLE, _text(12, 20, title, "start", bold=True)]
    for number, panel in enumerate(found):
        row, column = divmod(number, columns)
        parts.append(f'<g transform="translate({column * width} {34 + row * height})">')
        parts += [*_axes(panel, width, height, colours), "</g>"]
    x = 14.0
    for name in names:
        parts.append(f'<rect x="{x}" y="{total - 18}" width="11" height="11" fill="{colours[name]}"/>')
        parts.append(_text(x + 16, total - 8, name, "start"))
        x += 34 + 7.2 * len(name)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(panel: Panel, width: int, height: int, colours: dict[str, str]) -> list[str]:
    left, top, inner, deep = 56, 26, width - 76, height - 76
    every = [point for line in (*panel.series.values(), *panel.dashed.values()) for point in line]
    to = math.log if panel.log else float
    xs, ys = [to(x) for x, _ in every], [to(y) for _, y in every]
    low_y = min(ys) if panel.log else min(0.0, *ys)
    reach_x, reach_y = (max(xs) - min(xs)) or 1.0, (max(ys) - low_y) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        return left + inner * (to(x) - min(xs)) / reach_x, top + deep * (1 - (to(y) - low_y) / reach_y)

    parts = [_text(left, 14, panel.title, "start", bold=True)]
    for tick in _ticks([y for _, y in every], log=panel.log):
        y = at(every[0][0], tick)[1]
        parts.append(f'<path class="g" d="M{left} {y:.1f}h{inner}"/>')
        parts.append(_text(left - 6, y + 4, f"{tick:g}", "end"))
    places = sorted({float(x) for line in panel.series.values() for x, _ in line})
    if not panel.log and len(places) > MAX_DOTS:
        places = [tick for tick in _ticks(places, log=False) if tick >= places[0]]
    shown: list[float] = []
    for tick in places:
        if not shown or at(tick, every[0][1])[0] - at(shown[-1], every[0][1])[0] >= 34:
            shown.append(tick)
    parts += [_text(at(tick, every[0][1])[0], top + deep + 16, _short(tick), "middle") for tick in shown]
    parts.append(_text(left + inner, top + deep + 34, panel.x_label, "end"))
    dashed = [_path([at(*point) for point in line]) for line in panel.dashed.values()]
    parts += [f'<path class="d" d="M{path}"/>' for path in dashed]
    for name, line in panel.series.items():
        spots = [at(*point) for point in line]
        parts.append(f'<path class="m" stroke="{colours[name]}" d="M{_path(spots)}"/>')
        if len(spots) <= MAX_DOTS:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[name]}"/>' for x, y in spots]
    return parts


def _ticks(values: Sequence[float], *, log: bool) -> list[float]:
    """Round numbers within the values: 1, 2 and 5 of each power of ten, or even steps through 0."""
    low, high = min(values), max(values)
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        return [tick for tick in found if low <= tick <= high] or [low, high]
    rough = (high - min(0.0, low)) / 4 or 1.0
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * digit for digit in (1, 2, 5, 10) if unit * digit >= rough)
    return [step * number for number in range(math.ceil(min(0.0, low) / step), int(high / step) + 1)]


def _short(value: float) -> str:
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:g}"


def _path(spots: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)


def _open(width: float, height: float, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-size="12" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{title}">'
    )


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{safe}</text>'
