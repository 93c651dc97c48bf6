import json

import pytest

from guerdon.cli import machine
from guerdon.cli.machine import Finding
from guerdon.cli.main import main

FOUND = [
    Finding("software", "python", "3.11"),
    Finding("software", "torch", "not installed", "pip install 'guerdon[train]'"),
    Finding("hardware", "gpu", "none"),
]


@pytest.fixture(autouse=True)
def _findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "findings", lambda: FOUND)


def test_the_table_names_each_topic_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "          what    found          what to do",
        "software  python  3.11",
        "          torch   not installed  pip install 'guerdon[train]'",
        "hardware  gpu     none",
    ]


def test_json_has_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [dict(item._asdict()) for item in FOUND]
