"""Critiques: preferences as problems for a model that judges in words, and worked critiques to begin with."""

__all__: list[str] = []
