"""What a reward model's run starts from, checked against its recipe before anything is loaded. Torch-free.

recipe --settle--> with what it takes over from a reward model's folder
       --load_reward_data--> judgements; refused where a loss or an attribute that it asks for has nothing to learn from
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.core.errors import ConfigError, DataError, ModelError, did_you_mean
from guerdon.core.types import Json, Preference
from guerdon.data.preferences.audit import verdict_alone, verdict_line
from guerdon.data.preferences.judged import Judged, answers_of, is_list, overall
from guerdon.data.preferences.pairing import VERDICT
from guerdon.data.preferences.split import PreferenceSplit, load_preferences
from guerdon.models.config import InputConfig
from guerdon.models.reward_meta import check_settings, differences, read_meta
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.config_rm import REWARD_MODEL, reward_recipe, verdict_problems
from guerdon.train.losses import DATA, losses_of, refuse_missing, refuse_unread

if TYPE_CHECKING:
    from guerdon.run.config import RunConfig

MAX_SHOWN = 3
"""Reasons that are told; all of them stand in the run folder."""


def settle(config: RewardRunConfig) -> RewardRunConfig:
    """The recipe with `[input]` as the reward model's folder says where it goes on with one and has none itself.

    Raises:
        ModelError: the folder is damaged, or is a reward model of another kind.
        ConfigError: a loss that nothing reads, now that it is known whether critiques are written.
    """
    folder = Path(config.model.source).expanduser()
    meta = read_meta(folder) if folder.is_dir() else None
    if meta is not None:
        check_settings(config.model.source, meta, config.head, config.input)
    shown = config.input or (meta.shown if meta else InputConfig())
    if problems := refuse_unread(config.loss, config.head, shown):
        raise ConfigError(problems)
    return config.model_copy(update={"input": shown})


def stage_problems(config: RunConfig) -> list[str]:
    """Why stage `rm` of a policy's recipe could not go on with the reward model that it starts from; none: it can."""
    if REWARD_MODEL not in config.stages or config.rm.model is None:
        return []
    try:
        shown = settle(reward_recipe(config, config.model.source, Path())).input
    except ConfigError as error:
        return [f"rm.{problem}" for problem in error.problems]
    except ModelError as error:
        return [f"rm.model.source: {str(error).removeprefix('model.source: ')}"]
    return [] if shown is None else list(verdict_problems(config, shown))


def taken_over(config: RewardRunConfig) -> list[str]:
    """What a settled recipe has from the reward model that it goes on with, and what it changes; no line: nothing."""
    folder = Path(config.model.source).expanduser()
    meta = read_meta(folder) if folder.is_dir() else None
    if meta is None or config.input is None:
        return []
    changed = differences("input", meta.shown, config.input)
    fields = ", ".join(config.input.fields) or "none"
    critique = "no critique" if config.input.critique is None else "a critique"
    return [
        f"starts from a reward model: fields {fields}, {critique}, max_length {config.input.max_length:,}"
        + (f"; otherwise than it was: {'; '.join(changed)}" if changed else ", as it was")
    ]


def load_reward_data(config: RewardRunConfig) -> PreferenceSplit:
    """The judgements of a settled recipe.

    Raises:
        DataError: as `load_preferences`.
        ConfigError: a loss or an attribute that the recipe asks for has nothing to learn from.
    """
    loss = config.loss
    split = load_preferences(
        config.data, config.seed, listwise=loss.listwise > 0, pointwise=loss.pointwise > 0
    )
    problems = refuse_missing(
        losses_of(loss, config.head, config.input), loss, held_data(split.train, config.head.attributes)
    )
    problems += _unrated(split.train, config.head.attributes)
    if problems:
        raise ConfigError(problems)
    if config.input is not None:
        check_shown(split.train, config.input)
    return split


def held_data(judged: Sequence[Judged], attributes: Sequence[str]) -> dict[str, int]:
    """Of each kind of data that a loss can need: how many there are."""
    answers = [answer for item in judged for answer in answers_of(item)]
    found = {
        "pairs": sum(isinstance(item, Preference) for item in judged),
        "lists": sum(is_list(item) for item in judged),
        "ratings": sum(overall(answer.ratings) is not None for answer in answers),
        "attributes": sum(any(name in answer.ratings for name in attributes) for answer in answers),
        "critiques": sum(answer.critique is not None for answer in answers),
        "responses": len(answers),
    }
    assert found.keys() == DATA.keys()
    return found


