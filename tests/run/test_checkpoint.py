from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guerdon.run.checkpoint import CheckpointStore


def payload(mark: str, size: int = 1000) -> Callable[[Path], None]:
    """Writes files that all carry the same mark, so that a mixture of two checkpoints would show."""

    def write(folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "model.safetensors").write_bytes(mark.encode() * size)
        (folder / "model" / "config.json").write_text(mark)
        (folder / "optimizer.safetensors").write_bytes(mark.encode() * 2 * size)

    return write


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, told: list[str]) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints", keep=2, notify=told.append)


def names(store: CheckpointStore) -> list[str]:
    return sorted(os.listdir(store._folder))


def test_a_saved_checkpoint_is_the_latest(store: CheckpointStore, told: list[str]) -> None:
    assert store.latest() is None
    path = store.save("checkpoint-sft-00010", payload("a"), {"step": 10, "rng": [1, 2**70], "lr": 0.1})
    found = store.latest()
    assert found is not None
    assert found.path == path
    assert (found.name, found.order) == ("checkpoint-sft-00010", 1)
    assert found.state == {"step": 10, "rng": [1, 2**70], "lr": 0.1}
    assert sorted(os.listdir(found.path)) == ["manifest.json", "model", "optimizer.safetensors", "state.json"]
    assert told == []


def test_order_is_of_saving_not_of_names(store: CheckpointStore) -> None:
    store.save("checkpoint-sft-00060", payload("a"), {})
    store.save("checkpoint-grpo-00005", payload("b"), {})
    found = store.latest()
    assert found is not None
    assert (found.name, found.order) == ("checkpoint-grpo-00005", 2)


def test_only_the_last_are_kept(store: CheckpointStore) -> None:
    for step in range(1, 5):
        store.save(f"checkpoint-{step}", payload(str(step)), {})
    assert names(store) == ["checkpoint-3", "checkpoint-4"]


def test_saving_under_the_same_name_replaces(store: CheckpointStore) -> None:
    store.save("checkpoint-1", payload("old"), {"mark": "old"})
    store.save("checkpoint-1", payload("new"), {"mark": "new"})
    found = store.latest()
    assert found is not None
    assert (found.state, found.order) == ({"mark": "new"}, 2)
    assert names(store) == ["checkpoint-1"]


FILES = [
    "model/model.safetensors",
    "model/config.json",
    "optimizer.safetensors",
    "state.json",
    "manifest.json",
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "truncate", "extend", "delete"])
def test_damage_is_told_and_the_one_before_used(
    store: CheckpointStore, told: list[str], name: str, damage: str
) -> None:
    store.save("checkpoint-grpo-00020", payload("a"), {"step": 20})
    newest = store.save("checkpoint-grpo-00025", payload("b"), {"step": 25})
    assert newest is not None
    path = newest / name
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "truncate":
        path.write_bytes(data[:-1])
    elif damage == "extend":
        path.write_bytes(data + b"\n")
    else:
        path.unlink()
    found = store.latest()
    assert found is not None
    assert found.state == {"step": 20}
    (line,) = told
    assert line.startswith(f"checkpoint-grpo-00025: {name} ")
    assert line.endswith("; using checkpoint-grpo-00020")
    assert "\n" not in line


def test_every_byte_of_the_manifest_counts(store: CheckpointStore) -> None:
    path = store.save("checkpoint-1", lambda _: None, {})
    assert path is not None
    data = (path / "manifest.json").read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        (path / "manifest.json").write_bytes(flipped)
        assert store.latest() is None, f"byte {place}"


def test_all_damaged_is_told_and_none_returned(store: CheckpointStore, told: list[str]) -> None:
    for step in (1, 2):
        path = store.save(f"checkpoint-{step}", payload("a"), {})
        assert path is not None
        (path / "model" / "model.safetensors").write_bytes(b"a" * 1000 + b"b")
    assert store.latest() is None
    assert told == [
        "checkpoint-2: model/model.safetensors has 1001 bytes, not 1000; no earlier checkpoint is usable",
        "checkpoint-1: model/model.safetensors has 1001 bytes, not 1000; no earlier checkpoint is usable",
    ]


def test_the_exact_line_for_a_wrong_checksum(store: CheckpointStore, told: list[str]) -> None:
    store.save("checkpoint-grpo-00020", payload("a"), {})
    path = store.save("checkpoint-grpo-00025", payload("b"), {})
    assert path is not None
    (path / "model" / "model.safetensors").write_bytes(b"x" * 1000)
    store.latest()
    assert told == [
        "checkpoint-grpo-00025: model/model.safetensors does not match its checksum; "
        "using checkpoint-grpo-00020"
    ]


def test_a_damaged_one_is_not_among_those_kept(store: CheckpointStore) -> None:
    store.save("checkpoint-20", payload("a"), {})
    damaged = store.save("checkpoint-25", payload("b"), {})
    assert damaged is not None
    (damaged / "optimizer.safetensors").unlink()
    store.latest()  # resumes from 20, and the run goes on
    store.save("checkpoint-30", payload("c"), {})
    assert names(store) == ["checkpoint-20", "checkpoint-30"]


