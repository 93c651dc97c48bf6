"""Which problems no answer can get a reward for: a row without the column or the target that its parts ask for.

    problem --every rule, on answers of any kind--> rules that never have a value --tree--> is there a way to a reward?

Parts that ask a model or look at siblings are taken to have a value; of those around a rule, the rule is asked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from guerdon.core.errors import UserError
from guerdon.core.types import Part, Problem
from guerdon.rewards.config import VerifierConfig
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.texts import text_rollout
from guerdon.rewards.tree import RewardTree

PROSE = "Let me think about what was asked here, step by step, before I say what I have found."
ANSWERS = (f"<think>\n{PROSE}\n</think>\n{PROSE}\n<answer>{{}}</answer>", "{}")
"""Long enough to have a language, with and without a layout; whoever has a value for neither has none for any."""
LEVEL = 1e6
"""Opens every gate; its negative closes every gate."""


class Prospects:
    """Of one rubric."""

    def __init__(self, config: RubricConfig) -> None:
        """Builds its rules.

        Raises:
            UserError: a file that a node names cannot be used.
        """
        spec = config.reward and config.reward.model_copy(update={"calibrate": {}, "calibration": None})
        self.config = config
        self._tree = RewardTree(RubricConfig(config.rewards, spec))
        self._rules = dict(_rules(config))

    def blind(self, problem: Problem) -> str:
        """Why no answer can have a reward: what its parts say; "": some answer can."""
        why = {name: note for name in self._rules if (note := self._lacks(name, problem))}
        if not why or any(self._has_value(problem, why, level) for level in (LEVEL, -LEVEL)):
            return ""
        return "no answer can have a reward: " + "; ".join(f"{name}: {note}" for name, note in why.items())

    def _lacks(self, name: str, problem: Problem) -> str:
        notes = []
        for answer in ANSWERS:
            rollout = text_rollout(problem.id, answer.format(problem.target or "4"), token_ids=(0,))
            try:
                part: Part = self._rules[name](problem, rollout)
            except Exception:  # somebody's verifier, about an answer of ours: says nothing of others
                return ""
            if part.value is not None:
                return ""
            notes.append(part.evidence.note)
        return notes[0]

    def _has_value(self, problem: Problem, why: dict[str, str], level: float) -> bool:
        parts = [Part(name=name, value=None if name in why else level) for name in self.config.rewards]
        return self._tree.score(problem, parts).value is not None


def _rules(config: RubricConfig) -> Iterator[tuple[str, Any]]:
    for name, part in config.rewards.items():
        rule: VerifierConfig = part
        while callable(inner := getattr(rule, "inner", None)):
            rule = inner()
        with contextlib.suppress(UserError):  # told of elsewhere
            built: Any = rule.build()
            if not hasattr(built, "score"):
                yield name, built
            elif hasattr(built, "close"):
                built.close()
