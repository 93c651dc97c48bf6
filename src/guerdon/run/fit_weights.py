"""The learned gate of `[reward.learned]`: scores both sides of preferences with a recipe's parts, and fits the weights.

pairs --parts of both sides--> comparisons --split by prompt--> train: gate, fixed weights | held out: who is right

The control is the same gate learned with the prompts shuffled: what it gains has nothing to do with the prompt.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from guerdon.core.errors import DataError, UserError, did_you_mean
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Preference, ScoredGroup
from guerdon.data.preferences.split import split_key
from guerdon.data.split import is_held_out
from guerdon.explain.read import Interval
from guerdon.explain.reward_model.intervals import bootstrap, wilson
from guerdon.rewards.learned import Comparison, FitOptions, LearnedWeights, fit
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.spec import LearnedConfig
from guerdon.rewards.texts import text_group
from guerdon.run.progress import Display

CHUNK_PAIRS = 32
"""Pairs scored between two ticks of the progress bar."""
UNSCORED = "pairs that {} could not score"
GATE, CONTROL, FITTED, EVEN = (
    "learned gate",
    "gate, prompts shuffled",
    "fixed weights, fitted",
    "equal weights",
)

Weights = Callable[[str], Sequence[float]]


class Row(NamedTuple):
    """How often one way of weighing prefers the chosen answer."""

    name: str
    weights: str
    """The mean weight of each part over the held-out prompts."""
    train: Interval
    held_out: Interval


@dataclass(frozen=True, slots=True)
class FittedWeights:
    """The gate, and what it is worth."""

    gate: LearnedWeights
    rows: tuple[Row, ...]
    """The gate first, then the control and all fixed weights."""
    best_fixed: str
    """The fixed weights that are right most often on the training side."""
    change: Interval
    """Held-out accuracy of the gate less that of the best fixed weights, paired."""
    num_train: int
    num_held_out: int
    left_out: Counter[str]
    """Pairs that teach nothing, by reason."""


def parts_to_mix(rewards: RubricConfig, names: Sequence[str]) -> tuple[str, ...]:
    """The parts whose weights are learned: those named, those of the recipe's learned node, or all.

    Raises:
        UserError: a name that is no part, fewer than two, or one that is calibrated.
    """
    node = next((node for node in rewards.nodes.values() if isinstance(node, LearnedConfig)), None)
    chosen = tuple(names) or (node.of if node else tuple(rewards.rewards))
    for name in chosen:
        if name not in rewards.rewards:
            hint = did_you_mean(name, rewards.rewards)
            raise UserError(
                f"guerdon prefs weights: {name!r} is no part of [rewards]{hint}; weights are of parts"
            )
        if name in rewards.calibrate:
            raise UserError(
                f"guerdon prefs weights: {name!r} is calibrated, so a run mixes it on another scale; leave it out of "
                "reward.calibrate"
            )
    if len(set(chosen)) < 2:
        raise UserError(
            f"guerdon prefs weights: {len(set(chosen))} part ({', '.join(chosen)}); expected two or more to weigh"
        )
    return chosen


def fit_weights(
    rewards: RubricConfig,
    parts: Sequence[str],
    pairs: Sequence[Preference],
    *,
    held_out: float = 0.2,
    options: FitOptions | None = None,
) -> FittedWeights:
    """Learn which part matters for which prompt.

    Args:
        rewards: the recipe's parts.
        parts: names of those to mix, in the order in which the node will name them.
        pairs: preferences; ties teach nothing.
        held_out: share of the prompts that the gate is judged on.
        options: how it is learned.

    Raises:
        UserError: a part cannot be used, or no comparison is left on a side.
    """
    options = options or FitOptions()
    left_out: Counter[str] = Counter()
    sides: tuple[list[Comparison], list[Comparison]] = ([], [])
    decided = [pair for pair in pairs if not pair.tie]
    left_out["ties"] += len(pairs) - len(decided)
    scored = _scored(rewards, parts, decided)
    for pair, group in zip(decided, scored, strict=True):
        comparison = _comparison(pair, group, parts, left_out)
        if comparison:
            sides[is_held_out(split_key(pair, "prompt"), held_out)].append(comparison)
    train, held = sides
    if not train or not held:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common() if count)
        raise DataError(
            f"{len(train)} comparisons to learn from and {len(held)} held out of {len(pairs)} pairs"
            f"{f' (left out: {why})' if why else ''}; {_remedy(parts, scored, left_out)}"
        )
    gate = fit(parts, train, options)
    shuffled = fit(parts, _shuffled(train, options.seed), options)
    constant = fit(parts, [_at("", pair) for pair in train], options)("")
    fixed: dict[str, Weights] = {FITTED: lambda _: constant, EVEN: lambda _: [1.0 / len(parts)] * len(parts)}
    for place, name in enumerate(parts):
        alone = [float(index == place) for index in range(len(parts))]
        fixed[f"{name} alone"] = lambda _, alone=alone: alone  # type: ignore[misc]
    ways: dict[str, Weights] = {GATE: gate, CONTROL: shuffled, **fixed}
    rows = [_row(name, weights, parts, train, held) for name, weights in ways.items()]
    best = max((row for row in rows if row.name in fixed), key=lambda row: row.train.value).name
    gains = [late - early for late, early in zip(_hits(gate, held), _hits(ways[best], held), strict=True)]
    return FittedWeights(gate, tuple(rows), best, bootstrap(gains), len(train), len(held), +left_out)


def _scored(rewards: RubricConfig, parts: Sequence[str], pairs: Sequence[Preference]) -> list[ScoredGroup]:
    rubric = Rubric.from_config(
        RubricConfig({name: rewards.rewards[name] for name in rewards.with_read(parts)})
    )
    found: list[ScoredGroup] = []
    try:
        rubric.check()
        with Display() as display:
            display.begin("scoring both sides", -(-len(pairs) // CHUNK_PAIRS))
            with asyncio.Runner() as runner:
                for start in range(0, len(pairs), CHUNK_PAIRS):
                    here = pairs[start : start + CHUNK_PAIRS]
                    groups = [text_group(pair.problem, (pair.chosen, pair.rejected)) for pair in here]
                    found += runner.run(rubric.score(groups))
                    display.advance()
    finally:
        rubric.close()
    return found


def _comparison(
    pair: Preference, group: ScoredGroup, parts: Sequence[str], left_out: Counter[str]
) -> Comparison | None:
    sides = []
    for score in group.scores:
        values: Mapping[str, float | None] = {part.name: part.value for part in score.parts}
        known = [value for name in parts if (value := values[name]) is not None]
        if len(known) < len(parts):
            missing = next(name for name in parts if values[name] is None)
            left_out[UNSCORED.format(missing)] += 1
            return None
        sides.append(tuple(known))
    if sides[0] == sides[1]:
        left_out["pairs whose sides score alike in every part"] += 1
        return None
    prompt = "\n".join(message.content for message in pair.problem.messages)
    return Comparison(prompt=prompt, chosen=sides[0], rejected=sides[1])


def _remedy(parts: Sequence[str], scored: Sequence[ScoredGroup], left_out: Counter[str]) -> str:
    """What helps against too few comparisons: most of the pairs may lack what one part needs."""
    lacking = {name: left_out[UNSCORED.format(name)] for name in parts}
    name = max(lacking, key=lambda name: lacking[name])
    if 2 * lacking[name] < len(scored) or not lacking[name]:
        return "give more pairs, or another --held-out"
    notes = (part for group in scored for score in group.scores if (part := score.part(name)))
    note = " ".join(next(part.evidence.note for part in notes if part.value is None).split())
    others = ",".join(other for other in parts if other != name)
    without = f", or weigh the others: --of {others}" if len(parts) > 2 else ""
    return f"rewards.{name} says: {note}; give pairs that it can score{without}"


def _at(prompt: str, pair: Comparison) -> Comparison:
    return Comparison(prompt=prompt, chosen=pair.chosen, rejected=pair.rejected)


def _shuffled(pairs: Sequence[Comparison], seed: int) -> list[Comparison]:
    prompts = [pair.prompt for pair in pairs]
    random.Random(derive_seed(seed, "shuffled prompts")).shuffle(prompts)
    return [_at(prompt, pair) for prompt, pair in zip(prompts, pairs, strict=True)]


def _hits(weights: Weights, pairs: Sequence[Comparison]) -> list[float]:
    hits = []
    for pair in pairs:
        sides = zip(weights(pair.prompt), pair.chosen, pair.rejected, strict=True)
        gap = sum(weight * (good - bad) for weight, good, bad in sides)
        hits.append(0.5 if gap == 0 else float(gap > 0))
    return hits


def _row(
    name: str, weights: Weights, parts: Sequence[str], train: Sequence[Comparison], held: Sequence[Comparison]
) -> Row:
    means = [sum(column) / len(held) for column in zip(*(weights(pair.prompt) for pair in held), strict=True)]
    shown = "  ".join(f"{part} {mean:.2f}" for part, mean in zip(parts, means, strict=True))
    shares = [wilson(sum(_hits(weights, side)), len(side)) for side in (train, held)]
    return Row(name, shown, *shares)
