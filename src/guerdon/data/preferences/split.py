"""The preferences of a run: sets read, split by prompt, audited, mixed.

    sets --split by content of the prompt--> train | eval        never one prompt on both sides, whichever sets it is in
    train --audit--> refused where the labels are mostly noise --mix by weight--> one stream of pairs, lists, answers

Every pair remembers its set in `problem.info["set"]`, so that results can be told apart by set. Held out are pairs only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from guerdon.core.errors import DataError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Preference, Problem
from guerdon.data.mix import SET, mix
from guerdon.data.preferences.audit import LabelNoise, label_noise, pair_key
from guerdon.data.preferences.config import PreferenceDataConfig, PreferenceSetConfig
from guerdon.data.preferences.judged import Judged, judged_of
from guerdon.data.preferences.reading import PreferenceSet
from guerdon.data.split import is_held_out, prompt_key
from guerdon.data.twins import spelling_key, words_of

J = TypeVar("J", Preference, Judged)


class PreferenceSplit(NamedTuple):
    """What a run learns from and is measured on."""

    train: tuple[Judged, ...]
    """Pairs, and lists and single answers where they are asked for. Mixed by weight; any beginning of it has about
    the same mix."""
    eval: tuple[Preference, ...]
    num_overlap: int
    """Of `train`, left out because their prompt is asked on the held-out side."""
    num_duplicates: int
    """Judgements that stood more than once, judged alike by the same; kept once."""
    sets: Mapping[str, PreferenceSet]
    """What was read, with what was left out: `train.NAME`, `eval.NAME`, `audit.NAME`."""
    noise: LabelNoise | None
    """How often the audit contradicts the labels; None: no audit."""


def load_preferences(
    config: PreferenceDataConfig, seed: int, *, listwise: bool = False, pointwise: bool = False
) -> PreferenceSplit:
    """Read the sets, split, audit and mix them.

    Args:
        config: the sets.
        seed: for generated sets, ties and the order of the mix.
        listwise: train on lists as a whole, as `judged_of`.
        pointwise: train on rated answers without a partner too, as `judged_of`.

    Raises:
        DataError: a set cannot be read, one side would be empty, or the audit finds labels that are mostly noise.
    """
    read = {name: one.build(seed) for name, one in config.train.items()}
    held_read = {name: one.build(seed) for name, one in config.eval.items()}
    audits = {name: one.build(seed) for name, one in config.audit.items()}
    pairs, _ = _distinct({name: one.pairs for name, one in read.items()})
    train, duplicates = _distinct(
        {name: judged_of(one, listwise=listwise, pointwise=pointwise) for name, one in read.items()}
    )
    if config.eval:
        held, more = _distinct({name: one.pairs for name, one in held_read.items()})
        duplicates += more
        keys = {split_key(pair, config.split_by) for ours in held.values() for pair in ours}
    else:
        found = {split_key(pair, config.split_by) for ours in pairs.values() for pair in ours}
        keys = {key for key in found if is_held_out(key, config.eval_fraction)}
        held = {name: _asked(ours, keys, config.split_by, inside=True) for name, ours in pairs.items()}
    rest = {name: _asked(ours, keys, config.split_by, inside=False) for name, ours in train.items()}
    lost = sum(map(len, train.values())) - sum(map(len, rest.values()))
    _check_partners(read, train)
    if any(pairs.values()) or config.eval:  # where no answer has a partner there is nothing to measure on
        _check_sides(config, rest, held)
    ours = [pair for one in pairs.values() for pair in _asked(one, keys, config.split_by, inside=False)]
    noise = _audited(config, ours, audits)
    weights = {name: one.weight for name, one in config.train.items() if one.weight is not None}
    return PreferenceSplit(
        train=mix(rest, weights, seed=seed, total=config.num_pairs),
        eval=tuple(pair for ours in held.values() for pair in ours),
        num_overlap=lost if config.eval else 0,
        num_duplicates=duplicates,
        sets={
            f"{side}.{name}": one
            for side, ones in (("train", read), ("eval", held_read), ("audit", audits))
            for name, one in ones.items()
        },
        noise=noise,
    )


def split_key(judged: Judged, split_by: str) -> str:
    """Hash of what must not be on both sides: the prompt, spelling aside, or a dialogue's first user message.

    Where there is no prompt, the answers say which it is.
    """
    problem = judged.problem
    if split_by == "opening":
        first = next((message for message in problem.messages if message.role == "user"), problem.messages[0])
        problem = Problem(id=problem.id, messages=(first,))
    words = words_of(problem)
    return spelling_key(words) if words else content_hash(_answers_key(judged))


def _answers_key(judged: Judged) -> str:
    """Hash of the prompt and the answers, in whatever order."""
    if isinstance(judged, Preference):
        return pair_key(judged)
    texts = sorted(content_hash(answer.text.strip()) for answer in judged.answers)
    return content_hash("\x1f".join([prompt_key(judged.problem), *texts]))


def _judgement(judged: Judged) -> tuple[str, ...]:
    """What makes two judgements the same: the prompt, the answers, what is said of them, and by whom."""
    if isinstance(judged, Preference):
        first = "" if judged.tie else content_hash(judged.chosen)
        return _answers_key(judged), first, str(judged.tie), str(judged.annotator)
    said = [f"{content_hash(one.text)} {one.score} {one.annotator}" for one in judged.answers]
    return _answers_key(judged), *said


def _distinct(sets: Mapping[str, Sequence[J]]) -> tuple[dict[str, list[J]], int]:
    """What is judged in each set under its name, judgements that stand twice once."""
    seen: set[tuple[str, ...]] = set()
    found: dict[str, list[J]] = {}
    for name, items in sets.items():
        found[name] = []
        for judged in items:
            key = _judgement(judged)
            if key not in seen:
                seen.add(key)
                problem = dataclasses.replace(judged.problem, info={**judged.problem.info, SET: name})
                found[name].append(dataclasses.replace(judged, problem=problem))
    return found, sum(map(len, sets.values())) - sum(map(len, found.values()))


def _asked(items: Sequence[J], keys: set[str], split_by: str, *, inside: bool) -> list[J]:
    return [judged for judged in items if (split_key(judged, split_by) in keys) == inside]


def _check_partners(sets: Mapping[str, PreferenceSet], train: Mapping[str, Sequence[Judged]]) -> None:
    bare = next((name for name, judged in train.items() if not judged), None)
    if bare is not None:
        raise DataError(
            f"data.train.{bare}: {sets[bare].account()}; give several answers to a prompt, or learn from ratings without "
            "a partner: loss.pointwise = 1.0"
        )


def _check_sides(
    config: PreferenceDataConfig,
    train: Mapping[str, Sequence[Judged]],
    held: Mapping[str, Sequence[Preference]],
) -> None:
    empty = [name for name, ours in train.items() if not ours]
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
    config: PreferenceDataConfig, train: Sequence[Preference], audits: Mapping[str, PreferenceSet]
) -> LabelNoise | None:
    if not audits:
        return None
    noise = label_noise(train, [pair for one in audits.values() for pair in one.pairs])
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
