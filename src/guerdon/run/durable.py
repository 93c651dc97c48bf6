"""Files that survive `kill -9` and a power cut: the few calls on which every record of a run rests.

A whole file is written beside its place, synced, and renamed over it; a line is appended in one write and
synced; a folder is synced after anything in it was renamed. Nothing here knows what the bytes mean.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

TEMPORARY = ".partial-"
"""Prefix of everything unfinished: a name that starts so may be deleted by whoever owns the folder."""


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, or leave it exactly as it was.

    Raises:
        OSError: disk full, no permission; the temporary is gone again.
    """
    partial = path.with_name(TEMPORARY + path.name)
    try:
        partial.write_bytes(data)
        place_file(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def place_file(partial: Path, path: Path) -> None:
    """Sync a finished temporary file and rename it to `path`."""
    sync(partial)
    os.replace(partial, path)
    sync(path.parent)


def append_line(path: Path, line: str) -> None:
    r"""Append `line` and "\n" in one write, synced; half a line on a full disk is taken back.

    Raises:
        OSError: nothing was appended.
    """
    data = line.encode() + b"\n"
    with open(path, "ab", buffering=0) as file:
        end = file.tell()
        try:
            rest = memoryview(data)
            while rest:  # a short write of a regular file means a full disk; the next one says so
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(end)
            raise


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_disk_error(error: BaseException) -> bool:
    """Whether `error` is the disk's fault (full, read-only, broken) and not a mistake of ours.

    Writers in Rust and C++ (safetensors, torch) wrap the system's error and keep only its text.
    """
    text = str(error)
    return isinstance(error, OSError) or any(
        hint in text for hint in ("No space left", "(os error ", "failed writing", "Disk quota exceeded")
    )
