from __future__ import annotations

import pytest

from guerdon.cli.check_rows import MAX_SHOWN, RowProofs
from guerdon.core.types import Json, Message, Problem
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.rubric_config import RubricConfig


def row(target: str | None, **info: Json) -> Problem:
    return Problem(id="p", messages=(Message(role="user", content="q"),), target=target, info=info)


def told(capsys: pytest.CaptureFixture[str], parts: dict[str, dict[str, object]], *rows: Problem) -> str:
    proofs = RowProofs(RubricConfig(parse_rewards(parts)))
    for problem in rows:
        proofs.add(problem)
    proofs.count = len(rows)
    failed = proofs.write("data", "test")
    assert failed == len(proofs.failures)
    return capsys.readouterr().out


def test_what_was_proved_and_by_whom(capsys: pytest.CaptureFixture[str]) -> None:
    two = {"math": {}, "honest": {"kind": "honesty"}, "boxed": {"kind": "math", "extract": "boxed"}}
    out = told(capsys, two, row("4"), row("5"))
    assert out == "data  test, 2 rows: every gold answer scores 1 by math, boxed\n"
    out = told(capsys, {"honest": {"kind": "honesty"}}, row("4", solution="so 4"), row("5", solution="so 5"))
    assert out == "data  test, 2 rows: every gold answer scores 1 by honest, 2 worked solutions too\n"


def test_failures_are_counted_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, {"math": {}}, *[row(None)] * (MAX_SHOWN + 2), row("4"))
    assert f"{MAX_SHOWN + 3} rows: 1 of them fail" in out  # one id
    assert "... and 2 more" in out
