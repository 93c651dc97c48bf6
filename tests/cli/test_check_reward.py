"""`guerdon check` of recipes for reward models and for preferences, through the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guerdon.cli.main import main
from rewarding import tiny_reward_model

HEAD = """
kind = "reward_model"
[model]
source = "builtin:tiny"
[data]
eval_fraction = 0.5
[data.train.mine]
kind = "jsonl"
path = "{path}"
"""


def pairs(count: int, **more: object) -> list[dict[str, Any]]:
    return [
        {"prompt": f"Question {n} of many, {n * n}", "chosen": f"good {n}", "rejected": f"bad {n}", **more}
        for n in range(count)
    ]


def recipe(tmp_path: Path, rows: list[dict[str, Any]], more: str = "") -> str:
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "mine.toml"
    path.write_text(HEAD.format(path=data) + more)
    return str(path)


def check(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["check", *args])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_a_good_recipe_passes_with_an_account_of_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = check(capsys, recipe(tmp_path, pairs(12)))
    assert (code, err) == (0, "")
    assert "its command: guerdon rm train" in out
    assert "data.train.mine  " in out
    assert "layout pairs, 12 rows, 12 pairs" in out
    assert "split  " in out
    assert "every response fits into 1,024 tokens" in out
    assert out.endswith("all good\n")


def test_all_mistakes_of_the_recipe_are_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recipe(
        tmp_path, pairs(12), '[head]\nkind = "scalarr"\n[train]\nbatch_size = 0\nlearning_rat = 1.0\n'
    )
    code, _, err = check(capsys, path)
    assert code == 2
    assert all(word in err for word in ("head.kind", "train.batch_size", "train.learning_rat"))


def test_rows_that_cannot_be_used_are_listed_each_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        *pairs(12),
        {"prompt": "q", "chosen": "same", "rejected": "same "},
        {"prompt": "q", "chosen": "", "rejected": "x"},
        {"prompt": "q", "chosen": "a", "rejected": "b", "score_chosen": float("nan"), "score_rejected": 1.0},
    ]
    code, out, _ = check(capsys, recipe(tmp_path, rows))
    assert code == 2
    assert "line 13" in out
    assert "chosen and rejected are identical" in out
    assert "line 14" in out
    assert "empty" in out
    assert "line 15" in out
    assert "score_chosen" in out
    assert out.endswith("3 problems\n")
    code, out, _ = check(capsys, recipe(tmp_path, rows, 'bad_rows = "leave_out"\n'))
    assert code == 0  # the recipe says so: told, and no problem
    assert "3 rows cannot be used" in out


def test_labels_that_an_audit_overturns_are_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = [
        {**row, "chosen": row["rejected"], "rejected": row["chosen"]} if n % 2 else row
        for n, row in enumerate(pairs(40))
    ]
    audit = tmp_path / "again.jsonl"
    audit.write_text("".join(json.dumps(row) + "\n" for row in again))
    more = f'[data.audit.again]\nkind = "jsonl"\npath = "{audit}"\n'
    code, out, _ = check(capsys, recipe(tmp_path, pairs(40), more))
    assert code == 2
    assert "expected at most 45 %: these labels teach nothing" in out


def test_responses_that_would_be_cut_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pairs(12)
    rows[3]["chosen"] = "x" * 200
    rows[4]["prompt"] = "y" * 200
    short = "[input]\nmax_length = 100\n"
    code, out, _ = check(capsys, recipe(tmp_path, rows, short))
    assert code == 0
    assert "1 of 12 pairs have a response that does not fit into 100 tokens: left out of the training" in out
    assert "chosen: 201 tokens" in out
    assert "1 prompts lose their beginning" in out
    code, out, _ = check(capsys, recipe(tmp_path, rows, short + '[train]\ntoo_long = "refuse"\n'))
    assert code == 2
    assert "refused (train.too_long)" in out
    code, out, _ = check(capsys, recipe(tmp_path, pairs(12, chosen="x" * 99), short))
    assert code == 2  # nothing would be left


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("pypi:minilm", "did you mean 'pypi:minilm-l6'"),
        ("./nowhere", "no such folder"),
        ("{here}/empty", "no config.json"),
        ("{here}/rm", "is a reward model with a binned head"),
        ("{here}/broken", "the folder is damaged"),
    ],
)
def test_a_backbone_that_cannot_be_had_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, said: str
) -> None:
    for name, meta in (("empty", None), ("rm", '{"head": {"kind": "binned"}}'), ("broken", "{")):
        (tmp_path / name).mkdir()
        if meta:
            (tmp_path / name / "config.json").write_text("{}")
            (tmp_path / name / "reward_model.json").write_text(meta)
    path = recipe(tmp_path, pairs(12))
    code, _, err = check(capsys, path, "--set", f"model.source={source.format(here=tmp_path)}", "--no-data")
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_tokens_are_counted_by_the_model_s_own_tokenizer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path / "model"
    folder.mkdir()
    tokenizer = Tokenizer(models.WordLevel({"x": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"max_position_embeddings": 50}')
    rows = pairs(12)
    rows[3]["chosen"] = "x " * 49
    rows[4]["chosen"] = "x " * 48
    path = recipe(tmp_path, rows)
    _, out, _ = check(capsys, path, "--set", f"model.source={folder}")
    assert "1 of 12 pairs have a response that does not fit into 50 tokens" in out
    _, out, _ = check(capsys, path, "--set", "model.source=somebody/elsewhere")
    assert "length  not counted: somebody/elsewhere is not on this machine yet" in out


def test_one_side_that_would_be_empty_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = check(capsys, recipe(tmp_path, pairs(1)))
    assert code == 2
    assert "held out" in out
    code, out, _ = check(capsys, recipe(tmp_path, pairs(12)), "--set", "data.train.mine.path=none.jsonl")
    assert code == 2
    assert "data.train.mine  none.jsonl: no such file" in out


def test_a_recipe_for_preferences_is_checked_like_a_policy_s(capsys: pytest.CaptureFixture[str]) -> None:
    few = ("--set", "data.train.num_problems=20")
    code, out, _ = check(capsys, "preferences", *few)
    assert code == 0
    assert "its command: guerdon prefs make" in out
    assert "every gold answer scores 1" in out
    code, _, err = check(
        capsys, "preferences", "--set", "rewards.math.weight=0", "--set", "pairing.policy=some"
    )
    assert code == 2
    assert "pairing.policy" in err
    code, _, err = check(
        capsys, "preferences", *few, "--set", "rewards.rm.kind=reward_model", "--set", "rewards.rm.path=./no"
    )
    assert code == 2
    assert "rewards.rm: path: ./no: no such run" in err


def test_a_recipe_of_an_unknown_kind_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.toml").write_text('kind = "reward"\n')
    code, _, err = check(capsys, str(tmp_path / "x.toml"))
    assert code == 2
    assert "kind is 'reward'; expected \"reward_model\"" in err


def test_samples_of_a_policy_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps({"prompt": "p", "completion": text}) + "\n" for text in "ab"))
    what = recipe(tmp_path, pairs(12), f'[eval]\nsamples = "{path}"\n')
    code, out, _ = check(capsys, what)
    assert code == 0
    assert "samples  2 answers to 1 prompts" in out
    path.unlink()
    code, out, _ = check(capsys, what)
    assert code == 2
    assert "eval.samples  " in out


@pytest.mark.slow
def test_a_reward_model_without_its_verdict_is_refused_without_torch(tmp_path: Path) -> None:
    tiny_reward_model(fields=("verdict",)).save(tmp_path / "rm")
    recipe = tmp_path / "policy.toml"
    recipe.write_text(
        'stages = ["grpo"]\n[data.train]\nkind = "arith"\n[rewards.math]\n'
        f'[rewards.rm]\nkind = "reward_model"\npath = "{tmp_path / "rm"}"\n'
    )
    code = (
        f"import sys; from guerdon.cli.main import main; code = main(['check', {str(recipe)!r}]);"
        "sys.exit(99 if 'torch' in sys.modules else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "verdict" in line]
    assert "rewards.rm: path: " in line
    assert 'name the part that gives it, for example verdict = "math"' in line


@pytest.mark.slow
def test_torch_is_not_imported() -> None:
    for name in ("reward_model", "preferences"):
        code = f"import sys; from guerdon.cli.main import main; main(['check', '{name}']); sys.exit('torch' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_pairs_that_a_run_mixes_with_its_own_are_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    human = tmp_path / "human.jsonl"
    human.write_text("".join(json.dumps(row) + "\n" for row in pairs(12)))
    sets = (
        "--set",
        f"rm.more.human={{kind = 'jsonl', path = '{human}'}}",
        "--set",
        "data.train.num_problems=20",
    )
    code, out, err = check(capsys, "quickstart", *sets)
    assert (code, err) == (0, "")
    assert "rm.more.human  " in out
    assert "12 rows, 12 pairs" in out
    human.write_text('{"prompt": "Q", "chosen": "the same", "rejected": "the same"}\n')
    code, out, _ = check(capsys, "quickstart", *sets)
    assert code == 2
    assert "human.jsonl" in out
