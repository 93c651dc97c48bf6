"""Verifiers, plain functions as rewards, the rubric that combines them, and signal accounting. Torch-free."""

__all__: list[str] = []
