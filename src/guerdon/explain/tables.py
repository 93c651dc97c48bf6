"""Tables of the report: results with interval bars, all metrics as numbers, the resolved recipe."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from guerdon.core.types import Json
from guerdon.explain.escape import attribute, number, visible
from guerdon.explain.glossary import Term, term
from guerdon.explain.panels import curves_of
from guerdon.explain.read import Evaluation, Interval, Run, Stage
from guerdon.explain.words import (
    change,
    change_unit,
    is_clear,
    plain,
    span,
    stage_name,
    whole_change,
)

MAX_VALUE = 600
"""Characters of one recipe value."""
MAX_ROWS = 400
"""Rows of one recipe table."""
_KEY_PACKAGES = ("guerdon", "torch", "transformers", "peft", "datasets", "pyarrow", "numpy")


def results(
    evals: Sequence[Evaluation], *, over: str = "held-out problems", intervals: str = "bootstrap"
) -> str:
    """Before / after SFT / after GRPO, then the change of each stage and of the whole run.

    Args:
        evals: one column each.
        over: what they went over.
        intervals: how those of the values were made.
    """
    if not evals:
        return '<p class="empty">This run has no evaluation yet.</p>'
    names = list(dict.fromkeys(name for item in evals for name in item.metrics))
    changes = _changes(evals, names)
    head = "".join(f'<th scope="col">{visible(stage_name(item.label))}</th>' for item in evals)
    head += "".join(f'<th scope="col" class="change">{visible(title)}</th>' for title, _ in changes)
    rows = "".join(_result_row(name, evals, changes) for name in names)
    problems = sorted({item.num_problems for item in evals})
    counts = " / ".join(f"{count:,}" for count in problems)
    note = (
        f"Over {counts} {over}, the same ones each time. Small numbers and bars: {intervals} 95 % intervals"
    )
    if changes:
        note += "; changes are paired problem by problem, coloured where the interval leaves out 0"
    return (
        f'<table class="results"><caption>{note}.</caption>'
        f'<thead><tr><th scope="col"><span class="sr">Metric</span></th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def tip(known: Term, name: str) -> str:
    """A term that explains itself under the pointer and the keyboard focus."""
    meaning = f'<span role="tooltip" class="tip">{visible(known.meaning)} <code>{visible(name)}</code></span>'
    return f'<span class="term" tabindex="0">{visible(known.label)}{meaning}</span>'


def metric_numbers(stage: Stage) -> str:
    """Every recorded metric of a stage: beginning, end, lowest, highest."""
    head = "".join(
        f'<th scope="col">{title}</th>' for title in ("Metric", "Start", "End", "Lowest", "Highest")
    )
    rows = []
    for name, curve in curves_of(stage):
        cells = "".join(
            f"<td>{number(value, 4)}</td>" for value in (curve.start(), curve.end(), curve.low, curve.high)
        )
        known = term(name)
        title = f' title="{attribute(known.meaning)}"' if known.meaning else ""
        rows.append(f'<tr><th scope="row"{title}><code>{visible(name[:120])}</code></th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="All metrics of {attribute(stage.name)}">'
        f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        '<p class="note">Start and end are means over the first and the last tenth of the steps.</p>'
    )


def recipe(run: Run) -> str:
    """The resolved recipe, one table a block, and where the run came from."""
    top = {key: value for key, value in run.config.items() if not isinstance(value, dict)}
    blocks = [_settings("run", top)]
    blocks += [_settings(key, value) for key, value in run.config.items() if isinstance(value, dict)]
    return f'<div class="recipe">{"".join(blocks)}</div>'


def provenance(run: Run) -> str:
    """Code, packages and machine."""
    known = dict(run.provenance)
    packages = known.pop("packages", None)
    machine = known.pop("machine", None)
    blocks = [_settings("code", known)]
    if isinstance(machine, dict):
        blocks.append(_settings("machine", machine))
    rest = ""
    if isinstance(packages, dict):
        key = {name: packages[name] for name in _KEY_PACKAGES if name in packages}
        blocks.append(_settings("packages", key))
        listed = ", ".join(f"{name} {version}" for name, version in list(packages.items())[:MAX_ROWS])
        title = f"<summary>All {len(packages)} packages</summary>"
        rest = f'<details class="small">{title}<p>{visible(listed[:40_000])}</p></details>'
    return f'<div class="recipe">{"".join(blocks)}</div>{rest}'


def _changes(evals: Sequence[Evaluation], names: Iterable[str]) -> list[tuple[str, Mapping[str, Interval]]]:
    found: list[tuple[str, Mapping[str, Interval]]] = [
        (f"Change, {stage_name(item.stage)}", item.changes) for item in evals if item.changes
    ]
    if len(found) > 1:
        whole = {name: whole_change(evals[0], evals[-1], name) for name in names}
        known = {name: gap for name, gap in whole.items() if gap is not None}
        if known:
            found.append(("Change, whole run", known))
    return found


def _result_row(
    name: str, evals: Sequence[Evaluation], changes: Sequence[tuple[str, Mapping[str, Interval]]]
) -> str:
    known = term(name)
    unit = f'<span class="unit">{visible(known.unit)}</span>' if known.unit else ""
    scale = (
        (0.0, 1.0)
        if known.unit == "%"
        else _scale([item.metrics[name] for item in evals if name in item.metrics])
    )
    cells = [_value_cell(stage_name(item.label), item.metrics.get(name), known, scale) for item in evals]
    cells += [_change_cell(title, table.get(name), known) for title, table in changes]
    return f'<tr><th scope="row">{tip(known, name)}{unit}</th>{"".join(cells)}</tr>'


def _scale(found: Sequence[Interval]) -> tuple[float, float]:
    """From 0, or from below the least where that is negative, to above the largest."""
    ends = [end for item in found for end in (item.low, item.value, item.high) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    return (1.1 * low, 1.1 * high) if high > low else (0.0, 1.0)


def _value_cell(column: str, found: Interval | None, known: Term, scale: tuple[float, float]) -> str:
    label = f' data-label="{attribute(column)}"'
    if found is None:
        return f"<td{label}>–</td>"
    ends = span(found, known.unit)
    bar = interval_bar(found, *scale) if ends else ""
    small = f"<small>{dashed(ends)}</small>"
    return f"<td{label}><b>{plain(found.value, known.unit)}</b>{small}{bar}</td>"


def dashed(ends: str) -> str:
    """An interval's ends with a dash, except where it could be taken for a minus.

    >>> dashed("27.9 to 34.2"), dashed("−0.3 to 0.1")
    ('27.9 – 34.2', '−0.3 to 0.1')
    """
    return ends if "−" in ends else ends.replace(" to ", " – ")


def interval_bar(found: Interval, bottom: float, top: float) -> str:
    """The interval on a scale: a line, the interval on it, a dot at the value, and a mark at 0 where it lies inside."""

    def place(value: float | None) -> float:
        return 100 * min(1.0, max(0.0, ((value or 0.0) - bottom) / (top - bottom)))

    low, value, high = (place(item) for item in (found.low, found.value, found.high))
    zero = f'<u style="left:{place(0.0):.1f}%"></u>' if bottom < 0 else ""
    return (
        f'<span class="ibar" aria-hidden="true">{zero}'
        f'<i style="left:{low:.1f}%;width:{max(high - low, 0.5):.1f}%"></i>'
        f'<b style="left:{value:.1f}%"></b></span>'
    )


def _change_cell(column: str, found: Interval | None, known: Term) -> str:
    label = f' data-label="{attribute(column)}"'
    if found is None:
        return f'<td class="change"{label}>–</td>'
    mood = ""
    if is_clear(found) and known.better:
        mood = " good" if (found.value > 0) == (known.better > 0) else " bad"
    ends = span(found, known.unit)
    unit = visible(change_unit(known.unit))
    return (
        f'<td class="change{mood}"{label}><b>{change(found.value, known.unit)}</b>'
        f'<span class="unit">{unit}</span><small>{ends}</small></td>'
    )


def _settings(title: str, table: Mapping[str, Json]) -> str:
    rows = "".join(
        f"<div><dt>{visible(key[:200])}</dt><dd>{visible(value)}</dd></div>"
        for key, value in _flat(table)[:MAX_ROWS]
    )
    return f"<section><h4>{visible(title[:100])}</h4><dl>{rows}</dl></section>"


def _flat(table: Mapping[str, Json], path: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{path}{key}.")
        elif value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((f"{path}{key}", text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"))
    return rows
