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
from guerdon.core.types import Preference, Problem
from guerdon.data.cells import ABSENT, json_of, text_of, value_at
from guerdon.data.files import Row
from guerdon.data.preferences.columns import ATTRIBUTES, TEXTS, NamedRow
from guerdon.data.preferences.config import PreferenceTableConfig, Source
from guerdon.data.preferences.dialogue import Sides, is_transcript, sides_of
from guerdon.data.preferences.judgement import flag, judgement, number, verdict_of
from guerdon.data.preferences.own import own_preference, own_problem
from guerdon.data.preferences.pairing import ALIKE, GOOD, SCORE, UNCOMPARED, Answer, Candidates

SOURCES: tuple[str, ...] = get_args(Source)


def read_pair(row: Row, layout: str, config: PreferenceTableConfig, where: str) -> Preference:
    """A row of the layouts `guerdon`, `pairs`, `transcripts` and `comparison`.

    Raises:
        DataError: it cannot be used.
    """
    if layout == "guerdon":
        return _checked(_scaled(own_preference(row, where), config), where)
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
    tie = flag(named.get("tie"), "tie", where)
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
    given = [_text_in(entry) for entry in entries]
    whole = row.get("problem")  # as guerdon prefs make writes it
    sides = None if isinstance(whole, Mapping) else _sides(named, given)
    texts = sides.texts if sides else [text_of(text, "a response", where) for text in given]
    judged = judgement(named, entries, ranked=layout == "ranked")
    answers = tuple(
        Answer(
            text=text,
            score=score,
            ratings={**_annotations(entry, where), **_rating(judged.rating, score)},
            annotator=_annotator(named),
            critique=_critique(entry.get("critique") if isinstance(entry, Mapping) else None, where),
            place=f"{where}, response {index}",
        )
        for index, (text, entry, score) in enumerate(zip(texts, entries, judged.scores, strict=True))
    )
    source = _source(named, config)
    return Candidates(
        problem=_problem(named, sides) if sides else _with_more(own_problem(whole, where), named),
        answers=answers,
        source=source,
        is_scale=judged.rating == SCORE,
        no_tie=UNCOMPARED if judged.only_best else "",
    )


def _with_more(problem: Problem, named: NamedRow) -> Problem:
    """What people have written beside their labels stays with the problem."""
    used = {*named.used, "problem"}
    more = {
        str(key): json_of(value) for key, value in named.row.items() if key not in used and value is not None
    }
    return dataclasses.replace(problem, info={**problem.info, **more})


def _rating(name: str, score: float | None) -> dict[str, float]:
    """What is kept of a score; of a rank the rank itself, as 1 is best."""
    return {} if score is None or not name else {name: -score if name == "rank" else score}


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
        no_tie="" if layout == "ratings" else ALIKE,
    )


def _comparison(named: NamedRow, config: PreferenceTableConfig) -> Preference:
    sides = _sides(named, [named.get("first"), named.get("second")])
    better = verdict_of(named.get("preference"), named.find("preference") or "", named.where)
    margin = number(named.get("margin"), "margin", named.where)
    if margin is None and better.is_scale:
        margin = abs(better.second)
    pair = _preference(named, config, sides, (1, 0) if better.second > 0 else (0, 1))
    return _scaled(dataclasses.replace(pair, margin=margin, tie=better.second == 0), config)


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
