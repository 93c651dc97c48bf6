"""One row as a pair, as a list of answers, or as one judged answer; see `columns.py` for the layouts.

A row that cannot be used is refused with its place: identical or empty sides, ratings that are no number, a tie with
a margin, a chosen side that was rated lower.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from guerdon.core.errors import DataError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Preference, Problem, from_json
from guerdon.data.cells import ABSENT, json_of, text_of, value_at
from guerdon.data.files import Row
from guerdon.data.preferences.columns import ATTRIBUTES, TEXTS, NamedRow, entry_value
from guerdon.data.preferences.config import PreferenceTableConfig, Source
from guerdon.data.preferences.dialogue import Sides, is_transcript, sides_of
from guerdon.data.preferences.pairing import GOOD, SCORE, Answer, Candidates

SOURCES: tuple[str, ...] = get_args(Source)
FIRST = frozenset(
    ["1", "a", "first", "left", "model_a", "response_1", "response_a", "answer_a", "assistant_a"]
)
SECOND = frozenset(
    ["2", "b", "second", "right", "model_b", "response_2", "response_b", "answer_b", "assistant_b"]
)
TIE = frozenset(
    ("tie", "both", "neither", "draw", "equal", "same", "tie (bothbad)", "both_bad", "tie_both_bad")
)
POSITIONS = ("winner", "preferred")
"""Columns whose whole numbers count the answers from 1, where others measure by how much the second is better."""


def read_pair(row: Row, layout: str, config: PreferenceTableConfig, where: str) -> Preference:
    """A row of the layouts `guerdon`, `pairs`, `transcripts` and `comparison`.

    Raises:
        DataError: it cannot be used.
    """
    if layout == "guerdon":
        return _checked(_scaled(_own(row, where), config), where)
    named = NamedRow(row, config.columns, where)
    if layout == "comparison":
        return _checked(_comparison(named, config), where)
    sides = sides_of(
        named.get("prompt"),
        [named.get("chosen"), named.get("rejected")],
        where,
        transcripts=layout == "transcripts",
    )
    ratings = [_score_of(named, name) for name in ("chosen_score", "rejected_score")]
    critiques = [_critique(named.get(f"{side}_critique"), where) for side in ("chosen", "rejected")]
    margin = number(named.get("margin"), "margin", where)
    tie = _flag(named.get("tie"), "tie", where)
    scores = [one.get(SCORE) for one in ratings]
    if scores[0] is not None and scores[1] is not None:
        if scores[0] < scores[1] and not tie:
            raise DataError(
                f"data: {where}: chosen is rated {scores[0]:g}, rejected {scores[1]:g}; expected the better one as "
                "chosen"
            )
        tie = tie or scores[0] == scores[1]
        margin = scores[0] - scores[1] if margin is None and not tie else margin
    pair = _preference(named, config, sides, (0, 1))
    pair = dataclasses.replace(
        pair,
        margin=margin,
        tie=tie,
        chosen_ratings=ratings[0],
        rejected_ratings=ratings[1],
        chosen_critique=critiques[0],
        rejected_critique=critiques[1],
    )
    return _checked(_scaled(pair, config), where)


def read_list(row: Row, layout: str, config: PreferenceTableConfig, where: str) -> Candidates:
    """A row of the layouts `list` and `ranked`.

    Raises:
        DataError: it cannot be used.
    """
    named = NamedRow(row, config.columns, where)
    entries = named.get("responses")
    if not isinstance(entries, list) or len(entries) < 2:
        got = f"{len(entries)} responses" if isinstance(entries, list) else type(entries).__name__
        raise DataError(f"data: {where}: got {got}; expected a list of two responses or more")
    sides = _sides(named, [_text_in(entry) for entry in entries])
    ranked = layout == "ranked"
    scores = _entry_scores(named, entries, ranked=ranked)
    answers = tuple(
        Answer(
            text=text,
            score=None if score is None else -score if ranked else score,
            ratings={
                **_annotations(entry, where),
                **({} if score is None else {"rank" if ranked else SCORE: score}),
            },
            annotator=_annotator(named),
            critique=_critique(entry.get("critique") if isinstance(entry, Mapping) else None, where),
            place=f"{where}, response {index}",
        )
        for index, (text, entry, score) in enumerate(zip(sides.texts, entries, scores, strict=True))
    )
    problem = _problem(named, sides)
    return Candidates(problem=problem, answers=answers, source=_source(named, config), is_scale=not ranked)


def read_answer(row: Row, layout: str, config: PreferenceTableConfig, where: str) -> Candidates:
    """A row of the layouts `ratings` and `pointwise`: a list of one, to be joined with others of its prompt.

    Raises:
        DataError: it cannot be used.
    """
    named = NamedRow(row, config.columns, where)
    sides = _sides(named, [named.get("response")])
    if layout == "pointwise":
        score: float | None = _label(named.get("label"), where)
        ratings = {} if score is None else {GOOD: score}
    else:
        score, ratings = _rated(named, config)
    answer = Answer(
        text=sides.texts[0], score=score, ratings=ratings, annotator=_annotator(named), place=where
    )
    return Candidates(
        problem=_problem(named, sides),
        answers=(answer,),
        source=_source(named, config),
        is_scale=layout == "ratings",
        has_ties=layout == "ratings",
    )


def number(value: Any, what: str, where: str) -> float | None:
    """A rating; None: there is none.

    >>> number("4", "helpfulness", "line 1"), number("N/A", "helpfulness", "line 1")
    (4.0, None)

    Raises:
        DataError: it is no finite number.
    """
    if (
        value is None
        or value is ABSENT
        or (isinstance(value, str) and value.strip().casefold() in ("", "n/a"))
    ):
        return None
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise DataError(
            f"data: {where}: {what} is {value!r:.60}; expected a finite number (or null: not rated)"
        )
    return found


def _own(row: Row, where: str) -> Preference:
    """A row as `guerdon` writes it; edited by others since, perhaps, so that no type is taken on trust."""
    try:
        pair = from_json(Preference, dict(row))
        problem = pair.problem
        texts = [problem.id, pair.chosen, pair.rejected]
        texts += [text for message in problem.messages for text in (message.role, message.content)]
        optional = (problem.target, pair.annotator, pair.chosen_critique, pair.rejected_critique)
        texts += [text for text in optional if text is not None]
        ratings = [_known(pair.chosen_ratings, where), _known(pair.rejected_ratings, where)]
        info = {str(key): json_of(value) for key, value in problem.info.items()}
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        why = " ".join(str(error).split())[:100]
        raise DataError(f"data: {where}: not a preference as guerdon writes it: {why}") from None
    for text in texts:
        if not isinstance(text, str):
            raise DataError(f"data: {where}: a text of the row is {text!r:.40}; expected text")
        text_of(text, "a text", where)
    if not problem.messages:
        raise DataError(f"data: {where}: the problem has no messages; expected a prompt")
    return dataclasses.replace(
        pair,
        problem=dataclasses.replace(problem, info=info),
        margin=number(pair.margin, "margin", where),
        tie=_flag(pair.tie, "tie", where),
        chosen_ratings=ratings[0],
        rejected_ratings=ratings[1],
    )


def _known(ratings: Mapping[str, Any], where: str) -> dict[str, float]:
    """Without the nulls that Parquet fills in where another row has an attribute more."""
    found = {name: number(value, name, where) for name, value in ratings.items()}
    return {name: value for name, value in found.items() if value is not None}


def _comparison(named: NamedRow, config: PreferenceTableConfig) -> Preference:
    sides = _sides(named, [named.get("first"), named.get("second")])
    better = _verdict(named.get("preference"), named.find("preference") or "", named.where)
    margin = number(named.get("margin"), "margin", named.where)
    if margin is None and better.is_scale:
        margin = abs(better.second)
    pair = _preference(named, config, sides, (1, 0) if better.second > 0 else (0, 1))
    return _scaled(dataclasses.replace(pair, margin=margin, tie=better.second == 0), config)


@dataclasses.dataclass(frozen=True, slots=True)
class _Verdict:
    second: float
    """By how much the second answer is better; negative: the first is."""
    is_scale: bool


def _verdict(value: Any, column: str, where: str) -> _Verdict:
    if isinstance(value, str):
        word = value.strip().casefold()
        for words, second in ((FIRST, -1.0), (SECOND, 1.0), (TIE, 0.0)):
            if word in words:
                return _Verdict(second, is_scale=False)
    elif column in POSITIONS and value in (0, 1, 2) and not isinstance(value, bool):
        return _Verdict({0: 0.0, 1: -1.0, 2: 1.0}[value], is_scale=False)
    elif column not in POSITIONS and isinstance(value, int | float) and not isinstance(value, bool):
        return _Verdict(number(value, column, where) or 0.0, is_scale=True)
    raise DataError(
        f"data: {where}: {column} is {value!r:.60}; expected which answer is better (a, b, tie) or a number, "
        "negative where the first is"
    )


def _preference(
    named: NamedRow, config: PreferenceTableConfig, sides: Sides, order: tuple[int, int]
) -> Preference:
    source, annotator = _source(named, config), _annotator(named)
    return Preference(
        problem=_problem(named, sides),
        chosen=sides.texts[order[0]],
        rejected=sides.texts[order[1]],
        source=source,
        annotator=annotator,
    )


def _scaled(pair: Preference, config: PreferenceTableConfig) -> Preference:
    margin = pair.margin
    return pair if margin is None else dataclasses.replace(pair, margin=margin * config.margin_scale)


def _checked(pair: Preference, where: str) -> Preference:
    if not pair.chosen.strip() or not pair.rejected.strip():
        side = "chosen" if pair.rejected.strip() else "rejected"
        raise DataError(f"data: {where}: {side} is empty; expected text on both sides")
    if pair.chosen.strip() == pair.rejected.strip():
        raise DataError(
            f"data: {where}: chosen and rejected are identical ({pair.chosen.strip()[:40]!r}); expected two answers"
        )
    if pair.margin is not None and pair.margin < 0:
        raise DataError(
            f"data: {where}: margin is {pair.margin:g}; expected 0 or more (are the sides swapped?)"
        )
    if pair.tie and pair.margin:
        raise DataError(f"data: {where}: a tie with margin {pair.margin:g}; expected one or the other")
    if pair.source not in SOURCES:
        raise DataError(f"data: {where}: source is {pair.source!r:.40}; expected one of {', '.join(SOURCES)}")
    return pair


def _sides(named: NamedRow, answers: Sequence[Any]) -> Sides:
    """Sides of a layout that has a prompt, or whose answers are whole dialogues."""
    prompt = named.get("prompt")
    plain = [answer for answer in answers if isinstance(answer, str) and not is_transcript(answer)]
    if prompt in (ABSENT, None) and plain:
        raise DataError(
            f"data: {named.where}: no prompt; expected a column prompt, got {', '.join(named.row)} "
            "(map yours with columns = {prompt = '...'})"
        )
    return sides_of(prompt, answers, named.where, transcripts=False)


def _problem(named: NamedRow, sides: Sides) -> Problem:
    """What was asked. Called last: every column that nobody has used by then is information."""
    target, name = named.get("target"), named.get("id")
    gold = text_of(str(target), "the target", named.where) if isinstance(target, str | int | float) else None
    info = {str(key): json_of(value) for key, value in named.row.items() if key not in named.used}
    info["prompt_format"] = sides.prompt_format
    content = "\x1f".join(message.content for message in sides.messages)
    has_name = isinstance(name, str | int) and name != ""
    key = text_of(str(name), "the id", named.where) if has_name else content_hash(content)
    return Problem(id=key, messages=sides.messages, target=gold, info=info)


def _source(named: NamedRow, config: PreferenceTableConfig) -> str:
    """What judged; a column `source` often names the data set instead, and is then left as information."""
    theirs = named.find("source")
    value = value_at(named.row, theirs) if theirs else ABSENT
    if isinstance(value, str) and value in SOURCES:
        named.used.add(theirs or "")
        return value
    if "source" in config.columns:
        raise DataError(
            f"data: {named.where}: {theirs} is {value!r:.40}; expected one of {', '.join(SOURCES)}"
        )
    return config.source


def _critique(value: Any, where: str) -> str | None:
    """What a column says about a response; None where it says nothing."""
    if value is None or value is ABSENT or value == "":
        return None
    if not isinstance(value, str):
        raise DataError(f"data: {where}: a critique is {value!r:.40}; expected text")
    return text_of(value, "a critique", where)


def _annotator(named: NamedRow) -> str | None:
    value = named.get("annotator")
    return str(value) if isinstance(value, str | int) and value != "" else None


def _flag(value: Any, what: str, where: str) -> bool:
    if value is None or value is ABSENT:
        return False
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise DataError(f"data: {where}: {what} is {value!r:.60}; expected true or false")


def _label(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and value in (0, 1, -1):
        return max(float(value), 0.0)
    got = "missing" if value is ABSENT else repr(value)[:60]
    raise DataError(
        f"data: {where}: label is {got}; expected true or false, 0 or 1 (a rating? layout = 'ratings', "
        "columns = {score = 'label'})"
    )


def _score_of(named: NamedRow, name: str) -> dict[str, float]:
    value = number(named.get(name), named.find(name) or name, named.where)
    return {} if value is None else {SCORE: value}


def _rated(named: NamedRow, config: PreferenceTableConfig) -> tuple[float | None, dict[str, float]]:
    """Score and ratings of a row; the score, the weighted mean of the attributes that the recipe names, is one of them."""
    weights = dict(config.attributes)
    if not weights:
        theirs = "helpfulness" if "helpfulness" in named.row and "score" not in config.columns else None
        theirs = theirs or named.find("score")
        if theirs is None:
            raise DataError(
                f"data: {named.where}: no column helpfulness or score; say which columns rate an answer, "
                "attributes = {name = weight}"
            )
        weights = {theirs: 1.0}
    ratings: dict[str, float] = {}
    for name in dict.fromkeys((*weights, *ATTRIBUTES)):
        value = value_at(named.row, name)
        if value is ABSENT and name in weights:
            raise DataError(
                f"data: {named.where}: no column {name!r} (attributes); it has {', '.join(named.row)}"
            )
        named.used.add(name)
        found = number(value, name, named.where)
        if found is not None:
            ratings[name] = found
    if any(weight and name not in ratings for name, weight in weights.items()):
        return None, ratings
    total = sum(abs(weight) for weight in weights.values())
    score = math.fsum(weight * ratings[name] for name, weight in weights.items() if weight) / total
    return score, {**ratings, SCORE: score}


def _text_in(entry: Any) -> Any:
    """The text, or the messages, of an entry of a list."""
    if not isinstance(entry, Mapping) or "role" in entry:
        return entry
    return next((entry[name] for name in TEXTS if entry.get(name) is not None), None)


def _entry_scores(named: NamedRow, entries: Sequence[Any], *, ranked: bool) -> list[float | None]:
    where, name = named.where, "ranks" if ranked else "scores"
    what = "rank" if ranked else "score"
    if isinstance(values := named.get(name), list):
        if len(values) != len(entries):
            raise DataError(
                f"data: {where}: {len(values)} {name} for {len(entries)} responses; expected one for each"
            )
        return [number(value, f"{what} {index}", where) for index, value in enumerate(values)]
    inside = [
        entry_value(entry, named, name if ranked else "score") if isinstance(entry, Mapping) else ABSENT
        for entry in entries
    ]
    if any(value is not ABSENT for value in inside):
        return [number(value, f"{what} {index}", where) for index, value in enumerate(inside)]
    if ranked:  # the recipe says so: best first
        return [float(index) for index in range(1, len(entries) + 1)]
    raise DataError(
        f"data: {where}: responses without scores; expected a list scores, or a score in each "
        "(best first? layout = 'ranked')"
    )


def _annotations(entry: Any, where: str) -> dict[str, float]:
    """UltraFeedback's ratings by attribute: `annotations.helpfulness.Rating`, or numbers as they are."""
    annotations = entry.get("annotations") if isinstance(entry, Mapping) else None
    if not isinstance(annotations, Mapping):
        return {}
    found = {}
    for name, value in annotations.items():
        rating = number(value.get("Rating") if isinstance(value, Mapping) else value, name, where)
        if rating is not None:
            found[str(name)] = rating
    return found
