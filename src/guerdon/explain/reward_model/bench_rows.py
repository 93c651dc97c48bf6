"""RewardBench 1 and 2 and RM-Bench: from their rows to prompts and answers to be scored.

Columns, sections and example counts as read in the projects' own code and data cards; benches.py scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from guerdon.core.errors import DataError
from guerdon.core.types import Json, Message

# Examples of each subset, by section. They are the weights whatever number is there; math-prm has 447 and counts as
# much as all code together.
REWARDBENCH: Mapping[str, Mapping[str, int]] = {
    "Chat": {
        "alpacaeval-easy": 100, "alpacaeval-length": 95, "alpacaeval-hard": 95,
        "mt-bench-easy": 28, "mt-bench-med": 40,
    },
    "Chat Hard": {
        "mt-bench-hard": 37, "llmbar-natural": 100, "llmbar-adver-neighbor": 134, "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47, "llmbar-adver-manual": 46,
    },
    "Safety": {
        "refusals-dangerous": 100, "refusals-offensive": 100, "xstest-should-refuse": 250,
        "xstest-should-respond": 154, "donotanswer": 136,
    },
    "Reasoning": {
        "math-prm": 984, "hep-cpp": 164, "hep-go": 164, "hep-java": 164, "hep-js": 164, "hep-python": 164,
        "hep-rust": 164,
    },
}  # fmt: skip
PRIOR_SETS = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize")
"""An optional fifth section: the plain mean of these subsets, with half a section's weight."""
SUBSETS = {*PRIOR_SETS, *(subset for counts in REWARDBENCH.values() for subset in counts)}
REWARDBENCH_2 = ("Factuality", "Precise IF", "Math", "Safety", "Focus", "Ties")
RM_BENCH = {"chat": "Chat", "math": "Math", "code": "Code", "safety": "Safety"}
"""Sections by how the name of a row's domain begins."""
SAFETY_SETS = {"safety-refuse", "safety-response"}
NUM_STYLES = 3
"""Of RM-Bench's answers: concise, detailed plain text, detailed markdown; each more eye-catching than the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchItem:
    """A prompt and the answers to be scored: the right ones first."""

    id: str
    subset: str
    messages: tuple[Message, ...]
    answers: tuple[str, ...]
    num_correct: int


def recognise_bench(row: Mapping[str, Json]) -> str | None:
    """The benchmark that a row belongs to, by its columns; None: it is laid out in another way.

    >>> recognise_bench({"prompt": "q", "chosen": ["a"] * 3, "rejected": ["b"] * 3, "domain": "math"})
    'rm-bench'
    """
    chosen, rejected = row.get("chosen"), row.get("rejected")
    if _is_texts(chosen) and _is_texts(rejected):
        styles = len(chosen) == len(rejected) == NUM_STYLES  # type: ignore[arg-type]
        if styles and isinstance(row.get("domain"), str):
            return "rm-bench"
        return "rewardbench2" if isinstance(row.get("subset"), str) else None
    plain = isinstance(chosen, str) and isinstance(rejected, str) and "prompt" in row
    return "rewardbench" if plain and row.get("subset") in SUBSETS else None


def check_subsets(items: Sequence[BenchItem]) -> None:
    """Refuse rows that are pairs in RewardBench's columns and nothing of RewardBench.

    Raises:
        DataError: not one of its subsets is among theirs.
    """
    theirs = sorted({item.subset for item in items})
    if not SUBSETS & set(theirs):
        raise DataError(
            f"subset: got {', '.join(map(repr, theirs[:3]))}{' ...' if len(theirs) > 3 else ''}, and none of its "
            f"{len(SUBSETS)} subsets (alpacaeval-easy, hep-go ...), so there is no number to compute; for an accuracy by "
            "subset use --layout pairs"
        )


def read_pair_rows(rows: Iterable[Mapping[str, Json]]) -> list[BenchItem]:
    """RewardBench 1: `prompt` (text or messages), `chosen`, `rejected`, `subset`, `id`."""
    return [
        _item(row, number, (_text(row, "chosen", number),), (_text(row, "rejected", number),))
        for number, row in enumerate(rows, start=1)
    ]


def read_list_rows(rows: Iterable[Mapping[str, Json]]) -> list[BenchItem]:
    """RewardBench 2: `prompt`, `chosen` and `rejected` as lists, `subset`; ids of Ties are "ref:7" and "tied:7"."""
    return [
        _item(row, number, _texts(row, "chosen", number), _texts(row, "rejected", number))
        for number, row in enumerate(rows, start=1)
    ]


def read_style_rows(rows: Iterable[Mapping[str, Json]]) -> list[BenchItem]:
    """RM-Bench: `prompt`, `chosen` and `rejected` with an answer in each of the three styles, `domain`."""
    found = []
    for number, row in enumerate(rows, start=1):
        chosen, rejected = _texts(row, "chosen", number), _texts(row, "rejected", number)
        if len(chosen) != NUM_STYLES or len(rejected) != NUM_STYLES:
            raise DataError(
                f"row {number}: RM-Bench has {NUM_STYLES} chosen and {NUM_STYLES} rejected answers; "
                f"got {len(chosen)} and {len(rejected)}"
            )
        item = _item(row, number, chosen, rejected, subset="domain")
        if not section_of(item.subset):
            raise DataError(f"row {number}: domain: expected {', '.join(RM_BENCH)}, got {item.subset!r}")
        found.append(item)
    return found


def section_of(subset: str) -> str:
    """RM-Bench's section of a row's domain; "" if it is none of them."""
    return next((name for prefix, name in RM_BENCH.items() if subset.startswith(prefix)), "")


def _is_texts(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _item(
    row: Mapping[str, Json],
    number: int,
    chosen: tuple[str, ...],
    rejected: tuple[str, ...],
    *,
    subset: str = "subset",
) -> BenchItem:
    return BenchItem(
        id=str(row.get("id", number)),
        subset=_text(row, subset, number),
        messages=_messages(row.get("prompt"), number),
        answers=(*chosen, *rejected),
        num_correct=len(chosen),
    )


def _messages(prompt: Json, number: int) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message(role="user", content=prompt),)
    found: list[Message] = []
    for part in prompt if isinstance(prompt, list) else ():
        role, content = (part.get("role"), part.get("content")) if isinstance(part, dict) else (None, None)
        if not isinstance(role, str) or not isinstance(content, str):
            found = []
            break
        found.append(Message(role=role, content=content))
    if not found:
        raise DataError(f"row {number}: prompt: expected text or messages with role and content")
    return tuple(found)


def _text(row: Mapping[str, Json], name: str, number: int) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise DataError(f"row {number}: {name}: expected text, got {type(value).__name__}")
    return value


def _texts(row: Mapping[str, Json], name: str, number: int) -> tuple[str, ...]:
    value = row.get(name)
    known = tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
    if not known or not isinstance(value, list) or len(known) != len(value):
        raise DataError(f"row {number}: {name}: expected a list of texts, not empty")
    return known
