import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guerdon.cli.main import main

GOOD = [
    {"id": "a", "question": "2 + 2", "answer": "4", "level": 1},
    {"id": "b", "question": "2 + 3", "answer": "5", "level": 2, "solution": "2 + 3 = 5\n#### 5"},
]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(text, encoding="utf-8")
    return path


def check(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["check", *args])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.parquet"])
def test_a_good_file_shows_how_its_columns_are_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = check(capsys, str(write(tmp_path / name, GOOD)))
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["prompt", "question"] in lines
    assert ["target", "answer"] in lines
    assert "2 rows: every gold answer scores 1 by math" in out
    if ".jsonl" in name:
        assert "1 by math, 1 worked solution too\n" in out
    assert out.endswith("all good\n")


def test_every_bad_row_is_told_with_its_id_and_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, object]] = [
        *GOOD,
        {"id": "c", "answer": "6"},
        {"id": "d", "question": "2 + 5"},
        {"id": "e", "question": "2 + 6", "answer": "8", "solution": "so it is 9"},
    ]
    code, out, _ = check(capsys, str(write(tmp_path / "rows.jsonl", rows)))
    assert code == 2
    assert "5 rows: 3 of them fail" in out
    found = {line.split("  ")[0]: line for line in out.splitlines()}
    assert "no prompt" in found["line 3"]
    assert "no target" in found["d (line 4)"]
    assert "worked solution does not score 1" in found["e (line 5)"]
    assert "9 is not 8" in found["e (line 5)"]
    assert out.endswith("3 problems\n")


def test_targets_that_end_in_their_answer_are_proven_and_unreadable_ones_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a", "prompt": "2 + 1", "answer": "2 + 1 = 3 bolts\nA: 3"},
        {"id": "b", "prompt": "2 + 2", "answer": "2 + 2 = 4\nAnswer: 4"},
    ]
    code, out, _ = check(capsys, str(write(tmp_path / "rows.jsonl", rows)))
    assert code == 0, out
    rows.append(
        {"id": "c", "prompt": "Why?", "answer": "Because the sum of two even numbers is even once more"}
    )
    code, out, _ = check(capsys, str(write(tmp_path / "rows.jsonl", rows)))
    assert code == 2
    assert "3 rows: 1 of them fail" in out
    assert "not understood: it is a text of 11 words" in out


def test_many_failures_are_counted_and_ten_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, object]] = [{"id": f"r{number}", "prompt": f"{number}"} for number in range(25)]
    code, out, _ = check(capsys, str(write(tmp_path / "rows.jsonl", rows)))
    assert code == 2
    assert out.count("no target") == 10
    assert "... and 15 more" in out


def test_a_file_cut_off_keeps_what_came_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "rows.jsonl", GOOD)
    path.write_text(path.read_text() + '{"id": "c", "ques', encoding="utf-8")
    code, out, _ = check(capsys, str(path))
    assert code == 2
    assert "after row 2" in out
    assert "not JSON" in out


@pytest.mark.parametrize(
    ("content", "problem"), [("", "no rows"), (None, "no such file"), ("[1]\n", "expected a JSON object")]
)
def test_a_file_without_a_first_row(
    content: str | None, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    code, out, err = check(capsys, str(path))
    assert code == 2
    assert problem in out + err


RECIPE = """
stages = ["grpo"]
[data.train]
kind = "jsonl"
path = "{path}"

[rewards.math]
extract = "{extract}"
"""


def recipe(tmp_path: Path, rows: list[dict[str, object]], extract: str = "auto") -> Path:
    data = write(tmp_path / "rows.jsonl", rows)
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE.format(path=data, extract=extract), encoding="utf-8")
    return path


def many(count: int) -> list[dict[str, object]]:
    return [{"id": str(n), "question": f"{n} + 1", "answer": str(n + 1)} for n in range(count)]


def test_a_recipe_is_checked_with_its_data_and_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = check(capsys, str(recipe(tmp_path, many(40))))
    assert code == 0
    assert "data.train  jsonl, 40 rows" in out
    counts = re.search(r"split  (\d+) to train on, (\d+) held out", out)
    assert counts is not None
    assert int(counts[1]) + int(counts[2]) == 40


def test_the_recipes_own_reward_settings_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, object]] = [{"id": "a", "question": "x", "answer": "4", "solution": "#### 4"}]
    assert check(capsys, str(recipe(tmp_path, rows + many(20), "hash")))[0] == 0
    code, out, _ = check(capsys, str(recipe(tmp_path, rows + many(20), "boxed")))
    assert code == 2
    assert "worked solution does not score 1" in out


