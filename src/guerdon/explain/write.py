"""Text files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from guerdon.core.errors import UserError


def check_place(path: Path, flag: str) -> None:
    """Refuse a place where no file can be written, before long work leads there.

    Args:
        path: of the file to be.
        flag: that named it, for the message.

    Raises:
        UserError: it is a folder, or stands in none that can be written to.
    """
    if path.is_dir():
        raise UserError(f"{flag} {path}: is a folder; expected the name of a file")
    if not path.parent.is_dir():
        raise UserError(f"{flag} {path}: no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{flag} {path}: the folder {path.parent} cannot be written to; name another")


def replace_file(path: Path, text: str) -> Path:
    """Write a file in one step: who reads it meanwhile sees the old one.

    Returns:
        The path.

    Raises:
        UserError: it cannot be written.
    """
    partial = path.with_name(f".partial-{path.name}")
    try:
        with partial.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
