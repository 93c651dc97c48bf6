"""The table a run ends with on the terminal: each value stands over its 95 % interval. Fits into 80 columns.

                     before        after SFT     after GRPO    change by GRPO
sampled accuracy, %  31.0          38.2          52.4          +14.2
                     27.9 to 34.2  35.1 to 41.4  49.3 to 55.6  9.8 to 18.5
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guerdon.explain.glossary import term
from guerdon.explain.read import Evaluation, Interval, parse_evaluation
from guerdon.explain.words import change, first_and_last, label_name, plain, span


def results_table(evals: Sequence[Mapping[str, Any]]) -> str:
    """The evaluations of a run as aligned plain ASCII, without a newline at its end.

    Args:
        evals: lines of evals.jsonl, in order.

    Returns:
        Two lines per metric; empty text where there is no evaluation.
    """
    found = [parse_evaluation(record) for record in evals]
    if not found:
        return ""
    last = found[-1]
    head = ["", *(label_name(item.label) for item in found)]
    if last.changes:
        head.append(f"change by {label_name(last.stage)}")
    names = dict.fromkeys(name for item in found for name in item.metrics)
    rows = [head, *(line for name in names for line in _lines(name, found, last))]
    lines = aligned(rows)
    lines.append(f"Below each value: its bootstrap 95 % interval over {last.num_problems} held-out problems.")
    if last.changes:
        lines.append("Changes are paired on the same problems.")
    return plain_ascii(lines)


def reward_table(evals: Sequence[Mapping[str, Any]]) -> str:
    """The evaluations of a reward model as aligned plain ASCII: a row a measure, a column an evaluation.

    Args:
        evals: lines of evals.jsonl, in order; of many, the first and the last are shown.
    """
    found = [parse_evaluation(record) for record in first_and_last(evals)]
    if not found:
        return ""
    names = dict.fromkeys(name for item in found for name in item.metrics)
    rows = [["", *(item.label for item in found)]]
    for name in names:
        known = term(name)
        label = f"{known.label.lower()}, {known.unit}" if known.unit else known.label.lower()
        rows.append([label, *(_cell(item.metrics.get(name), known.unit) for item in found)])
    lines = aligned(rows)
    lines.append(f"In brackets: Wilson 95 % intervals over {found[-1].num_problems} held-out pairs.")
    return plain_ascii(lines)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines of left-aligned columns, with a rule below the first."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return lines


def plain_ascii(lines: Sequence[str]) -> str:
    """Lines as one text that every terminal shows and in which nothing steers one."""
    simple = "\n".join(
        line.replace("−", "-").replace("\u00a0", " ").replace("\n", " ").rstrip() for line in lines
    )
    return "".join(char if " " <= char <= "~" or char == "\n" else "?" for char in simple)


def _cell(found: Interval | None, unit: str) -> str:
    if found is None:
        return "-"
    ends = _ends(found, unit)
    return f"{plain(found.value, unit)} ({ends})" if ends else plain(found.value, unit)


def _lines(name: str, evals: Sequence[Evaluation], last: Evaluation) -> tuple[list[str], list[str]]:
    known = term(name)
    values = [f"{known.label.lower()}, {known.unit}" if known.unit else known.label.lower()]
    ends = [""]
    for item in evals:
        found = item.metrics.get(name)
        values.append(plain(found.value, known.unit) if found else "-")
        ends.append(_ends(found, known.unit))
    if last.changes:
        gap = last.changes.get(name)
        values.append(change(gap.value, known.unit) if gap else "-")
        ends.append(_ends(gap, known.unit))
    return values, ends


def _ends(found: Interval | None, unit: str) -> str:
    return span(found, unit) if found else ""
