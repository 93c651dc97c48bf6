"""What the recipes of all runs share. Torch-free."""

from __future__ import annotations

from pydantic import Field, field_validator

from guerdon.core.config import Config
from guerdon.run.sinks import SINKS


class RunSettings(Config):
    """What every run has, whatever it trains."""

    name: str = "run"
    """Folder of the run inside `output_dir`."""
    seed: int = Field(default=0, ge=0)
    """Everything random derives from it."""
    output_dir: str = "runs"
    """Where run folders are made."""
    report_to: tuple[str, ...] = ()
    """Further sinks besides metrics.jsonl: tensorboard, wandb, mlflow."""
    save_steps: int = Field(default=25, ge=1)
    """Optimiser steps between checkpoints; one is also written at the end of each stage."""
    save_total_limit: int = Field(default=2, ge=1)
    """Checkpoints kept."""

    @field_validator("report_to")
    @classmethod
    def _known_sinks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            SINKS.get(name)
        return value
