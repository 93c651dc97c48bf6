"""Rows as `guerdon` writes them: a preference, or the problem that a list of responses answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from guerdon.core.errors import DataError
from guerdon.core.types import Preference, Problem, from_json
from guerdon.data.cells import json_of, text_of
from guerdon.data.files import Row
from guerdon.data.preferences.judgement import flag, number


def own_problem(given: Any, where: str, *, what: str = "problem") -> Problem:
    """A problem as `guerdon` writes it; edited by others since, perhaps, so that no type is taken on trust.

    Raises:
        DataError: it cannot be used.
    """
    try:
        problem = from_json(Problem, dict(given))
        texts = [problem.id, *(() if problem.target is None else (problem.target,))]
        texts += [text for message in problem.messages for text in (message.role, message.content)]
        info = {str(key): json_of(value) for key, value in problem.info.items()}
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        why = " ".join(str(error).split())[:100]
        raise DataError(f"data: {where}: not a {what} as guerdon writes it: {why}") from None
    _check_texts(texts, where)
    if not problem.messages:
        raise DataError(f"data: {where}: the problem has no messages; expected a prompt")
    return dataclasses.replace(problem, info=info)


def _check_texts(texts: Sequence[Any], where: str) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise DataError(f"data: {where}: a text of the row is {text!r:.40}; expected text")
        text_of(text, "a text", where)


def own_preference(row: Row, where: str) -> Preference:
    """A row of the layout `guerdon`.

    Raises:
        DataError: it cannot be used.
    """
    try:
        problem = own_problem(row["problem"], where, what="preference")
        pair = from_json(Preference, dict(row))
        optional = (pair.annotator, pair.chosen_critique, pair.rejected_critique)
        texts = [pair.chosen, pair.rejected, *(text for text in optional if text is not None)]
        ratings = [_known(pair.chosen_ratings, where), _known(pair.rejected_ratings, where)]
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        why = " ".join(str(error).split())[:100]
        raise DataError(f"data: {where}: not a preference as guerdon writes it: {why}") from None
    _check_texts(texts, where)
    return dataclasses.replace(
        pair,
        problem=problem,
        margin=number(pair.margin, "margin", where),
        tie=flag(pair.tie, "tie", where),
        chosen_ratings=ratings[0],
        rejected_ratings=ratings[1],
    )


def _known(ratings: Mapping[str, Any], where: str) -> dict[str, float]:
    """Without the nulls that Parquet fills in where another row has an attribute more."""
    found = {name: number(value, name, where) for name, value in ratings.items()}
    return {name: value for name, value in found.items() if value is not None}
