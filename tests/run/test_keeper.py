"""What a checkpoint holds is tested by whole runs (test_build.py, test_build_reward.py); here: which one counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch

from guerdon.run.checkpoint import CheckpointStore
from guerdon.run.keeper import Keeper
from guerdon.run.stage import Progress, Stage


class Written:
    """A model that is one file."""

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "weights").write_text("w")


class Learns:
    policy = SimpleNamespace(version=4)
    num_steps = 3

    def __init__(self) -> None:
        self.loaded: dict[str, Any] = {}

    def state_tensors(self) -> dict[str, torch.Tensor]:
        return {"moment": torch.arange(6.0).view(2, 3).T}  # not contiguous

    def load_state_tensors(self, tensors: dict[str, torch.Tensor], **counts: int) -> None:
        self.loaded = {**tensors, **counts}


class Cursor:
    def __init__(self) -> None:
        self.state_read: object = None

    def state(self) -> dict[str, int]:
        return {"cursor": 7}

    def restore(self, state: object) -> None:
        self.state_read = state


def stage(step: int) -> Any:
    progress = Progress(step=step, num_tokens=50, failed_steps=1)
    return SimpleNamespace(
        settings=SimpleNamespace(name="rm"),
        learner=Learns(),
        feed=Cursor(),
        progress=progress,
        guard=None,
        pipeline=None,
    )


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=2, notify=print)
    keeper = Keeper(store, Written())
    assert keeper.newest is None
    keeper.save(cast(Stage, stage(2)))
    keeper.save(cast(Stage, stage(5)))
    assert keeper.newest == tmp_path / "checkpoints" / "checkpoint-rm-00005" / "model"
    assert (keeper.newest / "weights").read_text() == "w"
    found = store.latest()
    assert found is not None
    other = stage(0)
    keeper.restore(cast(Stage, other), found)
    assert other.progress == Progress(step=5, num_tokens=50, failed_steps=1)
    assert other.feed.state_read == {"cursor": 7}
    assert other.learner.loaded["num_steps"] == 3
    assert other.learner.loaded["version"] == 4
    assert torch.equal(other.learner.loaded["moment"], Learns().state_tensors()["moment"])
