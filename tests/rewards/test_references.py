from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from guerdon.core.errors import DataError
from guerdon.rewards.references import ReferenceBank, Response, Row, prompt_key
from guerdon.rewards.shaping import Sample
from rewarding import problem

PROXY = "1234 (score, trained)"


def row(name: str = "p", value: float = 0.5, proxy: str = PROXY) -> Row:
    return Row(prompt_key(problem(name)), proxy, (Response("äöü", Sample(value, 3)),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    lines: list[str] = []
    ReferenceBank(PROXY).add([row("p"), row("q", -0.25)], lines.append)
    place = tmp_path / "rm.jsonl"
    place.write_text("".join(f"{line}\n" for line in lines))
    return place


def test_rows_come_back_as_they_were(path: Path) -> None:
    bank = ReferenceBank.read(path, PROXY)
    assert bank.rows == (row("p"), row("q", -0.25))
    assert bank.get(problem("q")) == row("q", -0.25)
    assert bank.get(problem("r")) is None


def test_a_prompt_is_missing_once(path: Path) -> None:
    bank = ReferenceBank.read(path, PROXY)
    assert bank.missing([problem("p"), problem("r"), problem("r")]) == [problem("r")]


def test_a_prompt_is_what_the_model_sees() -> None:
    assert prompt_key(problem("p", level=1)) == prompt_key(problem("p", level=2))
    assert prompt_key(problem("p", target="1")) != prompt_key(problem("p", target="2"))


def test_half_a_line_at_the_end_is_passed_over(path: Path) -> None:
    path.write_text(path.read_text()[:-5])
    assert len(ReferenceBank.read(path, PROXY)) == 1


def test_refuses_another_version(path: Path) -> None:
    with pytest.raises(
        DataError, match=r"rm\.jsonl:1: scored by reward model 1234.*this run has 99"
    ) as error:
        ReferenceBank.read(path, "99 (score, trained)")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"responses": []}, "expected at least one"),
        ({"responses": [{"text": "a", "value": math.inf, "length": 1}]}, "no finite number"),
        ({"responses": [{"text": "a", "value": "1", "length": 1}]}, "is no number"),
        ({"format": 9}, "format 9"),
    ],
)
def test_refuses_rows_that_say_nothing(path: Path, change: dict[str, object], says: str) -> None:
    data = {**row().to_json(), **change}
    path.write_text(json.dumps(data) + "\n")
    with pytest.raises(DataError, match=says):
        ReferenceBank.read(path, PROXY)


def test_refuses_a_damaged_line_and_a_missing_file(path: Path, tmp_path: Path) -> None:
    path.write_text("{\n" + path.read_text())
    with pytest.raises(DataError, match=r"rm\.jsonl:1: no row of reference responses"):
        ReferenceBank.read(path, PROXY)
    with pytest.raises(DataError, match="cannot be read"):
        ReferenceBank.read(tmp_path / "none.jsonl", PROXY)


def test_refuses_to_lack_prompts(path: Path) -> None:
    bank = ReferenceBank.read(path, PROXY)
    bank.check_covers([problem("p")], "references")
    with pytest.raises(DataError, match="no references to 2 of the prompts"):
        bank.check_covers([problem("p"), problem("r"), problem("s")], "references")


def test_refuses_to_take_in_what_it_would_not_read() -> None:
    with pytest.raises(DataError, match="no finite number"):
        ReferenceBank(PROXY).add([row(value=math.nan)])
