"""The page for users: every snippet is a rubric, every kind is shown or listed, the stated rewards are true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from guerdon.core.types import Part, Problem
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.spec import NODES
from guerdon.rewards.tree import RewardTree

PAGE = Path(__file__).parents[2].joinpath("docs/how-to/hybrid-reward.md").read_text(encoding="utf-8")
TABLES = [tomllib.loads(text) for text in re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)]
SNIPPETS = [table for table in TABLES if "reward" in table]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: "-".join(snippet["reward"]))
def test_every_snippet_is_a_whole_rubric(snippet: dict[str, object]) -> None:
    assert RubricConfig.parse(snippet).root


def test_every_kind_has_a_row() -> None:
    assert set(re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE)) == set(NODES.table())


def test_the_stated_rewards() -> None:
    tree = RewardTree(RubricConfig.parse(SNIPPETS[0]))
    rows = re.findall(r"^\| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", PAGE, re.MULTILINE)
    stated = [[float(cell) for cell in row] for row in rows if row[0] in ("0", "1")]
    assert len(stated) == 4
    for *values, reward in stated:
        parts = [
            Part(name=name, value=v) for name, v in zip(("format", "math", "brief"), values, strict=True)
        ]
        assert tree.score(Problem(id="p", messages=()), parts).value == pytest.approx(reward)
