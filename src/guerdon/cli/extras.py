"""What the extras of this package need, and whether it is installed. Nothing is imported to find out."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

from guerdon.core.errors import MissingExtraError


def need_training(what: str) -> None:
    """Refuse before anything heavy starts.

    Raises:
        MissingExtraError: torch or transformers is not installed.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtraError(what, "train")


def extras() -> dict[str, list[str]]:
    """Extra to the requirements it lacks, from the installed package's own metadata."""
    lacking: dict[str, list[str]] = {}
    for line in requires("guerdon") or []:
        found = re.search(r"""extra\s*==\s*['"]([\w-]+)['"]""", line)
        if found is None:
            continue
        missing = lacking.setdefault(found[1], [])
        requirement = line.partition(";")[0].strip()
        if not _installed(requirement):
            missing.append(requirement)
    return lacking


def _installed(requirement: str) -> bool:
    name = re.match(r"[\w.-]+", requirement)
    try:
        return bool(name and version(name[0]))
    except PackageNotFoundError:
        return False
