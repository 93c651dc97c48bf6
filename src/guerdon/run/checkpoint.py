"""Checkpoints that are whole or not there: written aside, checksummed, renamed, verified before use.

    write -> .partial-NAME/ -> sync + sha256 of every file -> manifest.json -> rename to NAME/ -> prune
                 |                                                               ^
                 '-- disk full or killed: deleted, earlier checkpoints untouched |
                                                   this rename is the only moment a checkpoint appears

Each holds what the caller's `write` puts there (model/, optimizer.safetensors), state.json and manifest.json.
What the files mean is the caller's business; this page promises that `latest` never returns a damaged one.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guerdon.core.types import Json
from guerdon.run.durable import TEMPORARY, is_disk_error, sync, write_file

MANIFEST = "manifest.json"
STATE = "state.json"
# A checkpoint that makes room for a new one of the same name; still valid until the new one stands.
_REPLACED = ".replaced-"
_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A verified checkpoint on disk."""

    path: Path
    name: str
    order: int
    """Grows by one with every checkpoint of the run, over all stages."""
    state: dict[str, Json]


@dataclass(frozen=True, slots=True)
class _Manifest:
    name: str
    order: int
    files: dict[str, dict[str, Any]]


class _DamagedError(Exception):
    """Why a checkpoint cannot be used, without its name."""


class CheckpointStore:
    """The checkpoints of one run. One process writes (the run folder's lock sees to it); any may read."""

    def __init__(self, folder: Path, *, keep: int, notify: Callable[[str], None]) -> None:
        if keep < 1:
            raise ValueError(f"keep={keep}: at least the newest checkpoint is kept")
        self._folder = folder
        self._keep = keep
        self._notify = notify
        self._damaged: set[Path] = set()

    def save(self, name: str, write: Callable[[Path], None], state: Mapping[str, Json]) -> Path | None:
        """Save a checkpoint; `write(folder)` puts its files there. Returns its folder.

        A disk that is full or broken does not stop the run: the reason goes to `notify` in one line,
        everything saved before is untouched, and None is returned; the next save tries again. Needs room for
        one checkpoint more than are kept.

        Raises:
            Exception: whatever else `write` raises, after the temporary folder is removed.
        """
        assert re.fullmatch(r"\w[\w.-]*", name), f"bad checkpoint name {name!r}"
        partial = self._folder / (TEMPORARY + name)
        try:
            self.clean()
            partial.mkdir(parents=True)
            write(partial)
            (partial / STATE).write_text(json.dumps(dict(state)), encoding="utf-8")
            _seal(partial, name, self._next_order())
            self._place(partial, name)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            if not is_disk_error(error):
                raise
            self._notify(
                f"{name}: not saved: {_reason(error)}; earlier checkpoints are untouched, training goes on"
            )
            return None
        self._prune()
        return self._folder / name

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint whose every file matches its checksum, or None. Changes nothing on disk.

        Each newer one that had to be passed over is told through `notify`, one line each.
        """
        breaches: list[str] = []
        found: Checkpoint | None = None
        for path in self._newest_first():
            try:
                found = _verify(path)
                break
            except _DamagedError as damage:
                self._damaged.add(path)
                breaches.append(f"{path.name.removeprefix(_REPLACED)}: {damage}")
        instead = f"using {found.name}" if found else "no earlier checkpoint is usable"
        for breach in breaches:
            self._notify(f"{breach}; {instead}")
        return found

    def clean(self) -> None:
        """Remove what a killed process left half done. Only for the process that owns the run."""
        if not self._folder.is_dir():
            return
        for leftover in self._folder.glob(TEMPORARY + "*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for old in self._folder.glob(_REPLACED + "*"):
            place = self._folder / old.name.removeprefix(_REPLACED)
            if place.exists():
                self._discard(old)
            else:  # killed between the two renames of `_place`
                old.rename(place)

    def _place(self, partial: Path, name: str) -> None:
        place = self._folder / name
        old = self._folder / (_REPLACED + name)
        if place.exists():  # a run resumed from before this step arrives here again
            place.rename(old)
        partial.rename(place)
        self._damaged.discard(place)
        sync(self._folder)
        if old.exists():
            self._discard(old)

    def _prune(self) -> None:
        """Keep the newest not known to be damaged; what has no readable manifest is left for a person."""
        aged = [path for path in self._newest_first() if _read_manifest_or_none(path)]
        good = [path for path in aged if path not in self._damaged]
        try:
            for path in set(aged) - set(good[: self._keep]):
                self._discard(path)
        except OSError as error:
            self._notify(f"{self._folder}: old checkpoints could not be removed: {_reason(error)}")

    def _discard(self, path: Path) -> None:
        """Delete a checkpoint so that being killed meanwhile leaves no half of it under its name."""
        doomed = self._folder / f"{TEMPORARY}old-{path.name.lstrip('.')}"
        path.rename(doomed)
        shutil.rmtree(doomed)

    def _next_order(self) -> int:
        manifests = (_read_manifest_or_none(path) for path in self._candidates())
        return 1 + max((manifest.order for manifest in manifests if manifest), default=0)

    def _newest_first(self) -> list[Path]:
        """Unreadable manifests first: they are reported, and cost nothing to pass over."""

        def age(path: Path) -> float:
            manifest = _read_manifest_or_none(path)
            return -manifest.order if manifest else float("-inf")

        return sorted(self._candidates(), key=age)

    def _candidates(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(
            path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(TEMPORARY)
        )


def _seal(folder: Path, name: str, order: int) -> None:
    """Checksum and sync every file below `folder`, then write its manifest."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(max_workers=4) as pool:  # hashing and syncing both release the interpreter
        synced = [pool.submit(sync, path) for path in paths]
        digests = list(pool.map(_sha256, paths))
        for done in synced:
            done.result()
    files = {
        path.relative_to(folder).as_posix(): {"sha256": digest, "size": path.stat().st_size}
        for path, digest in zip(paths, digests, strict=True)
    }
    for inner in folder.rglob("*"):
        if inner.is_dir():
            sync(inner)
    write_file(folder / MANIFEST, _manifest_bytes(_Manifest(name, order, files)))


