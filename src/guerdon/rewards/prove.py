"""A data row proves itself: its gold answer, and its worked solution if it has one, must score 1.

A row that fails would teach the model that right is wrong: a target that the verifier cannot read, or a
worked solution that ends in another answer than the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from guerdon.core.types import Evidence, Problem, Rollout, StopReason, Turn
from guerdon.rewards.config import VerifierConfig
from guerdon.rewards.maths.config import MathVerifierConfig
from guerdon.rewards.maths.extract import Found
from guerdon.rewards.maths.targets import target_answer
from guerdon.rewards.maths.verifier import unreadable

GOLD = {
    "auto": "<answer>{}</answer>",
    "answer_tag": "<answer>{}</answer>",
    "boxed": "\\boxed{{{}}}",
    "hash": "#### {}",
    "answer_is": "The answer is {}",
    "last_number": "{}",
}
"""How the gold answer is written so that each `extract` policy looks there."""


GOLD_ANSWER = "gold answer"


class Proof(NamedTuple):
    """What one part said of one text that must be right."""

    part: str
    what: str
    """"gold answer" or "worked solution"."""
    value: float | None
    note: str

    @property
    def holds(self) -> bool:
        """Whether it scored 1."""
        return self.value == 1.0


def prove(problem: Problem, rewards: Mapping[str, VerifierConfig]) -> list[Proof]:
    """Proofs of one row, by every part of kind math or with one inside (honesty); none where there is no such part.

    >>> problem = Problem(id="p", messages=(), target="4", info={"solution": "2 + 2 = 5"})
    >>> {proof.what: proof.holds for proof in prove(problem, {"math": MathVerifierConfig(name="math")})}
    {'gold answer': True, 'worked solution': False}
    """
    proofs = []
    for name, config in _compared(rewards):
        verify = config.build()
        gold = target_answer(problem.target or "", config.target_extract)
        texts = {GOLD_ANSWER: GOLD[config.extract].format(gold.text if isinstance(gold, Found) else "")}
        solution = problem.info.get("solution")
        if isinstance(solution, str):
            texts["worked solution"] = solution
        unread = unreadable(problem.target or "", config)
        for what, text in texts.items():
            part = verify(problem, _rollout(problem, text))
            if (
                what == GOLD_ANSWER and part.value == 1.0 and unread
            ):  # the same text is no proof of another wording
                part = replace(part, value=None, evidence=Evidence(note=f"not understood: {unread}"))
            proofs.append(Proof(name, what, part.value, part.evidence.note))
    return proofs


def _compared(rewards: Mapping[str, VerifierConfig]) -> Iterator[tuple[str, MathVerifierConfig]]:
    """Each comparison once, under the first part that makes it, by itself or through the verifier inside it."""
    seen = []
    for name, part in rewards.items():
        config: VerifierConfig = part
        while callable(inner := getattr(config, "inner", None)):
            config = inner()
        settings = config.model_dump(exclude={"name", "weight", "when_missing"})
        if isinstance(config, MathVerifierConfig) and settings not in seen:
            seen.append(settings)
            yield name, config


def _rollout(problem: Problem, text: str) -> Rollout:
    turn = Turn(prompt_ids=(), completion_ids=(), behavior_logprobs=(), text=text)
    return Rollout(problem_id=problem.id, index=0, turns=(turn,), stop=StopReason.EOS)
