"""Whole runs of the tiny recipe, through the real command: resume after kill -9, Ctrl-C, replay, refusals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from guerdon.data.config import ArithConfig
from guerdon.data.rows import Rows
from guerdon.data.split import load_problems
from guerdon.explain.report import report_html
from guerdon.run.build import run_recipe
from guerdon.run.config import RunConfig, RunOptions
from guerdon.run.recipe import load_recipe, load_run
from rewarding import tiny_reward_model

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "tiny_grpo.toml"
# Steps of a run whose evaluation and saving take no time; every step is saved.
QUICK = ("eval.num_problems=4", "eval.num_samples=2", "save_steps=1", "sft.max_steps=3", "train.max_steps=4")

pytestmark = pytest.mark.slow


def command(output: Path, *extra: str, recipe: Path | None = RECIPE) -> list[str]:
    settings = [part for item in (*QUICK, f"output_dir={output}") for part in ("--set", item)]
    return [sys.executable, "-m", "guerdon", "train", *([str(recipe)] if recipe else []), *settings, *extra]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def run(output: Path, *extra: str, recipe: Path | None = RECIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(output, *extra, recipe=recipe), env=environment(), capture_output=True, text=True, check=False
    )


def lines(folder: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def learned(folder: Path) -> list[tuple[str, int, dict[str, float]]]:
    """Everything recorded but seconds, speeds and memory."""
    timed = ("timing_s/", "cost/tokens_per_s", "memory/", "step_time")
    return [
        (line["stage"], line["step"], {k: v for k, v in line["metrics"].items() if not k.startswith(timed)})
        for line in lines(folder)
    ]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    newest = sorted((folder / "checkpoints").glob("checkpoint-grpo-*"))[-1]
    return load_file(newest / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("straight")
    done = run(output)
    assert done.returncode == 0, done.stderr
    return output / "tiny_grpo"


def assert_same_run(folder: Path, straight: Path) -> None:
    assert learned(folder) == learned(straight)
    ours, theirs = weights(folder), weights(straight)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for line, expected in zip(lines(folder, "evals.jsonl"), lines(straight, "evals.jsonl"), strict=True):
        assert {**line, "time": 0} == {**expected, "time": 0}


def wait_until_reached(
    process: subprocess.Popen[Any], folder: Path, moment: tuple[str, int], *, within_s: float = 120
) -> None:
    """Return once the run has recorded this step of this stage, or has ended."""
    deadline = time.monotonic() + within_s
    while not _reached(folder, moment) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _reached(folder: Path, moment: tuple[str, int]) -> bool:
    """The moment's metrics are written, its checkpoint perhaps not yet."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return False
    whole = [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return any((line["stage"], line["step"]) == moment for line in whole)


def test_a_run_leaves_what_it_promises(straight: Path) -> None:
    assert [line["label"] for line in lines(straight, "evals.jsonl")] == ["before", "after sft", "after grpo"]
    assert [(stage, step) for stage, step, _ in learned(straight)] == [
        *(("sft", step) for step in (1, 2, 3)),
        *(("grpo", step) for step in (1, 2, 3, 4)),
    ]
    metrics = lines(straight)[-1]["metrics"]
    for name in ("reward", "completions/mean_length", "signal/effective_samples", "step_time", "num_tokens"):
        assert name in metrics
    assert (straight / "report.html").stat().st_size > 10_000
    assert len(list((straight / "completions").glob("*.parquet"))) == 4


@pytest.mark.parametrize("moment", [("sft", 2), ("grpo", 1), ("grpo", 3)])
def test_killed_at_any_moment_and_resumed_it_is_the_same_run(
    moment: tuple[str, int], straight: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(command(tmp_path), env=environment(), stderr=subprocess.DEVNULL)
    folder = tmp_path / "tiny_grpo"
    wait_until_reached(process, folder, moment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = run(tmp_path, "--resume", str(folder), recipe=None)
    assert done.returncode == 0, done.stderr
    assert_same_run(folder, straight)


LORA = (
    "--set", "model.lora={ r = 4 }", "--set", "model.gradient_checkpointing=true",
    "--set", "sft.learning_rate=5e-3", "--set", "train.learning_rate=5e-3",
)  # fmt: skip


def test_a_run_of_adapters_saves_without_a_trace_and_resumes_bit_for_bit(tmp_path: Path) -> None:
    seldom = run(tmp_path / "seldom", *LORA, "--set", "save_steps=100")
    assert seldom.returncode == 0, seldom.stderr
    assert "Warning" not in seldom.stderr
    process = subprocess.Popen(
        command(tmp_path / "killed", *LORA), env=environment(), stderr=subprocess.DEVNULL
    )
    folder = tmp_path / "killed" / "tiny_grpo"
    wait_until_reached(process, folder, ("grpo", 2))
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = run(tmp_path / "killed", "--resume", str(folder), recipe=None)
    assert done.returncode == 0, done.stderr
    assert_same_run(folder, tmp_path / "seldom" / "tiny_grpo")


# A coin for a reward: a model that has hardly learned yet is right too seldom to learn anything here.
AHEAD = (
    "--set", "rollout.staleness=1", "--set", "algorithm.importance_sampling_correction=truncate",
    "--set", "rewards.coin={ kind = 'random' }", "--set", "train.learning_rate=1e-3",
)  # fmt: skip


@pytest.fixture(scope="module")
def ahead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run whose sampler is a step ahead, and which saves at its end only."""
    output = tmp_path_factory.mktemp("ahead")
    done = run(output, *AHEAD, "--set", "save_steps=100")
    assert done.returncode == 0, done.stderr
    ages = [
        found["sampling/staleness/mean"]
        for stage, _, found in learned(output / "tiny_grpo")
        if stage == "grpo"
    ]
    assert ages == [0, 1, 1, 1]
    return output / "tiny_grpo"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_whose_sampler_is_ahead_is_stopped_and_resumed_bit_for_bit(
    number: signal.Signals, ahead: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        command(tmp_path, *AHEAD), env=environment(), stderr=subprocess.PIPE, text=True
    )
    folder = tmp_path / "tiny_grpo"
    wait_until_reached(process, folder, ("grpo", 2), within_s=400)
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in errors
    assert len(lines(folder)) < len(lines(ahead))
    done = run(tmp_path, "--resume", str(folder), recipe=None)
    assert done.returncode == 0, done.stderr
    assert_same_run(folder, ahead)


def test_ctrl_c_twice_ends_a_run_whose_sampler_is_ahead_at_once(tmp_path: Path) -> None:
    endless = ("--set", "rollout.max_completion_length=900", "--set", "rollout.temperature=8")
    process = subprocess.Popen(
        command(tmp_path, *AHEAD, *endless, "--set", "eval.num_problems=0"),
        env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    folder = tmp_path / "tiny_grpo"
    wait_until_reached(process, folder, ("sft", 3), within_s=400)
    time.sleep(1.0)  # answers are being written; they take longer than the process is given to end
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(straight: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(command(tmp_path), env=environment(), stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "tiny_grpo"
    while not _reached(folder, ("sft", 1)) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert f"--resume {folder}" in errors
    assert "Traceback" not in errors
    done = run(tmp_path, "--resume", str(folder), recipe=None)
    assert done.returncode == 0, done.stderr
    assert_same_run(folder, straight)


def test_a_damaged_checkpoint_is_told_and_the_one_before_is_used(straight: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(command(tmp_path), env=environment(), stderr=subprocess.DEVNULL)
    folder = tmp_path / "tiny_grpo"
    while not _reached(folder, ("grpo", 3)) and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.wait()
    newest = sorted((folder / "checkpoints").glob("checkpoint-grpo-*"))[-1]
    damaged = newest / "optimizer.safetensors"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(bytes(content))
    done = run(tmp_path, "--resume", str(folder), recipe=None)
    assert done.returncode == 0, done.stderr
    assert newest.name in done.stderr
    assert_same_run(folder, straight)


def test_training_from_recorded_rollouts_needs_no_sampling(straight: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "--replay-rollouts", str(straight))
    assert done.returncode == 0, done.stderr
    ours, theirs = weights(tmp_path / "tiny_grpo"), weights(straight)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert all("timing_s/rollout" not in metrics for _, _, metrics in learned(tmp_path / "tiny_grpo"))


def test_another_algorithm_learns_from_recorded_rollouts_however_far_it_moves(
    straight: Path, tmp_path: Path
) -> None:
    other = ("--set", "algorithm.name=dr_grpo", "--set", "train.learning_rate=0.01")
    done = run(tmp_path, *other, "--replay-rollouts", str(straight))
    assert done.returncode == 0, done.stderr
    steps = learned(tmp_path / "tiny_grpo")
    gaps = [found.get("sampling/sampling_logp_difference/mean", 0.0) for _, _, found in steps]
    assert max(gaps) > 0.01  # more than the self-test of fresh rollouts would let pass


def test_resuming_a_finished_run_changes_nothing(straight: Path) -> None:
    before = (straight / "metrics.jsonl").read_bytes()
    done = run(straight.parent, "--resume", str(straight), recipe=None)
    assert done.returncode == 0, done.stderr
    assert "checkpoint-grpo-00004/model" in done.stdout
    assert (straight / "metrics.jsonl").read_bytes() == before


def test_resuming_under_another_recipe_is_refused(straight: Path) -> None:
    done = run(straight.parent, "--resume", str(straight), "--set", "train.learning_rate=0.5")
    assert done.returncode == 2
    assert "differs from the run's own in train" in done.stderr


def test_a_second_run_never_touches_the_first(straight: Path) -> None:
    before = (straight / "metrics.jsonl").read_bytes()
    done = run(straight.parent, "--set", "stages=['sft']")
    assert done.returncode == 0, done.stderr
    assert (straight.parent / "tiny_grpo-2" / "metrics.jsonl").exists()
    assert (straight / "metrics.jsonl").read_bytes() == before


def test_dynamic_sampling_replaces_groups_and_shows_the_cost(tmp_path: Path) -> None:
    done = run(tmp_path, "--set", "rollout.dynamic_sampling_rounds=2", "--set", "stages=['grpo']")
    assert done.returncode == 0, done.stderr
    refilled = [metrics["signal/groups_refilled"] for _, _, metrics in learned(tmp_path / "tiny_grpo")]
    assert all(
        0 < count <= 8 for count in refilled
    )  # an untrained model: every group is all wrong, twice over
    tokens = [metrics["cost/sampled_tokens"] for _, _, metrics in learned(tmp_path / "tiny_grpo")]
    assert all(count > 16 for count in tokens)


def test_all_samples_failing_stops_the_run_in_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "--set", "data.system_prompt='" + "long " * 300 + "'", "--set", "stages=['grpo']")
    assert done.returncode == 2
    assert "exceed the context of 1024" in done.stderr
    assert "Traceback" not in done.stderr


HYBRID = """
[reward]
calibrate = { coin = "rank" }
[reward.total]
kind = "sum"
of = { solved = 1.0, coin = 0.25 }
[reward.solved]
kind = "gate"
condition = "format"
then = "math"
[rewards.coin]
kind = "random"
"""


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recipe with a tree, a calibrated part and GDPO, and its run."""
    output = tmp_path_factory.mktemp("hybrid")
    recipe = output / "hybrid.toml"
    text = RECIPE.read_text().replace("weight = 0.2\n", "").replace("[sft]", HYBRID + "\n[sft]")
    recipe.write_text(text + '\n[algorithm]\nname = "gdpo"\n')
    done = run(output, recipe=recipe)
    assert done.returncode == 0, done.stderr
    return recipe, output / "tiny_grpo"


def test_a_hybrid_reward_is_calibrated_once_before_the_first_update(hybrid: tuple[Path, Path]) -> None:
    _, folder = hybrid
    scale = json.loads((folder / "calibration.json").read_text())["scales"]["coin"]
    steps = [metrics for stage, _, metrics in learned(folder) if stage == "grpo"]
    assert len(scale["reference"]) == 16  # the first step's rollouts
    assert sum(scale["reference"]) / 16 == steps[0]["rewards/coin/mean"]
    assert steps[0]["rewards/coin_rank/mean"] == pytest.approx(0.0)  # a rank's mean on its own reference
    for metrics in steps:
        weighed = metrics["rewards/solved/mean"] + 0.25 * metrics["rewards/coin_rank/mean"]
        assert metrics["reward"] == pytest.approx(weighed)


def test_a_hybrid_run_killed_and_resumed_keeps_its_scales(hybrid: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, straight = hybrid
    process = subprocess.Popen(command(tmp_path, recipe=recipe), env=environment(), stderr=subprocess.DEVNULL)
    folder = tmp_path / "tiny_grpo"
    wait_until_reached(process, folder, ("grpo", 2))
    process.send_signal(signal.SIGKILL)
    process.wait()
    scales = folder / "calibration.json"
    kept = scales.read_bytes()
    scales.rename(tmp_path / "away.json")
    refused = run(tmp_path, "--resume", str(folder), recipe=None)
    assert refused.returncode == 2
    assert "calibration.json: missing, and this run's rewards stand on it" in refused.stderr
    (tmp_path / "away.json").rename(scales)
    done = run(tmp_path, "--resume", str(folder), recipe=None)
    assert done.returncode == 0, done.stderr
    assert scales.read_bytes() == kept == (straight / "calibration.json").read_bytes()
    assert_same_run(folder, straight)


def test_the_scales_of_a_run_score_elsewhere(hybrid: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, folder = hybrid
    row = {"question": "1 + 1", "answer": "2", "completion": "1 + 1 = 2\n#### 2"}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    score = [sys.executable, "-m", "guerdon", "score", str(tmp_path / "in.jsonl"), "--recipe", str(recipe)]
    score += ["--workers", "1", "--output", str(tmp_path / "out.jsonl")]
    refused = subprocess.run(score, env=environment(), capture_output=True, text=True, check=False)
    assert "reward.calibrate: coin: no scale yet" in refused.stderr
    score += ["--overwrite", "--set", f"reward.calibration={folder / 'calibration.json'}"]
    done = subprocess.run(score, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (scored,) = lines(tmp_path, "out.jsonl")
    value = {part["name"]: part["value"] for part in scored["parts"]}
    assert scored["value"] == pytest.approx(value["solved"] + 0.25 * value["coin_rank"])


MIXED = """
name = "tiny_grpo"
stages = ["sft", "grpo"]
[model]
source = "builtin:tiny"
[data.train.sums]
kind = "arith"
num_problems = 40
layout = "hash"
weight = 1.0
[data.train.lists]
kind = "lists"
num_problems = 30
weight = 2.0
[rollout]
num_generations = 2
generation_batch_size = 8
max_completion_length = 4
[rewards.math]
[rewards.coin]
kind = "random"
[rewards.listing]
weight = 0.0
[reward.route]
by = "set"
cases = { sums = "math", lists = "coin" }
[eval]
accuracy = { sums = "math", lists = "listing" }
"""


def test_a_mixed_stream_killed_and_resumed_is_the_same_run_and_its_sets_are_told_apart(
    tmp_path: Path,
) -> None:
    recipe = tmp_path / "mixed.toml"
    recipe.write_text(MIXED, encoding="utf-8")
    straight = run(tmp_path / "straight", recipe=recipe)
    assert straight.returncode == 0, straight.stderr
    process = subprocess.Popen(
        command(tmp_path / "killed", recipe=recipe), env=environment(), stderr=subprocess.DEVNULL
    )
    folder = tmp_path / "killed" / "tiny_grpo"
    wait_until_reached(process, folder, ("grpo", 2))
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = run(tmp_path / "killed", "--resume", str(folder), recipe=None)
    assert done.returncode == 0, done.stderr
    assert_same_run(folder, tmp_path / "straight" / "tiny_grpo")
    last = lines(folder, "evals.jsonl")[-1]["metrics"]
    assert {"sampled_accuracy/sums", "sampled_value/lists"} <= set(last)
    metrics = lines(folder)[-1]["metrics"]
    assert 0.0 < metrics["rewards/math/unverified"] < 1.0, "both kinds in one step"
    assert "Value, lists" in (folder / "report.html").read_text(encoding="utf-8")


REWARDS = """
def longer(prompts, completions, **columns):
    return [min(1.0, len(item[0]["content"]) / 8) for item in completions]

def shorter(prompts, completions, **columns):
    return [-len(item[0]["content"]) / 8 for item in completions]
"""


def watched(place: Path, **train: object) -> RunConfig:
    """A run whose reward model is compared with references, and which is watched."""
    model = place / "rm"
    if not model.exists():
        tiny_reward_model("ensemble", max_length=128).save(model)
        (place / "rewards.py").write_text(REWARDS)
    path = str(place / "rewards.py")
    return RunConfig.model_validate(
        {
            "name": "watched", "output_dir": str(place / "runs"), "stages": ["grpo"], "save_steps": 2,
            "save_total_limit": 5,
            "model": {"source": "builtin:tiny"},
            "data": {"train": {"kind": "arith", "num_problems": 8, "max_digits": 1}},
            "rollout": {"num_generations": 4, "generation_batch_size": 8, "max_completion_length": 6},
            "rewards": {
                "rm": {
                    "kind": "reward_model", "path": str(model), "scale": "utility", "ensemble": "mean_minus_variance",
                    "shaping": ["par", "length", "clip"], "num_references": 2,
                },
                "brief": {"kind": "function", "path": f"{path}:shorter", "weight": 0.0},
                "long": {"kind": "function", "path": f"{path}:longer"},
            },
            "algorithm": {
                "beta": 0.01, "advantage": "group_center", "sync_ref_model": True, "ref_model_sync_steps": 2,
            },
            "train": {"max_steps": 8, "learning_rate": 1e-3, **train},
            "eval": {"num_problems": 2, "num_samples": 2, "accuracy": "brief", "format": None},
        }
    )  # fmt: skip


def monitored(**fields: object) -> dict[str, object]:
    return {"probes": ["brief"], "warmup": 4, "threshold": 0.01, "slack": 0.0, **fields}


def test_a_watched_run_resumes_bit_for_bit(tmp_path: Path) -> None:
    config = watched(tmp_path, monitor=monitored(action="roll_back"))
    straight = run_recipe(config).folder
    copy = tmp_path / "again" / "watched"
    shutil.copytree(straight, copy)
    for name in ("00006", "00008"):
        shutil.rmtree(copy / "checkpoints" / f"checkpoint-grpo-{name}")
    (copy / "completions" / "completions_grpo_00007.parquet").unlink()
    run_recipe(load_run(copy, [f"output_dir={copy.parent}"]), RunOptions(resume=copy))
    assert learned(copy) == learned(straight)
    assert all(torch.equal(weight, weights(copy)[name]) for name, weight in weights(straight).items())
    bank = "references/rm.jsonl"
    assert (copy / bank).read_text() == (straight / bank).read_text()
    events = [[{**line, "time": 0} for line in lines(folder, "events.jsonl")] for folder in (copy, straight)]
    assert events[0] == events[1]


def test_an_alarm_stops_the_stage_and_stands_in_the_report(tmp_path: Path) -> None:
    config = watched(tmp_path, max_steps=40, monitor=monitored(action="stop"))
    folder = run_recipe(config).folder
    (event,) = lines(folder, "events.jsonl")
    assert event["kind"] == "hacking_stop"
    assert lines(folder)[-1]["step"] == event["step"] < 40
    page = report_html(folder)
    assert f"alarm at step {event['step']}" in page
    assert "reward went up and brief went down" in page
    assert "not finished" not in page


def test_a_run_begun_with_rows_in_memory_goes_on_with_the_same_rows_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = ArithConfig(num_problems=60, max_digits=1, layout="hash").build(0)
    rows = [
        {"prompt": problem.messages[0].content, "answer": problem.info["solution"]} for problem in problems
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    head, _, rest = RECIPE.read_text().partition("[data.train]")
    table = f'[data.train]\nkind = "jsonl"\npath = "{tmp_path / "rows.jsonl"}"\n'
    recipe = tmp_path / "rows.toml"
    recipe.write_text(head + table + rest[rest.index("\n[rollout]") :])
    straight = run_recipe(load_recipe(str(recipe), [*QUICK, f"output_dir={tmp_path / 'straight'}"])).folder
    copy = tmp_path / "again" / "tiny_grpo"
    shutil.copytree(straight, copy)
    for folder in (copy / "checkpoints").iterdir():
        if not folder.name.endswith("sft-00003"):
            shutil.rmtree(folder)
    monkeypatch.setattr("guerdon.data.rows.MAX_BYTES", 1000)
    config = load_run(copy, [f"output_dir={copy.parent}"])
    assert isinstance(load_problems(config.data, config.seed).train, Rows)
    run_recipe(config, RunOptions(resume=copy))
    assert_same_run(copy, straight)
