r"""Worked critiques of synthetic arithmetic: every step is computed again before it is judged.

Principles: right steps, right answer.
1: 3 + 8 is 11, ok; 11 - 2 is 9, no; answer is 8, ok
2: 3 + 8 is 11, ok; 11 - 2 is 9, ok; answer is 9, ok
Scores: 2, 9
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from guerdon.core.critique import score_line

GOOD, BAD = 9, 2
"""Scores of a response without and with a fault."""
PRINCIPLES = "Principles: right steps, right answer."
_STEP = re.compile(r"(-?\d+) ([+\-*]) (\d+) = (-?\d+)")
_NUMBER = re.compile(r"-?\d+")


def arith_critique(responses: Sequence[str]) -> str | None:
    """Principles, a critique of each response, scores; None where a response has no steps to check."""
    lines, scores = [PRINCIPLES], []
    for number, response in enumerate(responses, start=1):
        steps = list(_STEP.finditer(response))
        rest = _NUMBER.findall(response[steps[-1].end() :]) if steps else []
        if not rest:
            return None
        checks = [_checked(step) for step in steps]
        last = steps[-1][4]
        checks.append((f"answer is {last}", rest[-1] == last))
        lines.append(
            f"{number}: " + "; ".join(f"{said}, {'ok' if right else 'no'}" for said, right in checks)
        )
        scores.append(GOOD if all(right for _, right in checks) else BAD)
    return "\n".join([*lines, score_line(scores)])


def _checked(step: re.Match[str]) -> tuple[str, bool]:
    first, sign, second = int(step[1]), step[2], int(step[3])
    value = {"+": first + second, "-": first - second, "*": first * second}[sign]
    return f"{first} {sign} {second} is {value}", value == int(step[4])
