"""Pairs to problems for a critic: which response is better, or how good this one is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guerdon.core.critique import HIGH, LOW, critic_messages
from guerdon.core.errors import DataError
from guerdon.core.seeds import content_hash, derive_seed
from guerdon.core.types import Json, Preference, Problem
from guerdon.data.critiques.config import CritiquesConfig
from guerdon.data.critiques.worked import arith_critique

BEST = "best"
"""Key of `Problem.info`: the 1-based place of the best response, for a problem with several."""
COUNT = "num_responses"
"""Key of `Problem.info`: how many scores are asked for."""


def critique_problems(config: CritiquesConfig, seed: int) -> list[Problem]:
    """One problem a pair, or one a side; ties are left out, for no score is wrong about them.

    Raises:
        DataError: no pair is left.
    """
    found = config.preferences.build(seed)
    worked = config.preferences.kind == "arith"
    problems: list[Problem] = []
    for pair in found.pairs:
        if not pair.tie:
            problems += _problems(config, pair, seed, worked=worked)
    if not problems:
        raise DataError(
            f"data: preferences of kind {config.preferences.kind!r} hold no pair with a better side; give some that do"
        )
    return problems[: config.limit]


def _problems(config: CritiquesConfig, pair: Preference, seed: int, *, worked: bool) -> Iterator[Problem]:
    if config.responses == 1:
        for text, label in ((pair.chosen, HIGH), (pair.rejected, LOW)):
            yield _problem(config, pair, [text], {"label": label}, worked=worked)
        return
    first = derive_seed(seed, "order", pair.problem.id, pair.chosen, pair.rejected) % 2
    texts = [pair.chosen, pair.rejected] if first == 0 else [pair.rejected, pair.chosen]
    yield _problem(config, pair, texts, {BEST: 1 + first}, worked=worked)


def _problem(
    config: CritiquesConfig, pair: Preference, texts: Sequence[str], label: dict[str, Json], *, worked: bool
) -> Problem:
    problem = pair.problem
    reference = problem.target if config.show_reference else None
    solution = arith_critique(texts) if worked else None
    extra: dict[str, Json] = {} if solution is None else {"solution": solution}
    kept: dict[str, Json] = {key: problem.info[key] for key in ("subset", "source") if key in problem.info}
    return Problem(
        id=f"critique/{content_hash(chr(30).join([problem.id, *texts]))}",
        messages=critic_messages(problem.messages, texts, reference),
        target=str(label.get(BEST, label.get("label"))),
        info={**kept, **label, COUNT: len(texts), **extra},
    )
