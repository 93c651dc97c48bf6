"""Benchmarks on the page of a reward model: the official number first, then its sections, RM-Bench's styles, the parts."""

from __future__ import annotations

from guerdon.explain.escape import attribute, number, visible
from guerdon.explain.read import Interval
from guerdon.explain.reward_model.benches import STYLES, BenchResult, Matrix, Section
from guerdon.explain.tables import dashed, interval_bar
from guerdon.explain.words import plain, span

INTERVALS = (
    "Bars: 95 % intervals, Wilson’s of plain shares; those of weighted means are made from them. They are ours: the "
    "benchmarks have none."
)


def bench_section(found: BenchResult) -> str:
    """HTML of one benchmark."""
    count = sum(item.count for item in found.sections.values())
    rows = []
    if found.official is not None:
        rows.append(_row("Overall", Section(found.official, count), first=True))
    rows += [_row(name, item) for name, item in found.sections.items()]
    caption = visible(" ".join([*found.notes, INTERVALS] if rows else found.notes))
    table = (
        f'<table class="results accuracies benches"><caption>{caption}</caption><thead><tr>'
        f'<th scope="col">{visible(found.name)}</th><th scope="col">Official number</th><th scope="col">Items</th></tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )
    return table + _styles(found) + _parts(found)


def share_cell(found: Interval) -> str:
    """A share in %, its interval, and the bar."""
    ends = dashed(span(found, "%"))
    bar = interval_bar(found, 0.0, 1.0) if ends else ""
    return f'<b>{plain(found.value, "%")}</b><span class="unit">%</span><small>{ends}</small>{bar}'


def _row(name: str, item: Section, *, first: bool = False) -> str:
    kind = ' class="first"' if first else ""
    return (
        f'<tr{kind}><th scope="row">{visible(name[:80])}</th><td class="share">{share_cell(item.interval)}</td>'
        f"<td>{item.count:,}</td></tr>"
    )


def _styles(found: BenchResult) -> str:
    """The matrices: of all domains at once, of each on demand."""
    if not found.styles:
        return ""
    first, *others = ((name, _matrix(name, matrix)) for name, matrix in found.styles.items())
    more = "".join(table for _, table in others)
    folded = f'<details class="small"><summary>Styles by domain</summary>{more}</details>' if more else ""
    note = (
        "In %: how often the right answer in the row’s style scores above the wrong one in the column’s. Above the "
        "diagonal the wrong answer is the more eye-catching one (hard), below it the right one is (easy)."
    )
    return f'{first[1]}<p class="note">{note}</p>{folded}'


def _matrix(name: str, matrix: Matrix) -> str:
    head = "".join(f'<th scope="col">Wrong, {style}</th>' for style in STYLES)
    rows = "".join(
        f'<tr><th scope="row">Right, {style}</th>'
        + "".join(_cell(other, cell) for other, cell in zip(STYLES, row, strict=True))
        + "</tr>"
        for style, row in zip(STYLES, matrix, strict=True)
    )
    return (
        f'<div class="matrix"><h4>{visible(name)}</h4><table class="results heat styles"><thead><tr><th scope="col">'
        f'<span class="sr">Style</span></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _cell(style: str, found: Interval) -> str:
    strength = round(100 * max(0.0, min(1.0, 2 * found.value - 1)))
    label = attribute(f"Wrong, {style}")
    ends = dashed(span(found, "%"))
    return f'<td style="--heat:{strength}%" data-label="{label}"><b>{plain(found.value, "%")}</b><small>{ends}</small></td>'


def _parts(found: BenchResult) -> str:
    if not found.details:
        return ""
    rows = "".join(
        f"<tr><th scope='row'>{visible(name[:80])}</th><td>{_plain(item)}</td><td>{_ends(item)}</td>"
        f"<td>{item.count:,}</td></tr>"
        for name, item in found.details.items()
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Part", "Value", "95 % interval", "Items"))
    return (
        '<details class="small"><summary>Its parts</summary><div class="scroll" tabindex="0" role="region" '
        f'aria-label="Parts of {attribute(found.name)}"><table class="numbers"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _plain(item: Section) -> str:
    return f"{plain(item.value, '%')} %" if item.is_share else number(item.value)


def _ends(item: Section) -> str:
    return dashed(span(item.interval, "%" if item.is_share else ""))
