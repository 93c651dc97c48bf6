"""What is wrong with a set of pairs: repetitions, contradictions, length bias, labels that an audit overturns.

Pairs go by one at a time; a hash a pair is remembered.

    the same pair, judged the same way again                      repetition     told
    ... the other way round, by another annotator                 disagreement   told, with the agreement
    ... by the same annotator, or nobody said by whom             contradiction  a problem
    a > b > c > a for one prompt                                  cycle          told
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from guerdon.core.seeds import content_hash
from guerdon.core.types import Preference
from guerdon.data.preferences.pairing import SCORE, VERDICT
from guerdon.data.split import prompt_key

Z95 = 1.959964
"""Standard deviations on either side that hold 95 % of a normal distribution."""
MAX_EXAMPLES = 10
COPIED = 0.98
"""A verdict that picks more of the chosen sides than this is the label."""
REPETITION, DISAGREEMENT, CONTRADICTION = "repetition", "disagreement", "contradiction"


class Conflict(NamedTuple):
    """A pair that stood before."""

    name: str
    other: str
    how: str
    """repetition, disagreement or contradiction."""


class Share(NamedTuple):
    """A share with its Wilson interval of 95 %."""

    value: float
    low: float
    high: float
    num: int
    """Of how many."""

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


class LabelNoise(NamedTuple):
    """How often an audit overturns the labels."""

    num_wrong: int
    num_audited: int
    num_ties: int
    """Pairs that one of the two calls a tie; they count for neither side."""

    @property
    def share(self) -> float:
        """Of audited pairs; NaN: there are none."""
        return self.num_wrong / self.num_audited if self.num_audited else math.nan

    def __str__(self) -> str:
        return (
            f"{self.num_wrong} of {self.num_audited} audited pairs are labelled the wrong way, "
            f"{wilson(self.num_wrong, self.num_audited)}"
        )


def wilson(hits: int, count: int) -> Share:
    """The share of hits with its interval (Wilson 1927): sound for small counts and shares near 0 and 1.

    >>> str(wilson(8, 10))
    '80.0 % (49.0 to 94.3)'
    """
    if not count:
        return Share(math.nan, 0.0, 1.0, 0)
    share, square = hits / count, Z95**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = Z95 * math.sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return Share(share, max(0.0, centre - half), min(1.0, centre + half), count)


def pair_key(pair: Preference) -> str:
    """Hash of the prompt and the two answers, whichever is chosen."""
    sides = sorted((pair.chosen.strip(), pair.rejected.strip()))
    return content_hash("\x1f".join([prompt_key(pair.problem), *map(content_hash, sides)]))


def label_noise(pairs: Iterable[Preference], audit: Iterable[Preference]) -> LabelNoise:
    """How many labels another judgement of the same pairs overturns; ties of either are counted apart.

    Args:
        pairs: the labels in question.
        audit: the same pairs, some of them at least, judged with care; where it holds one twice, the last counts.
    """
    truth = {pair_key(pair): pair for pair in audit}
    wrong = judged = ties = 0
    for pair in pairs:
        other = truth.get(pair_key(pair))
        if other is None:
            continue
        if pair.tie or other.tie:
            ties += 1
            continue
        judged += 1
        wrong += pair.chosen.strip() != other.chosen.strip()
    return LabelNoise(wrong, judged, ties)


class Audit:
    """Takes the pairs of a set one by one; then says what is wrong with it."""

    def __init__(self) -> None:
        self.num_pairs = 0
        self.ties = 0
        self.with_margin = 0
        self.sources: Counter[str] = Counter()
        self.longer: Counter[str] = Counter()
        """By source: pairs whose chosen side is the longer one."""
        self.uneven: Counter[str] = Counter()
        """By source: pairs, no ties, whose sides differ in length."""
        self.counts: Counter[str] = Counter()
        """Conflicts by kind."""
        self.examples: list[Conflict] = []
        self.num_agreements = 0
        """Pairs that a second annotator judged the same way."""
        self.num_inverted = 0
        """Pairs whose chosen side has the lower overall rating, ties aside."""
        self._seen: dict[str, list[tuple[str, str | None, str]]] = {}
        self._better: dict[str, set[tuple[str, str]]] = {}

    @property
    def num_prompts(self) -> int:
        """Distinct prompts."""
        return len(self._better)

    def add(self, pair: Preference, name: str) -> None:
        """One pair; `name` says where it stands."""
        self.num_pairs += 1
        self.ties += pair.tie
        self.with_margin += pair.margin is not None
        self.sources[pair.source] += 1
        self._measure(pair)
        prompt, chosen = prompt_key(pair.problem), content_hash(pair.chosen.strip())
        order = self._better.setdefault(prompt, set())
        if not pair.tie:
            order.add((chosen, content_hash(pair.rejected.strip())))
        self._compare(pair, "" if pair.tie else chosen, name)

    def length_bias(self, source: str | None = None) -> Share:
        """Share of pairs whose chosen side is the longer one: how often a judge of length alone would be right.

        Ties and pairs of equal length say nothing and do not count.
        """
        if source is not None:
            return wilson(self.longer[source], self.uneven[source])
        return wilson(self.longer.total(), self.uneven.total())

    def agreement(self) -> Share:
        """Share of second judgements by other annotators that agree with the first."""
        return wilson(self.num_agreements, self.num_agreements + self.counts[DISAGREEMENT])

    def cyclic_prompts(self) -> list[str]:
        """Prompts with a > b > ... > a over three answers or more; two answers both ways are a conflict already."""
        return [prompt for prompt, order in self._better.items() if _has_cycle(order)]

    def _measure(self, pair: Preference) -> None:
        scores = (pair.chosen_ratings.get(SCORE), pair.rejected_ratings.get(SCORE))
        if pair.tie:
            return
        if scores[0] is not None and scores[1] is not None:
            self.num_inverted += scores[0] < scores[1]
        if len(pair.chosen) != len(pair.rejected):
            self.uneven[pair.source] += 1
            self.longer[pair.source] += len(pair.chosen) > len(pair.rejected)

    def _compare(self, pair: Preference, verdict: str, name: str) -> None:
        """Against earlier judgements of the same pair: those of the same annotator first."""
        earlier = self._seen.setdefault(pair_key(pair), [])
        if earlier:
            own = next((item for item in earlier if item[1] == pair.annotator), None)
            its_verdict, its_annotator, other = own or earlier[0]
            by_another = own is None and pair.annotator is not None and its_annotator is not None
            if its_verdict == verdict:
                how = REPETITION
                self.num_agreements += by_another
            else:
                how = DISAGREEMENT if by_another else CONTRADICTION
            if not (by_another and how == REPETITION):
                self._note(Conflict(name, other, how))
        earlier.append((verdict, pair.annotator, name))

    def _note(self, conflict: Conflict) -> None:
        self.counts[conflict.how] += 1
        if sum(item.how == conflict.how for item in self.examples) < MAX_EXAMPLES:
            self.examples.append(conflict)


def verdict_alone(pairs: Iterable[Preference]) -> Share:
    """How often a rule's verdict alone picks the chosen side, of the pairs that have one on both sides.

    One that picks nearly all of them is the label once more: whoever is shown it need not learn anything else.
    """
    picks, num = 0, 0
    for pair in pairs:
        chosen, rejected = pair.chosen_ratings.get(VERDICT), pair.rejected_ratings.get(VERDICT)
        if not pair.tie and chosen is not None and rejected is not None:
            num += 1
            picks += chosen >= 1.0 > rejected
    return wilson(picks, num)


def verdict_line(share: Share) -> str:
    """That in words for people."""
    line = f"the rule's verdict alone picks the chosen side in {share} of {share.num:,} pairs"
    return f"{line}: a model that is shown it only learns to copy it" if share.value > COPIED else line


def _has_cycle(order: Iterable[tuple[str, str]]) -> bool:
    """Whether something is better than itself in the end (Kahn): pairs both ways left aside."""
    known = set(order)
    edges = {edge for edge in known if edge[::-1] not in known}
    worse: dict[str, list[str]] = {}
    num_better: Counter[str] = Counter()
    for better, other in edges:
        worse.setdefault(better, []).append(other)
        num_better[other] += 1
    free = [node for node in worse if not num_better[node]]
    while free:
        for other in worse.pop(free.pop(), ()):
            num_better[other] -= 1
            if not num_better[other]:
                free.append(other)
    return bool(worse)
