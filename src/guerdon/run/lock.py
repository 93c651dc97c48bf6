"""One process per run folder. The kernel holds the lock, so a killed process leaves no stale one behind."""

from __future__ import annotations

import fcntl
import os
import socket
import weakref
from pathlib import Path
from typing import Any

from guerdon.core.errors import UserError

LOCK_FILE = ".lock"


class FolderLock:
    """An exclusive `flock` on `folder/.lock`, which also names its holder.

    Raises:
        UserError: another process (or another part of this one) holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = open(folder / LOCK_FILE, "a+", encoding="utf-8")  # noqa: SIM115 - held until `release`
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise UserError(
                f"{folder} is in use by {holder}; wait until that run has ended, "
                "or stop it (Ctrl-C there saves first)"
            ) from None
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()
        _HELD.add(self)

    def release(self) -> None:
        """Let others in; harmless when repeated."""
        self._file.close()


# A forked worker inherits the open file and with it the lock: it would outlive a killed parent and block the
# resume. Children therefore close their copy, which does not unlock the parent's.
_HELD: weakref.WeakSet[Any] = weakref.WeakSet()


def _release_in_child() -> None:
    for lock in list(_HELD):
        lock.release()


os.register_at_fork(after_in_child=_release_in_child)
