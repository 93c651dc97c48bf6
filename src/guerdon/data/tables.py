"""Rows with columns to problems: JSON Lines, Parquet, hub datasets; TRL's, verl's and GSM8K's ways to say it.

    TRL    prompt (text or messages), target | answer | ground_truth | gold | label | solution, any further column
    verl   data_source, prompt (messages), reward_model.ground_truth, extra_info
    GSM8K  question, answer "... #### 42"

`columns` in the recipe says otherwise. A row that cannot be used is refused by its place, never skipped.
Files themselves are opened in `files.py`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from guerdon.core.errors import DataError, MissingExtraError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Json, Message, Problem
from guerdon.data.cells import ABSENT, first_of, json_of, messages_of, text_of, value_at
from guerdon.data.config import HubConfig, JsonlConfig, ParquetConfig, TableConfig
from guerdon.data.files import Row, jsonl_rows, parquet_rows
from guerdon.data.rows import spooled

TARGETS = ("target", "answer", "ground_truth", "gold", "label")
"""Columns that may hold the gold answer, in this order; then a `solution` in text, by its final answer."""
PROMPTS = ("prompt", "messages", "question", "problem", "query")
"""Columns that may hold what is asked, in this order."""


def read_jsonl(config: JsonlConfig) -> Sequence[Problem]:
    """Read a file of JSON Lines, plain or gzipped.

    Raises:
        DataError: no such file, empty, truncated, or a line that is no JSON object or no usable row.
    """
    return spooled(_problems(table_rows(config), config, str(Path(config.path).expanduser())))


def read_parquet(config: ParquetConfig) -> Sequence[Problem]:
    """Read a .parquet file or a folder of them, in the order of their names.

    Raises:
        DataError: no such file, damaged, or a row that cannot be used.
    """
    return spooled(_problems(table_rows(config), config, str(Path(config.path).expanduser())))


def table_rows(config: JsonlConfig | ParquetConfig) -> Iterator[tuple[str, Row]]:
    """Every row of a file as it stands there, with its place ("line 3"); one at a time, so files may be large.

    Raises:
        DataError: no such file, or damaged.
    """
    path = Path(config.path).expanduser()
    return jsonl_rows(path) if isinstance(config, JsonlConfig) else parquet_rows(path)


def read_hub(config: HubConfig) -> Sequence[Problem]:
    """Read a dataset of the Hugging Face hub.

    Raises:
        MissingExtraError: `datasets` is not installed.
        DataError: it cannot be had (offline, private, no such split), or a row cannot be used.
    """
    return spooled(_problems(hub_rows(config), config, config.path))


def hub_rows(config: HubConfig) -> Iterator[tuple[str, Row]]:
    """Every row of a hub dataset, with its place ("row 3").

    Raises:
        MissingExtraError: `datasets` is not installed.
        DataError: it cannot be had (offline, private, no such split).
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("data.kind = 'hub'", "train") from None
    try:
        rows = datasets.load_dataset(config.path, config.name, split=config.split, revision=config.revision)
    except Exception as error:  # datasets, the hub and the network raise many kinds
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"data: hub dataset {config.path}, split {config.split}: {first[:200]}; check name, split and network, "
            "or read a local copy with kind = 'jsonl' or 'parquet'"
        ) from None
    return ((f"row {index}", row) for index, row in enumerate(rows))


def _problems(rows: Iterable[tuple[str, Row]], config: TableConfig, source: str) -> Iterator[Problem]:
    seen: set[int] = set()  # hashes of the names, which themselves would fill the memory
    for place, row in itertools.islice(rows, config.limit):
        problem = to_problem(row, config, f"{source}, {place}")
        if hash(problem.id) in seen:
            problem = _told_apart(problem, place, seen)
        seen.add(hash(problem.id))
        yield problem
    if not seen:
        raise DataError(f"data: {source}: no rows; expected at least one with a prompt")


def _told_apart(problem: Problem, place: str, seen: Container[int]) -> Problem:
    """A name of its own for a row whose id stood before: files in one folder often count from 0 each."""
    name = f"{problem.id}~{content_hash(_content(problem.messages, problem.target))}"
    return dataclasses.replace(problem, id=f"{name}~{place}" if hash(name) in seen else name)


class Columns(NamedTuple):
    """Which column of a row is what; names may be dotted; None: the row has none."""

    prompt: str
    target: str | None
    solution: str | None
    id: str | None

    @property
    def consumed(self) -> frozenset[str | None]:
        """Columns that do not go on into `info`."""
        return frozenset((self.prompt, self.target, self.solution))


