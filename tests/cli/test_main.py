import os
import resource
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from guerdon import __version__
from guerdon.cli.main import COMMANDS, main
from guerdon.core import registry
from guerdon.core.errors import ConfigError

GUERDON = [sys.executable, "-m", "guerdon"]


def test_help_names_every_command_and_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    assert min(_cpu_seconds([*GUERDON, "--help"]) for _ in range(3)) < 0.3
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS.builtins)


def _cpu_seconds(command: list[str]) -> float:
    """Processor time: the wall clock of a busy machine says nothing about the command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from guerdon.cli.main import main; main(['--help']); "
        "sys.exit(', '.join({'torch', 'pydantic', 'rich', 'pyarrow', 'numpy', 'yaml'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", sorted(COMMANDS.builtins))
def test_every_command_has_a_help_page_with_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "examples:" in shown
    assert shown.count(f"guerdon {command}") >= 2  # the usage and at least one example


def test_no_command_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: guerdon COMMAND" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"guerdon {__version__}\n"


def test_a_misspelt_command_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert capsys.readouterr().err == "unknown command 'trian' (did you mean 'train'?)\n"


def test_a_user_error_is_its_text_and_exit_2_without_traceback(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("a = \n", encoding="utf-8")
    done = subprocess.run(
        [*GUERDON, "check", str(bad)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"{bad}:1: not TOML: Invalid value, column 5\n"


def test_a_bug_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(what: str, overrides: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("guerdon.run.recipe.load_recipe", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["check", "quickstart"])


@pytest.mark.parametrize(
    ("text", "shown"), [("", "interrupted\n"), ("saved\nresume with: x", "saved\nresume with: x\n")]
)
def test_ctrl_c_is_130_and_says_what_to_do(
    text: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(what: str, overrides: object) -> None:
        raise KeyboardInterrupt(text)

    monkeypatch.setattr("guerdon.run.recipe.load_recipe", interrupted)
    assert main(["check", "quickstart"]) == 130
    assert capsys.readouterr().err == shown


def test_several_problems_are_several_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(what: str, overrides: object) -> None:
        raise ConfigError(["a: one", "b: two"])

    monkeypatch.setattr("guerdon.run.recipe.load_recipe", wrong)
    assert main(["check", "quickstart"]) == 2
    assert capsys.readouterr().err == "a: one\nb: two\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*GUERDON, "list", "verifiers"], stdout=write, stderr=subprocess.PIPE, timeout=120, check=False
    )
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == b""


def test_third_parties_add_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    point = EntryPoint("inspect", "guerdon.cli.report:COMMAND", "guerdon.commands")
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [point] if group == "guerdon.commands" else []
    )
    assert main(["--help"]) == 0
    assert "  inspect   from guerdon.cli.report:COMMAND" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["inspect", "--help"])
    assert "usage: guerdon inspect" in capsys.readouterr().out
