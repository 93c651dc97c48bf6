"""Rows with columns to problems: JSON Lines, Parquet, hub datasets; TRL's, verl's and GSM8K's ways to say it.

    TRL    prompt (text or messages), answer | target | ground_truth | gold, solution?, any further column
    verl   data_source, prompt (messages), reward_model.ground_truth, extra_info
    GSM8K  question, answer "... #### 42"

`columns` in the recipe maps other names onto ours. A row that cannot be used is refused by its place, never skipped.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from guerdon.core.errors import DataError, MissingExtraError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Json, Message, Problem
from guerdon.data.config import HubConfig, JsonlConfig, ParquetConfig, TableConfig

TARGETS = ("target", "answer", "ground_truth", "gold", "label")
"""Columns that may hold the gold answer, in this order."""
PROMPTS = ("prompt", "messages", "question", "problem", "query")
"""Columns that may hold what is asked, in this order."""

Row = Mapping[str, Any]


def read_jsonl(config: JsonlConfig) -> tuple[Problem, ...]:
    """Read a .jsonl or .jsonl.gz file.

    Raises:
        DataError: no such file, empty, truncated, or a line that is no JSON object or no usable row.
    """
    return _problems(table_rows(config), config, str(Path(config.path).expanduser()))


def read_parquet(config: ParquetConfig) -> tuple[Problem, ...]:
    """Read a .parquet file or a folder of them, in the order of their names.

    Raises:
        DataError: no such file, damaged, or a row that cannot be used.
    """
    return _problems(table_rows(config), config, str(Path(config.path).expanduser()))


def table_rows(config: JsonlConfig | ParquetConfig) -> Iterator[tuple[str, Row]]:
    """Every row of a file as it stands there, with its place ("line 3").

    Raises:
        DataError: no such file, or damaged.
    """
    path = Path(config.path).expanduser()
    if isinstance(config, JsonlConfig):
        if not path.is_file():
            raise DataError(f"data: {path}: no such file")
        return _jsonl_rows(path)
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError(f"data: {path}: no Parquet file there")
    return _parquet_rows(files)


def read_hub(config: HubConfig) -> tuple[Problem, ...]:
    """Read a dataset of the Hugging Face hub.

    Raises:
        MissingExtraError: `datasets` is not installed.
        DataError: it cannot be had (offline, private, no such split), or a row cannot be used.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("data.kind = 'hub'", "train") from None
    try:
        rows = datasets.load_dataset(config.path, config.name, split=config.split, revision=config.revision)
    except Exception as error:  # datasets, the hub and the network raise many kinds
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"data: hub dataset {config.path}, split {config.split}: {first[:200]}") from None
    return _problems(((f"row {index}", row) for index, row in enumerate(rows)), config, config.path)


def _jsonl_rows(path: Path) -> Iterator[tuple[str, Row]]:
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115 - closed below
    number = 0
    try:
        with opened as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"line {number}", _json_object(line, f"{path}:{number}")
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise DataError(
            f"data: {path}: cannot be read after line {number}: {error}; the file is damaged"
        ) from None


