"""Guerdon: reward engineering and RL post-training for language models.

Importing this package costs nothing: no torch, no pydantic. The rooms are
`core`, `functional`, `models`, `data`, `rewards`, `rollout`, `train`, `explain`, `interop`, `run` and `cli`.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
