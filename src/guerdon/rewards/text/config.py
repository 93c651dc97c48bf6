"""The recipe's tables of verifiers of form and text. Torch-free; each config *is* its plug-in."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from guerdon.core.config import EntryError
from guerdon.core.types import Judge, Verifier
from guerdon.rewards.config import VerifierConfig, parse_rewards

TagName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,40}$")]
Where = Literal["response", "answer", "answer_tag", "fence"]


class FormatVerifierConfig(VerifierConfig):
    """1 if the whole response has the demanded layout, else 0."""

    wrong = 0.0
    kind: Literal["format"] = "format"
    layout: Literal["think_answer", "boxed", "hash"] = "think_answer"
    """`<think>..</think><answer>..</answer>`; exactly one `\\boxed{}` at the end; or a last line `#### answer`."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.layout import FormatVerifier

        return FormatVerifier(self)


class OverlongVerifierConfig(VerifierConfig):
    """DAPO's soft overlong punishment in [-1, 0] (arXiv:2503.14476, eq. 13)."""

    kind: Literal["overlong"] = "overlong"
    max_length: int = Field(ge=1)
    """Tokens at which the punishment is -1."""
    cache: int = Field(ge=1)
    """Tokens before `max_length` over which it grows from 0."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.overlong import OverlongVerifier

        return OverlongVerifier(self)


class TagsVerifierConfig(VerifierConfig):
    """1 if the response is an exact sequence of tags, each once, with nothing around or hidden in them; else 0."""

    wrong = 0.0
    kind: Literal["tags"] = "tags"
    tags: tuple[TagName, ...] = ("think", "answer")
    """Tags in their order."""
    optional: tuple[TagName, ...] = ()
    """Those that may be missing."""
    min_chars: dict[str, int] = Field(default_factory=dict)
    """Least characters in a tag; 1 where nothing is said, so nothing may be empty."""

    @model_validator(mode="after")
    def _names_are_tags(self) -> Self:
        if not self.tags or len(set(self.tags)) < len(self.tags):
            raise ValueError("tags is empty, or one of them stands twice")
        if strange := sorted({*self.optional, *self.min_chars} - {*self.tags}):
            raise ValueError(f"{strange[0]!r} is none of the tags ({', '.join(self.tags)})")
        return self

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.tags import TagsVerifier

        return TagsVerifier(self)


class JsonVerifierConfig(VerifierConfig):
    """1 if the answer is strict JSON, and valid against a schema if there is one; else 0."""

    wrong = 0.0
    kind: Literal["json"] = "json"
    where: Where = "answer"
    """What must be JSON: the `response`, the `answer` after the thinking, the `answer_tag`, or the only `fence`."""
    json_schema: dict[str, Any] | None = None
    """JSON Schema (draft 2020-12) for every problem; extra `text`."""
    column: str | None = None
    """Column with a problem's own schema, as an object or as text."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.structured import JsonVerifier

        return JsonVerifier(self)


class RegexVerifierConfig(VerifierConfig):
    """1 if the answer matches a regular expression, else 0; RE2, in linear time (extra: text)."""

    wrong = 0.0
    kind: Literal["regex"] = "regex"
    pattern: str | None = None
    """The pattern for every problem."""
    column: str | None = None
    """Column with a problem's own pattern."""
    match: Literal["fullmatch", "search"] = "fullmatch"
    """Whether all of the piece must match, or some of it."""
    where: Where = "answer"
    """As for `json`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.pattern is None) == (self.column is None):
            raise ValueError("give either pattern or column")
        return self

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.pattern import RegexVerifier

        return RegexVerifier(self)


class MatchVerifierConfig(VerifierConfig):
    """1 if the answer is the target, or one of several; with `f1`, the share of shared words."""

    wrong = 0.0
    kind: Literal["match"] = "match"
    how: Literal["exact", "normalised", "choice", "f1"] = "normalised"
    """To the letter; without case, articles, punctuation; by the letter of a choice; by words, in [0, 1]."""
    where: Where = "answer"
    """As for `json`."""
    column: str | None = None
    """Column with a list of targets; without it, the problem's target."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.match import MatchVerifier

        return MatchVerifier(self)


