from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

from guerdon.run.provenance import git_commit, provenance


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_commit_of_the_recipe_and_whether_it_was_changed(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("a = 1\n")
    assert provenance(recipe)["git_commit"] is None
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "m")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(tmp_path) == commit
    recipe.write_text("a = 2\n")
    assert provenance(recipe)["git_commit"] == commit + "-dirty"


def test_versions_and_machine() -> None:
    facts = provenance()
    assert facts["guerdon"] == version("guerdon")
    packages, machine = facts["packages"], facts["machine"]
    assert isinstance(packages, dict)
    assert isinstance(machine, dict)
    assert packages["pyarrow"] == version("pyarrow")
    assert isinstance(machine["num_cores"], int)
    assert machine["num_cores"] >= 1
    assert machine["cpu"]
