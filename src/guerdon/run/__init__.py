"""The composition root: recipe, stages and their loop, evaluation, run folder, checkpoints, sinks."""

__all__: list[str] = []
