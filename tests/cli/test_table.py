import io
import json

import pytest

from guerdon.cli.table import write_json, write_line, write_table


def test_columns_are_aligned_and_long_cells_stay_on_one_line_in_a_pipe() -> None:
    out = io.StringIO()
    write_table(["name", "help"], [("a", "x" * 300), ("longer", "y")], file=out)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines == ["name    help", "a       " + "x" * 300, "longer  y"]


def test_cells_are_never_markup() -> None:
    out = io.StringIO()
    write_table(["a"], [("[bold]not bold[/bold] :smile:",), ("[/nonsense]",)], file=out)
    assert "[bold]not bold[/bold] :smile:" in out.getvalue()
    assert "[/nonsense]" in out.getvalue()


def test_lines_and_json_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    write_line("one")
    write_json({"ü": [1, None]})
    first, rest = capsys.readouterr().out.split("\n", 1)
    assert first == "one"
    assert json.loads(rest) == {"ü": [1, None]}
    assert "ü" in rest
