"""The reference bank: responses of the policy as it was before reinforcement, and what the proxy thought of them.

    references/rm.jsonl     {"format": 1, "key": hash of the prompt, "proxy": version and scale, "responses": [...]}

A row is written once and never changes; values of another proxy are refused, since they say nothing about this one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from guerdon.core.errors import DataError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Json, Problem
from guerdon.rewards.shaping import Sample

FORMAT = 1


class Response(NamedTuple):
    """One reference response."""

    text: str
    sample: Sample


@dataclass(frozen=True, slots=True)
class Row:
    """The references to one prompt."""

    key: str
    proxy: str
    """Version of the reward model, and on which scale it spoke."""
    responses: tuple[Response, ...]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What shaping compares with."""
        return tuple(response.sample for response in self.responses)

    def to_json(self) -> dict[str, Json]:
        """A line of the file."""
        said: list[Json] = [
            {"text": text, "value": sample.value, "length": sample.length} for text, sample in self.responses
        ]
        return {"format": FORMAT, "key": self.key, "proxy": self.proxy, "responses": said}


def prompt_key(problem: Problem) -> str:
    """Names all that a reward model may be shown of a problem."""
    said = "\x1e".join(f"{message.role}\x1f{message.content}" for message in problem.messages)
    return content_hash(f"{said}\x1d{problem.target or ''}")


class ReferenceBank:
    """References by prompt."""

    def __init__(self, proxy: str, rows: Sequence[Row] = ()) -> None:
        self.proxy = proxy
        self._rows = {row.key: row for row in rows}

    @classmethod
    def read(cls, path: Path, proxy: str) -> ReferenceBank:
        """From a file. What a kill left half written at its end is passed over.

        Raises:
            DataError: no such file, damaged, without responses, with values that are no numbers, or of another proxy.
        """
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: reference responses cannot be read: {error}") from None
        rows = [
            _row(f"{path}:{number}", line, proxy)
            for number, line in enumerate(lines[:-1], start=1)  # a whole line ends with a line break
            if line.strip()
        ]
        return cls(proxy, rows)

    def __len__(self) -> int:
        """Number of prompts."""
        return len(self._rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """In the order in which they came."""
        return tuple(self._rows.values())

    def get(self, problem: Problem) -> Row | None:
        """The references to a problem's prompt."""
        return self._rows.get(prompt_key(problem))

    def missing(self, problems: Sequence[Problem]) -> list[Problem]:
        """Those without references, each prompt once."""
        keyed = ((prompt_key(problem), problem) for problem in problems)
        return list({key: problem for key, problem in keyed if key not in self._rows}.values())

    def add(self, rows: Sequence[Row], write: Callable[[str], None] | None = None) -> None:
        """Take rows in; `write` is given a line for each first.

        Raises:
            DataError: a row without responses, with a value that is no finite number, or of another proxy.
        """
        for row in rows:
            _check(row, self.proxy, f"references to prompt {row.key}")
            if write:
                write(json.dumps(row.to_json(), allow_nan=False))
            self._rows[row.key] = row

    def check_covers(self, problems: Sequence[Problem], where: str) -> None:
        """For a bank that cannot be filled.

        Raises:
            DataError: some of the problems have no references.
        """
        if lacking := self.missing(problems):
            raise DataError(
                f"{where}: has no references to {len(lacking)} of the prompts (first: problem {lacking[0].id}); "
                "make it with the same data, or leave `references` out: the run then samples its own"
            )


def _row(where: str, line: str, proxy: str) -> Row:
    try:
        data: Any = json.loads(line)
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}")
        said = [
            Response(str(item["text"]), Sample(_number(item["value"]), int(item["length"])))
            for item in data["responses"]
        ]
        row = Row(str(data["key"]), str(data["proxy"]), tuple(said))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where}: no row of reference responses of format {FORMAT}: {error}") from None
    _check(row, proxy, where)
    return row


def _check(row: Row, proxy: str, where: str) -> None:
    if row.proxy != proxy:
        raise DataError(
            f"{where}: scored by reward model {row.proxy}; this run has {proxy}; use that model, or start a new run"
        )
    if not row.responses:
        raise DataError(f"{where}: no response; expected at least one a prompt")
    if not all(math.isfinite(sample.value) for sample in row.samples):
        raise DataError(f"{where}: a value is no finite number")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)