def _json_object(line: bytes, where: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        hint = "; the file was cut off here?" if not line.endswith(b"\n") else ""
        raise DataError(f"data: {where}: not JSON ({str(error)[:80]}){hint}") from None
    if not isinstance(row, dict):
        raise DataError(f"data: {where}: got {type(row).__name__}, expected a JSON object with columns")
    return row


def _parquet_rows(files: list[Path]) -> Iterator[tuple[str, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in files:
        try:
            with pq.ParquetFile(file) as opened:
                index = 0
                for batch in opened.iter_batches():
                    for row in batch.to_pylist():
                        yield f"{file.name} row {index}", row
                        index += 1
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"data: {file}: not readable Parquet: {str(error).splitlines()[0]}") from None


def _problems(rows: Iterable[tuple[str, Row]], config: TableConfig, source: str) -> tuple[Problem, ...]:
    problems: list[Problem] = []
    for place, row in itertools.islice(rows, config.limit):
        problems.append(to_problem(row, config, f"{source}, {place}"))
    if not problems:
        raise DataError(f"data: {source}: no rows; expected at least one with a prompt")
    return tuple(problems)


def to_problem(row: Row, config: TableConfig, where: str) -> Problem:
    """One row as a problem.

    Raises:
        DataError: it has no usable prompt, or a target that is no text and no finite number.
    """
    row = _renamed(row, config, where)
    layout = config.layout if config.layout != "auto" else recognise(row)
    used, prompt, target = (_verl if layout == "verl" else _trl)(row, where)
    messages, prompt_format = _messages(prompt, where)
    solution = row.get("solution")
    text = _target(target, where)
    if text is not None and "####" in text:  # GSM8K: the worked solution ends in the answer
        solution = solution if isinstance(solution, str) else text
        text = text.rpartition("####")[2].strip()
    info: dict[str, Json] = {key: _json(value) for key, value in row.items() if key not in used}
    info["prompt_format"] = prompt_format
    if isinstance(solution, str):
        info["solution"] = solution
    name = row.get("id")
    key = (
        str(name) if name is not None else content_hash(json.dumps([m.content for m in messages]) + str(text))
    )
    return Problem(id=key, messages=messages, target=text, info=info)


def recognise(row: Row) -> str:
    """`verl` or `trl`, by the columns."""
    return "verl" if isinstance(row.get("reward_model"), Mapping) and "prompt" in row else "trl"


def describe_columns(row: Row, config: TableConfig) -> list[tuple[str, str]]:
    """(ours, theirs) for `guerdon check`: how this file's columns are read."""
    row = _renamed(row, config, "the first row")
    layout = config.layout if config.layout != "auto" else recognise(row)
    if layout == "verl":
        known = [("prompt", "prompt"), ("target", "reward_model.ground_truth")]
    else:
        known = [("prompt", _first(row, PROMPTS) or "-"), ("target", _target_column(row) or "-")]
    known.append(("solution", "solution" if "solution" in row and known[1][1] != "solution" else "-"))
    used = {theirs.partition(".")[0] for _, theirs in known}
    return [*known, ("info", ", ".join(name for name in row if name not in used and name != "id") or "-")]


def _renamed(row: Row, config: TableConfig, where: str) -> Row:
    if not config.columns:
        return row
    renamed = dict(row)
    for ours, theirs in config.columns.items():
        value: Any = row
        for key in theirs.split("."):
            if not isinstance(value, Mapping) or key not in value:
                raise DataError(
                    f"data: {where}: no column {theirs!r} (columns.{ours}); it has {', '.join(row)}"
                )
            value = value[key]
        renamed.pop(theirs, None)
        renamed[ours] = value
    return renamed


def _trl(row: Row, where: str) -> tuple[set[str], Any, Any]:
    column = _first(row, PROMPTS)
    if column is None:
        raise DataError(
            f"data: {where}: no prompt; expected a column {', '.join(PROMPTS)}, got {', '.join(row) or 'nothing'} "
            "(map yours with columns = {prompt = '...'})"
        )
    target = _target_column(row)
    return {column, target or "", "solution"}, row[column], row[target] if target else None


def _target_column(row: Row) -> str | None:
    return _first(row, TARGETS) or ("solution" if isinstance(row.get("solution"), str) else None)


def _verl(row: Row, where: str) -> tuple[set[str], Any, Any]:
    reward = row.get("reward_model")
    if "prompt" not in row or not isinstance(reward, Mapping):
        raise DataError(
            f"data: {where}: layout verl needs the columns prompt and reward_model; got {', '.join(row)}"
        )
    return {"prompt"}, row["prompt"], reward.get("ground_truth")


def _first(row: Row, names: Iterable[str]) -> str | None:
    return next((name for name in names if row.get(name) is not None), None)


def _messages(prompt: Any, where: str) -> tuple[tuple[Message, ...], str]:
    if isinstance(prompt, str):
        if not prompt.strip():
            raise DataError(f"data: {where}: the prompt is empty")
        return (Message(role="user", content=prompt),), "text"
    if isinstance(prompt, list) and prompt and all(isinstance(message, Mapping) for message in prompt):
        messages = tuple(_message(message, where) for message in prompt)
        if any(message.role == "user" for message in messages):
            return messages, "messages"
        raise DataError(f"data: {where}: the prompt has no user message")
    got = f"{type(prompt).__name__} {str(prompt)[:40]!r}"
    raise DataError(f"data: {where}: prompt is {got}; expected text or a list of {{role, content}}")


def _message(message: Mapping[str, Any], where: str) -> Message:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or not isinstance(content, str):
        raise DataError(f"data: {where}: a message needs role and content as text; got {dict(message)!r:.80}")
    return Message(role=role, content=content)


def _target(value: Any, where: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    raise DataError(f"data: {where}: target is {value!r:.60}; expected text or a finite number")


_PLAIN: dict[type, Callable[[Any], Json]] = {str: str, int: int, bool: bool}


def _json(value: Any) -> Json:
    """Any column as JSON: what JSON has no word for (dates, bytes) becomes text."""
    if value is None or type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return str(value)
