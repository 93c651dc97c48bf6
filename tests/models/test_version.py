from __future__ import annotations

import shutil
from pathlib import Path

from guerdon.models.version import META, version_of


def test_the_version_is_that_of_the_content(tmp_path: Path) -> None:
    first = tmp_path / "a"
    first.mkdir()
    for name in ("model.safetensors", META, "config.json"):
        (first / name).write_text(name)
    version = version_of(first)
    assert len(version) == 16
    second = Path(shutil.copytree(first, tmp_path / "b"))
    (second / "results.json").write_text("what it was worth is no part of it")
    assert version_of(second) == version
    (second / "model.safetensors").write_text("other weights")
    assert version_of(second) != version
