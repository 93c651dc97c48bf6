"""The hacking monitor within whole runs of a tiny model: what an alarm does, and that a resumed run goes the same way."""

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

# What is tested is the wiring, so the reward is a clock that runs up and the probe one that runs down.
CLOCK = """
calls = 0

def up(prompts, completions, **columns):
    global calls
    calls += 1
    return [0.1 * calls + 0.01 * index for index, _ in enumerate(completions)]

def down(prompts, completions, **columns):
    global calls
    calls += 1
    return [-0.1 * max(0, calls - 8) for _ in completions]
"""
RECIPE = """
name = "watched"
stages = ["grpo"]
save_steps = 1
save_total_limit = 50
[model]
source = "builtin:tiny"
[data.train]
kind = "arith"
num_problems = 40
[rollout]
num_generations = 2
generation_batch_size = 2
max_completion_length = 6
[rewards.proxy]
kind = "function"
path = "clock.py:up"
[rewards.gold]
kind = "function"
path = "clock.py:down"
weight = 0.0
[train]
max_steps = 24
learning_rate = 1e-3
[train.monitor]
probes = ["gold"]
warmup_steps = 4
threshold = 3.0
[eval]
num_problems = 0
accuracy = "gold"
"""


def command(tmp_path: Path, *settings: str) -> list[str]:
    (tmp_path / "clock.py").write_text(CLOCK)
    (tmp_path / "watched.toml").write_text(RECIPE)
    given = [part for item in (f"output_dir={tmp_path / 'runs'}", *settings) for part in ("--set", item)]
    return [sys.executable, "-m", "guerdon", "train", str(tmp_path / "watched.toml"), *given]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def run(tmp_path: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(tmp_path, *settings),
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["metrics"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoints" / f"checkpoint-grpo-{step:05d}" / "model" / "model.safetensors")


def alarm_step(folder: Path) -> int:
    return next(step for step, found in enumerate(metrics(folder), start=1) if found["monitor/alarm"])


def test_a_warning_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    done = run(tmp_path)
    folder = tmp_path / "runs" / "watched"
    assert done.returncode == 0, done.stderr
    assert len(metrics(folder)) == 24
    assert 8 < alarm_step(folder) < 24
    assert f"grpo step {alarm_step(folder)}: reward hacking: reward keeps rising while gold" in done.stderr
    page = (folder / "report.html").read_text()
    assert "Reward and probes" in page
    assert "alarm" in page


def test_rolled_back_the_stage_ends_with_the_weights_of_the_best_step(tmp_path: Path) -> None:
    done = run(tmp_path, "train.monitor.action=roll_back")
    folder = tmp_path / "runs" / "watched"
    assert done.returncode == 0, done.stderr
    last = len(metrics(folder))
    assert last == alarm_step(folder) < 24
    said = next(line for line in done.stderr.splitlines() if "back to the weights of step" in line)
    best = int(said.split("back to the weights of step ")[1].split(",")[0])
    assert best < last
    ours, theirs, before = weights(folder, last), weights(folder, best), weights(folder, last - 1)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert any(not torch.equal(ours[name], before[name]) for name in before)
    assert "not finished" not in (folder / "report.html").read_text()
    again = subprocess.run(
        [sys.executable, "-m", "guerdon", "train", "--resume", str(folder)],
        env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert len(metrics(folder)) == last, "a stage that the monitor ended stays ended"


COINS = (
    "rewards.proxy={kind='random'}",
    "rewards.gold={kind='random', weight=0.0, seed=1}",
    "train.monitor={probes=['gold'], proxy='proxy', warmup_steps=2, slack=0.0, threshold=0.3, action='raise_beta'}",
    "algorithm.beta=0.1",
    "train.max_steps=10",
)
"""Two coins part company soon enough, and the same way each time."""


def test_killed_and_resumed_the_monitor_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    done = run(tmp_path / "a", *COINS)
    whole, folder = (tmp_path / name / "runs" / "watched" for name in "ab")
    assert done.returncode == 0, done.stderr
    assert "beta is 0.2 now" in done.stderr
    process = subprocess.Popen(
        command(tmp_path / "b", *COINS), env=environment(), cwd=tmp_path / "b", stderr=subprocess.DEVNULL
    )
    after = alarm_step(whole)
    while process.poll() is None and not (folder / "checkpoints" / f"checkpoint-grpo-{after:05d}").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = subprocess.run(
        [sys.executable, "-m", "guerdon", "train", "--resume", str(folder)],
        env=environment(), cwd=tmp_path / "b", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    timed = ("timing_s/", "memory/", "step_time", "cost/tokens_per_s")
    ours, theirs = (
        [
            {name: value for name, value in line.items() if not name.startswith(timed)}
            for line in metrics(place)
        ]
        for place in (folder, whole)
    )
    assert ours == theirs
    last = weights(whole, 10)
    assert all(torch.equal(weight, weights(folder, 10)[name]) for name, weight in last.items())


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("train.monitor.probes=['golden']", "train.monitor.probes: 'golden' names no part of rewards"),
        ("train.monitor.proxy=gold", "train.monitor.probes: 'gold' is the proxy itself"),
        ("train.monitor.action=raise_beta", "raise_beta has no KL term to raise; set algorithm.beta"),
        ("train.monitor.probes=[]", "train.monitor.probes"),
    ],
)
def test_a_monitor_that_cannot_work_is_refused(tmp_path: Path, setting: str, said: str) -> None:
    done = run(tmp_path, setting)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
