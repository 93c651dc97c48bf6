import os
import time
from pathlib import Path

import pytest

from guerdon.cli.main import main
from guerdon.cli.train import COMMAND, how_to_resume
from guerdon.run.recipe import load_recipe

SMALL = [
    "model.source=builtin:tiny", "stages=['grpo']", "rewards.judge.kind=random", "train.max_steps=1",
    "eval.num_problems=2", "eval.num_samples=1",
    "rollout.num_generations=2", "rollout.generation_batch_size=2", "rollout.max_completion_length=4",
    "data.train.num_problems=20",
]  # fmt: skip


def small(folder: Path) -> list[str]:
    return [word for text in (*SMALL, f"output_dir={folder}") for word in ("--set", text)]


@pytest.mark.slow
def test_a_recipe_ends_with_its_results_its_model_and_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "quickstart", *small(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "sampled accuracy" in out
    paths = {line.split()[0]: Path(line.split()[1]) for line in out.splitlines()[-2:]}
    assert (paths["model"] / "config.json").is_file()
    assert paths["report"] == tmp_path / "quickstart" / "report.html"
    assert paths["report"].is_file()
    assert main(["eval", str(tmp_path / "quickstart")]) == 0
    assert "sampled accuracy" in capsys.readouterr().out


def test_which_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 2
    assert "which RECIPE?" in capsys.readouterr().err


def test_a_wrong_recipe_is_told_before_torch_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "quickstart", "--set", "train.max_step=1"]) == 2
    assert "did you mean 'max_steps'" in capsys.readouterr().err


def test_a_run_that_has_nothing_to_imitate_is_refused_before_it_has_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"prompt": "{n} + 1", "answer": "{n + 1}"}}\n' for n in range(40)))
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'output_dir = "{tmp_path}/runs"\n[model]\nsource = "builtin:tiny"\n'
        f'[data.train]\nkind = "jsonl"\npath = "{rows}"\n[rewards.math]\n'
    )
    assert main(["train", str(recipe)]) == 2
    assert "problems have no worked solution for stage sft to imitate" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_resuming_what_is_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err


def interrupted(tmp_path: Path, *, resume: Path | None = None, started: float = 0.0) -> str:
    config = load_recipe("quickstart", [f"output_dir={tmp_path}"])
    return how_to_resume(resume, config, started, "stopped after step 3")


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    old, new = tmp_path / "quickstart", tmp_path / "quickstart-2"
    for folder in (old, new):
        (folder / "checkpoints" / "checkpoint-grpo-00003").mkdir(parents=True)
    os.utime(old, (1.0, 1.0))
    assert interrupted(tmp_path) == f"stopped after step 3\nresume with: guerdon train --resume {new}"
    assert interrupted(tmp_path, resume=old).endswith(f"--resume {old}")


def test_an_interruption_before_the_first_checkpoint_says_so(tmp_path: Path) -> None:
    assert (
        interrupted(tmp_path)
        == "stopped after step 3; nothing is saved yet, so the same command starts again"
    )
    (tmp_path / "quickstart" / "checkpoints" / "checkpoint-grpo-00003").mkdir(parents=True)
    later = time.time() + 60
    assert "nothing is saved yet" in interrupted(tmp_path, started=later)  # an older run's folder


def test_the_examples_name_a_recipe_that_is_shipped() -> None:
    assert any("quickstart" in line for line, _ in COMMAND.examples)
