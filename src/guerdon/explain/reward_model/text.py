"""The numbers of a summary as aligned plain text, for the terminal.

                      accuracy, %          pairs  left out
---------------------------------------------------------
all pairs             71.4 (69.0 to 73.7)  1,402  31 ties
source human          68.2 (65.1 to 71.2)  900    -
"""

from __future__ import annotations

from guerdon.explain.read import Interval
from guerdon.explain.reward_model.agreement import AgreementMatrix
from guerdon.explain.reward_model.benches import STYLES
from guerdon.explain.reward_model.measures import Accuracy
from guerdon.explain.reward_model.page import facts
from guerdon.explain.reward_model.summary import Summary, slice_name
from guerdon.explain.terminal import aligned, plain_ascii
from guerdon.explain.words import change, counted, plain, span

MAX_ROWS = 20
"""Rows of one slice."""
_MAX_NAME = 44


def summary_table(summary: Summary) -> str:
    """What the page tells, without pictures and texts; no newline at the end."""
    blocks = [
        [*_benches(summary), *_accuracies(summary)],
        _best_of(summary),
        _scaling(summary),
        _agreements(summary),
    ]
    single = [[name.lower(), value] for name, value in facts(summary).items() if name != "Pairs"]
    lines = blocks[0]
    if single:
        lines += ["", *aligned([["measure", "value"], *single])]
    for block in blocks[1:]:
        if block:
            lines += ["", *block]
    # Greek and arrows have plain names here.
    return plain_ascii([line.replace("ρ", "rho").replace("→", "->").replace("±", "+-") for line in lines])


def _accuracies(summary: Summary) -> list[str]:
    everything = "one pair of each item" if summary.benches else "all pairs"
    rows = [["", "accuracy, %", "pairs", "left out"], _row(everything, summary.accuracy)]
    if summary.length and summary.length.after:
        found = summary.length.after
        rows.append(
            [
                "length taken out",
                _share(found),
                f"{summary.accuracy.num_decided:,}",
                "-",
            ]
        )
    for name, table in summary.slices.items():
        rows += [_row(slice_name(name, label), item) for label, item in list(table.items())[:MAX_ROWS]]
        if len(table) > MAX_ROWS:
            rows.append([f"{name}: {len(table) - MAX_ROWS:,} more", "", "", ""])
    return aligned(rows)  # fmt: skip


def _row(name: str, item: Accuracy) -> list[str]:
    share = _share(item.share) if item.share else "-"
    out = [
        counted(item.num_ties, "tie") if item.num_ties else "",
        f"{item.num_unscored:,} unscored" if item.num_unscored else "",
    ]
    return [_short(name), share, f"{item.num_decided:,}", ", ".join(filter(None, out)) or "-"]


def _benches(summary: Summary) -> list[str]:
    """Each benchmark's official numbers, and what the accuracies below them are."""
    lines: list[str] = []
    for found in summary.benches:
        rows = [[_short(found.name), "official, %", "items"]]
        count = sum(item.count for item in found.sections.values())
        rows.append(["overall", _share(found.official) if found.official else "-", f"{count:,}"])
        rows += [
            [_short(f"  {name}"), _share(item.interval), f"{item.count:,}"]
            for name, item in found.sections.items()
        ]
        lines += [*aligned(rows), *found.notes]
        for name, matrix in list(found.styles.items())[:1]:
            rows = [[f"right, by style ({name.lower()})", *(f"wrong, {style}, %" for style in STYLES)]]
            rows += [[style, *map(_share, row)] for style, row in zip(STYLES, matrix, strict=True)]
            lines += ["", *aligned(rows)]
        lines += ["", found.pairs_are, ""] if found.pairs_are else [""]
    return lines


def _share(found: Interval) -> str:
    ends = span(found, "%")
    return f"{plain(found.value, '%')} ({ends})" if ends else plain(found.value, "%")


def _best_of(summary: Summary) -> list[str]:
    found = summary.best_of
    if found is None:
        return []
    rows = [["best of n", "worth", "u", "best there is"]]
    last = len(found.gold)
    for n in sorted({n for n in (1, 2, 4, 8, 16, 32, 64, 128, last) if n <= last}):
        gold, proxy, oracle = found.gold[n - 1], found.proxy[n - 1], found.oracle[n - 1]
        ends = f" ({span(gold, '')})" if gold.low is not None else ""
        rows.append([str(n), f"{plain(gold.value, '')}{ends}", plain(proxy, ""), plain(oracle, "")])
    return aligned(rows)


def _scaling(summary: Summary) -> list[str]:
    """One model as it grows."""
    if summary.scaling is None:
        return []
    rows = [["pairs seen", "accuracy, %"]]
    rows += [[f"{point.num_pairs:,}", _share(point.share)] for point in summary.scaling.points]
    return aligned(rows)


def _agreements(summary: Summary) -> list[str]:
    rows = [["other model", "same verdict, %", "kappa", "rho of differences", "its accuracy, points"]]
    for name, item in summary.agreements.items():
        gap = f"{change(item.change.value, '%')} ({span(item.change, '%')})" if item.change else "-"
        known = [
            plain(value, "") if value is not None else "-"
            for value in (item.kappa, item.spearman_differences)
        ]
        rows.append([_short(name), plain(item.same.value, "%"), *known, gap])
    return aligned(rows) if len(rows) > 1 else []


def matrix_table(matrix: AgreementMatrix) -> str:
    """Accuracy of each model, and how often each says the same as each other; no newline at the end."""
    numbers = [str(place) for place in range(1, len(matrix.names) + 1)]
    rows = [["model", "accuracy, %", *(f"same as {number}, %" for number in numbers)]]
    for number, name, share, same in zip(numbers, matrix.names, matrix.accuracy, matrix.same, strict=True):
        accuracy = _share(share) if share else "-"
        cells = [
            "" if other == number else "-" if value is None else plain(value, "%")
            for other, value in zip(numbers, same, strict=True)
        ]
        rows.append([f"{number} {_short(name)}", accuracy, *cells])
    return plain_ascii(aligned(rows))


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "~"
