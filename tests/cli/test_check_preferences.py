from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guerdon.cli.check_preferences import has_preferences
from guerdon.cli.main import main

SHARED = Path(os.environ.get("GUERDON_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def rows(count: int, *, swapped: bool = False, name: str = "q") -> list[dict[str, object]]:
    sides = ("rejected", "chosen") if swapped else ("chosen", "rejected")
    asked = "Why does the number {} come after the one before it and not after another one, {}?"
    return [
        {"prompt": asked.format(index, name), sides[0]: f"good {index}", sides[1]: f"bad {index}"}
        for index in range(count)
    ]


def write(path: Path, content: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return str(path)


def check(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["check", *args])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_good_preferences_pass_and_their_length_bias_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = check(capsys, write(tmp_path / "p.jsonl", rows(5)))
    assert (code, err) == (0, "")
    assert "layout pairs, 5 rows, 5 pairs" in out
    assert "5 prompts, 0 ties, 0 with a margin; 5 by human" in out
    assert "the chosen side is the longer one in 100.0 % (56.6 to 100.0) of 5 pairs\n" in out
    assert out.endswith("all good\n")


@pytest.mark.parametrize(
    ("longer", "shorter", "equal", "explains"),
    [
        (60, 0, 0, True),
        (0, 60, 0, True),  # the shorter one is better: length explains it too
        (60, 40, 0, False),  # 60 %, 50 to 69
        (39, 61, 0, False),
        (19, 0, 0, False),  # too few to say
        (30, 0, 40, False),  # most pairs are of one length
    ],
)
def test_length_explains_what_its_interval_supports(
    longer: int, shorter: int, equal: int, explains: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = [("good!", "bad")] * longer + [("good", "worse")] * shorter + [("best", "good")] * equal
    content: list[dict[str, object]] = [
        {**row, "chosen": chosen, "rejected": rejected}
        for row, (chosen, rejected) in zip(rows(len(sides)), sides, strict=True)
    ]
    out = check(capsys, write(tmp_path / "p.jsonl", content))[1]
    assert "the chosen side is the longer one in" in out
    assert ("length alone explains most of it" in out) is explains


def test_bad_rows_and_contradictions_are_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = [
        *rows(3),
        {"prompt": "q", "chosen": "a", "rejected": "a"},
        *rows(1, swapped=True),
        *rows(2)[1:],
    ]
    code, out, _ = check(capsys, write(tmp_path / "p.jsonl", content))
    assert code == 2
    lines = [line.split() for line in out.splitlines()]
    assert ["line", "5", "line", "1", "contradiction"] in lines
    assert ["line", "6", "line", "2", "repetition"] in lines
    assert "line 4  chosen and rejected are identical ('a'); expected two answers" in out
    assert out.endswith("2 problems\n")


def test_prompts_of_the_test_set_are_found_in_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write(tmp_path / "train.jsonl", rows(6))
    leaking = write(tmp_path / "leaking.jsonl", rows(2) + rows(2, name="other"))
    code, out, _ = check(capsys, train, "--against", leaking)
    assert code == 2
    assert "2 held-out problems" in out
    code, out, _ = check(capsys, train, "--against", write(tmp_path / "clean.jsonl", rows(2, name="other")))
    assert "0 held-out problems" in out


def test_labels_are_checked_against_a_second_judgement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "p.jsonl", rows(10))
    some = write(tmp_path / "some.jsonl", rows(10, swapped=True)[:2] + rows(10)[2:])
    code, out, _ = check(capsys, path, "--audit", some)
    assert code == 0
    assert "audit  2 of 10 audited pairs are labelled the wrong way, 20.0 %" in out
    code, out, _ = check(capsys, path, "--audit", write(tmp_path / "all.jsonl", rows(10, swapped=True)))
    assert code == 2
    assert "expected at most 45 %: these labels teach nothing" in out
    code, out, _ = check(capsys, path, "--audit", write(tmp_path / "none.jsonl", rows(2, name="other")))
    assert code == 2
    assert "no pair of" in out


def test_an_audit_belongs_to_preferences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "p.jsonl", [{"question": "2 + 2", "answer": "4"}])
    code, _, err = check(capsys, path, "--audit", path)
    assert (code, "--audit belongs to preferences" in err) == (2, True)
    code, _, err = check(capsys, "tiny_grpo", "--audit", path)
    assert (code, "--audit belongs to a file of preferences" in err) == (2, True)


def test_problems_with_an_answer_are_no_preferences() -> None:
    assert has_preferences({"chosen": "a", "rejected": "b"})
    assert not has_preferences({"prompt": "q", "answer": "4"})


def test_files_without_one_sound_pair_are_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    single = [{"prompt": "q", "completion": "a", "label": True}]
    code, out, _ = check(capsys, write(tmp_path / "p.jsonl", single))
    assert code == 2
    assert "left out: 1 prompts with one answer" in out
    assert "no pair of answers" in out


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data")
def test_real_preferences_are_checked_without_torch() -> None:
    code = (
        "import sys; from guerdon.cli.main import main; main(['check', sys.argv[1]]); "
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, str(SHARED / "pref.jsonl.gz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "layout pairs, 3823 rows, 3749 pairs" in done.stdout
    assert "annotators agree on" in done.stdout
