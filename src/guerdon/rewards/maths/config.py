"""The recipe's tables of mathematical verifiers. Torch-free; each config *is* its plug-in."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from guerdon.core.types import Judge, Verifier
from guerdon.rewards.config import Runs, VerifierConfig


class MathVerifierConfig(VerifierConfig):
    """1 if the final answer equals the target, as a value of the target's type, else 0."""

    wrong = 0.0
    kind: Literal["math"] = "math"
    extract: Literal["auto", "answer_tag", "boxed", "hash", "answer_is", "last_number"] = "auto"
    """Where the answer stands: `<answer>` tags, `\\boxed{}` or `\\fbox{}`, after `####`, after "the answer is", the last
    number, or the first of those found."""
    target_extract: Literal["auto", "whole", "answer_tag", "boxed", "hash", "answer_is", "last_number"] = (
        "auto"
    )
    """Where the target's own final answer stands, by the same policies. `auto`: where the target marks it, as a worked
    solution that ends in `#### 3`, `Answer: 3` or `A: 3` does, else the target is the answer as a `whole`."""
    answer_type: Literal[
        "auto", "number", "quantity", "expression", "equation", "inequality", "interval", "set", "tuple", "matrix", "list",
        "ratio", "choice", "date", "time", "text",
    ] = "auto"  # fmt: skip
    """What the answer is. `auto` takes the target's own type; anything else is also required of the target."""
    tolerance: float = Field(default=0.0, ge=0.0, lt=0.1)
    """Relative difference up to which two numbers are the same; 0 compares exactly, roots and pi included."""
    missing_unit: Literal["accept", "refuse"] = "accept"
    """The target has a unit, the answer is the bare number."""
    extra_unit: Literal["accept", "refuse"] = "accept"
    """The answer has a unit of measurement (or currency), the target is a bare number. A counted noun may always follow."""
    missing_name: Literal["accept", "refuse"] = "accept"
    """One side is `x = 5` (or `f(x) = ...`), the other the bare value."""
    percent: Literal["value", "either"] = "value"
    """`value`: 25% is 0.25 and nothing else. `either`: it may also stand for 25, as in data that leave the sign out."""
    ordered: bool = False
    """Whether several answers (`1, 2`) must come in the target's order."""
    limit_s: float = Field(default=1.0, gt=0.0, le=60.0)
    """Hard limit on computer algebra for one answer, of wall clock and of CPU; past it: could not verify."""
    memory_mb: int = Field(default=1024, ge=256)
    """Hard limit on the memory of computer algebra."""
    max_chars: int = Field(default=4096, ge=16)
    """A longer answer text is not read: wrong, with that as evidence."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.maths.verifier import MathVerifier

        return MathVerifier(self)


class SecondOpinionConfig(VerifierConfig):
    """1 where a small model takes an answer for right that the mathematical verifier calls wrong, else 0.

    Only hard forms are asked about. A model can be wrong or be talked into it: measure its false positives on data of
    yours (`benchmarks/second_opinion.py`) before the weight is more than 0.
    """

    wrong = 0.0
    runs: ClassVar[Runs] = "elsewhere"
    kind: Literal["second_opinion"] = "second_opinion"
    weight: float = 0.0
    """Weight in the rubric's sum; 0, the default, only records the opinion."""
    when_missing: Literal["mask", "skip"] = "skip"
    """As for every verifier; `skip`: without an opinion the verifier's verdict stands."""
    url: str = Field(pattern=r"^https?://\S+$")
    """Where an OpenAI-compatible server answers, up to `/v1`; `/chat/completions` is added."""
    model: str = Field(min_length=1)
    """The model's name there."""
    api_key_env: str = ""
    """Environment variable that holds the key; empty: none is sent."""
    verifier: MathVerifierConfig = Field(default_factory=MathVerifierConfig)
    """The verifier whose "wrong" is looked at again; the same settings as your `math` part."""
    forms: tuple[
        Literal[
            "expression", "equation", "inequality", "interval", "set", "tuple", "matrix", "list", "ratio", "text",
            "number", "quantity", "choice", "date", "time",
        ],
        ...,
    ] = ("expression", "equation", "inequality", "interval", "set", "tuple", "matrix", "list", "text")  # fmt: skip
    """Forms of the target that are hard enough to ask about; roots and powers are expressions."""
    max_chars: int = Field(default=300, ge=16)
    """A longer answer or target is not asked about: there is room for talk in it."""
    timeout_s: float = Field(default=30.0, gt=0.0, le=600.0)
    """Hard wall-clock limit of one request."""
    retries: int = Field(default=2, ge=0, le=10)
    """Further tries after a lost connection, a time-out, or a server that is busy or broken."""
    concurrency: int = Field(default=8, ge=1)
    """Most requests under way at once."""

    def build(self) -> Judge:
        """The judge."""
        from guerdon.rewards.maths.second_opinion import SecondOpinion

        return SecondOpinion(self)
