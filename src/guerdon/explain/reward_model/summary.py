"""All measures of one reward model in one object: what the page draws, what the terminal shows, what JSON keeps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from guerdon.core.types import Json
from guerdon.explain.reward_model.agreement import Agreement, AgreementMatrix, Scaling, agreement, scaling
from guerdon.explain.reward_model.benches import BenchResult
from guerdon.explain.reward_model.best_of import BestOf, best_of_n
from guerdon.explain.reward_model.length import LengthBias, length_bias
from guerdon.explain.reward_model.measures import (
    Accuracy,
    Calibration,
    Distribution,
    Ensemble,
    Histogram,
    Ties,
    accuracy,
    accuracy_by,
    accuracy_by_length,
    calibration,
    distribution,
    ensemble,
    histogram,
    ks_distance,
    margins,
    scores_of,
    ties,
    which_is_longer,
    worst,
)
from guerdon.explain.reward_model.rows import ScoredList, ScoredPair

NUM_WORST = 12
SCORE_COLUMNS = 24
IN_TOKENS, IN_CHARACTERS = "length in tokens", "length in characters"
LONGER_SIDE = "longer side"


@dataclass(frozen=True, slots=True)
class ScoreKinds:
    """How the scores lie, over all and by kind."""

    everything: Distribution
    kinds: Mapping[str, Distribution]
    """chosen, rejected; open-ended, closed where that is known."""
    sides: Histogram
    """Chosen and rejected answers of the decided pairs."""
    endings: Histogram | None
    """Open-ended and closed prompts; None: not known of both."""
    open_closed_distance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was measured; what was not there is None or empty."""

    name: str
    data: str = ""
    """What it was measured on."""
    version: str = ""
    tokens_per_s: float | None = None
    """Read while scoring; None: not counted."""
    accuracy: Accuracy
    slices: Mapping[str, Mapping[str, Accuracy]]
    """By source, set, data set, domain, subset, length, and by which side is longer."""
    ties: Ties | None = None
    calibration: Calibration | None = None
    margins: Histogram | None = None
    scores: ScoreKinds | None = None
    length: LengthBias | None = None
    ensemble: Ensemble | None = None
    best_of: BestOf | None = None
    scaling: Scaling | None = None
    agreements: Mapping[str, Agreement] = dataclasses.field(default_factory=dict)
    """With other models, by their name."""
    matrix: AgreementMatrix | None = None
    """Every model against every other; None: there is one."""
    benches: tuple[BenchResult, ...] = ()
    worst: tuple[ScoredPair, ...] = ()
    samples: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Of the scores of the policy's samples: score_mean, score_std, saturated, u_std, open_closed_distance."""
    alarms: tuple[str, ...] = ()
    """That scores have collapsed, as the run told it."""

    def record(self) -> dict[str, Json]:
        """Everything as JSON, without the texts of the worst mistakes."""
        found = {
            field.name: _json(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name != "worst"
        }
        return found | {"worst": [pair.id for pair in self.worst]}


def summarise(
    pairs: Sequence[ScoredPair],
    *,
    name: str,
    version: str = "",
    lists: Sequence[ScoredList] = (),
    others: Mapping[str, Sequence[ScoredPair]] | None = None,
    runs: Iterable[tuple[int, Iterable[ScoredPair]]] = (),
) -> Summary:
    """Measure what the rows allow; benchmarks and the matrix are added with
    `dataclasses.replace(summary, benches=...)`.

    Args:
        pairs: held-out pairs with scores.
        name: of the model, as a person reads it.
        version: of the model.
        lists: several answers to a prompt with their worth, for best-of-n.
        others: the same pairs scored by other models.
        runs: for each model of a scaling study, its number of training pairs and its scored held-out pairs.
    """
    compared = {other: agreement(pairs, rows) for other, rows in (others or {}).items()}
    return Summary(
        name=name,
        version=version,
        accuracy=accuracy(pairs),
        slices=slices(pairs),
        ties=ties(pairs),
        calibration=calibration(pairs),
        margins=margins(pairs),
        scores=_scores(pairs),
        length=length_bias(pairs),
        ensemble=ensemble(pairs),
        best_of=best_of_n(lists),
        scaling=scaling(runs),
        agreements={other: found for other, found in compared.items() if found},
        worst=tuple(worst(pairs, NUM_WORST)),
    )


def slices(pairs: Sequence[ScoredPair]) -> dict[str, dict[str, Accuracy]]:
    """Accuracy by what is known of the pairs: kind of slice to its parts, of which there are always several."""
    several = len({pair.set for pair in pairs}) > 1

    def subset_of(pair: ScoredPair) -> str:
        return f"{pair.set}, {pair.subset}" if several and pair.set and pair.subset else pair.subset

    found = {
        "source": accuracy_by(pairs, lambda pair: pair.source),
        "set": accuracy_by(pairs, lambda pair: pair.set),
        "data set": accuracy_by(pairs, lambda pair: pair.data_set),
        "domain": accuracy_by(pairs, lambda pair: pair.domain),
        "subset": accuracy_by(pairs, subset_of),
        IN_TOKENS: accuracy_by_length(pairs, lambda pair: pair.tokens),
        IN_CHARACTERS: accuracy_by_length(pairs, lambda pair: pair.chars),
        LONGER_SIDE: accuracy_by(pairs, which_is_longer),
    }
    if found[IN_CHARACTERS] == found[IN_TOKENS]:  # a tokenizer of characters
        del found[IN_CHARACTERS]
    return {name: table for name, table in found.items() if len(table) > 1}


def slice_name(kind: str, part: str) -> str:
    """A part of a slice in words.

    >>> slice_name("domain", "code"), slice_name(IN_TOKENS, "3 to 9"), slice_name(LONGER_SIDE, "chosen longer")
    ('domain code', 'length 3 to 9 tokens', 'chosen longer')
    """
    if kind == LONGER_SIDE:
        return part
    length, _, unit = kind.partition(" in ")
    return f"{length} {part} {unit}" if unit else f"{kind} {part}"


def _scores(pairs: Sequence[ScoredPair]) -> ScoreKinds | None:
    everything = distribution(scores_of(pairs))
    if everything is None:
        return None
    decided = [pair for pair in pairs if not pair.tie]
    sides = {
        "chosen": [pair.chosen_score for pair in decided if pair.chosen_score is not None],
        "rejected": [pair.rejected_score for pair in decided if pair.rejected_score is not None],
    }
    endings = {
        "open-ended": scores_of(pairs, open_ended=True),
        "closed": scores_of(pairs, open_ended=False),
    }
    kinds = {name: distribution(values) for name, values in {**sides, **endings}.items()}
    low, high = _range(everything)
    both = all(endings.values())
    return ScoreKinds(
        everything,
        {name: found for name, found in kinds.items() if found},
        histogram(sides, low, high, SCORE_COLUMNS),
        histogram(endings, low, high, SCORE_COLUMNS) if both else None,
        ks_distance(*endings.values()),
    )


def _range(found: Distribution) -> tuple[float, float]:
    """Squashed scores are shown on their whole scale: how much of it they use is the point."""
    if found.low >= -1 and found.high <= 1:
        return -1.0, 1.0
    return (found.low, found.high) if found.high > found.low else (found.low - 1, found.high + 1)


def _json(value: object) -> Json:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