def _manifest_bytes(manifest: _Manifest) -> bytes:
    body = {"format": 1, "name": manifest.name, "order": manifest.order, "files": manifest.files}
    checksum = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return json.dumps({**body, "sha256": checksum}, indent=1).encode() + b"\n"


def _read_manifest(folder: Path) -> _Manifest:
    try:
        data = (folder / MANIFEST).read_bytes()
    except OSError:
        raise _DamagedError(f"{MANIFEST} is missing") from None
    try:
        body = json.loads(data)
        manifest = _Manifest(body["name"], body["order"], body["files"])
    except (ValueError, KeyError, TypeError):
        raise _DamagedError(f"{MANIFEST} is not readable") from None
    if _manifest_bytes(manifest) != data:  # the manifest's own checksum, and every byte of it
        raise _DamagedError(f"{MANIFEST} does not match its checksum")
    return manifest


def _read_manifest_or_none(folder: Path) -> _Manifest | None:
    try:
        return _read_manifest(folder)
    except _DamagedError:
        return None


def _verify(folder: Path) -> Checkpoint:
    manifest = _read_manifest(folder)
    for name, expected in manifest.files.items():  # sizes first: they cost nothing
        path = folder / name
        if not path.is_file():
            raise _DamagedError(f"{name} is missing")
        if path.stat().st_size != expected["size"]:
            raise _DamagedError(f"{name} has {path.stat().st_size} bytes, not {expected['size']}")
    with ThreadPoolExecutor(max_workers=4) as pool:
        try:
            digests = list(pool.map(_sha256, [folder / name for name in manifest.files]))
        except OSError as error:
            raise _DamagedError(f"cannot be read: {_reason(error)}") from None
    for digest, (name, expected) in zip(digests, manifest.files.items(), strict=True):
        if digest != expected["sha256"]:
            raise _DamagedError(f"{name} does not match its checksum")
    state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return Checkpoint(path=folder, name=manifest.name, order=manifest.order, state=state)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def _reason(error: BaseException) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split())
