from __future__ import annotations

from pathlib import Path

import pytest

from guerdon.run.durable import append_line, is_disk_error, write_file


def test_a_file_is_replaced_and_no_temporary_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_file(path, b"old")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tiny_disk: Path) -> None:
    path = tiny_disk / "config.json"
    write_file(path, b"old")
    with pytest.raises(OSError, match="No space left"):
        write_file(path, b"x" * 3_000_000)
    assert path.read_bytes() == b"old"
    assert list(tiny_disk.iterdir()) == [path]


def test_a_half_line_on_a_full_disk_is_taken_back(tiny_disk: Path) -> None:
    path = tiny_disk / "metrics.jsonl"
    append_line(path, "first")
    with pytest.raises(OSError, match="No space left"):
        append_line(path, "x" * 3_000_000)
    assert path.read_bytes() == b"first\n"
    append_line(path, "second")
    assert path.read_bytes() == b"first\nsecond\n"


def test_the_disks_fault_is_told_from_ours() -> None:
    assert is_disk_error(OSError(28, "No space left on device"))
    assert is_disk_error(RuntimeError("I/O error: No space left on device (os error 28)"))  # safetensors
    assert not is_disk_error(KeyError("weight"))
    assert not is_disk_error(KeyboardInterrupt())
