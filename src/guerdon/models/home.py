"""Where models are cached. Torch-free."""

from __future__ import annotations

import os
from pathlib import Path


def guerdon_home() -> Path:
    """`$GUERDON_HOME`, or `guerdon` in the user's cache folder."""
    chosen = os.environ.get("GUERDON_HOME")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "guerdon"
