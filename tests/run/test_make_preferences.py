from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import ConfigError, UserError
from guerdon.core.seeds import content_hash
from guerdon.data.preferences.config import JsonlPreferencesConfig
from guerdon.models.config import ModelConfig
from guerdon.models.loading import load_policy
from guerdon.models.version import version_of
from guerdon.run import make_preferences as module
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.made_file import Made, MadeFile
from guerdon.run.make_preferences import add_preferences, make_preferences, why_no_pair
from guerdon.run.progress import Display
from guerdon.run.stage import InterruptedRunError
from rewarding import tiny_reward_model

# An untrained model's answers are noise, so a coin labels them: what is tested is the making, not the labels.
RECIPE: dict[str, Any] = {
    "num_problems": 6,
    "model": {"source": "builtin:tiny"},
    "data": {"train": {"kind": "arith", "num_problems": 40}},
    "sampling": {"num_generations": 4, "max_completion_length": 6},
    "rewards": {"coin": {"kind": "random"}},
}


def config(**changes: Any) -> PreferencesRunConfig:
    return parse_config(PreferencesRunConfig, {**RECIPE, **changes})


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(autouse=True)
def answers_may_be_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrained model never ends its answers: here they count all the same."""
    monkeypatch.setattr("guerdon.core.types.Rollout.truncated", property(lambda _: False))


def test_pairs_with_all_that_made_them(tmp_path: Path) -> None:
    made = make_preferences(config(), tmp_path / "pairs.jsonl")
    found = rows(made.path)
    assert made.num_problems == 6
    assert len(found) == made.num_pairs > 4
    for row in found:
        assert row["chosen"] != row["rejected"]
        assert row["source"] == "r1_like"
        assert row["margin"] == 1.0
        assert row["chosen_ratings"]["score"] > row["rejected_ratings"]["score"]
        assert "verdict" not in row["chosen_ratings"]  # nothing but the label says which is better
        info = row["problem"]["info"]["made"]
        assert info["answers"][content_hash(row["chosen"])].startswith("builtin:tiny#")
        assert info["models"] == {"builtin:tiny": "builtin:tiny"}
        assert "solution" not in row["problem"]["info"]
    state = json.loads((tmp_path / "pairs.jsonl.state.json").read_text())
    assert state["config"]["num_problems"] == 6
    assert state["provenance"]["guerdon"]


def test_what_is_made_can_be_read(tmp_path: Path) -> None:
    made = make_preferences(config(), tmp_path / "pairs.jsonl")
    read = JsonlPreferencesConfig(path=str(made.path)).build(0)
    assert len(read.pairs) == made.num_pairs
    assert {pair.source for pair in read.pairs} == {"r1_like"}


def test_two_models_answer_the_same_problems(tmp_path: Path) -> None:
    load_policy(ModelConfig(source="builtin:tiny"), seed=5).save(tmp_path / "other")
    made = make_preferences(config(models=[str(tmp_path / "other")]), tmp_path / "pairs.jsonl")
    places = Counter(
        place.rpartition("#")[0]
        for row in rows(made.path)
        for place in row["problem"]["info"]["made"]["answers"].values()
    )
    assert set(places) == {"builtin:tiny", str(tmp_path / "other")}


class KilledError(Exception):
    pass


def test_a_killed_run_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a kill between two writes leaves it; the real one is below."""
    monkeypatch.setattr(module, "BATCH", 2)
    whole = make_preferences(config(), tmp_path / "whole.jsonl")
    before = MadeFile.add
    calls = []

    def killed(self: Any, rows: Any, num_problems: int) -> None:
        calls.append(1)
        if len(calls) == 2:
            with self.output.open("ab") as file:
                file.write(b'{"half a li')  # what a kill leaves behind
            raise KilledError
        before(self, rows, num_problems)

    monkeypatch.setattr(MadeFile, "add", killed)
    with pytest.raises(KilledError):
        make_preferences(config(), tmp_path / "cut.jsonl")
    monkeypatch.setattr(MadeFile, "add", before)
    again = make_preferences(config(), tmp_path / "cut.jsonl")
    assert again.path.read_bytes() == whole.path.read_bytes()
    assert (again.num_pairs, again.left_out, again.no_pair) == (
        whole.num_pairs,
        whole.left_out,
        whole.no_pair,
    )
    assert (
        make_preferences(config(), tmp_path / "cut.jsonl").num_pairs == whole.num_pairs
    )  # nothing left to do


