"""Preferences as scored groups: chosen and rejected are two rollouts that somebody else wrote and judged.

The feed deals in problems, so each pair becomes a problem with a name of its own, and this source knows the rest.
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
from guerdon.models.reward import RewardModel, Shown
from guerdon.models.reward_input import Encoded
from guerdon.train.reward import ATTRIBUTE, CRITIQUE, LABEL, MARGIN

RATING = "score"
"""The rating that counts as the overall one."""
VERDICT = "verdict"
"""The rating that holds a rule's verdict: 1 right, less is wrong."""


class PreferenceSource:
    """The pairs of one set, encoded when they are asked for.

    Raises:
        DataError: the model writes critiques, and some pairs hold none to learn from.
    """

    def __init__(self, pairs: Sequence[Preference], model: RewardModel, *, too_long: str) -> None:
        self.writes = model.reader.config.critique is not None
        bare = sum(shown_pair(pair).critiques is None for pair in pairs)
        if self.writes and bare:
            raise DataError(
                f"data: input.critique is set, but {bare:,} of {len(pairs):,} training pairs hold no critique of both "
                "sides; expected columns chosen_critique and rejected_critique (kind arith has them): add them, or remove "
                "input.critique"
            )
        self.pairs = {f"{index}": pair for index, pair in enumerate(pairs)}
        self.model = model
        self.too_long = too_long
        self.scale = rating_scale(pairs)
        self.metrics: dict[str, Metric] = {}
        self._fits: dict[str, bool] = {}

    def num_different(self, names: Iterable[str]) -> int:
        """How many different pairs these are, without those that are too long to be learned from.

        Args:
            names: ids of `problems`; a mix by weight may hold one pair under several.
        """
        for name in (names := list(names)):
            if name not in self._fits:
                self._encode(name)
        return len({id(self.pairs[name]) for name in names if self._fits[name]})

    @property
    def problems(self) -> list[Problem]:
        """One for each pair, for the feed."""
        return [dataclasses.replace(pair.problem, id=name) for name, pair in self.pairs.items()]

    async def scored(self, step: int, problems: Sequence[Problem]) -> list[ScoredGroup]:
        """As `Source.scored`; pairs that do not fit are left out and counted.

        Raises:
            DataError: a response does not fit, and the recipe says to refuse it.
        """
        groups = [self._group(problem.id) for problem in problems]
        kept = [group for group in groups if group is not None]
        self.metrics = {"signal/pairs_too_long": Sum(float(len(groups) - len(kept)))}
        return kept

    def _group(self, name: str) -> ScoredGroup | None:
        pair = self.pairs[name]
        encoded = self._encode(name)
        starts = encoded.critique_starts
        rollouts = []
        for index, (text, ids) in enumerate(
            zip((pair.chosen, pair.rejected), encoded.responses, strict=True)
        ):
            if ids is None:
                if self.too_long == "refuse":
                    raise DataError(
                        f"preference {pair.problem.id}: the {('chosen', 'rejected')[index]} response does not fit into "
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
        problem = dataclasses.replace(pair.problem, id=name)
        group = RolloutGroup(problem=problem, rollouts=tuple(rollouts))
        return ScoredGroup(group=group, scores=self._scores(pair))

    def _encode(self, name: str) -> Encoded:
        shown = shown_pair(self.pairs[name])
        encoded = self.model.encode(*shown) if self.writes else self.model.encode(*shown[:3])
        self._fits[name] = None not in encoded.responses
        return encoded

    def _scores(self, pair: Preference) -> tuple[Score, ...]:
        labels = (0.5, 0.5) if pair.tie else (1.0, 0.0)
        return tuple(
            Score(value=label, parts=self._parts(pair, label, ratings))
            for label, ratings in zip(labels, (pair.chosen_ratings, pair.rejected_ratings), strict=True)
        )

    def _parts(self, pair: Preference, label: float, ratings: Mapping[str, float]) -> tuple[Part, ...]:
        parts = [Part(name=LABEL, value=label), Part(name=MARGIN, value=pair.margin, weight=0.0)]
        for name, value in ratings.items():
            low, high = self.scale[name]
            scaled = 2 * (value - low) / (high - low) - 1 if high > low else 0.0
            parts.append(
                Part(name="rating" if name == RATING else ATTRIBUTE + name, value=scaled, weight=0.0)
            )
        return tuple(parts)


def rating_scale(pairs: Sequence[Preference]) -> dict[str, tuple[float, float]]:
    """Lowest and highest rating by attribute: they become -1 and 1."""
    found: dict[str, tuple[float, float]] = {}
    for pair in pairs:
        for ratings in (pair.chosen_ratings, pair.rejected_ratings):
            for name, value in ratings.items():
                low, high = found.get(name, (math.inf, -math.inf))
                found[name] = (min(low, value), max(high, value))
    return found


def shown_pair(pair: Preference) -> Shown:
    """Both sides of a pair with all that is known of them."""
    critiques = (pair.chosen_critique, pair.rejected_critique)
    written = [text for text in critiques if text is not None]
    return Shown(
        pair.problem, (pair.chosen, pair.rejected), verdicts_of(pair), written if len(written) == 2 else None
    )


def verdicts_of(pair: Preference) -> tuple[str | None, str | None]:
    """A rule's verdict on both sides in words, where the pair has one."""

    def word(value: float | None) -> str | None:
        return None if value is None else "right" if value >= 1.0 else "wrong"

    return word(pair.chosen_ratings.get(VERDICT)), word(pair.rejected_ratings.get(VERDICT))
