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
        ("builtin:tiny2", "unknown built-in model 'builtin:tiny2'; there is builtin:tiny"),
        ("./nowhere", "no such folder"),
        ("./nowhere.gguf", "no such GGUF file"),
        ("{here}/empty", "no config.json"),
        ("{here}/bare", "no *.safetensors file"),
        ("{here}/rm", 'a reward model with head.kind = "binned" (the recipe: "scalar"); head.bias = false'),
        (
            "{here}/fields",
            'input.fields = ["verdict"] (the recipe: []); leave [input] out, or start from the',
        ),
        ("{here}/other", "its tokenizer is another than the one this reward model was trained with"),
        ("{here}/broken", "the folder is damaged"),
        (
            "{here}/old",
            "was written another way (format 1), so every score would be of other words; train it",
        ),
    ],
)
def test_a_backbone_that_cannot_be_had_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, said: str
) -> None:
    metas = {
        "bare": None,
        "rm": meta(head={"kind": "binned", "bias": False}),
        "fields": meta(input={"fields": ["verdict"]}),
        "other": meta(tokenizer="0" * 16),
        "broken": "{",
        "old": meta(format=1, input={"critique": {}}),
    }
    (tmp_path / "empty").mkdir()
    for name, text in metas.items():
        backbone(tmp_path / name)
        if text is not None:
            (tmp_path / name / "reward_model.json").write_text(text)
            (tmp_path / name / "model.safetensors").touch()
    path = recipe(tmp_path, pairs(12), "[input]\nmax_length = 99\n")
    code, _, err = check(capsys, path, "--set", f"model.source={source.format(here=tmp_path)}", "--no-data")
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def meta(**changes: object) -> str:
    return json.dumps({"format": 2, "head": {}, "input": {}, "tokenizer": "", **changes})


def backbone(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder.mkdir()
    tokenizer = Tokenizer(models.WordLevel({"x": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"max_position_embeddings": 50}')


def test_a_reward_model_s_own_input_holds_where_the_recipe_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone(tmp_path / "rm")
    (tmp_path / "rm" / "model.safetensors").touch()
    (tmp_path / "rm" / "reward_model.json").write_text(meta(input={"max_length": 30, "fields": ["verdict"]}))
    code, out, _ = check(capsys, recipe(tmp_path, pairs(12)), "--set", f"model.source={tmp_path / 'rm'}")
    assert "input.fields shows a rule's verdict, but none of " in out
    assert code == 2
    rated = [
        {
            "prompt": row["prompt"],
            "responses": [
                {"response": text, "overall_score": score, "annotations": {"verdict": score}}
                for text, score in (("a", 1), ("b", 0))
            ],
        }
        for row in pairs(12)
    ]
    code, out, _ = check(capsys, recipe(tmp_path, rated), "--set", f"model.source={tmp_path / 'rm'}")
    assert "every response fits into 30 tokens" in out
    assert code == 0


def test_tokens_are_counted_by_the_model_s_own_tokenizer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    backbone(folder)
    (folder / "model.safetensors").touch()
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
    assert "every gold answer scores 1 by math" in out
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


RATED = [
    {"prompt": f"Question {n} of many", "response": text, "helpfulness": score, "verbosity": 1}
    for n in range(12)
    for text, score in ((f"good {n}", 4), (f"bad {n}", 2))
]


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        (
            pairs(12),
            "[loss]\nlistwise = 0.5\n",
            "loss.listwise: 0.5, but the training data hold no prompts with",
        ),
        (
            pairs(12),
            "[loss]\npointwise = 1.0\n",
            "loss.pointwise: 1, but the training data hold no answers with",
        ),
        (
            RATED,
            '[head]\nkind = "attributes"\nattributes = ["helpfullness", "verbosity"]\n',
            "head.attributes: no answer of the training data is rated by 'helpfullness' (did you mean 'helpfulness'?)",
        ),
        (
            pairs(12),
            '[head]\nkind = "attributes"\nattributes = ["clarity"]\n',
            "head.attributes: no answer of the training data is rated by 'clarity'; they hold no ratings at all",
        ),
        (pairs(12), "[input]\ncritique = {}\n", "pairs hold no critique of both sides"),
        (RATED[::2], "", "no pair of answers; expected at least one"),
    ],
)
def test_what_a_recipe_asks_for_and_its_data_do_not_have_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[dict[str, Any]], more: str, said: str
) -> None:
    code, out, _ = check(capsys, recipe(tmp_path, rows, more))
    assert code == 2
    assert said in out
    assert out.endswith("1 problem\n")


def test_lists_ratings_and_answers_without_a_partner_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = check(capsys, recipe(tmp_path, RATED, "[loss]\nlistwise = 0.5\npointwise = 1.0\n"))
    assert code == 0
    assert "lists to train on, " in out
    code, out, _ = check(capsys, recipe(tmp_path, RATED[::2], "[loss]\npointwise = 1.0\n"))
    assert code == 0
    assert "12 rated answers without a partner, from which loss.pointwise learns" in out
    assert "split  12 single answers to train on, 0 held out" in out


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
    code, out, _ = check(capsys, "quickstart", *sets, "--set", "rm.loss.listwise=1.0")
    assert code == 2
    assert "rm.loss.listwise: no set of rm.more holds" in out
    human.write_text('{"prompt": "Q", "chosen": "the same", "rejected": "the same"}\n')
    code, out, _ = check(capsys, "quickstart", *sets)
    assert code == 2
    assert "human.jsonl" in out


def test_the_verdict_that_a_model_is_to_be_shown_must_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = '[input]\nfields = ["verdict"]\n'
    code, out, _ = check(capsys, recipe(tmp_path, pairs(12), shown))
    assert code == 2
    assert "input.fields shows a rule's verdict, but none of " in out
    rows = [
        {
            "problem": {"id": str(n), "messages": [{"role": "user", "content": f"Question {n}, {n * n}"}]},
            "chosen": "good",
            "rejected": "bad",
            "chosen_ratings": {"verdict": 1.0},
            "rejected_ratings": {"verdict": 0.0},
        }
        for n in range(12)
    ]
    code, out, _ = check(capsys, recipe(tmp_path, rows, shown))
    assert code == 0
    assert "verdict  the rule's verdict alone picks the chosen side in 100.0 %" in out
    assert "only learns to copy it" in out
