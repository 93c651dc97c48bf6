"""Runs in which no rollout can be scored: what they say, and where they stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guerdon.core.errors import UserError
from guerdon.rewards import http
from guerdon.run.build import run_recipe
from guerdon.run.recipe import load_recipe
from judging import Asked, Reply, judging

RECIPE = """
stages = ["grpo"]
[model]
source = "builtin:tiny"
[data.train]
kind = "arith"
num_problems = 20
[rollout]
num_generations = 2
generation_batch_size = 4
max_completion_length = 4
[rewards.judge]
kind = "llm_judge"
url = "URL"
model = "m"
max_retries = 0
[train]
max_steps = 2
[eval]
num_problems = 0
"""


def down(asked: Asked) -> Reply:
    """A server that lives, with a model that does not."""
    return Reply({"data": [{"id": "m"}]}) if asked.body is None else Reply({"error": "no memory"}, status=500)


def run(tmp_path: Path, *changes: str) -> Path:
    with judging(down) as server:
        path = tmp_path / "r.toml"
        path.write_text(RECIPE.replace("URL", f"{server.url}/v1"))
        config = load_recipe(path, [f'output_dir="{tmp_path}"', "name=down", *changes])
        return run_recipe(config).folder


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BACKOFF_S", 0.001)


@pytest.mark.slow
def test_a_run_without_any_reward_stops_with_the_part_s_own_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no rollout could be scored in 1 steps") as caught:
        run(tmp_path, "max_failed_steps=0")
    assert "last reason: rewards.judge: " in str(caught.value)
    assert "500" in str(caught.value)


@pytest.mark.slow
def test_a_run_that_ends_without_any_reward_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(tmp_path)
    told = capsys.readouterr().err
    assert "nan" not in told
    assert "grpo step 1: no rollout could be scored: rewards.judge: " in told
    lost = "grpo step 2: none of the 2 steps could be scored, so nothing was learned; last reason: rewards.judge:"
    assert lost in told
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events[-1]["kind"] == "nothing_learned"


@pytest.mark.slow
def test_the_start_of_a_run_tells_what_is_hardly_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "algorithm.name=gdpo")
    assert "gdpo normalises each part by itself, but the whole reward is one part" in capsys.readouterr().err