def test_an_sft_stage_without_worked_solutions_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recipe(tmp_path, many(40))
    solved = [{**row, "solution": f"#### {row['answer']}"} for row in many(40)]
    code, out, _ = check(capsys, str(path), "--set", 'stages=["sft", "grpo"]')
    assert code == 2
    assert re.search(r"data.train: (\d+) of \1 problems have no worked solution for stage sft", out)
    assert "give every row a column `solution`" in out
    assert 'leave the stage out: stages = ["grpo"]' in out
    assert out.endswith("1 problem\n")
    recipe(tmp_path, solved)
    assert check(capsys, str(path), "--set", 'stages=["sft", "grpo"]')[0] == 0


def test_no_data_checks_the_recipe_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recipe(tmp_path, many(3))
    (tmp_path / "rows.jsonl").unlink()
    assert check(capsys, str(path), "--no-data")[0] == 0
    code, _, err = check(capsys, str(path))
    assert code == 2
    assert "no such file" in err


def test_all_config_errors_come_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = check(capsys, "quickstart", "--set", "train.max_step=3", "--set", "rollout.temprature=1")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 2


def test_a_reward_function_that_cannot_be_imported_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recipe(tmp_path, many(20))
    text = path.read_text() + '\n[rewards.mine]\nkind = "function"\npath = "no_such_module_here:reward"\n'
    path.write_text(text, encoding="utf-8")
    code, _, err = check(capsys, str(path))
    assert code == 2
    assert err.startswith("rewards.mine: ")
    assert len(err.splitlines()) == 1


def test_set_belongs_to_recipes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = check(capsys, str(write(tmp_path / "rows.jsonl", GOOD)), "--set", "a=1")
    assert code == 2
    assert "belong to a recipe" in err


def test_check_of_the_quickstart_passes_and_never_imports_torch() -> None:
    """Its reward model is not there yet: the run will train it."""
    code = (
        "import sys; from guerdon.cli.main import main;"
        "sys.exit(main(['check', 'quickstart']) or 'torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True)


def test_repetitions_are_told_and_contradictions_are_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again: list[dict[str, object]] = [*GOOD, {"question": "2+2 ?", "answer": "4"}]
    code, out, _ = check(capsys, str(write(tmp_path / "rows.jsonl", again)))
    assert (code, "1 rows ask what an earlier one asks: 1 but for spelling" in out) == (0, True)
    again.append({"question": "2 + 2", "answer": "5"})
    code, out, _ = check(capsys, str(write(tmp_path / "rows.jsonl", again)))
    assert code == 2
    assert "line 4  line 1            with another answer" in out
    assert out.endswith("1 problem\n")


def test_leaks_between_files_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = str(write(tmp_path / "train.jsonl", GOOD))
    clean = str(write(tmp_path / "clean.jsonl", [{"question": "2 + 9", "answer": "11"}]))
    dirty = str(write(tmp_path / "dirty.jsonl", [{"id": "x", "question": "2+3?", "answer": "5"}]))
    assert check(capsys, train, "--against", clean)[0] == 0
    code, out, _ = check(capsys, train, "--against", dirty)
    assert code == 2
    assert "x         b            but for spelling" in out
    assert check(capsys, "tiny_grpo", "--against", dirty)[0] == 2


def test_leaks_between_the_sides_of_a_recipe_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "train.jsonl", GOOD)
    write(
        tmp_path / "eval.jsonl", [{"question": "2+3?", "answer": "5"}, {"question": "7 + 7", "answer": "14"}]
    )
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f"[data.train]\nkind = 'jsonl'\npath = '{tmp_path}/train.jsonl'\n"
        f"[data.eval]\nkind = 'jsonl'\npath = '{tmp_path}/eval.jsonl'\n[rewards.math]\n"
    )
    code, out, _ = check(capsys, str(recipe))
    assert (code, "leaks: 1 held-out problems, and 0 that are much alike" in out) == (2, True)


ROUTED = """
stages = ["grpo"]
eval = { num_problems = 0 }
[data.train]
kind = "jsonl"
path = "PATH"
[rewards.math]
[rewards.style]
kind = "random"
[reward.route]
cases = { yes = "math", no = "style" }
"""


