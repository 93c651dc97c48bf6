"""Saves a stage as a checkpoint and takes one up again, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from guerdon.core.types import Json
from guerdon.run.checkpoint import Checkpoint, CheckpointStore
from guerdon.run.stage import Progress, Stage


class Savable(Protocol):
    """A model that writes itself as a folder that others can load."""

    def save(self, folder: Path) -> None:
        """Write it."""
        ...


class Keeper:
    """The checkpoints of one run's model."""

    def __init__(self, store: CheckpointStore, model: Savable) -> None:
        self.store = store
        self.model = model
        self.newest: Path | None = None
        """The model folder of the checkpoint written last."""

    def save(self, stage: Stage) -> None:
        """Write model, optimiser, place in the data and progress of a stage."""
        from safetensors.torch import save_file

        def write(folder: Path) -> None:
            self.model.save(folder / "model")
            tensors = {**stage.learner.state_tensors(), **(stage.guard.tensors() if stage.guard else {})}
            tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
            save_file(tensors, folder / "optimizer.safetensors")
            if stage.pipeline and not stage.progress.is_stopped:
                stage.pipeline.save(folder)

        state: dict[str, Json] = {
            "stage": stage.settings.name,
            "num_steps": stage.learner.num_steps,
            "version": stage.learner.policy.version,
            "feed": stage.feed.state(),
            **asdict(stage.progress),
        }
        if stage.guard:
            state["monitor"] = stage.guard.state()
        path = self.store.save(f"checkpoint-{stage.settings.name}-{stage.progress.step:05d}", write, state)
        self.newest = path / "model" if path else self.newest

    def restore(self, stage: Stage, checkpoint: Checkpoint) -> None:
        """Put a stage where the checkpoint was written."""
        from safetensors.torch import load_file

        self.newest = checkpoint.path / "model"

        state: Mapping[str, Any] = checkpoint.state
        tensors = load_file(checkpoint.path / "optimizer.safetensors")
        stage.learner.load_state_tensors(tensors, num_steps=state["num_steps"], version=state["version"])
        stage.feed.restore(state["feed"])
        stage.progress = Progress(
            step=state["step"],
            num_tokens=state["num_tokens"],
            failed_steps=state["failed_steps"],
            scored_steps=state.get("scored_steps", state["step"] - state["failed_steps"]),
            is_stopped=state.get("is_stopped", False),
        )
        if stage.guard and "monitor" in state:
            stage.guard.restore(state["monitor"], tensors)
        if stage.pipeline:
            stage.pipeline.restore(checkpoint.path)
