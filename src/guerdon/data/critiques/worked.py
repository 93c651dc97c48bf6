r"""Worked critiques of synthetic arithmetic: every step is quoted, computed again, and only then judged.

Principles: right steps, right answer.
1: 3 + 8 = 11? 11, ok; 11 - 2 = 8? 9, no; answer 8? 8, ok
2: 3 + 8 = 11? 11, ok; 11 - 2 = 9? 9, ok; answer 9? 9, ok
Scores: 1, 10
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from guerdon.core.critique import HIGH, LOW, score_line

GOOD, BAD = HIGH, LOW
"""Scores of a response without and with a fault: the labels of single responses."""
PRINCIPLES = "Principles: right steps, right answer."
_STEP = re.compile(r"(-?\d+) ([+\-*]) (\d+) = (-?\d+)")
_NUMBER = re.compile(r"-?\d+")


def arith_critique(responses: Sequence[str]) -> str | None:
    """Principles, a critique of each response, scores; None where a response has no steps to check."""
    lines, scores = [PRINCIPLES], []
    for number, response in enumerate(responses, start=1):
        checks = _checks(response)
        if not checks:
            return None
        lines.append(f"{number}: {_said(checks)}")
        scores.append(GOOD if all(right for _, right in checks) else BAD)
    return "\n".join([*lines, score_line(scores)])


def arith_checks(response: str) -> str | None:
    r"""The critique of one response, without a score; None where it has no steps to check.

    >>> arith_checks("3 + 8 = 11\n11 - 2 = 8\n#### 8")
    '3 + 8 = 11? 11, ok; 11 - 2 = 8? 9, no; answer 8? 8, ok'
    """
    return _said(_checks(response)) or None


def _said(checks: Sequence[tuple[str, bool]]) -> str:
    return "; ".join(f"{said}, {'ok' if right else 'no'}" for said, right in checks)


def _checks(response: str) -> list[tuple[str, bool]]:
    """Every step, and whether the answer is what the last one says; empty where there are none."""
    steps = list(_STEP.finditer(response))
    rest = _NUMBER.findall(response[steps[-1].end() :]) if steps else []
    if not rest:
        return []
    last = steps[-1][4]
    return [*(_checked(step) for step in steps), (f"answer {rest[-1]}? {last}", rest[-1] == last)]


def _checked(step: re.Match[str]) -> tuple[str, bool]:
    first, sign, second = int(step[1]), step[2], int(step[3])
    value = {"+": first + second, "-": first - second, "*": first * second}[sign]
    return f"{step[0]}? {value}", value == int(step[4])
