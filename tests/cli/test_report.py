from pathlib import Path

import pytest

from guerdon.cli.main import main


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert str(tmp_path) in shown.err
    assert len(shown.err.splitlines()) == 1


def test_the_path_of_the_page_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def write_report(run: Path) -> Path:
        asked.append(run)
        return run / "report.html"

    monkeypatch.setattr("guerdon.explain.report.write_report", write_report)
    assert main(["report", str(tmp_path)]) == 0
    assert asked == [tmp_path]
    assert capsys.readouterr().out == f"{tmp_path / 'report.html'}\n"