def test_a_failing_writer_leaves_nothing_behind(store: CheckpointStore, told: list[str]) -> None:
    store.save("checkpoint-1", payload("a"), {})

    def broken(folder: Path) -> None:
        payload("b")(folder)
        raise KeyError("a mistake of ours is not the disk's")

    with pytest.raises(KeyError):
        store.save("checkpoint-2", broken, {})
    assert names(store) == ["checkpoint-1"]
    assert told == []


def test_a_full_disk_loses_nothing_and_the_next_save_tries_again(tiny_disk: Path, told: list[str]) -> None:
    store = CheckpointStore(tiny_disk / "checkpoints", keep=2, notify=told.append)
    store.save("checkpoint-1", payload("a", size=200_000), {"step": 1})  # 0.6 of 2 MB
    assert store.save("checkpoint-2", payload("b", size=1_000_000), {"step": 2}) is None
    (line,) = told
    assert line.startswith(
        "checkpoint-2: not saved: No space left on device; earlier checkpoints are untouched"
    )
    assert names(store) == ["checkpoint-1"]
    found = store.latest()
    assert found is not None
    assert found.state == {"step": 1}
    assert store.save("checkpoint-3", payload("c", size=200_000), {"step": 3}) is not None


def test_a_full_disk_under_safetensors(tiny_disk: Path, told: list[str]) -> None:
    # It raises an error class of its own, which is no OSError.
    numpy = pytest.importorskip("numpy")
    save_file = pytest.importorskip("safetensors.numpy").save_file
    store = CheckpointStore(tiny_disk, keep=2, notify=told.append)
    weights = {"weight": numpy.zeros(1_000_000)}
    assert (
        store.save("checkpoint-1", lambda folder: save_file(weights, folder / "model.safetensors"), {})
        is None
    )
    assert len(told) == 1
    assert "No space left" in told[0]
    assert "\n" not in told[0]


def test_leftovers_of_a_kill_are_no_checkpoints_and_go(store: CheckpointStore) -> None:
    path = store.save("checkpoint-1", payload("a"), {})
    assert path is not None
    shutil.copytree(path, path.parent / ".partial-checkpoint-2")
    found = store.latest()
    assert found is not None
    assert found.name == "checkpoint-1"
    store.clean()
    assert names(store) == ["checkpoint-1"]


def test_a_kill_between_the_two_renames_of_a_replacement_loses_nothing(store: CheckpointStore) -> None:
    path = store.save("checkpoint-1", payload("a"), {"step": 1})
    assert path is not None
    path.rename(path.parent / ".replaced-checkpoint-1")
    found = store.latest()
    assert found is not None
    assert found.state == {"step": 1}
    store.clean()
    assert names(store) == ["checkpoint-1"]


def test_a_folder_that_is_no_checkpoint_is_never_deleted(store: CheckpointStore) -> None:
    store.save("checkpoint-1", payload("a"), {})
    (store._folder / "mine").mkdir()
    for step in range(2, 5):
        store.save(f"checkpoint-{step}", payload("a"), {})
    assert names(store) == ["checkpoint-3", "checkpoint-4", "mine"]


SAVER = """
import sys
from pathlib import Path
from guerdon.run.checkpoint import CheckpointStore

store = CheckpointStore(Path(sys.argv[1]), keep=2, notify=print)
found = store.latest()
step = found.state["step"] if found else 0
print("ready", flush=True)
while True:
    step += 1
    mark = str(step % 10).encode()

    def write(folder):
        (folder / "model").mkdir()
        for name in ("model/model.safetensors", "optimizer.safetensors"):
            (folder / name).write_bytes(mark * 300_000)

    # every third name repeats: replacing is the harder case
    store.save(f"checkpoint-{step - step % 3}", write, {"step": step})
"""


def kill_while_saving(folder: Path, rng: random.Random, told: list[str]) -> int:
    """One process that saves for ever, killed at a random moment; the step that can be resumed from."""
    with subprocess.Popen([sys.executable, "-c", SAVER, str(folder)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.06))
        child.send_signal(signal.SIGKILL)
    found = CheckpointStore(folder, keep=2, notify=told.append).latest()
    if found is None:
        return 0
    step = found.state["step"]
    assert isinstance(step, int)
    for name in ("model/model.safetensors", "optimizer.safetensors"):
        assert (found.path / name).read_bytes() == str(step % 10).encode() * 300_000
    return step


def test_killed_while_saving_a_whole_one_remains(tmp_path: Path, told: list[str]) -> None:
    steps = [kill_while_saving(tmp_path, random.Random(seed), told) for seed in range(3)]
    assert steps == sorted(steps), "a step that was saved is never lost again"
    assert told == [], "a kill leaves nothing damaged under a checkpoint's name"


@pytest.mark.slow
def test_killed_many_times(tmp_path: Path, told: list[str]) -> None:
    steps = [kill_while_saving(tmp_path, random.Random(seed), told) for seed in range(60)]
    assert steps == sorted(steps)
    assert steps[-1] > 5, "the child did save between the kills"  # how often depends on the machine
    assert told == []