def test_open_problems_need_no_gold_answer_where_they_are_routed_past_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write(tmp_path / "rows.jsonl", [*many(30), {"id": "open", "question": "Write a poem"}])
    recipe = tmp_path / "mine.toml"
    recipe.write_text(ROUTED.replace("PATH", str(rows)))
    code, out, _ = check(capsys, str(recipe))
    assert code == 0
    assert "31 rows: 30 gold answers score 1 by math; nothing was proved of 1" in out
    closed = recipe.read_text().replace(', no = "style"', "")
    recipe.write_text(closed.replace("[rewards.style]", "[rewards.style]\nweight = 0.0"))
    code, out, _ = check(capsys, str(recipe))
    assert code == 2
    assert "reward.route: no case for this problem, so its rollouts have no reward" in out


def test_files_of_the_reward_table_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "mine.toml"
    rows = write(tmp_path / "rows.jsonl", GOOD)
    learned = (
        f"[reward]\ncalibration = '{tmp_path}/c.json'\ncalibrate = {{ math = 'rank' }}\n[reward.learned]\n"
    )
    text = ROUTED.replace("PATH", str(rows)).split("[reward.route]")[0] + learned
    recipe.write_text(text + f"path = '{tmp_path}/gate.json'\nof = ['math', 'style']\n")
    code, _, err = check(capsys, str(recipe), "--no-data")
    assert code == 2
    assert f"reward.learned: {tmp_path}/gate.json: cannot be read" in err
    assert f"reward.calibration: {tmp_path}/c.json: cannot be read" in err


def test_every_set_of_a_mixture_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path / "good.jsonl", many(40))
    bad = write(
        tmp_path / "bad.jsonl", [*many(3), {"prompt": "17 + 4", "answer": "21", "solution": "#### 22"}]
    )
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'stages = ["grpo"]\n[data.train.good]\nkind = "jsonl"\npath = "{good}"\n[data.train.bad]\n'
        f'kind = "jsonl"\npath = "{bad}"\n[rewards.math]\n'
    )
    code, out, _ = check(capsys, str(recipe))
    assert code == 2
    assert "data.train.good  jsonl, 40 rows: every gold answer scores 1 by math" in out
    assert "data.train.bad  jsonl, 4 rows: 1 of them fail" in out


def test_what_no_part_can_prove_is_said_to_be_unproved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write(tmp_path / "rows.jsonl", many(30))
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'stages = ["grpo"]\n[data.train]\nkind = "jsonl"\npath = "{rows}"\n[rewards.style]\nkind = "format"\n'
        "[eval]\nnum_problems = 0\n"
    )
    code, out, _ = check(capsys, str(recipe))
    assert code == 0
    assert "30 rows: nothing was proved: a gold answer proves parts of kind math, not style" in out


def test_rows_that_no_answer_can_get_a_reward_for_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*many(30), {"question": "Pick a lock", "harmful": True}, {"question": "Write a poem"}]
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'stages = ["grpo"]\n[data.train]\nkind = "jsonl"\npath = "{write(tmp_path / "rows.jsonl", rows)}"\n'
        '[rewards.harmless]\nkind = "refusal"\ncolumn = "harmful"\n[rewards.style]\nkind = "format"\n'
        '[reward.gate]\ncondition = "harmless"\nthen = "style"\n[eval]\nnum_problems = 0\n'
    )
    code, out, _ = check(capsys, str(recipe))
    assert code == 2
    assert "32 rows: 31 of them fail" in out
    told = "no answer can have a reward: harmless: the problem's harmful is neither true nor false"
    assert told in " ".join(out.split())
    assert check(capsys, str(recipe), "--set", "rewards.harmless.default=false")[0] == 0


def test_gdpo_over_a_root_that_is_one_part_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recipe(tmp_path, many(30))
    text = path.read_text() + '\n[rewards.style]\nkind = "format"\n[algorithm]\nname = "gdpo"\n'
    path.write_text(text + '[reward.mix]\nkind = "sum"\nof = { math = 1.0, style = 0.2 }\n')
    assert "normalises" not in check(capsys, str(path), "--no-data")[1]
    path.write_text(text + '[reward.gate]\ncondition = "style"\nthen = "math"\n')
    code, out, _ = check(capsys, str(path), "--no-data")
    assert code == 0
    assert (
        "gdpo normalises each part by itself, but the whole reward is one part here (reward.gate, a gate)"
        in out
    )
