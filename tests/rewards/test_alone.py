"""Rewards used alone: what the base install imports to score."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from guerdon.interop.rubrics import as_compute_score, as_trl_rubric
from guerdon.rewards.maths.config import MathVerifierConfig
from guerdon.rewards.text.config import FormatVerifierConfig
from guerdon.rewards.texts import text_rollout
from guerdon.core.types import Message, Problem
problem = Problem(id="p", messages=(Message(role="user", content="2 + 2"),), target="4")
verdicts = [c.build()(problem, text_rollout("p", "is\\n#### 4")).value for c in (MathVerifierConfig(), FormatVerifierConfig(layout="hash"))]
heavy = {"torch", "transformers", "sympy", "pyarrow", "numpy", "fastapi", "uvicorn", "math_verify"} & set(sys.modules)
print(sorted(heavy), verdicts)
"""  # noqa: E501


def test_scoring_needs_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] [1.0, 1.0]"
