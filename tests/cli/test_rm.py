from __future__ import annotations

from pathlib import Path

import pytest

from guerdon.cli.main import main
from guerdon.run import measure_reward
from rewarding import tiny_reward_model


def test_without_a_recipe_it_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rm", "train"]) == 2
    assert "which RECIPE?" in capsys.readouterr().err


def test_a_policy_s_recipe_is_sent_to_its_own_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rm", "train", "quickstart"]) == 2
    assert "guerdon train" in capsys.readouterr().err


def test_eval_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_reward_model().save(tmp_path / "rm")
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n' * 3)
    page = tmp_path / "page.html"
    options = ["--data", str(tmp_path / "pairs.jsonl"), "--report", str(page)]
    assert main(["rm", "eval", str(tmp_path / "rm"), *options]) == 0
    out = capsys.readouterr().out
    assert "pairs" in out
    assert f"report  {page}" in out
    assert "<html" in page.read_text()[:200]


def test_eval_of_a_benchmark_by_two_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        tiny_reward_model(seed=seed).save(tmp_path / f"rm{seed}")
    row = '{"id": "1", "prompt": "q", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"], "domain": "chat"}\n'
    (tmp_path / "rm.jsonl").write_text(row)
    page = tmp_path / "page.html"
    models = [str(tmp_path / "rm0"), str(tmp_path / "rm1")]
    assert main(["rm", "eval", *models, "--data", str(tmp_path / "rm.jsonl"), "--report", str(page)]) == 0
    out = capsys.readouterr().out
    assert "Missing: Math, Code, Safety; so the overall number compares with no leaderboard." in out
    assert "== agreement on rm.jsonl" in out
    for path in (page, tmp_path / "page-2.html"):
        assert "RM-Bench" in path.read_text()
        assert 'class="results heat"' in path.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--layout", "rewardbench3"], "did you mean 'rewardbench'"), (["--limit", "0"], "expected at least 1")],
)
def test_eval_refuses_options_that_mean_nothing(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rm", "eval", "any", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_place_that_is_not_there_is_told_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_reward_model().save(tmp_path / "rm")
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n')
    monkeypatch.setattr(measure_reward, "load_reward_model", lambda config: pytest.fail("a model was loaded"))
    for flag, name in (("--report", "page.html"), ("--output", "rows.jsonl")):
        place = tmp_path / "none" / name
        assert (
            main(
                [
                    "rm",
                    "eval",
                    str(tmp_path / "rm"),
                    "--data",
                    str(tmp_path / "pairs.jsonl"),
                    flag,
                    str(place),
                ]
            )
            == 2
        )
        assert f"{flag} {place}: no folder {place.parent}; make it first" in capsys.readouterr().err


def test_a_mistyped_run_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "tinyrm").mkdir(parents=True)
    assert main(["rm", "eval", "runs/tinyrmm"]) == 2
    assert capsys.readouterr().err.strip().count("\n") == 0


@pytest.mark.slow
def test_a_run_shows_accuracy_by_pairs_seen_and_what_its_ensemble_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'kind = "reward_model"\nreport_to = []\n[model]\nsource = "builtin:tiny"\n[head]\nkind = "ensemble"\n'
        '[data.train.w]\nkind = "arith"\nnum_pairs = 60\nmax_digits = 1\nmax_operands = 2\n'
        "[train]\nmax_steps = 3\nbatch_size = 4\n[eval]\neval_steps = 1\n"
    )
    assert main(["rm", "train", str(recipe), "--set", f"output_dir={tmp_path}"]) == 0
    assert main(["rm", "eval", str(tmp_path / "rm")]) == 0
    out = capsys.readouterr().out
    table = out[out.index("pairs seen") :].splitlines()
    assert [line.split()[0] for line in table[2:5]] == ["4", "8", "12"]
    assert "scoring speed" in out
    assert "unanimous" in out
    assert main(["report", str(tmp_path / "rm")]) == 0
    assert (
        "Accuracy against the number of training pairs seen" in (tmp_path / "rm" / "report.html").read_text()
    )
