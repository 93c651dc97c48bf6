"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from guerdon.core.errors import UserError
from guerdon.explain.write import check_place, replace_file


def test_replaces_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    assert replace_file(path, "old") == path
    replace_file(path, "new\n\ud800")
    assert path.read_bytes() == b"new\n?"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    with pytest.raises(UserError, match="taken: cannot be written"):
        replace_file(folder, "text")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_place_where_nothing_can_be_written_is_known_before(tmp_path: Path) -> None:
    check_place(tmp_path / "page.html", "--report")
    with pytest.raises(UserError, match=r"--report .*/none/page.html: no folder .*/none; make it first"):
        check_place(tmp_path / "none" / "page.html", "--report")
    with pytest.raises(UserError, match="is a folder; expected the name of a file"):
        check_place(tmp_path, "--report")
    assert list(tmp_path.iterdir()) == []
