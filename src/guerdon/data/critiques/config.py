"""The dataset `critiques`: preferences as problems for a generative reward model. Torch-free.

```toml
[data.train]
kind = "critiques"

[data.train.preferences]              # any set of preferences: arith, jsonl, parquet, hub
kind = "arith"
num_pairs = 4000
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, field_validator

from guerdon.core.config import parse_plugin
from guerdon.core.types import Problem
from guerdon.data.config import DatasetConfig
from guerdon.data.preferences.config import PREFERENCES, PreferenceSetConfig


class CritiquesConfig(DatasetConfig):
    """Preferences as problems: critique these responses and score them. Their target is the label."""

    kind: Literal["critiques"] = "critiques"
    preferences: SerializeAsAny[PreferenceSetConfig]
    """Where the pairs come from. Those of kind `arith` have worked critiques too, to learn the form from."""
    responses: Literal[1, 2] = 2
    """How many responses one problem shows: both sides of a pair in shuffled order, or each by itself."""
    show_reference: bool = False
    """Also show the gold answer, where there is one."""
    limit: int | None = Field(default=None, ge=1)
    """At most so many problems."""

    @field_validator("preferences", mode="before")
    @classmethod
    def _preferences(cls, value: Any) -> Any:
        return parse_plugin(PREFERENCES, value, at="preferences") if isinstance(value, dict) else value

    def build(self, seed: int) -> Sequence[Problem]:
        """Load or generate the pairs and make problems of them."""
        from guerdon.data.critiques.problems import critique_problems

        return critique_problems(self, seed)
