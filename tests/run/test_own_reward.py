"""The stage `rm` through the real command: its parts, resume after kill -9, and what stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

# An untrained model's answers are noise that a digit ends: a coin labels them. What is tested is the stage.
RECIPE = """
name = "own"
stages = ["sft", "rm", "grpo"]
save_steps = 1
[model]
source = "builtin:tiny"
[data.train]
kind = "arith"
num_problems = 120
[rollout]
num_generations = 4
generation_batch_size = 8
max_completion_length = 12
stop = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "e", "a"]
[rewards.coin]
kind = "random"
weight = 0.0
[rewards.judge]
kind = "reward_model"
shaping = ["contrast"]
num_references = 2
[sft]
max_steps = 2
[rm]
num_problems = 48
labels = ["coin"]
[rm.pairing]
max_pairs = 1
[rm.train]
max_steps = 3
batch_size = 4
[train]
max_steps = 2
[eval]
num_problems = 4
num_samples = 2
accuracy = "coin"
"""


def command(tmp_path: Path, *extra: str) -> list[str]:
    (tmp_path / "own.toml").write_text(RECIPE)
    output = ("--set", f"output_dir={tmp_path / 'runs'}")
    return [sys.executable, "-m", "guerdon", "train", str(tmp_path / "own.toml"), *output, *extra]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def run(tmp_path: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(tmp_path, *extra), env=environment(), capture_output=True, text=True, check=False
    )


def learned(folder: Path) -> list[dict[str, Any]]:
    timed = ("timing_s/", "memory/", "step_time", "cost/tokens_per_s")
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in record["metrics"].items() if not name.startswith(timed)}
        for record in records
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    done = run(folder)
    assert done.returncode == 0, done.stderr
    assert "LOAD REPORT" not in done.stderr
    return folder / "runs" / "own"


def test_the_judge_is_the_reward_model_that_the_stage_left(whole: Path) -> None:
    pairs = [json.loads(line) for line in (whole / "rm_pairs.jsonl").read_text().splitlines()]
    assert len(pairs) > 8
    assert "checkpoint-sft-00002" in str(pairs[0]["problem"]["info"]["made"]), "the SFT checkpoint answered"
    assert (whole / "rm" / "checkpoints" / "checkpoint-rm-00003" / "model" / "reward_model.json").is_file()
    rewards = [line for line in learned(whole) if "rewards/judge/mean" in line]
    assert len(rewards) == 2
    assert all(-1.0 < line["rewards/judge/mean"] < 1.0 and line["reward_std"] > 0.0 for line in rewards)


def test_the_reports_of_both(whole: Path) -> None:
    page = (whole / "report.html").read_text()
    assert 'href="rm/report.html"' in page
    assert "held-out pairs" in page
    assert "not finished" not in page
    assert (whole / "rm" / "report.html").stat().st_size > 5_000


@pytest.mark.parametrize("moment", ["pairs", "reward model"])
def test_killed_in_the_stage_and_resumed_it_is_the_same_run(moment: str, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "own"
    reached = folder / {"pairs": "rm_pairs.jsonl.state.json", "reward model": "rm/metrics.jsonl"}[moment]
    process = subprocess.Popen(command(tmp_path), env=environment(), stderr=subprocess.DEVNULL)
    while not (reached.exists() and reached.stat().st_size) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(
        [sys.executable, "-m", "guerdon", "train", "--resume", str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert learned(folder) == learned(whole)
    assert learned(folder / "rm") == learned(whole / "rm")
    last = Path("checkpoints/checkpoint-grpo-00002/model/model.safetensors")
    ours, theirs = load_file(folder / last), load_file(whole / last)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_answers_without_a_pair_are_refused_with_the_reasons(tmp_path: Path) -> None:
    done = run(tmp_path, "--set", "rm.pairing.min_gap=5")
    assert done.returncode == 2
    assert "stage rm: no pair in the answers to 48 problems" in done.stderr
    assert "the labels are closer than rm.pairing.min_gap; lower it (left out: " in done.stderr
    assert "Traceback" not in done.stderr


def test_recorded_rollouts_need_no_reward_model(whole: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "--replay-rollouts", str(whole))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "runs" / "own" / "rm").exists()
    assert learned(tmp_path / "runs" / "own")[-1]["reward"] == learned(whole)[-1]["reward"]


def test_pairs_to_mix_in_are_read_before_anything_else(tmp_path: Path) -> None:
    done = run(tmp_path, "--set", "rm.more.human={kind = 'jsonl', path = 'nowhere.jsonl'}")
    assert done.returncode == 2
    assert "nowhere.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs" / "own").exists()
