from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from guerdon.cli import machine
from guerdon.cli.machine import Finding, findings


def of(topic: str, name: str) -> Finding:
    return next(found for found in findings() if (found.topic, found.name) == (topic, name))


def test_every_topic_is_looked_at() -> None:
    found = findings()
    topics = list(dict.fromkeys(item.topic for item in found))
    assert topics == ["software", "hardware", "sandbox", "models", "extras", "tests"]
    assert all(item.found for item in found)


def test_the_sandbox_probes_give_a_plain_answer() -> None:
    names = {item.name: item.found for item in findings() if item.topic == "sandbox"}
    assert set(names) == {"user namespaces", "Landlock", "seccomp"}
    assert names["user namespaces"] in ("yes", "refused")
    assert names["Landlock"] == "no" or names["Landlock"].startswith("ABI ")


def test_cached_models_are_found_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUERDON_HOME", str(tmp_path / "home"))
    assert "none in" in of("models", "cached").found
    folder = tmp_path / "home" / "models" / "some-model"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"x" * 2_000_000)
    assert "none in" in of("models", "cached").found  # half fetched is not there
    (folder / "complete").touch()
    assert of("models", "some-model").found == f"2 MB in {folder}"


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = machine.version

    def without(name: str) -> str:
        if name == "torch":
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(machine, "version", without)
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    assert of("software", "torch") == Finding(
        "software", "torch", "not installed", "needed by train and eval: pip install 'guerdon[train]'"
    )
    assert of("hardware", "gpu").found in ("none", "nvidia driver present")


def test_proc_files_are_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:       16384 kB\nflags\t\t: fpu avx2\n", encoding="utf-8")
    assert machine._kib(machine._field(path, "MemTotal")) == 16384 * 1024
    assert machine._field(path, "flags") == "fpu avx2"
    assert machine._field(path, "nothing") == ""
    assert machine._field(tmp_path / "absent", "x") == ""


def test_an_incomplete_extra_has_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "extras", lambda: {"gym": ["reasoning-gym>=0.1"], "wandb": []})
    assert of("extras", "gym").todo == "pip install 'guerdon[gym]'"
    assert of("extras", "wandb") == Finding("extras", "wandb", "complete", "")
