"""Files that a reward model is measured on: preferences in any layout, or one of the public benchmarks.

columns of the first row --> RewardBench, RewardBench 2, RM-Bench: items with several answers
                         --> anything else: pairs, and where a prompt has rated or ranked answers also the lists
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guerdon.core.config import parse_config
from guerdon.core.errors import DataError
from guerdon.core.types import Json, Preference
from guerdon.data.files import jsonl_rows, parquet_rows
from guerdon.data.preferences.config import JsonlPreferencesConfig, ParquetPreferencesConfig
from guerdon.data.preferences.pairing import Candidates
from guerdon.explain.reward_model.bench_rows import BenchItem, check_subsets, recognise_bench
from guerdon.explain.reward_model.benches import BENCHES, bench

AUTO, PAIRS = "auto", "pairs"
LAYOUTS = (AUTO, PAIRS, *BENCHES)
"""What `--layout` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalFile:
    """What one file holds."""

    label: str
    """How results on it are called."""
    pairs: tuple[Preference, ...] = ()
    lists: tuple[Candidates, ...] = ()
    """Several rated answers to one prompt: what best-of-n is measured on."""
    bench: str = ""
    """The benchmark's name, "" of preferences."""
    items: tuple[BenchItem, ...] = ()


def read_eval_files(paths: Sequence[str], *, layout: str = AUTO, limit: int | None = None) -> list[EvalFile]:
    """Several files, each under a label of its own: its name, with as many folders as tell it from the others.

    Args:
        paths: the files.
        layout: as for `read_eval_file`.
        limit: as for `read_eval_file`.

    Raises:
        DataError: as `read_eval_file`, or a file that is named twice.
    """
    places = [Path(path).expanduser().resolve() for path in paths]
    twice = next((path for path, place in zip(paths, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise DataError(f"--data {twice}: is named twice; expected each file once")
    return [
        dataclasses.replace(read_eval_file(path, layout=layout, limit=limit), label=_label(place, places))
        for path, place in zip(paths, places, strict=True)
    ]


def _label(place: Path, places: Sequence[Path]) -> str:
    """The shortest end of a path that no other one has."""
    for length in range(1, len(place.parts)):
        end = place.parts[-length:]
        if sum(other.parts[-length:] == end for other in places) == 1:
            return "/".join(end)
    return str(place)


def read_eval_file(path: str, *, layout: str = AUTO, limit: int | None = None) -> EvalFile:
    """Read a file, JSON Lines or Parquet; of benchmarks also a JSON array.

    Args:
        path: the file.
        layout: one of LAYOUTS; `auto` goes by the columns of the first row.
        limit: at most so many rows.

    Raises:
        DataError: no such file, or rows that cannot be used.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise DataError(f"--data {path}: no such file")
    name = layout
    if layout == AUTO:
        name = recognise_bench(next(_rows(place), {})) or PAIRS
    if name == PAIRS:
        return _preferences(path, limit)
    try:
        items = bench(name).items(itertools.islice(_rows(place), limit))
        if items and name == "rewardbench":
            check_subsets(items)
    except DataError as error:
        raise DataError(f"--data {path}: as {BENCHES[name].title}: {error}") from None
    if not items:
        raise DataError(f"--data {path}: no rows; expected those of {BENCHES[name].title}")
    return EvalFile(label=place.name, bench=name, items=tuple(items))


def _preferences(path: str, limit: int | None) -> EvalFile:
    if path.endswith(".json"):
        raise DataError(
            f"--data {path}: no benchmark by its columns, and preferences are read from .jsonl or .parquet; write "
            "one object a line, or name the benchmark with --layout"
        )
    kind = ParquetPreferencesConfig if path.endswith(".parquet") else JsonlPreferencesConfig
    found = parse_config(kind, {"path": path, "limit": limit}, where=f"--data {path}").build(0)
    if not found.pairs:
        raise DataError(f"--data {path}: {found.account()}; expected answers that can be compared")
    lists = tuple(one for one in found.lists if len(one.answers) > 1)
    return EvalFile(label=Path(path).name, pairs=found.pairs, lists=lists)


def _rows(path: Path) -> Iterator[Mapping[str, Json]]:
    if path.suffix == ".json":
        yield from _array(path)
        return
    read = parquet_rows if path.suffix == ".parquet" or path.is_dir() else jsonl_rows
    for _, row in read(path):
        yield row


def _array(path: Path) -> Iterator[dict[str, Any]]:
    """RM-Bench comes as one JSON array."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"--data {path}: cannot be read as JSON: {str(error)[:120]}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"--data {path}: expected a JSON array of objects")
    yield from rows
