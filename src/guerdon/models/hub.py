"""Whether a model's source can be a name on the Hugging Face hub: asked before anything waits for the network.

looks like a path, or its folder is here without it   refused, by `guerdon check` too: a mistyped path
not in the hub's cache, and the hub does not answer    refused: offline
anything else                                          transformers asks the hub
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

from guerdon.core.errors import ModelError, did_you_mean

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
TIMEOUT_S = 3.0
"""For the hub to take a connection."""
PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def check_hub_name(source: str) -> None:
    """Refuse what is no folder here and cannot be had from the hub.

    Args:
        source: a model's source that no local folder was found for.

    Raises:
        ModelError: a mistyped path, or the hub cannot be reached and its cache does not hold it.
    """
    if why := why_no_hub_name(source):
        raise ModelError(why)
    if not _is_cached(source) and not _is_reachable():
        raise ModelError(
            f"{source}: no such folder, and the hub, where it may be, cannot be reached; give the path of a "
            "folder, or run again when online"
        )


def why_no_hub_name(source: str) -> str:
    """Why the source, for which there is no folder, cannot be a name on the hub either; "": it can. Asks nobody."""
    folder = Path(source).expanduser()
    if (
        HUB_NAME.fullmatch(source)
        and not source.startswith((".", "/", "~"))
        and not _is_beside(folder, source)
    ):
        return ""
    return f"{source}: no such folder{_similar(folder)}; a model on the hub is called owner/name"


def _is_beside(folder: Path, source: str) -> bool:
    """Whether the part before the slash is a folder here."""
    return "/" in source and folder.parent.is_dir()


def _similar(folder: Path) -> str:
    """A hint at a folder with nearly that name."""
    there = folder.parent
    names = [path.name for path in there.iterdir() if path.is_dir()] if there.is_dir() else []
    hint = did_you_mean(folder.name, names)
    return hint if "did you mean" in hint else ""


def _is_cached(source: str) -> bool:
    from huggingface_hub import constants

    return (Path(constants.HF_HUB_CACHE) / f"models--{source.replace('/', '--')}").is_dir()


def _is_reachable() -> bool:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in PROXIES):
        return True  # only the proxy knows
    place = urlsplit(constants.ENDPOINT)
    try:
        port = place.port or (80 if place.scheme == "http" else 443)
        with socket.create_connection((place.hostname or "", port), timeout=TIMEOUT_S):
            return True
    except OSError:
        return False
