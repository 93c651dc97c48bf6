"""Preferences with exact truth: worked solutions of arithmetic against the same with a fault put in.

step     one step is wrong, everything after it and the final answer are right     only reading the work finds it
answer   every step is right, the final answer is not                              only comparing finds it
carried  one step is wrong and everything after it follows from it                 as models err
"""

from __future__ import annotations

import dataclasses
import random
import re
from typing import TYPE_CHECKING

from guerdon.core.seeds import derive_seed
from guerdon.core.types import Preference, Problem
from guerdon.data.config import ArithConfig
from guerdon.data.critiques.worked import arith_checks
from guerdon.data.preferences.reading import PreferenceSet
from guerdon.data.worlds import arith_problems

if TYPE_CHECKING:
    from guerdon.data.preferences.config import ArithPreferencesConfig

_STEP = re.compile(r"(-?\d+) ([+\-*]) (\d+) = (-?\d+)")
_NUMBER = re.compile(r"-?\d+")


def faulty_preferences(config: ArithPreferencesConfig, seed: int) -> PreferenceSet:
    """`config.num_pairs` pairs, each about another problem; the faults take turns."""
    world = ArithConfig(
        num_problems=config.num_pairs,
        min_operands=config.min_operands,
        max_operands=config.max_operands,
        max_digits=config.max_digits,
        operators=config.operators,
        layout=config.layout,
    )
    pairs = []
    for index, problem in enumerate(arith_problems(world, seed)):
        draw = random.Random(derive_seed(seed, "fault", problem.id))
        fault = config.faults[index % len(config.faults)]
        right = str(problem.info["solution"])
        wrong = with_fault(right, fault, draw)
        if draw.random() < config.label_noise:
            right, wrong = wrong, right
        pairs.append(
            Preference(
                problem=_shown(problem, fault),
                chosen=right,
                rejected=wrong,
                source=config.source,
                chosen_critique=arith_checks(right),
                rejected_critique=arith_checks(wrong),
            )
        )
    return PreferenceSet(
        pairs=tuple(pairs),
        places=tuple(f"pair {index + 1}" for index in range(len(pairs))),
        layout="arith",
        num_rows=len(pairs),
    )


def _shown(problem: Problem, fault: str) -> Problem:
    kept = {key: value for key, value in problem.info.items() if key != "solution"}
    return dataclasses.replace(problem, info={**kept, "subset": fault})


def with_fault(solution: str, fault: str, draw: random.Random) -> str:
    r"""The solution with one fault; every number keeps its sign and, where it can, its number of digits.

    >>> with_fault("2 + 3 = 5\n#### 5", "answer", random.Random(0)).startswith("2 + 3 = 5\n#### ")
    True
    """
    steps = list(_STEP.finditer(solution))
    if fault == "answer":
        last = list(_NUMBER.finditer(solution))[-1]
        return f"{solution[: last.start()]}{_near(int(last[0]), draw)}{solution[last.end() :]}"
    place = draw.randrange(len(steps))
    if fault == "step":
        chosen = steps[place]
        return f"{solution[: chosen.start(4)]}{_near(int(chosen[4]), draw)}{solution[chosen.end(4) :]}"
    return _carried(solution, steps, place, draw)


def _carried(solution: str, steps: list[re.Match[str]], place: int, draw: random.Random) -> str:
    """Wrong from one step on: what a step yields stands first in the next, where it stood there before."""
    out, end = "", 0
    old = new = 0
    for index, step in enumerate(steps):
        first, sign, second, result = int(step[1]), step[2], int(step[3]), int(step[4])
        if index > place and first == old:
            first = new
        value = {"+": first + second, "-": first - second, "*": first * second}[sign]
        value = _near(value, draw) if index == place else value
        out += f"{solution[end : step.start()]}{first} {sign} {second} = {value}"
        end, old, new = step.end(), result, value
    tail = solution[end:]
    last = list(_NUMBER.finditer(tail))[-1]
    return f"{out}{tail[: last.start()]}{new}{tail[last.end() :]}"


def _near(value: int, draw: random.Random) -> int:
    """Another number, 1 to 9 away, of the same sign and number of digits where there is one."""
    others = [value + gap for gap in range(-9, 10) if gap]
    alike = [other for other in others if len(str(other)) == len(str(value)) and (other < 0) == (value < 0)]
    return draw.choice(alike or others)
