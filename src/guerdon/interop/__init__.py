"""Rubrics in other people's loops, and other people's configurations as recipes. Theirs is never executed."""

__all__: list[str] = []