class RepetitionVerifierConfig(VerifierConfig):
    """A penalty in [-1, 0]: the share of n-grams that have been there before (arXiv:2502.03373)."""

    kind: Literal["repetition"] = "repetition"
    ngram_size: int = Field(default=20, ge=1, le=100)
    """Units that make an n-gram; small ones punish every common phrase."""
    unit: Literal["word", "character"] = "word"
    """Characters for languages that write no spaces."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.repetition import RepetitionVerifier

        return RepetitionVerifier(self)


class ListingVerifierConfig(VerifierConfig):
    """How well a list of words meets a request, in [-1, 1]: exact gold for open prompts (dataset `lists`)."""

    wrong = -1.0
    kind: Literal["listing"] = "listing"
    column: str = "listing"
    """Column of the data with {words, count, in_order}: which words may stand there, how many, whether from a to z."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.listing import ListingVerifier

        return ListingVerifier(self)


class CosineLengthVerifierConfig(VerifierConfig):
    """A reward that depends on length and on being right (arXiv:2502.03373): among right answers short ones are best."""

    wrong = -0.5
    kind: Literal["cosine_length"] = "cosine_length"
    max_length: int = Field(ge=1)
    """Tokens from which on `exceeded` is paid."""
    verifier: dict[str, Any] = Field(default_factory=lambda: {"kind": "math"})
    """The verifier that says what is right, a table as in `rewards`; no judge."""
    right_short: float = Field(default=1.0, ge=-1.0, le=1.0)
    """Right, in no tokens."""
    right_long: float = Field(default=0.5, ge=-1.0, le=1.0)
    """Right, just below the limit."""
    wrong_short: float = Field(default=-1.0, ge=-1.0, le=1.0)
    """Wrong, in no tokens."""
    wrong_long: float = Field(default=-0.5, ge=-1.0, le=1.0)
    """Wrong, just below the limit."""
    exceeded: float = Field(default=-1.0, ge=-1.0, le=1.0)
    """At the limit."""

    def inner(self) -> VerifierConfig:
        """The inner verifier's own settings."""
        return _inner(self.verifier)

    @model_validator(mode="after")
    def _inner_is_right(self) -> Self:
        _inner(self.verifier)
        return self

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.cosine import CosineLengthVerifier

        return CosineLengthVerifier(self)


class RefusalVerifierConfig(VerifierConfig):
    """1 if the answer refuses where it should, or answers where it should; 0.5 if it refuses and goes on all the same."""

    wrong = 0.0
    kind: Literal["refusal"] = "refusal"
    expected: Literal["answer", "refuse"] = "answer"
    """What every problem asks for."""
    column: str | None = None
    """Column that says for each problem whether to refuse (true or false), instead of `expected`."""
    default: bool | None = None
    """What a problem without that column (or with null in it) has there; left out: it could not be verified."""

    @model_validator(mode="after")
    def _default_of_a_column(self) -> Self:
        if self.default is not None and self.column is None:
            raise ValueError("default: there is no column that it stands in for; set column, or use expected")
        return self

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.refusal import RefusalVerifier

        return RefusalVerifier(self)


class CitationsVerifierConfig(VerifierConfig):
    """Whether cited passages exist, hold what is quoted, the numbers, and enough of the sentence's words; in [-1, 1]."""

    kind: Literal["citations"] = "citations"
    column: str = "passages"
    """Column with the passages: a list (cited as [1], [2], ...; its items may have `id`, `title`, `text`) or a table of
    names and texts."""
    min_overlap: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of a sentence's words, without small ones, that its source must hold."""
    max_per_sentence: int = Field(default=3, ge=1)
    """A sentence that cites more has cited nothing."""
    numbers: bool = True
    """Whether each number of a sentence must stand in a passage that it cites."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.citations import CitationsVerifier

        return CitationsVerifier(self)


class HonestyVerifierConfig(VerifierConfig):
    """1 for right, -1 for wrong, 0 for abstaining where the group shows that the model does not know (arXiv:2509.25760)."""

    wrong = -1.0
    kind: Literal["honesty"] = "honesty"
    verifier: dict[str, Any] = Field(default_factory=lambda: {"kind": "math"})
    """The verifier that says what is right, a table as in `rewards`."""
    unknown_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Up to this share of right answers among the siblings that tried, the model does not know."""
    known_penalty: float = Field(default=-0.2, ge=-1.0, le=0.0)
    """For abstaining although the model does know."""

    def inner(self) -> VerifierConfig:
        """The inner verifier's own settings."""
        return _inner(self.verifier)

    @model_validator(mode="after")
    def _inner_is_right(self) -> Self:
        _inner(self.verifier)
        return self

    def build(self) -> Judge:
        """The judge."""
        from guerdon.rewards.text.honesty import HonestyJudge

        return HonestyJudge(self)


