"""The preferences of a run: sets read, split by prompt, audited, mixed.

    sets --split by content of the prompt--> train | eval        never one prompt on both sides, whichever sets it is in
    train --audit--> refused where the labels are mostly noise --mix by weight--> one stream of pairs

Every pair remembers its set in `problem.info["set"]`, so that results can be told apart by set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from guerdon.core.errors import DataError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Preference, Problem
from guerdon.data.mix import SET, mix
from guerdon.data.preferences.audit import LabelNoise, label_noise, pair_key
from guerdon.data.preferences.config import PreferenceDataConfig, PreferenceSetConfig
from guerdon.data.preferences.reading import PreferenceSet
from guerdon.data.split import is_held_out
from guerdon.data.twins import spelling_key, words_of


class PreferenceSplit(NamedTuple):
    """Pairs of a run."""

    train: tuple[Preference, ...]
    """Mixed by weight; any beginning of it has about the same mix."""
    eval: tuple[Preference, ...]
    num_overlap: int
    """Training pairs left out because their prompt is asked on the held-out side."""
    num_duplicates: int
    """Pairs that stood more than once, judged alike by the same; kept once."""
    sets: Mapping[str, PreferenceSet]
    """What was read, by name, with what was left out."""
    noise: LabelNoise | None
    """How often the audit contradicts the labels; None: no audit."""


def load_preferences(config: PreferenceDataConfig, seed: int) -> PreferenceSplit:
    """Read the sets, split, audit and mix them.

    Raises:
        DataError: a set cannot be read, one side would be empty, or the audit finds labels that are mostly noise.
    """
    sets = {name: one.build(seed) for name, one in config.train.items()}
    train, duplicates = _distinct(sets)
    if config.eval:
        held_sets = {name: one.build(seed) for name, one in config.eval.items()}
        held, more = _distinct(held_sets)
        duplicates += more
        sets |= {name if name not in sets else f"eval.{name}": one for name, one in held_sets.items()}
        keys = {split_key(pair, config.split_by) for pairs in held.values() for pair in pairs}
    else:
        found = {split_key(pair, config.split_by) for pairs in train.values() for pair in pairs}
        keys = {key for key in found if is_held_out(key, config.eval_fraction)}
        held = {name: _asked(pairs, keys, config.split_by, inside=True) for name, pairs in train.items()}
    rest = {name: _asked(pairs, keys, config.split_by, inside=False) for name, pairs in train.items()}
    lost = sum(map(len, train.values())) - sum(map(len, rest.values()))
    _check_sides(config, rest, held)
    noise = _audited(config, rest, seed)
    weights = {name: one.weight for name, one in config.train.items() if one.weight is not None}
    return PreferenceSplit(
        train=mix(rest, weights, seed=seed, total=config.num_pairs),
        eval=tuple(pair for pairs in held.values() for pair in pairs),
        num_overlap=lost if config.eval else 0,
        num_duplicates=duplicates,
        sets=sets,
        noise=noise,
    )


def split_key(pair: Preference, split_by: str) -> str:
    """Hash of what must not be on both sides: the prompt, spelling aside, or a dialogue's first user message.

    A pair without a prompt is known by its answers.
    """
    problem = pair.problem
    if split_by == "opening":
        first = next((message for message in problem.messages if message.role == "user"), problem.messages[0])
        problem = Problem(id=problem.id, messages=(first,))
    words = words_of(problem)
    return spelling_key(words) if words else content_hash(pair_key(pair))


def _distinct(sets: Mapping[str, PreferenceSet]) -> tuple[dict[str, list[Preference]], int]:
    """The pairs of each set under its name, judgements that stand twice once."""
    seen: set[tuple[str, str, bool, str | None]] = set()
    found: dict[str, list[Preference]] = {}
    for name, one in sets.items():
        found[name] = []
        for pair in one.pairs:
            first = "" if pair.tie else content_hash(pair.chosen)
            key = (pair_key(pair), first, pair.tie, pair.annotator)
            if key not in seen:
                seen.add(key)
                problem = dataclasses.replace(pair.problem, info={**pair.problem.info, SET: name})
                found[name].append(dataclasses.replace(pair, problem=problem))
    return found, sum(len(one.pairs) for one in sets.values()) - sum(map(len, found.values()))


def _asked(pairs: Sequence[Preference], keys: set[str], split_by: str, *, inside: bool) -> list[Preference]:
    return [pair for pair in pairs if (split_key(pair, split_by) in keys) == inside]


def _check_sides(
    config: PreferenceDataConfig,
    train: Mapping[str, Sequence[Preference]],
    held: Mapping[str, Sequence[Preference]],
) -> None:
    empty = [name for name, pairs in train.items() if not pairs]
    if empty and any(train.values()) and not _weighted(config.train):
        empty = []  # without weights a set that is all held out is no loss
    if empty:
        raise DataError(
            f"data: no pairs to train on are left of {empty[0]}: every prompt of it is held out; give more data or "
            "other pairs to hold out"
        )
    if not any(held.values()):
        raise DataError(
            f"data: no pairs are held out of {sum(map(len, train.values()))} (eval_fraction={config.eval_fraction}); "
            "give more prompts, a larger fraction, or a data.eval"
        )


def _weighted(sets: Mapping[str, PreferenceSetConfig]) -> bool:
    return any(one.weight is not None for one in sets.values())


def _audited(
    config: PreferenceDataConfig, train: Mapping[str, Sequence[Preference]], seed: int
) -> LabelNoise | None:
    if not config.audit:
        return None
    audit = [pair for one in config.audit.values() for pair in one.build(seed).pairs]
    noise = label_noise([pair for pairs in train.values() for pair in pairs], audit)
    if not noise.num_audited:
        raise DataError(
            "data.audit: none of its pairs stands in data.train; expected some of the same pairs, judged again"
        )
    if noise.share > config.max_label_noise:
        raise DataError(
            f"data.audit: {noise}; expected at most {100 * config.max_label_noise:.0f} %: these labels teach nothing, "
            "judge the pairs anew (are chosen and rejected swapped?)"
        )
    return noise
