from __future__ import annotations

import json
from pathlib import Path

import pytest

from guerdon.cli.main import main
from guerdon.cli.score import verifiers_by_name
from guerdon.core.errors import ConfigError

RECIPE = """# scores only
[data.train]
kind = "jsonl"
path = "in.jsonl"
columns = { target = "gold" }

[rewards.math]
extract = "hash"

[rewards.format]
weight = 0.5
layout = "hash"
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": "a", "question": "2 + 2", "gold": "4", "completion": "is\n#### 4"},
        {"id": "b", "question": "2 + 3", "gold": "5", "completion": "is\n#### 4"},
        {"id": "c", "question": "2 + 4", "gold": None, "completion": "6"},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mine.toml").write_text(RECIPE)
    (tmp_path / "mine.py").write_text(
        "def check(prompts, completions, **columns): return [1.0] * len(completions)\n"
    )
    return tmp_path


@pytest.mark.slow
def test_a_file_with_rewards_alone_scores_too(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "alone.toml").write_text('[rewards.math]\nextract = "hash"\n')
    args = ["score", "in.jsonl", "--recipe", "alone.toml", "--target-column", "gold", "--output", "out.jsonl"]
    assert main(args) == 0, capsys.readouterr().err
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["value"] for row in rows] == [1.0, 0.0, None]


def cells(out: str, first: str) -> list[str]:
    return next(line.split() for line in out.splitlines() if line.startswith(first))


@pytest.mark.slow
def test_a_recipe_scores_a_file(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "in.jsonl", "--recipe", "mine.toml", "--output", "out.jsonl"]) == 0
    out = capsys.readouterr().out
    assert cells(out, "math") == ["math", "1", "0.5", "50.0", "%", "1", "(33.3", "%)"]
    assert cells(out, "problem … has no target") == [
        *["problem", "…", "has", "no", "target", "math", "1", "c"]
    ]
    assert "ms a row" in out
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["value"] for row in rows] == [1.5, 0.5, None]
    assert rows[0]["parts"][0] == {
        "name": "math",
        "value": 1.0,
        "weight": 1.0,
        "evidence": {"note": rows[0]["parts"][0]["evidence"]["note"], "span": [8, 9], "extracted": "4"},
    }


@pytest.mark.slow
def test_verifiers_by_name_with_options(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        "in.jsonl --verifier math --target-column gold --limit 2 --set math.extract=last_number --workers 1"
    )
    assert main(["score", *line.split()]) == 0
    shown = capsys.readouterr()
    assert cells(shown.out, "reward")[1] == "0.5"
    assert not Path("out.jsonl").exists()


@pytest.mark.slow
def test_a_comparison_shows_where_verifiers_disagree(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "in.jsonl --compare math,mine.py:check --target-column gold --workers 1"
    assert main(["score", *line.split()]) == 0
    out = capsys.readouterr().out
    assert cells(out, "math   check") == ["math", "check", "1", "0", "1", "0", "1", "0"]
    assert cells(out, "b ") == ["b", "0", "1", "5", "4"]
    assert "2 rows are judged differently" in out


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("in.jsonl --verifier maths", "did you mean 'math'"),
        ("in.jsonl --verifier math --completion-column reply", "no column 'reply'"),
        ("in.jsonl --verifier math --set math.extrct=boxed", "did you mean 'extract'"),
        ("in.jsonl --verifier math --set foo=1", "expected VERIFIER.FIELD=VALUE"),
        ("in.jsonl --verifier math --workers 0", "more than 0"),
        ("in.jsonl --compare math", "at least two"),
        ("in.jsonl --recipe mine.toml --without x", "no such part; there are math, format"),
        ("no.jsonl --verifier math", "no such file"),
        ("in.jsonl --verifier math --output out.csv", "ends in .jsonl or .parquet"),
        ("in.jsonl --verifier no.py:f", "no file no.py"),
    ],
)
@pytest.mark.slow
def test_a_mistake_is_one_line(line: str, told: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", *line.split()]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len([row for row in err.splitlines() if row]) <= 2  # the message, and at most a progress line


def test_names_become_configs_of_their_own() -> None:
    found = verifiers_by_name("math,format,a.py:f,b.py:f", ["rewards.format.weight=0.5"])
    assert list(found) == ["math", "format", "f", "f'"]
    assert found["format"].weight == 0.5
    with pytest.raises(ConfigError, match="unknown verifier"):
        verifiers_by_name("nothing", [])
