"""Run folders to report on."""

from __future__ import annotations

from pathlib import Path

import pytest

from run_folders import write_completions, write_config, write_evals, write_metrics


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests read it only (apart from report.html)."""
    folder = tmp_path_factory.mktemp("runs") / "quickstart"
    write_config(folder)
    write_metrics(folder, {"sft": 60, "grpo": 90})
    write_evals(folder)
    write_completions(folder, [1, 30, 60, 90])
    return folder


@pytest.fixture
def fresh_run(tmp_path: Path) -> Path:
    """A run that has its config.json and nothing else."""
    folder = tmp_path / "fresh"
    write_config(folder)
    return folder
