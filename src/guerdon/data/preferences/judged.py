"""What a reward model is trained on: pairs, whole lists, and rated answers that have no partner.

    pairs of a file ------------------------------------> pairs
    answers to a prompt --listwise, some better-----------> one list, in place of the pairs made of it
                        --pointwise, rated, in no pair----> one answer each

Every judgement is read once: a list's order says all that its pairs say.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping

from guerdon.core.types import Preference
from guerdon.data.preferences.pairing import GOOD, SCORE, Answer, Candidates, ranked_answers
from guerdon.data.preferences.reading import PreferenceSet

Judged = Preference | Candidates
"""A pair, or the ranked answers to one prompt: a list, or one rated answer alone."""


def judged_of(found: PreferenceSet, *, listwise: bool, pointwise: bool) -> list[Judged]:
    """What of a set is trained on; without either, its pairs.

    Args:
        found: the set.
        listwise: lists with an order are taken whole. Where all answers are equal there is none; such pairs stay ties.
        pointwise: rated answers that are in no pair and no list are taken alone.
    """
    ranked = [ranked_list(one) for one in found.lists]
    whole = {number for number, one in enumerate(ranked) if listwise and is_list(one)}
    pairs: dict[int, list[Preference]] = {}
    for number, pair in zip(found.list_of, found.pairs, strict=True) if found.list_of else ():
        pairs.setdefault(number, []).append(pair)
    judged: list[Judged] = [] if found.list_of else [*found.pairs]
    for number, one in enumerate(ranked):
        if number in whole:
            judged.append(one)
            continue
        own = pairs.get(number, [])
        judged += own
        seen = {text for pair in own for text in (pair.chosen, pair.rejected)}
        judged += [
            dataclasses.replace(one, answers=(answer,))
            for answer in one.answers
            if pointwise and answer.text not in seen and overall(answer.ratings) is not None
        ]
    return judged


def ranked_list(candidates: Candidates) -> Candidates:
    """Its rated answers, best first, each text once."""
    ranked = ranked_answers(candidates, Counter())
    return dataclasses.replace(candidates, answers=tuple(answer for _, answer in ranked))


def is_list(judged: Judged) -> bool:
    """Whether these are answers of which some are better than others."""
    return isinstance(judged, Candidates) and len({answer.score for answer in judged.answers}) > 1


def overall(ratings: Mapping[str, float]) -> float | None:
    """The rating that speaks of the answer as a whole."""
    return ratings.get(SCORE, ratings.get(GOOD))


def answers_of(judged: Judged) -> tuple[Answer, ...]:
    """The answers; of a pair chosen and rejected, scored 1 and 0, or both one half."""
    if isinstance(judged, Candidates):
        return judged.answers
    better, worse = (0.5, 0.5) if judged.tie else (1.0, 0.0)
    return (
        Answer(
            text=judged.chosen,
            score=better,
            ratings=judged.chosen_ratings,
            annotator=judged.annotator,
            critique=judged.chosen_critique,
        ),
        Answer(
            text=judged.rejected,
            score=worse,
            ratings=judged.rejected_ratings,
            annotator=judged.annotator,
            critique=judged.rejected_critique,
        ),
    )