def columns_of(row: Row, config: TableConfig, where: str) -> Columns:
    """How `row` is read: by its layout, and first of all by what the recipe says.

    Raises:
        DataError: it has no prompt, or lacks a column that the recipe names.
    """
    for ours, theirs in config.columns.items():
        if value_at(row, theirs) is ABSENT:
            raise DataError(f"data: {where}: no column {theirs!r} (columns.{ours}); it has {', '.join(row)}")
    layout = config.layout if config.layout != "auto" else recognise(row)
    solution = "solution" if isinstance(row.get("solution"), str) else None
    prompt, target = first_of(row, PROMPTS), first_of(row, TARGETS) or solution
    if layout == "verl":
        if "prompt" not in row or not isinstance(row.get("reward_model"), Mapping):
            raise DataError(
                f"data: {where}: layout verl needs the columns prompt and reward_model; got {', '.join(row)}"
            )
        prompt, target = "prompt", "reward_model.ground_truth"
    prompt = config.columns.get("prompt", prompt)
    if prompt is None:
        raise DataError(
            f"data: {where}: no prompt; expected a column {', '.join(PROMPTS)}, got {', '.join(row) or 'nothing'} "
            "(map yours with columns = {prompt = '...'})"
        )
    return Columns(
        prompt=prompt,
        target=config.columns.get("target", target),
        solution=config.columns.get("solution", solution),
        id=config.columns.get("id", "id" if "id" in row else None),
    )


def recognise(row: Row) -> str:
    """`verl` or `trl`, by the columns."""
    return "verl" if isinstance(row.get("reward_model"), Mapping) and "prompt" in row else "trl"


def describe_columns(row: Row, config: TableConfig) -> list[tuple[str, str]]:
    """(ours, theirs) for `guerdon check`: how this file's columns are read."""
    columns = columns_of(row, config, "the first row")
    known = {*columns.consumed, columns.id}
    further = [name for name in row if name not in known]
    solution = columns.solution
    if solution is None and columns.target and _final_answer(value_at(row, columns.target)):
        solution = f"{columns.target} (its #### is the target)"
    return [
        ("prompt", columns.prompt),
        ("target", columns.target or "-"),
        ("solution", solution or "-"),
        ("id", columns.id or "hash of the content"),
        ("info", ", ".join(further) or "-"),
    ]


def to_problem(row: Row, config: TableConfig, where: str) -> Problem:
    """One row as a problem.

    Raises:
        DataError: it has no usable prompt, or a target that is no text and no finite number.
    """
    columns = columns_of(row, config, where)
    messages, prompt_format = messages_of(value_at(row, columns.prompt), where)
    solution = value_at(row, columns.solution) if columns.solution else None
    if columns.prompt != "prompt" and messages[-1].role == "assistant":
        messages, solution = messages[:-1], solution or messages[-1].content  # a whole conversation
    if not messages or messages[-1].role == "assistant":
        raise DataError(
            f"data: {where}: the prompt ends in an assistant's message; expected a question to answer "
            "(put the answer into a column solution)"
        )
    target = _target(value_at(row, columns.target), where) if columns.target else None
    if target is not None and target.rstrip().endswith("####"):
        raise DataError(f"data: {where}: nothing stands after #### in {columns.target}; expected the answer")
    if target is not None and (answer := _final_answer(target)) is not None:
        target, solution = answer, solution or target  # GSM8K: the worked solution ends in the answer
    elif target is not None and columns.target == columns.solution:
        target = _last_box(target) or target
    info = _info(row, columns, where)
    info["prompt_format"] = prompt_format
    if isinstance(solution, str):
        info["solution"] = text_of(solution, "the worked solution", where)
    name = value_at(row, columns.id) if columns.id else None
    key = (
        str(name) if isinstance(name, str | int) and name != "" else content_hash(_content(messages, target))
    )
    return Problem(id=text_of(key, "the id", where), messages=messages, target=target, info=info)


def _content(messages: Iterable[Message], target: str | None) -> str:
    return json.dumps([message.content for message in messages]) + str(target)


def _target(value: Any, where: str) -> str | None:
    if value is None or value is ABSENT:
        return None
    if isinstance(value, str):
        return text_of(value, "the target", where)
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else _digits(value)
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    raise DataError(f"data: {where}: target is {value!r:.60}; expected text or a finite number")


def _digits(value: float) -> str:
    """The shortest digits that are this number; without an exponent where that stays readable."""
    plain = format(Decimal(repr(value)), "f")
    return plain if len(plain) <= 24 else repr(value)


def _final_answer(text: Any) -> str | None:
    """What follows `####` at the very end, as GSM8K writes it; a heading of Markdown has text below it."""
    if not isinstance(text, str) or "####" not in text:
        return None
    before, _, after = text.rpartition("####")
    is_last = after.strip() and "\n" not in after.strip()
    return after.strip() if is_last and (not before or before[-1].isspace()) else None


def _last_box(text: str) -> str | None:
    r"""Content of the last `\boxed{...}`, braces balanced; None: there is none, or it is not closed."""
    start = text.rfind("\\boxed{")
    depth = 0
    for index in range(start + 6, len(text)) if start >= 0 else ():
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return text[start + 7 : index].strip() or None
    return None


def _info(row: Row, columns: Columns, where: str) -> dict[str, Json]:
    consumed = columns.consumed
    try:
        return {str(key): json_of(value) for key, value in row.items() if key not in consumed}
    except RecursionError:
        raise DataError(f"data: {where}: a column is nested too deeply; expected a few levels") from None