class ReasonableVerifierConfig(VerifierConfig):
    """Reasoning where siblings show that it is needed, the shorter the better where nearly all of them are right."""

    kind: Literal["reasonable"] = "reasonable"
    verifier: dict[str, Any] = Field(default_factory=lambda: {"kind": "math"})
    """The verifier that says what is right, a table as in `rewards`."""
    easy_share: float = Field(default=0.9, gt=0.0, le=1.0)
    """From this share of right siblings on, a problem is easy."""
    min_words: int = Field(default=5, ge=1)
    """Fewer words of reasoning are none."""
    tolerance_words: int = Field(default=10, ge=0)
    """On an easy problem, differences of so many words do not count."""

    def inner(self) -> VerifierConfig:
        """The inner verifier's own settings."""
        return _inner(self.verifier)

    @model_validator(mode="after")
    def _inner_is_right(self) -> Self:
        _inner(self.verifier)
        return self

    def build(self) -> Judge:
        """The judge."""
        from guerdon.rewards.text.reasonable import ReasonableJudge

        return ReasonableJudge(self)


def _inner(table: dict[str, Any]) -> VerifierConfig:
    """The settings of a verifier inside another one.

    Raises:
        ValueError: they are wrong.
    """
    try:
        found: dict[str, VerifierConfig] = parse_rewards({"verifier": table})
    except EntryError as error:
        raise ValueError("; ".join(issue.message for issue in error.issues)) from None
    return found["verifier"]


class InstructionsVerifierConfig(VerifierConfig):
    """The share of a problem's verifiable instructions that the answer follows (IFEval's 25 kinds, arXiv:2311.07911)."""

    wrong = 0.0
    kind: Literal["instructions"] = "instructions"
    mode: Literal["strict", "loose"] = "strict"
    """`loose` also accepts what holds without the answer's first line, its last line, or its asterisks."""
    policy: Literal["fraction", "all"] = "fraction"
    """`fraction` of the instructions that are followed; `all`: 1 only if every one is."""
    ids_column: str = "instruction_id_list"
    """The column with the kinds, such as `["punctuation:no_comma"]`."""
    kwargs_column: str = "kwargs"
    """The column with one table of parameters for each of them."""

    def build(self) -> Verifier:
        """The verifier."""
        from guerdon.rewards.text.instructions.verifier import InstructionsVerifier

        return InstructionsVerifier(self)


class LanguageVerifierConfig(VerifierConfig):
    """The share of the prose (no code, no formulas) that is in the prompt's or a named language."""

    wrong = 0.0
    kind: Literal["language"] = "language"
    language: str = "prompt"
    """`prompt`: the language of the last user message; or an ISO 639 code such as `de`."""
    column: str = ""
    """A column of the data that names the language row by row, in place of `language`."""
    where: Literal["response", "thinking", "answer"] = "response"
    """Which text: all of it, the `<think>` block, or what follows it."""
    policy: Literal["share", "threshold"] = "share"
    """The share itself, or 1 where it reaches `threshold` and else 0."""
    threshold: float = Field(default=0.9, gt=0.0, le=1.0)
    """See `policy`."""
    min_letters: int = Field(default=20, ge=1)
    """With fewer letters whose language can be told: could not verify."""

    def build(self) -> Verifier:
        """The verifier.

        Raises:
            MissingExtraError: no identifier is installed. ConfigError: it does not know the language.
        """
        from guerdon.rewards.text.identify import known_language, load_model
        from guerdon.rewards.text.language import PROMPT, LanguageVerifier

        load_model()
        if self.language != PROMPT:
            known_language(self.language, "language")
        return LanguageVerifier(self)
