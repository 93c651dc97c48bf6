from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from guerdon.core.errors import CheckpointError, ModelError, PluginError
from guerdon.core.types import Part
from guerdon.models.reward import Shown
from guerdon.models.version import version_of
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.judges.config import RemoteConfig
from guerdon.rewards.judges.remote import RemoteJudge
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.texts import text_group
from guerdon.run.build import keep_versions
from guerdon.run.config import RunConfig
from guerdon.run.folder import RunFolder
from guerdon.run.served import pinned, served_version
from rewarding import problem, tiny_reward_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_reward_model().save(tmp_path / "rm")
    return tmp_path / "rm"


def rubric(folder: Path, **more: object) -> RubricConfig:
    return RubricConfig(parse_rewards({"quality": {"kind": "reward_model", "path": str(folder), **more}}))


def test_the_version_holds_the_hash_of_the_weights(folder: Path) -> None:
    held = pinned(rubric(folder))
    assert served_version(held) == f"quality@{version_of(folder)}"
    tiny_reward_model(seed=1).save(folder)
    assert served_version(pinned(rubric(folder))) == f"quality@{version_of(folder)}"
    assert served_version(held) != served_version(pinned(rubric(folder)))


def test_files_that_a_rubric_names_are_in_it_too(tmp_path: Path) -> None:
    code = tmp_path / "mine.py"
    code.write_text("def score(completions): return [1.0 for _ in completions]\n")
    rewards = RubricConfig(parse_rewards({"mine": {"kind": "function", "path": f"{code}:score"}, "math": {}}))
    first = served_version(rewards)
    assert first.startswith("mine@")
    code.write_text("def score(completions): return [0.0 for _ in completions]\n")
    assert served_version(rewards) != first
    assert served_version(RubricConfig(parse_rewards({"math": {}}))) == ""


def test_a_worker_that_finds_other_weights_refuses(folder: Path) -> None:
    held = pinned(rubric(folder))
    Rubric.from_config(held).check()
    tiny_reward_model(seed=1).save(folder)
    with pytest.raises(
        PluginError, match=r"rewards.quality: path: .*is version .*, and version .* is wanted"
    ):
        Rubric.from_config(held).check()


def test_what_cannot_be_served_is_told_before_anything_listens(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"rewards.quality: path: .*no such folder"):
        pinned(rubric(tmp_path / "none"))
    with pytest.raises(ModelError, match="the recipe wants version abc"):
        pinned(rubric(folder, version="abc"))


@pytest.fixture
def remote() -> Iterator[list[RemoteJudge]]:
    made: list[RemoteJudge] = []
    yield made
    for judge in made:
        judge.close()


@pytest.mark.slow
def test_a_model_swapped_behind_the_server_is_noticed_by_the_judge(
    folder: Path, remote: list[RemoteJudge]
) -> None:
    pytest.importorskip("fastapi")
    from guerdon.cli.serve import listen
    from serving import serving_rubric

    def ask() -> list[Part]:
        return asyncio.run(remote[0].score(text_group(problem(), ("yes", "no"))))

    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    config = {"name": "rm", "url": f"http://127.0.0.1:{port}", "protocol": "guerdon", "cache_size": 0}
    remote.append(RemoteJudge(RemoteConfig.model_validate(config)))
    held = pinned(rubric(folder))
    with serving_rubric(held, listening, served=served_version(held)):
        remote[0].check()
        first = ask()
        wanted = tiny_reward_model().score([Shown(problem(), ("yes", "no"))])[0].score_B.tolist()
        assert [part.value for part in first] == pytest.approx(wanted, abs=1e-5)
        version = remote[0].version
    tiny_reward_model(seed=1).save(folder)
    again = pinned(rubric(folder))
    with serving_rubric(again, listen("127.0.0.1", port), served=served_version(again)):
        with pytest.raises(PluginError, match=f"changed from version {version} to") as caught:
            ask()
        assert "\n" not in str(caught.value)
        new = RemoteJudge(RemoteConfig.model_validate({**config, "version": version}))
        remote.append(new)
        with pytest.raises(PluginError, match=f"the recipe wants version {version}"):
            new.check()


class Versioned:
    """A judge whose model has a version."""

    def __init__(self, version: str) -> None:
        self.version = version


def kept(folder: RunFolder, version: str, *, is_resumed: bool, **config: object) -> None:
    part = RemoteConfig.model_validate({"name": "rm", "url": "http://x", "protocol": "guerdon", **config})
    keep_versions(Rubric({"rm": (part, Versioned(version))}), folder, is_resumed=is_resumed)


def test_a_run_goes_on_under_the_same_models_only(tmp_path: Path, run_config: RunConfig) -> None:
    with RunFolder.create(tmp_path / "run") as folder:
        folder.write_config(run_config)
        kept(folder, "", is_resumed=False)  # who does not say leaves nothing
        assert folder.read_versions() == {}
        kept(folder, "v1", is_resumed=False)
        kept(folder, "v1", is_resumed=True)
        kept(folder, "", is_resumed=True)
        assert folder.read_versions() == {"rm": "v1"}
        with pytest.raises(
            CheckpointError, match=r"rewards.rm: http://x: .* version v1 .* now it is version v2"
        ):
            kept(folder, "v2", is_resumed=True)
        kept(folder, "v2", is_resumed=True, on_version_change="record")  # the recipe allows it
        assert folder.read_versions() == {"rm": "v2"}
