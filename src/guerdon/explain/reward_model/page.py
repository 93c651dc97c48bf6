"""The page on a reward model: one self-contained HTML file with accuracies, pictures and the worst mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from guerdon.core.types import Json
from guerdon.explain.escape import marked, number, visible
from guerdon.explain.figure import figure
from guerdon.explain.page import folded, heading, page, section
from guerdon.explain.panels import Panel
from guerdon.explain.read import Interval
from guerdon.explain.reward_model.agreement import AgreementMatrix
from guerdon.explain.reward_model.bench_page import bench_section, share_cell
from guerdon.explain.reward_model.benches import BenchResult
from guerdon.explain.reward_model.measures import Accuracy
from guerdon.explain.reward_model.pictures import pictures
from guerdon.explain.reward_model.rows import ScoredPair
from guerdon.explain.reward_model.summary import IN_CHARACTERS, IN_TOKENS, Summary
from guerdon.explain.words import amount, change, counted, is_clear, plain, span
from guerdon.explain.write import replace_file

MAX_ROWS = 40
"""Rows of one slice; the rest is counted."""
NUM_OPEN = 4
"""Mistakes that are shown at once; the others are folded away."""
PICTURES = "The underlined titles explain themselves; under the pointer, charts tell their numbers."
TRAINING = "Dots: single steps; lines: moving averages. Horizontal axis: step."


def write_page(path: Path, summary: Summary, *, training: Sequence[Panel] = ()) -> Path:
    """Write the page, replacing an older one in one step.

    Args:
        path: of the page.
        summary: what was measured.
        training: the curves of the model's own training, where that is known.

    Raises:
        UserError: it cannot be written.
    """
    return replace_file(path, page_html(summary, training=training))


def page_html(summary: Summary, *, training: Sequence[Panel] = ()) -> str:
    """The page as text."""
    charts: dict[str, Json] = {}

    def drawn(panels: Iterable[Panel]) -> list[str]:
        figures = []
        for panel in panels:
            anchor = f"chart-{len(charts)}"
            charts[anchor] = panel.drawing.data
            figures.append(figure(anchor, panel))
        return figures

    said = verdict(summary)
    body = [
        heading(summary.name, said, kicker="Guerdon reward model report"),
        "<main>",
        _strip(summary),
        _maybe("benches", "Benchmarks", "".join(bench_section(found) for found in summary.benches)),
        _maybe("pictures", "Pictures", _gallery(drawn(pictures(summary)), PICTURES)),
        _maybe("accuracy", "One pair of each item" if summary.benches else "Accuracy", _accuracies(summary)),
        _maybe("training", "Training", _gallery(drawn(training), TRAINING)),
        _maybe("agreement", "Against other models", _agreements(summary)),
        _maybe("worst", "Most confident mistakes", _worst(summary)),
        "</main>",
        '<div id="tooltip" role="status" aria-live="polite" hidden></div>',
    ]
    return page(
        title=f"{summary.name}: reward model report", description=said, body="".join(body), charts=charts
    )


def verdict(summary: Summary) -> str:
    """One sentence: how often right, how sure is that, and what speaks against it. Of a benchmark its own number."""
    found = summary.accuracy
    if found.share is None:
        without = f"{found.num_unscored:,} without a score, {counted(found.num_ties, 'tie')}"
        text = f"No pair could be judged ({without})"
    elif summary.benches:
        text = "; ".join(_official(bench) for bench in summary.benches)
    else:
        text = (
            f"The chosen answer wins in {amount(found.share.value, '%')} of {counted(found.num_decided, 'pair')} "
            f"(95\u00a0% interval {span(found.share, '%')})"
        )
    doubts = list(_doubts(summary))
    return f"{text}; {', '.join(doubts)}." if doubts else f"{text}."


def _official(found: BenchResult) -> str:
    if found.official is None:
        return f"{found.name} has no overall number here"
    count = sum(item.count for item in found.sections.values())
    part = " of the sections that are there" if found.missing else ""
    return (
        f"{found.name}: {amount(found.official.value, '%')}{part}, over {counted(count, 'item')} "
        f"(95\u00a0% interval {span(found.official, '%')})"
    )


def _doubts(summary: Summary) -> Iterator[str]:
    share = None if summary.benches else summary.accuracy.share
    if share and share.low is not None and share.high is not None and share.low <= 0.5 <= share.high:
        yield "that is not distinguishable from chance"
    bias = summary.length
    if share and bias and bias.change and is_clear(bias.change) and bias.change.value < 0:
        yield f"{change(bias.change.value, '%')} points when length is taken out"
    if summary.scores and summary.scores.everything.saturated > 0.5:
        yield f"{amount(summary.scores.everything.saturated, '%')} of the scores are saturated"
    yield from summary.alarms[-1:]


def facts(summary: Summary) -> dict[str, str]:
    """Single numbers with their names, for the strip of the page and for the terminal."""
    found = summary.accuracy
    rows = {"Version": summary.version, "Pairs": f"{found.num_decided:,}"}
    rows |= {"Ties by label": _count(found.num_ties), "Equal scores": _count(found.num_equal)}
    rows |= {"Without a score": _count(found.num_unscored)}
    if summary.calibration:
        rows["Calibration error"] = amount(summary.calibration.error, "%")
    if summary.scores:
        every = summary.scores.everything
        rows["Score, mean and spread"] = f"{number(every.mean)} ± {number(every.std)}"
        rows["Saturated scores"] = amount(every.saturated, "%")
        if summary.scores.open_closed_distance is not None:
            rows["Open against closed"] = number(summary.scores.open_closed_distance)
    rows |= _sample_facts(summary.samples)
    if summary.length:
        rows |= _length_facts(summary)
    if summary.ties:
        rows["Margin above a tie's"] = amount(summary.ties.correctness_preferred, "%")
    if summary.ensemble:
        team = summary.ensemble
        rows["Members"] = ", ".join(plain(member.value, "%") for member in team.members) + "\u00a0%"
        rows["Unanimous"] = _part_text(team.unanimous, team.num_unanimous)
        rows["Divided"] = _part_text(team.divided, team.num_divided)
    if summary.tokens_per_s:
        rows["Scoring speed"] = f"{summary.tokens_per_s:,.0f} tokens/s"
    return {name: value for name, value in rows.items() if value}


def _sample_facts(found: Mapping[str, float]) -> dict[str, str]:
    """On answers of the policy that the model will judge."""
    rows = {}
    if {"score_mean", "score_std"} <= found.keys():
        rows["Samples, mean and spread"] = f"{number(found['score_mean'])} ± {number(found['score_std'])}"
    if "saturated" in found:
        rows["Saturated samples"] = amount(found["saturated"], "%")
    if "open_closed_distance" in found:
        rows["Samples, open against closed"] = number(found["open_closed_distance"])
    return rows


def _length_facts(summary: Summary) -> dict[str, str]:
    found = summary.length
    if found is None:
        return {}
    rows = {}
    if found.spearman is not None:
        rows["Value against length"] = f"ρ = {number(found.spearman)}"
    rows["Longer is better"] = _share_text(found.longer_is_better)
    rows["Prefers the longer"] = _share_text(found.longer_preferred)
    if found.after and found.before:
        rows["Without length"] = f"{plain(found.before.value, '%')} → {amount(found.after.value, '%')}"
    return rows


def _share_text(found: Interval | None) -> str:
    return "" if found is None else amount(found.value, "%")


def _part_text(found: Interval | None, count: int) -> str:
    return "no pair" if found is None else f"{_share_text(found)} of {counted(count, 'pair')}"


def _count(value: int) -> str:
    return f"{value:,}" if value else ""


def _strip(summary: Summary) -> str:
    rows = "".join(
        f"<div><dt>{visible(name)}</dt><dd>{visible(value[:160])}</dd></div>"
        for name, value in facts(summary).items()
    )
    return f'<dl class="facts-strip">{rows}</dl>'


def _gallery(figures: Sequence[str], lead: str) -> str:
    if not figures:
        return ""
    return f'<p class="lead">{lead}</p><div class="charts">{"".join(figures)}</div>'


def _maybe(anchor: str, title: str, body: str) -> str:
    return section(anchor, title, body) if body else ""


def _accuracies(summary: Summary) -> str:
    if summary.accuracy.share is None:
        return ""
    everything = "One pair of each item" if summary.benches else "All pairs"
    rows = [_row(everything, summary.accuracy, summary.accuracy)]
    if summary.length and summary.length.after:
        kept = replace(summary.accuracy, share=summary.length.after)
        rows.append(_row(f"{everything}, length taken out", kept, kept))
    for name, table in summary.slices.items():
        title = f"{name}, of the longer answer" if name in (IN_TOKENS, IN_CHARACTERS) else name
        rows.append(f'<tr class="group-head"><th scope="colgroup" colspan="4">By {visible(title)}</th></tr>')
        shown = list(table.items())[:MAX_ROWS]
        rows += [_row(label, item, summary.accuracy) for label, item in shown]
        if len(table) > MAX_ROWS:
            rows.append(
                f'<tr><td colspan="4" class="muted">{len(table) - MAX_ROWS:,} more are left out</td></tr>'
            )
    said = " ".join(bench.pairs_are for bench in summary.benches)
    note = f"{said} " if said else ""
    note += (
        "Share of decided pairs whose chosen answer scores higher; equal scores count half. Bars: Wilson 95 % "
        "intervals, from 0 to 100 %. Ties by label and pairs without a score are in no share."
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Accuracy", "Pairs", "Left out"))
    return (
        f'<table class="results accuracies"><caption>{visible(note)}</caption><thead><tr><th scope="col">'
        f'<span class="sr">Slice</span></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _row(label: str, item: Accuracy, everything: Accuracy) -> str:
    share = item.share
    mood = ""
    if (
        share
        and everything.share
        and share.low is not None
        and share.high is not None
        and share is not everything.share
    ):
        # Coloured only where the interval leaves out the overall accuracy.
        mood = (
            " good"
            if share.low > everything.share.value
            else " bad"
            if share.high < everything.share.value
            else ""
        )
    value = "–"
    if share:
        value = share_cell(share)
    out = [
        counted(item.num_ties, "tie") if item.num_ties else "",
        f"{item.num_unscored:,} unscored" if item.num_unscored else "",
    ]
    left = ", ".join(filter(None, out)) or "–"
    return (
        f'<tr><th scope="row">{visible(label[:80])}</th><td class="share{mood}" data-label="Accuracy">{value}</td>'
        f'<td data-label="Pairs">{item.num_decided:,}</td><td data-label="Left out">{left}</td></tr>'
    )  # fmt: skip


def _agreements(summary: Summary) -> str:
    rows = []
    for name, item in summary.agreements.items():
        gap = item.change
        ends = f"<small>{span(gap, '%')}</small>" if gap else ""
        cells: Mapping[str, str] = {
            "Pairs": f"{item.num_pairs:,}",
            "Same verdict": f"<b>{plain(item.same.value, '%')}</b><span class='unit'>%</span>",
            "Cohen’s κ": _maybe_number(item.kappa),
            "ρ of scores": _maybe_number(item.spearman_scores),
            "ρ of differences": _maybe_number(item.spearman_differences),
            "Its accuracy, change": f"<b>{change(gap.value, '%')}</b>{ends}" if gap else "–",
        }
        row = "".join(f'<td data-label="{label}">{cell}</td>' for label, cell in cells.items())
        rows.append(f'<tr><th scope="row">{visible(name[:80])}</th>{row}</tr>')
    if not rows:
        return ""
    titles = ("Pairs", "Same verdict", "Cohen’s κ", "ρ of scores", "ρ of differences", "Its accuracy, change")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    return (
        _matrix(summary.matrix)
        + '<table class="results"><caption>On the pairs that both scored. The change is that of the other model '
        'against this one, in points, paired, with its bootstrap 95 % interval.</caption><thead><tr><th scope="col">'
        f'<span class="sr">Model</span></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _matrix(matrix: AgreementMatrix | None) -> str:
    """A heat map: the more alike two models are, the stronger the colour."""
    if matrix is None:
        return ""
    numbers = range(1, len(matrix.names) + 1)
    head = "".join(f'<th scope="col">{place}</th>' for place in numbers)
    rows = []
    for place, name, share, same, kappas in zip(
        numbers, matrix.names, matrix.accuracy, matrix.same, matrix.kappa, strict=True
    ):
        cells = "".join(
            _heat(value, kappa, f"Same as {other}", itself=other == place)
            for other, value, kappa in zip(numbers, same, kappas, strict=True)
        )
        accuracy = f"<b>{plain(share.value, '%')}</b><small>{span(share, '%')}</small>" if share else "–"
        rows.append(
            f'<tr><th scope="row">{place} {visible(name[:80])}</th><td data-label="Accuracy">{accuracy}</td>{cells}</tr>'
        )
    note = (
        "Share of the pairs in which two models prefer the same side, in %, and Cohen’s κ (0 is chance). "
        "Colour: from half of the pairs to all."
    )
    return (
        f'<table class="results heat"><caption>{note}</caption><thead><tr><th scope="col"><span class="sr">Model</span>'
        f'</th><th scope="col">Accuracy</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _heat(value: float | None, kappa: float | None, label: str, *, itself: bool) -> str:
    if itself or value is None:
        return f'<td data-label="{label}">–</td>'
    strength = round(100 * max(0.0, min(1.0, 2 * value - 1)))
    more = f"<small>κ {number(kappa)}</small>" if kappa is not None else ""
    return f'<td style="--heat:{strength}%" data-label="{label}"><b>{plain(value, "%")}</b>{more}</td>'


def _maybe_number(value: float | None) -> str:
    return "–" if value is None else number(value)


def _worst(summary: Summary) -> str:
    shown = "".join(_mistake(pair) for pair in summary.worst[:NUM_OPEN])
    rest = "".join(_mistake(pair) for pair in summary.worst[NUM_OPEN:])
    return shown + (folded(f"{len(summary.worst) - NUM_OPEN} more", rest) if rest else "")


def _mistake(pair: ScoredPair) -> str:
    labels = " · ".join(
        filter(None, (pair.source, pair.set, pair.data_set, pair.domain, pair.subset, pair.id))
    )[:200]
    what = "" if pair.chosen_u is None else "u is "
    gap = (
        f"{what}{number(-pair.difference)} higher for the rejected answer"
        if pair.difference is not None
        else ""
    )
    sides = "".join(
        f'<section><h4>{title} <span class="badge {mood}">{_maybe_number(score)}</span></h4>'
        f'<div class="text">{marked(text) if text else "<span class=gap>text not recorded</span>"}</div></section>'
        for title, mood, score, text in (
            ("Chosen by the label", "good", pair.chosen_score, pair.chosen),
            ("Rejected, scored higher", "bad", pair.rejected_score, pair.rejected),
        )
    )
    prompt = f'<div class="prompt">{marked(pair.prompt)}</div>' if pair.prompt else ""
    return (
        f'<article class="comparison"><header>{prompt}<span class="muted small">{visible(labels)}; {visible(gap)}</span>'
        f'</header><div class="columns">{sides}</div></article>'
    )
