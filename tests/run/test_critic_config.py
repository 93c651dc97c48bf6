from __future__ import annotations

import subprocess
import sys

import pytest

from guerdon.core.errors import ConfigError
from guerdon.rewards.config import parse_rewards


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "path: missing"),
        ({"path": "x", "meta": "m"}, "meta and kept_votes belong together"),
        ({"path": "x", "kept_votes": 2}, "meta and kept_votes belong together"),
        ({"path": "x", "meta": "m", "kept_votes": 5}, "kept_votes = 5 is more than votes = 4"),
        ({"path": "x", "votes": 0}, "votes"),
    ],
)
def test_what_cannot_work_is_said(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_rewards({"critic": {"kind": "generative", **fields}})


def test_reading_a_recipe_with_it_needs_no_torch() -> None:
    code = (
        "import sys; from guerdon.rewards.config import parse_rewards;"
        "parse_rewards({'generative': {'path': 'x'}}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
