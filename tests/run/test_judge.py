from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guerdon.core.errors import PluginError, UserError
from guerdon.core.types import Part
from guerdon.models.version import version_of
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.texts import text_group
from guerdon.run.judge import RewardModelJudge
from guerdon.run.judge_config import RewardModelConfig
from rewarding import problem, tiny_reward_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_reward_model("ensemble", max_length=64).save(tmp_path / "rm")
    return tmp_path / "rm"


def judge(folder: Path, **fields: object) -> RewardModelJudge:
    return RewardModelJudge(RewardModelConfig.model_validate({"path": str(folder), "name": "rm", **fields}))


def parts(item: RewardModelJudge, *texts: str, name: str = "p") -> list[Part]:
    return asyncio.run(item.score(text_group(problem(name), texts)))


def test_scores_are_the_model_s_and_carry_its_version(folder: Path) -> None:
    found = parts(judge(folder), "yes", "no")
    wanted = tiny_reward_model("ensemble", max_length=64).score([(problem(), ("yes", "no"), None)])[0].score_B
    assert [part.value for part in found] == pytest.approx(wanted.tolist(), abs=1e-5)
    assert all(part.evidence.extracted == version_of(folder) for part in found)
    assert "members differ by" in found[0].evidence.note


def test_a_response_too_long_could_not_be_judged(folder: Path) -> None:
    long, short = parts(judge(folder), "x" * 200, "ok")
    assert long.value is None
    assert "does not fit into the reward model's 64 tokens" in long.evidence.note
    assert short.value is not None


def test_what_was_scored_is_remembered_by_content(folder: Path) -> None:
    item = judge(folder)
    first = parts(item, "a", "b", "a")
    assert item.num_hits == 1  # the sibling that says the same
    assert first[0].value == first[2].value
    assert parts(item, "b", "c")[0].value == first[1].value
    assert item.num_hits == 2
    parts(item, "a", name="another prompt")
    assert item.num_hits == 2


def test_memory_is_bounded(folder: Path) -> None:
    item = judge(folder, num_cached=2)
    parts(item, "a", "b", "c")
    parts(item, "a")
    assert item.num_hits == 0
    parts(item, "a")
    assert item.num_hits == 1


def test_a_run_folder_means_its_last_checkpoint(tmp_path: Path) -> None:
    model = tmp_path / "run" / "checkpoints" / "checkpoint-rm-00003" / "model"
    model.mkdir(parents=True)
    tiny_reward_model().save(model)
    assert parts(judge(tmp_path / "run"), "x")[0].evidence.extracted == version_of(model)


def test_a_model_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    rewards = parse_rewards({"quality": {"kind": "reward_model", "path": str(tmp_path / "none")}})
    with pytest.raises(PluginError, match=r"rewards.quality: path: .*no such folder"):
        Rubric.from_config(RubricConfig(rewards)).check()
    with pytest.raises(UserError):
        judge(tmp_path / "none").check()
    with pytest.raises(UserError, match="no such run and no such folder"):  # and nobody asks the hub for it
        judge(Path("runs/never")).check()


def test_other_weights_than_the_recipe_wants_are_refused(folder: Path) -> None:
    item = judge(folder, version=version_of(folder))
    item.check()
    assert item.version == version_of(folder)
    with pytest.raises(UserError, match=r"is version .*, and version abc is wanted"):
        judge(folder, version="abc").check()