REAL = """
kind = "preferences"
num_problems = 160
[model]
source = "builtin:tiny"
[data.train]
kind = "arith"
num_problems = 400
[sampling]
num_generations = 4
max_completion_length = 12
stop = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "e", "a"]
[rewards.coin]
kind = "random"
"""


@pytest.mark.slow
def test_a_run_that_is_killed_for_real_goes_on_exactly(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(REAL)

    def command(name: str) -> list[str]:
        made = ["prefs", "make", str(tmp_path / "p.toml"), "--output", str(tmp_path / name)]
        return [sys.executable, "-m", "guerdon", *made]

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    whole = subprocess.run(
        command("whole.jsonl"), env=environment, capture_output=True, text=True, check=True
    )
    process = subprocess.Popen(command("cut.jsonl"), env=environment, stderr=subprocess.DEVNULL)
    state = tmp_path / "cut.jsonl.state.json"
    deadline = time.monotonic() + 120
    while not state.exists() or json.loads(state.read_text())["done"] < 32:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    saved = json.loads(state.read_text())
    begun = (tmp_path / "cut.jsonl").read_bytes()
    assert 0 < saved["done"] < 160
    assert len(begun) >= saved["size"] > 0
    again = subprocess.run(command("cut.jsonl"), env=environment, capture_output=True, text=True, check=True)
    made = (tmp_path / "cut.jsonl").read_bytes()
    assert made == (tmp_path / "whole.jsonl").read_bytes()
    assert made.startswith(begun[: saved["size"]])  # continued, not done again
    assert again.stdout.replace("cut.jsonl", "whole.jsonl") == whole.stdout
    ends = [json.loads((tmp_path / f"{name}.jsonl.state.json").read_text()) for name in ("whole", "cut")]
    counts = ("done", "num_pairs", "size", "left_out", "no_pair")
    assert [ends[0][name] for name in counts] == [ends[1][name] for name in counts]


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text("mine\n")
    with pytest.raises(UserError, match="guerdon prefs make did not begin it"):
        make_preferences(config(), path)
    assert path.read_text() == "mine\n"
    make_preferences(config(), tmp_path / "made.jsonl")
    with pytest.raises(UserError, match="was begun by another recipe"):
        make_preferences(config(seed=1), tmp_path / "made.jsonl")


def test_a_model_that_cannot_be_loaded_leaves_nothing_that_blocks(tmp_path: Path) -> None:
    output = tmp_path / "new" / "pairs.jsonl"
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"no \*.safetensors file"):
        make_preferences(config(model={"source": str(tmp_path / "broken")}), output)
    assert not output.parent.exists()
    assert make_preferences(config(), output).num_pairs


