"""Judgements as scored groups: the answers are rollouts that somebody else wrote and judged.

    pair    chosen and rejected, each with its label    a pair for the ranking
    list    answers by their scores or ranks            a list for the listwise loss
    answer  one, rated                                  for the pointwise loss and for attributes

The feed deals in problems, so each judgement becomes a problem with a name of its own, and this source knows the rest.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from guerdon.core.errors import DataError
from guerdon.core.metrics import Metric, Sum
from guerdon.core.types import (
    Part,
    Preference,
    Problem,
    Rollout,
    RolloutGroup,
    Score,
    ScoredGroup,
    StopReason,
    Turn,
)
from guerdon.data.mix import SET
from guerdon.data.preferences.judged import Judged, answers_of, overall
from guerdon.data.preferences.pairing import GOOD, SCORE, VERDICT
from guerdon.models.config import verdict_word
from guerdon.models.reward import RewardModel, Shown
from guerdon.models.reward_input import Encoded
from guerdon.run.reward_setup import check_shown
from guerdon.train.reward import ATTRIBUTE, CRITIQUE, LABEL, MARGIN, RATING

Scale = Mapping[str, tuple[float, float]]
"""Lowest and highest rating by attribute."""


class PreferenceSource:
    """The judgements of one run, encoded when they are asked for.

    Raises:
        DataError: the model writes critiques, and some answers have none to learn from; or it is shown verdicts, and none
            has any.
    """

    def __init__(self, judged: Sequence[Judged], model: RewardModel, *, too_long: str) -> None:
        self.writes = model.reader.config.critique is not None
        check_shown(judged, model.reader.config)
        self.judged = {f"{index}": item for index, item in enumerate(judged)}
        self.model = model
        self.too_long = too_long
        self.scales = rating_scales(judged)
        self.metrics: dict[str, Metric] = {}
        self._fits: dict[str, bool] = {}

    def num_different(self, names: Iterable[str]) -> int:
        """How many different judgements these are (pairs, lists, single answers), without those too long to learn from.

        Args:
            names: ids of `problems`; a mix by weight may hold one judgement under several.
        """
        for name in (names := list(names)):
            if name not in self._fits:
                self._encoded(name)
        return len({id(self.judged[name]) for name in names if self._fits[name]})

    @property
    def problems(self) -> list[Problem]:
        """One for each judgement, for the feed."""
        return [dataclasses.replace(item.problem, id=name) for name, item in self.judged.items()]

    async def scored(self, step: int, problems: Sequence[Problem]) -> list[ScoredGroup]:
        """As `Source.scored`; what does not fit is left out and counted, and so are prompts that were cut.

        Raises:
            DataError: a response does not fit, and the recipe says to refuse it.
        """
        found = [self._group(problem.id) for problem in problems]
        kept = [one for one in found if one is not None]
        self.metrics = {
            "signal/pairs_too_long": Sum(float(len(found) - len(kept))),
            "signal/prompts_cut": Sum(float(sum(is_cut for _, is_cut in kept))),
        }
        return [group for group, _ in kept]

    def _group(self, name: str) -> tuple[ScoredGroup, bool] | None:
        """The group, and whether its prompt lost its beginning; None: a response does not fit."""
        judged = self.judged[name]
        shown, encoded = self._encoded(name)
        starts = encoded.critique_starts
        rollouts = []
        for index, (text, ids) in enumerate(zip(shown.responses, encoded.responses, strict=True)):
            if ids is None:
                if self.too_long == "refuse":
                    raise DataError(
                        f"preference {judged.problem.id}: {_which(judged, index)} does not fit into "
                        f"{self.model.reader.max_length} tokens, and cutting it would change what is judged; raise "
                        'input.max_length, or set train.too_long = "leave_out"'
                    )
                return None
            turn = Turn(
                prompt_ids=encoded.prompt_ids,
                completion_ids=ids,
                behavior_logprobs=(),
                text=text,
                agent="judged",
                facts={CRITIQUE: starts[index]} if starts else {},
            )
            rollouts.append(Rollout(problem_id=name, index=index, turns=(turn,), stop=StopReason.EOS))
        problem = dataclasses.replace(judged.problem, id=name)
        group = RolloutGroup(problem=problem, rollouts=tuple(rollouts))
        return ScoredGroup(group=group, scores=self._scores(judged)), encoded.num_cut > 0

    def _encoded(self, name: str) -> tuple[Shown, Encoded]:
        shown = shown_of(self.judged[name])
        encoded = self.model.encode(*shown) if self.writes else self.model.encode(*shown[:3])
        self._fits[name] = None not in encoded.responses
        return shown, encoded

    def _scores(self, judged: Judged) -> tuple[Score, ...]:
        scale = self.scales[_set_of(judged)]
        return tuple(
            Score(value=answer.score, parts=(*_place(judged, answer.score), *_rated(answer.ratings, scale)))
            for answer in answers_of(judged)
        )


def _which(judged: Judged, index: int) -> str:
    if isinstance(judged, Preference):
        return f"the {('chosen', 'rejected')[index]} response"
    return f"response {index + 1}"


def _set_of(judged: Judged) -> str:
    return str(judged.problem.info.get(SET, ""))


def _place(judged: Judged, label: float | None) -> tuple[Part, ...]:
    """What only a side of a pair has."""
    if not isinstance(judged, Preference):
        return ()
    return Part(name=LABEL, value=label), Part(name=MARGIN, value=judged.margin, weight=0.0)


def _rated(ratings: Mapping[str, float], scale: Scale) -> list[Part]:
    """Each rating in [-1, 1], and the overall one."""
    scaled = {name: _scaled(value, scale[name]) for name, value in ratings.items()}
    parts = [Part(name=ATTRIBUTE + name, value=value, weight=0.0) for name, value in scaled.items()]
    if overall(scaled) is not None:
        parts.append(Part(name=RATING, value=overall(scaled), weight=0.0))
    return parts


def _scaled(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return 2 * (value - low) / (high - low) - 1 if high > low else 0.0


def rating_scales(judged: Sequence[Judged]) -> dict[str, Scale]:
    """Of each set by its name: lowest and highest rating by attribute, which become -1 and 1.

    A 4 of 0 to 4 and a 10 of 1 to 10 are the same; good and bad are 1 and 0, whatever of the two a set holds.
    """
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for item in judged:
        scale = found.setdefault(_set_of(item), {})
        for answer in answers_of(item):
            for name, value in answer.ratings.items():
                low, high = scale.get(
                    name, (0.0, 1.0) if _is_label(name, answer.ratings) else (math.inf, -math.inf)
                )
                scale[name] = (min(low, value), max(high, value))
    return dict(found)


def _is_label(name: str, ratings: Mapping[str, float]) -> bool:
    return name == GOOD and SCORE not in ratings


def shown_of(judged: Judged) -> Shown:
    """The answers with all that is known of them; critiques only where there is one of each."""
    answers = answers_of(judged)
    written = [answer.critique for answer in answers if answer.critique is not None]
    return Shown(
        judged.problem,
        [answer.text for answer in answers],
        [verdict_word(answer.ratings.get(VERDICT)) for answer in answers],
        written if len(written) == len(answers) else None,
    )


def asked_of(judged: Judged) -> Shown:
    """As `shown_of`, without the critiques: a model that writes them is used with its own."""
    return shown_of(judged)._replace(critiques=None)
