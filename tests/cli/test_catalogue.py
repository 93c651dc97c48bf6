import json
import subprocess
import sys

import pytest

from guerdon.cli.catalogue import KINDS, Entry
from guerdon.cli.main import main
from guerdon.rewards.config import VERIFIERS
from guerdon.train.table import ROWS


@pytest.mark.parametrize("what", sorted(KINDS))
def test_everything_listed_has_a_name_and_a_line_of_help(what: str) -> None:
    entries = KINDS[what]()
    assert entries
    for entry in entries:
        assert entry.help, entry
        assert "\n" not in entry.help


def test_verifiers_show_their_own_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "verifiers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == set(VERIFIERS.table())
    overlong = next(line for line in lines if line.startswith("overlong"))
    assert "max_length=? cache=?" in overlong
    assert 'when_missing="mask"' in overlong


def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "algorithms", "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(found) == set(ROWS)
    assert found["dapo"]["defaults"]["epsilon_high"] == 0.28
    assert main(["list", "verifiers", "--json"]) == 0
    verifiers = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert verifiers["overlong"]["required"] == ["max_length", "cache"]
    assert verifiers["random"]["defaults"]["probability"] == 0.5


def test_recipes_are_listed_with_their_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "recipes"]) == 0
    out = capsys.readouterr().out
    assert "quickstart.toml" in out
    for words in (
        "guerdon train quickstart ",
        "guerdon rm train reward_model ",
        "guerdon prefs make preferences ",
    ):
        assert words in out


def test_an_unknown_kind_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["list", "verifier"])
    assert caught.value.code == 2
    assert "verifiers" in capsys.readouterr().err


def test_settings_read_as_a_recipe_would_write_them() -> None:
    entry = Entry("x", "help", {"a": True, "b": None, "c": ["y"], "d": "z"}, ("e",), "a note")
    assert entry.settings == 'e=? a=true b=unset c=["y"] d="z" a note'


def test_listing_never_imports_torch() -> None:
    code = (
        "import sys; from guerdon.cli.catalogue import KINDS; "
        "[list_() for list_ in KINDS.values()]; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
