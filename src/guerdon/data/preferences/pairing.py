"""Lists of judged answers to pairs.

    answers --equal texts merged--> ranked by score --policy--> candidate pairs --gap, length, number--> Preferences

Nothing disappears silently: what a filter takes is counted under its reason.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from guerdon.core.seeds import derive_seed
from guerdon.core.types import Preference, Problem
from guerdon.data.preferences.config import PairingConfig

SCORE = "score"
"""The attribute under which an overall rating is kept."""
GOOD = "label"
"""The attribute under which the layout `pointwise` keeps 1 (good) or 0."""
ALIKE = "pairs with equal labels"
"""Why two answers of one label are no pair: nobody compared them."""
UNCOMPARED = "pairs that the preference does not compare"
"""The same of those that are not the best: all that is said of them."""
VERDICT = "verdict"
"""The rating that holds a rule's verdict: 1 right, less is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One judged answer."""

    text: str
    score: float | None
    """What it is ranked by, larger is better; None: nobody could say, so it joins no pair."""
    ratings: Mapping[str, float] = field(default_factory=dict)
    annotator: str | None = None
    critique: str | None = None
    place: str = ""
    """Where it stands in its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Answers to one problem, all judged on one scale; for listwise and pointwise losses as they are."""

    problem: Problem
    answers: tuple[Answer, ...]
    source: str = "human"
    is_scale: bool = True
    """Whether differences of scores mean something. Of ranks they do not: pairs get no margin."""
    no_tie: str = ""
    """Why two answers of equal score make no pair, `ALIKE` or `UNCOMPARED`; "": they are equally good, a tie."""


def pairs_of(
    candidates: Candidates, pairing: PairingConfig, *, seed: int, left_out: Counter[str]
) -> Iterator[Preference]:
    """The pairs of one list, the better answer as `chosen`; of a tie the sides are in random order.

    Args:
        candidates: the list.
        pairing: policy and filters.
        seed: for ties and `max_pairs`; the same seed gives the same pairs.
        left_out: counts what no pair was made of, by reason.
    """
    ranked = ranked_answers(candidates, left_out)
    found: list[Preference] = []
    for better, worse in _chosen_by(pairing.policy, ranked):
        reason = _unfit(candidates, pairing, better, worse)
        if reason:
            left_out[reason] += 1
        else:
            found.append(_pair(candidates, better, worse, seed))
    if pairing.max_pairs is not None and len(found) > pairing.max_pairs:
        left_out["pairs beyond max_pairs"] += len(found) - pairing.max_pairs
        draw = random.Random(derive_seed(seed, "max_pairs", candidates.problem.id))
        kept = sorted(draw.sample(range(len(found)), pairing.max_pairs))
        found = [found[index] for index in kept]
    yield from found


def ranked_answers(candidates: Candidates, left_out: Counter[str]) -> list[tuple[float, Answer]]:
    """(score, answer), best first, without the unrated; each text once, the first time that it stands there."""
    found: dict[str, tuple[float, Answer]] = {}
    for answer in candidates.answers:
        if answer.score is None:
            left_out["answers without a rating"] += 1
            continue
        known = found.setdefault(answer.text.strip(), (answer.score, answer))
        if known[1] is not answer:
            same = known[0] == answer.score
            left_out["repeated answers" if same else "repeated answers with another rating"] += 1
    return sorted(found.values(), key=lambda item: -item[0])


def _chosen_by(
    policy: str, ranked: Sequence[tuple[float, Answer]]
) -> Iterator[tuple[tuple[float, Answer], tuple[float, Answer]]]:
    if policy == "all":
        yield from itertools.combinations(ranked, 2)
    elif policy == "adjacent":
        yield from itertools.pairwise(ranked)
    elif len(ranked) > 1:
        yield ranked[0], ranked[-1]


def _unfit(
    candidates: Candidates, pairing: PairingConfig, better: tuple[float, Answer], worse: tuple[float, Answer]
) -> str:
    """Why these two are no pair; empty: they are."""
    gap = better[0] - worse[0]
    if gap == 0 and candidates.no_tie:
        return candidates.no_tie
    if 0 < gap < pairing.min_gap:
        return "pairs closer than min_gap"
    short, long = sorted((len(better[1].text), len(worse[1].text)))
    if pairing.max_length_ratio is not None and long > short * pairing.max_length_ratio:
        return "pairs beyond max_length_ratio"
    return ""


def _pair(
    candidates: Candidates, better: tuple[float, Answer], worse: tuple[float, Answer], seed: int
) -> Preference:
    gap = better[0] - worse[0]
    tie = gap == 0
    first, second = better[1], worse[1]
    if tie and derive_seed(seed, "tie", candidates.problem.id, first.text, second.text) % 2:
        first, second = second, first  # lists come in an order of their own, by length or by model
    return Preference(
        problem=candidates.problem,
        chosen=first.text,
        rejected=second.text,
        margin=gap if candidates.is_scale and math.isfinite(gap) else None,
        tie=tie,
        source=candidates.source,
        annotator=first.annotator if first.annotator == second.annotator else None,
        chosen_ratings=first.ratings,
        rejected_ratings=second.ratings,
        chosen_critique=first.critique,
        rejected_critique=second.critique,
    )
