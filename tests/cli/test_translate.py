from pathlib import Path

import pytest

from guerdon.cli.main import main
from guerdon.run.recipe import load_recipe

TRL = "model_name_or_path: org/model\ndataset_name: openai/gsm8k\nreward_funcs: [accuracy_reward]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "grpo.yaml"
    path.write_text(TRL + "max_steps: 10\nodd_key: 1\nuse_vllm: true\n", encoding="utf-8")
    return path


def test_the_recipe_goes_to_stdout_and_the_table_to_stderr(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "trl", str(config)]) == 0
    shown = capsys.readouterr()
    recipe = tmp_path / "piped.toml"
    recipe.write_text(shown.out, encoding="utf-8")
    assert load_recipe(recipe).model.source == "org/model"
    assert shown.out.startswith("# Translated from grpo.yaml (trl) by guerdon import.\n")
    assert "# no counterpart: odd_key: not known to this translation" in shown.out
    rows = {line.split()[0]: line for line in shown.err.splitlines()[1:]}
    assert 'model.source = "org/model"' in rows["model_name_or_path"]
    assert "not needed" in rows["use_vllm"]
    assert "no counterpart" in rows["odd_key"]


def test_with_a_file_the_table_goes_to_stdout(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.toml"
    assert main(["import", "trl", str(config), "-o", str(out)]) == 0
    assert load_recipe(out).train.max_steps == 10
    assert f"guerdon check {out}" in capsys.readouterr().out


def test_a_file_is_never_overwritten(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.toml"
    out.write_text("precious", encoding="utf-8")
    assert main(["import", "trl", str(config), "-o", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "precious"


def test_what_no_recipe_can_hold_is_told_now(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(TRL + "temperature: -1\nnum_generations: 3\n", encoding="utf-8")
    assert main(["import", "trl", str(config)]) == 2
    err = capsys.readouterr().err
    assert "rollout.temperature: expected at least 0.0; got -1.0" in err


def test_verl_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "run.sh"
    script.write_text(
        "python -m verl.trainer.main_ppo algorithm.adv_estimator=grpo data.train_files=a.parquet \\\n"
        " data.train_batch_size=64 actor_rollout_ref.rollout.n=8 trainer.total_training_steps=5\n",
        encoding="utf-8",
    )
    assert main(["import", "verl", str(script)]) == 0
    shown = capsys.readouterr()
    assert "64 prompts there x 8 answers = 512 completions here" in shown.err
    assert "generation_batch_size = 512" in shown.out
