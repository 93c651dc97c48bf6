"""Synthetic worlds with exact gold: ArithWorld, arithmetic with worked solutions.

Every problem is distinct, its answer is computed, and its solution shows each step.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from guerdon.core.errors import DataError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Message, Problem
from guerdon.data.config import ArithConfig

MAX_MISSES = 2000
"""So many repeats in a row mean that the space of problems is exhausted."""


def arith_problems(config: ArithConfig, seed: int) -> tuple[Problem, ...]:
    """`config.num_problems` distinct problems in a random order.

    Raises:
        DataError: there are not so many distinct problems of this kind.
    """
    generator = random.Random(derive_seed(seed, "arith"))
    found: dict[str, Problem] = {}
    misses = 0
    while len(found) < config.num_problems:
        problem = _draw(config, generator)
        if problem.id in found:
            misses += 1
            if misses > MAX_MISSES:
                raise DataError(
                    f"data: arith has only about {len(found)} distinct problems of this kind, but "
                    f"num_problems={config.num_problems}; raise max_digits or max_operands, or ask for fewer"
                )
            continue
        misses = 0
        found[problem.id] = problem
    return tuple(found.values())


def _draw(config: ArithConfig, generator: random.Random) -> Problem:
    count = generator.randint(config.min_operands, config.max_operands)
    operands = [generator.randint(1, 10**config.max_digits - 1) for _ in range(count)]
    operators = [generator.choice(config.operators) for _ in range(count - 1)]
    expression = _expression(operands, operators)
    answer, steps = _work(operands, operators)
    return Problem(
        id=f"arith/{expression.replace(' ', '')}",
        messages=(Message(role="user", content=_question(config, generator, operands, operators)),),
        target=str(answer),
        info={
            "solution": _solution(steps, answer, config.layout),
            "expression": expression,
            "operands": list(operands),
            "difficulty": count,
        },
    )


STORIES = (
    ("Mia has {} marbles", {"+": "she finds {} more", "-": "she gives away {}"}, "marbles"),
    ("A bus starts with {} people", {"+": "{} get on", "-": "{} get off"}, "people"),
    ("A shop has {} apples", {"+": "{} are delivered", "-": "{} are sold"}, "apples"),
)
"""(opening, a clause for each operator, what is counted); a count may go below zero, as in book-keeping."""


def _question(
    config: ArithConfig, generator: random.Random, operands: list[int], operators: list[str]
) -> str:
    if config.style == "symbols":
        return f"Calculate {_expression(operands, operators)}."
    opening, clauses, noun = generator.choice(STORIES)
    parts = [opening.format(operands[0])]
    parts += [
        clauses[operator].format(operand) for operator, operand in zip(operators, operands[1:], strict=True)
    ]
    return f"{', then '.join(parts)}. How many {noun} is that?"


def _expression(operands: Sequence[int], operators: Sequence[str]) -> str:
    rest = "".join(
        f" {operator} {operand}" for operator, operand in zip(operators, operands[1:], strict=True)
    )
    return f"{operands[0]}{rest}"


def _work(operands: list[int], operators: list[str]) -> tuple[int, list[str]]:
    """Products first, then sums from left to right; every step as a line."""
    numbers, pending, steps = [operands[0]], [], []
    for operator, operand in zip(operators, operands[1:], strict=True):
        if operator == "*":
            product = numbers[-1] * operand
            steps.append(f"{numbers[-1]} * {operand} = {product}")
            numbers[-1] = product
        else:
            pending.append(operator)
            numbers.append(operand)
    total = numbers[0]
    for operator, number in zip(pending, numbers[1:], strict=True):
        result = total + number if operator == "+" else total - number
        steps.append(f"{total} {operator} {number} = {result}")
        total = result
    return total, steps


def _solution(steps: list[str], answer: int, layout: str) -> str:
    work = "\n".join(steps)
    match layout:
        case "boxed":
            return f"{work}\n\\boxed{{{answer}}}"
        case "hash":
            return f"{work}\n#### {answer}"
        case _:
            return f"<think>{work}</think><answer>{answer}</answer>"
