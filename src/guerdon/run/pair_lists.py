"""`guerdon prefs pair`: lists of responses that people, or a tool, have labelled since, to pairs. Torch-free.

    lists.jsonl --scores, ranks or a preference filled in--> pairing rules of the recipe --> pairs.jsonl

A list that nobody judged is left out and counted. A response that was edited is refused: it is no longer what the model
said, and its pair would say so all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from guerdon.core.errors import DataError, UserError
from guerdon.core.seeds import content_hash
from guerdon.core.types import to_json
from guerdon.data.preferences.config import JsonlPreferencesConfig, ParquetPreferencesConfig
from guerdon.data.preferences.pairing import Candidates
from guerdon.data.preferences.reading import LISTS, PreferenceSet, scan_preferences
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.durable import write_file


def pair_lists(config: PreferencesRunConfig, path: str, output: Path) -> PreferenceSet:
    """Pairs of the lists in a file, written to `output`, and what became of the others.

    Args:
        config: whose pairing rules, seed and source hold.
        path: lists of responses, as JSON Lines or Parquet; in the form of `guerdon prefs make`, or any list that the
            layouts `list` and `ranked` know.
        output: JSON Lines, written anew.

    Raises:
        UserError: the file holds no lists, a row cannot be used, or a response was edited.
    """
    if output.exists() and Path(path).expanduser().exists() and output.samefile(Path(path).expanduser()):
        raise UserError(f"--output {output}: is the lists themselves, which would be lost; give another name")
    kind = ParquetPreferencesConfig if path.endswith(".parquet") else JsonlPreferencesConfig
    found = scan_preferences(
        kind(path=path, source=config.source or "human", pairing=config.pairing), config.seed
    )
    if found.layout not in LISTS:
        raise DataError(
            f"data: {path}: layout {found.layout}; expected lists of responses, as guerdon prefs make writes them "
            "without [rewards]"
        )
    for edited in _edited(found.lists):
        raise DataError(f"data: {edited}: is not what the model said: a response must not be edited")
    lines = (json.dumps(to_json(pair), ensure_ascii=False) + "\n" for pair in found.pairs)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_file(output, "".join(lines).encode())
    return found


def _edited(lists: tuple[Candidates, ...]) -> Iterator[str]:
    """Places of responses that are not among those that the row says were made."""
    for one in lists:
        made = one.problem.info.get("made")
        answers = made.get("answers") if isinstance(made, Mapping) else None
        if isinstance(answers, Mapping):
            yield from (answer.place for answer in one.answers if content_hash(answer.text) not in answers)