def check_shown(judged: Sequence[Judged], shown: InputConfig) -> None:
    """Refuse to teach writing without anything written, and reading verdicts without any.

    Raises:
        DataError: critiques are written, and some answers have none; or verdicts are shown, and no answer has one.
    """
    bare = sum(any(answer.critique is None for answer in answers_of(item)) for item in judged)
    if shown.critique is not None and bare:
        raise DataError(
            f"data: input.critique is set, but {bare:,} of {len(judged):,} training pairs hold no critique of both "
            "sides; expected columns chosen_critique and rejected_critique (kind arith has them): add them, or remove "
            "input.critique"
        )
    if VERDICT not in shown.fields or not judged:
        return
    if not any(VERDICT in answer.ratings for item in judged for answer in answers_of(item)):
        raise DataError(
            f"data: input.fields shows a rule's verdict, but none of {len(judged):,} training pairs holds one; expected "
            "ratings named verdict (guerdon prefs make writes them if verdict names a part): add them, or remove the field"
        )


def told(judged: Sequence[Judged]) -> str:
    """How much of what there is, in words.

    >>> told([])
    '0 pairs'
    """
    pairs = sum(isinstance(item, Preference) for item in judged)
    lists = sum(is_list(item) for item in judged)
    counts = {"pairs": pairs, "lists": lists, "single answers": len(judged) - pairs - lists}
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "0 pairs"


def left_out(split: PreferenceSplit) -> dict[str, Json]:
    """What no judgement was made of, for the run folder: every row with its place and reason; {}: nothing."""
    sets: dict[str, Json] = {}
    for name, one in split.sets.items():
        if one.bad_rows or one.left_out:
            rows: list[Json] = [{"place": row.place, "why": row.why} for row in one.bad_rows]
            counts: dict[str, Json] = dict(one.left_out.most_common())
            sets[f"data.{name}"] = {"num_rows": one.num_rows, "bad_rows": rows, "no_pair_of": counts}
    if not (sets or split.num_duplicates or split.num_overlap):
        return {}
    return {"num_duplicates": split.num_duplicates, "num_overlap": split.num_overlap, "sets": sets}


def left_out_lines(split: PreferenceSplit) -> list[str]:
    """One line for each set with rows that could not be used: how many, and the first reasons."""
    return [
        f"data.{name}: {len(one.bad_rows):,} of {one.num_rows:,} rows cannot be used and are left out: "
        + "; ".join(f"{row.place}: {row.why}" for row in one.bad_rows[:MAX_SHOWN])
        + (f"; and {len(one.bad_rows) - MAX_SHOWN:,} more" if len(one.bad_rows) > MAX_SHOWN else "")
        for name, one in split.sets.items()
        if one.bad_rows
    ]


def verdict_told(config: RewardRunConfig, judged: Sequence[Judged]) -> str:
    """What the rule's verdicts that a settled recipe shows say of the labels; "": it shows none, or there is no pair."""
    if config.input is None or VERDICT not in config.input.fields:
        return ""
    share = verdict_alone(pair for item in judged for pair in _pairs(item))
    return verdict_line(share) if share.num else ""


def _pairs(judged: Judged) -> Iterator[Preference]:
    """Itself, or what a list says of each two of its answers."""
    if isinstance(judged, Preference):
        yield judged
        return
    for better, worse in itertools.combinations(judged.answers, 2):  # best first
        yield Preference(
            problem=judged.problem,
            chosen=better.text,
            rejected=worse.text,
            tie=better.score == worse.score,
            chosen_ratings=better.ratings,
            rejected_ratings=worse.ratings,
        )


def _unrated(judged: Sequence[Judged], attributes: Sequence[str]) -> list[str]:
    """Attributes that no answer is rated by."""
    rated = {name for item in judged for answer in answers_of(item) for name in answer.ratings}
    return [
        f"head.attributes: no answer of the training data is rated by {name!r}"
        f"{did_you_mean(name, rated) or '; they hold no ratings at all'}"
        for name in attributes
        if name not in rated
    ]
