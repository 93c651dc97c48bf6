r"""Which column of a row is what, and which layout a row is in.

guerdon      problem {id, messages, target, info}, chosen, rejected ...      as `guerdon` writes preferences
pairs        chosen, rejected, with or without prompt; text or messages      TRL, UltraFeedback-binarized
transcripts  chosen, rejected: "\n\nHuman: ... \n\nAssistant: ..."               hh-rlhf
comparison   two responses and which is better, or a number with a sign      HelpSteer2 and 3, arenas
ratings      one response a row, rated by attributes                         HelpSteer
list         a list of responses with scores                                 UltraFeedback
ranked       a list of responses with ranks, or (if said so) best first      Nectar
pointwise    one response a row, good or bad                                 TRL's unpaired preferences
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guerdon.core.errors import DataError
from guerdon.data.cells import ABSENT, first_of, value_at
from guerdon.data.files import Row
from guerdon.data.preferences.dialogue import is_transcript

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "instruction", "question", "problem", "query", "context", "history", "input"),
    "chosen": ("chosen",),
    "rejected": ("rejected",),
    "chosen_score": ("score_chosen", "chosen_score", "chosen_rating", "chosen-rating", "rating_chosen"),
    "rejected_score": (
        "score_rejected", "rejected_score", "rejected_rating", "rejected-rating", "rating_rejected",
    ),
    "chosen_critique": ("chosen_critique", "critique_chosen"),
    "rejected_critique": ("rejected_critique", "critique_rejected"),
    "first": ("response_1", "response1", "response_a", "answer_a", "output_1", "conversation_a"),
    "second": ("response_2", "response2", "response_b", "answer_b", "output_2", "conversation_b"),
    "preference": ("overall_preference", "preference_strength", "preference", "winner", "preferred"),
    "responses": ("completions", "responses", "candidates", "answers"),
    "scores": ("scores", "ratings"),
    "ranks": ("ranks", "rank"),
    "response": ("response", "completion", "output"),
    "score": ("score", "overall_score", "rating"),
    "label": ("label",),
    "margin": ("margin",),
    "tie": ("tie", "is_tie"),
    "source": ("source",),
    "annotator": ("annotator", "rater", "annotator_id", "worker_id"),
    "target": ("target", "reference", "reference_answer", "ground_truth", "gold"),
    "id": ("id",),
}  # fmt: skip
"""Names that columns go by, in the order in which they are looked for."""

ATTRIBUTES = (
    "helpfulness",
    "correctness",
    "coherence",
    "complexity",
    "verbosity",
    "honesty",
    "harmlessness",
    "truthfulness",
    "instruction_following",
    "safety",
    "quality",
)
"""Columns that rate a response, by the names that data sets give them."""

TEXTS = ("text", "response", "completion", "content", "answer", "output")
"""What an entry of a list may call its text."""
SOLVED = ("answer", "target", "ground_truth", "gold", "solution", "reward_model")
"""Columns of rows that ask for a right answer; a score or a label beside them is no preference."""


class NamedRow:
    """A row by our names for its columns; remembers which were used, the others are information."""

    def __init__(self, row: Row, columns: Mapping[str, str], where: str) -> None:
        self.row, self.where = row, where
        self._columns = columns
        self.used: set[str] = set()
        for ours, theirs in columns.items():
            if (
                ours != "score" and value_at(row, theirs) is ABSENT
            ):  # the score may stand in the list's entries
                raise DataError(
                    f"data: {where}: no column {theirs!r} (columns.{ours}); it has {', '.join(row)}"
                )

    def find(self, name: str) -> str | None:
        """Their name of what we call `name`, or None; a column with a value goes before one with null."""
        if name in self._columns:
            return self._columns[name]
        known = SYNONYMS[name]
        return first_of(self.row, known) or next((one for one in known if one in self.row), None)

    def get(self, name: str) -> Any:
        """The value of what we call `name`; `ABSENT` if there is none."""
        theirs = self.find(name)
        if theirs is None:
            return ABSENT
        self.used.add(theirs)
        return value_at(self.row, theirs)

    def has(self, *names: str) -> bool:
        """Whether there are columns for all of `names`."""
        return all(
            (theirs := self.find(name)) is not None and value_at(self.row, theirs) is not ABSENT
            for name in names
        )


def recognise_layout(row: Row, columns: Mapping[str, str], attributes: Mapping[str, float]) -> str | None:
    """The layout that a row is in, by its columns; None: these are no preferences.

    >>> recognise_layout({"prompt": "hi", "chosen": "hello", "rejected": "no"}, {}, {})
    'pairs'
    """
    named = NamedRow(row, columns, "the first row")
    if named.has("chosen", "rejected"):
        if isinstance(row.get("problem"), Mapping):
            return "guerdon"
        sides = (named.get("chosen"), named.get("rejected"))
        has_prompt = named.has("prompt")
        said = not has_prompt and any(isinstance(side, str) and is_transcript(side) for side in sides)
        return "transcripts" if said else "pairs"
    if named.has("first", "second", "preference"):
        return "comparison"
    if named.has("responses") and isinstance(named.get("responses"), list):
        return _list_layout(named)
    if named.has("response"):
        return _answer_layout(named, attributes)
    return None


def _list_layout(named: NamedRow) -> str | None:
    entries = [entry for entry in named.get("responses") if isinstance(entry, Mapping)]
    if named.has("scores") or any(entry_value(entry, named, "score") is not ABSENT for entry in entries):
        return "list"
    if named.has("ranks") or any(entry_value(entry, named, "ranks") is not ABSENT for entry in entries):
        return "ranked"
    return None


def _answer_layout(named: NamedRow, attributes: Mapping[str, float]) -> str | None:
    if any(name in named.row for name in (*attributes, *ATTRIBUTES)):
        return "ratings"
    if any(named.row.get(name) is not None for name in SOLVED):
        return None
    if named.has("score"):
        return "ratings"
    return "pointwise" if isinstance(named.get("label"), int) else None  # true and false are ints


def entry_value(entry: Mapping[str, Any], named: NamedRow, name: str) -> Any:
    """What an entry of a list has for `name`, by the recipe's column or a synonym; `ABSENT` if nothing."""
    said = named.find(name) if name == "score" else None
    known = (said, *SYNONYMS[name]) if said else SYNONYMS[name]
    return next((value for one in known if (value := value_at(entry, one)) is not ABSENT), ABSENT)