def test_every_model_and_part_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    rewards = {"coin": {"kind": "random"}, "rm": {"kind": "reward_model", "path": "./no"}}
    broken = config(
        models=["/nope", "runs/a/b"], rewards={**rewards, "gate": {"kind": "function", "path": "no.py:f"}}
    )
    with pytest.raises(ConfigError) as caught:
        make_preferences(broken, tmp_path / "pairs.jsonl")
    assert [line.partition(":")[0] for line in caught.value.problems] == [
        "models",
        "models",
        "rewards.rm",
        "rewards.gate",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_which_no_batch_is_finished_blocks_nobody(tmp_path: Path) -> None:
    other = MadeFile(tmp_path / "pairs.jsonl", config(seed=1))
    other.begin({"models": {}, "rewards": {}})
    other.output.write_bytes(b'{"half a li')
    assert make_preferences(config(), other.output).num_pairs


def begin(recipe: PreferencesRunConfig, output: Path) -> None:
    """One batch, and then the user asks to stop."""
    calls = iter([False, True])
    with Display() as display:
        asyncio.run(add_preferences(recipe, output, display, interrupted=lambda: next(calls)))


def test_another_model_or_judge_under_the_same_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(seed: int) -> None:
        load_policy(ModelConfig(source="builtin:tiny"), seed=seed).save(tmp_path / "model")
        tiny_reward_model("ensemble", seed=seed).save(tmp_path / "rm")

    save(0)
    labels = {"rm": {"kind": "reward_model", "path": str(tmp_path / "rm")}}
    recipe = config(models=[str(tmp_path / "model")], rewards=labels)
    monkeypatch.setattr(module, "BATCH", 2)
    with pytest.raises(InterruptedRunError):
        begin(recipe, tmp_path / "p.jsonl")
    versions = json.loads((tmp_path / "p.jsonl.state.json").read_text())["versions"]
    assert versions["models"][str(tmp_path / "model")] == version_of(tmp_path / "model")
    assert versions["rewards"] == {"rm": version_of(tmp_path / "rm")}
    for row in rows(tmp_path / "p.jsonl"):
        assert row["problem"]["info"]["made"]["models"] == versions["models"]
        assert row["problem"]["info"]["made"]["rewards"] == versions["rewards"]
    shutil.copytree(tmp_path / "model", tmp_path / "before")
    load_policy(ModelConfig(source="builtin:tiny"), seed=7).save(tmp_path / "model")
    with pytest.raises(UserError, match=rf"was begun with version \w+ of model {tmp_path}/model, and now"):
        make_preferences(recipe, tmp_path / "p.jsonl")
    shutil.rmtree(tmp_path / "model")
    (tmp_path / "before").rename(tmp_path / "model")
    tiny_reward_model("ensemble", seed=7).save(tmp_path / "rm")
    with pytest.raises(UserError, match=r"was begun with version \w+ of rewards.rm, and now"):
        make_preferences(recipe, tmp_path / "p.jsonl")
    tiny_reward_model("ensemble", seed=0).save(tmp_path / "rm")
    assert make_preferences(recipe, tmp_path / "p.jsonl").num_problems == 6


def test_a_rule_s_verdict_stands_beside_the_label(tmp_path: Path) -> None:
    parts = {"coin": {"kind": "random"}, "other": {"kind": "random", "seed": 9, "weight": 0.0}}
    made = make_preferences(config(rewards=parts, verdict="other"), tmp_path / "pairs.jsonl")
    found = rows(made.path)
    for row in found:
        for side in ("chosen_ratings", "rejected_ratings"):
            assert row[side]["verdict"] == row[side]["other"]
    agree = [row["chosen_ratings"]["verdict"] > row["rejected_ratings"]["verdict"] for row in found]
    assert not all(agree)  # it is an opinion of its own


def test_answers_that_were_cut_off_join_no_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    made = make_preferences(config(num_problems=3), tmp_path / "pairs.jsonl")
    assert made.left_out["answers cut off"] > 0
    assert "the answers were cut off; raise sampling.max_completion_length" in why_no_pair(made)
    assert "raise rollout.max_completion_length" in why_no_pair(made, sampling="rollout")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"rewards": {"harmless": {"kind": "refusal", "column": "harmful"}}},
            "could not be labelled: rewards.harmless: the problem's harmful is neither true nor false",
        ),
        ({"rewards": {"format": {}}}, "are labelled alike; raise sampling.temperature"),
        ({"pairing": {"min_gap": 2.0}}, "closer than pairing.min_gap; lower it"),
        (
            {"sampling": {"num_generations": 3, "temperature": 0.0, "max_completion_length": 6}},
            "2 of 3 problems: the answers are empty",
        ),
    ],
)
def test_why_there_is_no_pair(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    made = make_preferences(config(num_problems=3, **changes), tmp_path / "pairs.jsonl")
    assert made.num_pairs == 0
    assert sum(made.no_pair.values()) == 3
    assert why in why_no_pair(made)


def test_alike_answers_are_told() -> None:
    made = Made(Path("p"), 0, 5, Counter(), Counter({"repeated answers": 4, "empty answers": 1}), "")
    assert why_no_pair(made) == (
        "4 of 5 problems: the answers all say the same; raise sampling.temperature or sampling.num_generations"
    )


def test_without_rewards_lists_wait_for_labels(tmp_path: Path) -> None:
    made = make_preferences(config(rewards=None), tmp_path / "lists.jsonl")
    found = rows(made.path)
    assert len(found) == made.num_pairs == 6
    for row in found:
        answers = row["problem"]["info"]["made"]["answers"]
        assert {entry["id"] for entry in row["responses"]} <= set(answers)
        assert all(entry["id"] == content_hash(entry["text"]) for entry in row["responses"])
        assert {entry["score"] for entry in row["responses"]} == {None}
    places = [[row["problem"]["info"]["made"]["answers"][e["id"]] for e in row["responses"]] for row in found]
    assert any(place != sorted(place) for place in places)  # the order says nothing of who wrote what
