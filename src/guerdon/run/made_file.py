"""A file that `guerdon prefs make` fills batch by batch, and FILE.state.json beside it: what of, and how far it is.

    state --> rows appended, synced --> state: a state never promises what is not there

The bytes beyond the state's size are of a batch that a kill cut off. A file in which no batch is finished belongs to
nobody: the next command begins it anew, whatever its recipe.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guerdon.core.errors import UserError
from guerdon.core.seeds import content_hash
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.durable import write_file
from guerdon.run.provenance import provenance

Versions = Mapping[str, Mapping[str, str]]
"""By "models" and "rewards": name to version."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a run of `prefs make` made."""

    path: Path
    num_pairs: int
    """Pairs; where people label later, lists of responses."""
    num_problems: int
    left_out: Counter[str]
    """What no pair was made of, by reason."""
    no_pair: Counter[str]
    """Problems without a pair, by the reason that counts most."""
    unlabelled: str
    """What a part said of the first answer that it could not label; "": all were labelled."""


class MadeFile:
    """How far a file has come. Opening changes nothing on the disk."""

    def __init__(self, output: Path, config: PreferencesRunConfig) -> None:
        """Of this recipe, new or as an earlier command left it.

        Raises:
            UserError: the file is not this recipe's.
        """
        self.output, self.config = output, config
        self.digest = content_hash(config.model_dump_json())
        self.done = self.num_pairs = self.size = 0
        self.left_out: Counter[str] = Counter()
        self.no_pair: Counter[str] = Counter()
        self.unlabelled = ""
        self._record: dict[str, Any] = {}
        saved = self._saved()
        if saved is None and output.exists() and output.stat().st_size:
            raise UserError(
                f"{output}: exists, and guerdon prefs make did not begin it; choose another --output"
            )
        if saved is None or not saved["done"]:
            return
        if saved["digest"] != self.digest:
            raise UserError(
                f"{output}: was begun by another recipe or with other settings; choose another --output, or delete it "
                f"and {self.path.name}"
            )
        if not output.exists() or output.stat().st_size < saved["size"]:
            raise UserError(
                f"{output}: is gone, or shorter than it was; put it back, or delete {self.path.name} to begin anew"
            )
        self.done, self.num_pairs, self.size = saved["done"], saved["num_pairs"], saved["size"]
        self.left_out = Counter(saved["left_out"])
        self.no_pair = Counter(saved.get("no_pair", {}))
        self.unlabelled = saved.get("unlabelled", "")
        self._record = {key: saved.get(key, {}) for key in ("versions", "config", "provenance")}

    @property
    def path(self) -> Path:
        """Of the state."""
        return self.output.with_name(self.output.name + ".state.json")

    def _saved(self) -> dict[str, Any] | None:
        try:
            saved: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise UserError(
                f"{self.path}: cannot be read: {error}; delete it and {self.output.name} to begin anew"
            ) from None
        return saved

    def begin(self, versions: Versions) -> None:
        """Write the first state, or go on with the same models and judges.

        Raises:
            UserError: one of them is another one than the rows that are there were made with.
        """
        if not self.done:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            config = self.config.model_dump(mode="json")
            self._record = {"versions": versions, "config": config, "provenance": provenance()}
            self._write()
            write_file(self.output, b"")
            return
        self._compare(versions)
        with self.output.open("r+b") as file:
            file.truncate(self.size)

    def _compare(self, versions: Versions) -> None:
        rewards = self.config.rubric.rewards
        for kind, key in (("models", "model"), ("rewards", "rewards.")):
            before, now = self._record["versions"].get(kind, {}), versions[kind]
            for name in sorted(before.keys() & now.keys()):
                is_recorded = getattr(rewards.get(name), "on_version_change", "refuse") == "record"
                if before[name] == now[name] or (kind == "rewards" and is_recorded):
                    continue
                what = f"{key} {name}" if kind == "models" else f"{key}{name}"
                raise UserError(
                    f"{self.output}: was begun with version {before[name]} of {what}, and now it is version {now[name]}: "
                    "rows of two versions are not one set; put the first one back, or choose another --output"
                )

    def made(self) -> Made:
        """What has been made so far."""
        return Made(self.output, self.num_pairs, self.done, self.left_out, self.no_pair, self.unlabelled)

    def add(self, rows: Sequence[object], num_problems: int) -> None:
        """Append one batch of JSON rows, then the state."""
        data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        with self.output.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self.done += num_problems
        self.num_pairs += len(rows)
        self.size += len(data)
        self._write()

    def _write(self) -> None:
        state = {
            "digest": self.digest,
            "done": self.done,
            "num_pairs": self.num_pairs,
            "size": self.size,
            "left_out": dict(self.left_out),
            "no_pair": dict(self.no_pair),
            "unlabelled": self.unlabelled,
        }
        write_file(self.path, (json.dumps({**state, **self._record}, indent=2) + "\n").encode())
