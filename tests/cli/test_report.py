from pathlib import Path

import pytest

from guerdon.cli.main import main


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert str(tmp_path) in shown.err
    assert len(shown.err.splitlines()) == 1


def test_the_path_of_the_page_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text('{"config": {"name": "x", "stages": ["grpo"]}}')
    assert main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'report.html'}\n"
    assert "not finished" in (tmp_path / "report.html").read_text()
