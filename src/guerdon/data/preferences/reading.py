"""Files of preferences to pairs, with an account of every row that gave none."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from guerdon.core.errors import DataError
from guerdon.core.types import Preference, to_json
from guerdon.data.config import HubConfig
from guerdon.data.files import Row, jsonl_rows, parquet_rows
from guerdon.data.preferences.columns import recognise_layout
from guerdon.data.preferences.config import (
    HubPreferencesConfig,
    JsonlPreferencesConfig,
    PreferenceTableConfig,
)
from guerdon.data.preferences.layouts import read_answer, read_list, read_pair
from guerdon.data.preferences.pairing import Candidates, pairs_of
from guerdon.data.split import prompt_key
from guerdon.data.tables import hub_rows

PAIRS = ("guerdon", "pairs", "transcripts", "comparison")
LISTS = ("list", "ranked")
EXPECTED = (
    "chosen and rejected, two responses and a preference, responses with scores or ranks, or a response with "
    "ratings or a label"
)


class BadRow(NamedTuple):
    """A row that was left out."""

    place: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceSet:
    """Pairs, and what became of everything else."""

    pairs: tuple[Preference, ...]
    places: tuple[str, ...] = ()
    """Where each pair stands: "line 3"; of a list that stands in several rows, the first."""
    layout: str = ""
    num_rows: int = 0
    bad_rows: tuple[BadRow, ...] = ()
    """Rows that could not be used."""
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)
    """What no pair was made of although its row is sound, by reason."""
    lists: tuple[Candidates, ...] = ()
    """Layouts of lists and of single answers: the answers to each prompt, for listwise and pointwise losses."""
    list_of: tuple[int, ...] = ()
    """Of those layouts: from which of the lists each pair is made."""

    def account(self) -> str:
        """Why there is no pair, in words."""
        why = [f"{count} {reason}" for reason, count in self.left_out.most_common()]
        if self.bad_rows:
            why.append(f"{len(self.bad_rows)} rows left out, first: {self.bad_rows[0].why}")
        reasons = f" ({', '.join(why)})" if why else ""
        return f"{self.num_rows} rows and no pair of answers{reasons}"


def read_preferences(config: PreferenceTableConfig, seed: int) -> PreferenceSet:
    """Read rows, recognise how they are laid out, make pairs.

    Raises:
        DataError: no such file, damaged, an unknown layout, a row that cannot be used, or neither a pair nor a rating.
    """
    found = scan_preferences(config, seed)
    if not found.pairs and not any(answer.score is not None for one in found.lists for answer in one.answers):
        raise DataError(f"data: {config.place}: {found.account()}; expected at least one")
    return found


def scan_preferences(config: PreferenceTableConfig, seed: int) -> PreferenceSet:
    """`read_preferences`, only that a file without any pair is no error.

    Raises:
        DataError: no such file, damaged, an unknown layout, or a row that cannot be used.
    """
    rows = itertools.islice(_rows(config), config.limit)
    first = next(rows, None)
    if first is None:
        raise DataError(f"data: {config.place}: no rows; expected at least one pair of answers")
    layout = layout_of(first[1], config)
    reader = _Reader(config, layout, seed)
    count = 0
    for place, row in itertools.chain([first], rows):
        count += 1
        reader.add(place, row)
    reader.finish()
    return PreferenceSet(
        pairs=tuple(reader.pairs),
        places=tuple(reader.places),
        layout=layout,
        num_rows=count,
        bad_rows=tuple(reader.bad_rows),
        left_out=reader.left_out,
        lists=tuple(reader.lists.values()),
        list_of=tuple(reader.list_of),
    )


def layout_of(row: Row, config: PreferenceTableConfig) -> str:
    """The layout that the recipe names, or that of the row.

    Raises:
        DataError: the row is in none.
    """
    if config.layout != "auto":
        return config.layout
    layout = recognise_layout(row, config.columns, config.attributes)
    if layout is None:
        raise DataError(
            f"data: {config.place}: no preferences: the first row has {', '.join(row) or 'nothing'}; expected "
            f"{EXPECTED} (map yours with columns = {{chosen = '...'}}, or name the layout)"
        )
    return layout


def write_preferences(path: Path, pairs: Iterable[Preference]) -> int:
    """Write pairs as JSON Lines in the layout `guerdon`, which loses nothing; how many.

    Args:
        path: a file, written anew.
        pairs: a stream is fine.
    """
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for pair in pairs:
            file.write(json.dumps(to_json(pair), ensure_ascii=False) + "\n")
            count += 1
    return count


class _Reader:
    """Takes rows as they come; lists of single answers are complete at the end only."""

    def __init__(self, config: PreferenceTableConfig, layout: str, seed: int) -> None:
        self.config, self.layout, self.seed = config, layout, seed
        on_disk = not isinstance(config, HubPreferencesConfig)
        self.source = str(Path(config.place).expanduser()) if on_disk else config.place
        self.pairs: list[Preference] = []
        self.places: list[str] = []
        self.bad_rows: list[BadRow] = []
        self.left_out: Counter[str] = Counter()
        self.lists: dict[str, Candidates] = {}
        self.list_of: list[int] = []

    def add(self, place: str, row: Row) -> None:
        """One row."""
        where = f"{self.source}, {place}"
        try:
            if self.layout in PAIRS:
                self._keep(place, [read_pair(row, self.layout, self.config, where)])
            elif self.layout in LISTS:
                self.lists[place] = read_list(row, self.layout, self.config, where)
            else:
                self._join(read_answer(row, self.layout, self.config, where))
        except DataError as error:
            if self.config.bad_rows == "refuse":
                raise
            self.bad_rows.append(BadRow(place, str(error).removeprefix(f"data: {where}: ")))

    def finish(self) -> None:
        """Pairs of the lists."""
        for number, candidates in enumerate(self.lists.values()):
            place = candidates.answers[0].place.removeprefix(f"{self.source}, ").partition(", response")[0]
            if len(candidates.answers) == 1:
                self.left_out["prompts with one answer"] += 1
                continue
            if all(answer.score is None for answer in candidates.answers):
                self.left_out["prompts that nobody judged"] += 1
                continue
            made = pairs_of(candidates, self.config.pairing, seed=self.seed, left_out=self.left_out)
            scale = self.config.margin_scale
            self._keep(
                place,
                (
                    pair if pair.margin is None else dataclasses.replace(pair, margin=pair.margin * scale)
                    for pair in made
                ),
            )
            self.list_of += [number] * (len(self.pairs) - len(self.list_of))

    def _keep(self, place: str, pairs: Iterable[Preference]) -> None:
        for pair in pairs:
            if pair.tie and self.config.ties == "drop":
                self.left_out["ties"] += 1
                continue
            self.pairs.append(pair)
            self.places.append(place)

    def _join(self, one: Candidates) -> None:
        key = prompt_key(one.problem)
        known = self.lists.get(key)
        if known is not None and known.source != one.source:  # a person's 4 and a model's 4 are not the same
            key = f"{key} {one.source}"
            known = self.lists.get(key)
        if known is not None:
            one = dataclasses.replace(known, answers=(*known.answers, *one.answers))
        self.lists[key] = one


def _rows(config: PreferenceTableConfig) -> Iterator[tuple[str, Row]]:
    if isinstance(config, HubPreferencesConfig):
        return hub_rows(
            HubConfig(path=config.path, name=config.name, split=config.split, revision=config.revision)
        )
    path = Path(config.place).expanduser()
    return jsonl_rows(path) if isinstance(config, JsonlPreferencesConfig) else parquet_rows(path)
