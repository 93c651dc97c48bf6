"""What a reward model reads: a conversation and one response, with further fields, so that no text can pose as another.

    messages, reference --> prompt ids      shared by all responses to the prompt
    verdict, reasoning, response --> response ids, ended by EOS: there the score is read
    with a critique: response, <critique>, what the model writes, </critique>, EOS

Texts come from policies that are paid for a high score, and from whoever talks to them. A special token written out in
a text is broken up, so it stays text. A plain conversation is what the chat template makes of it. Where there are fields,
every text stands in one: each turn, too, in `<turn ROLE>`; angle brackets inside are escaped, so no text can open or
close a field, and different inputs never read alike. An encoder knows no chat template: its turns are fields always.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from guerdon.core.errors import ModelError
from guerdon.core.types import Message, Problem
from guerdon.models.config import InputConfig
from guerdon.models.policy import Policy

OPEN, CLOSE = "\n<critique>\n", "\n</critique>"
"""Around a critique. A model's own stands open until it has written the closing."""
BREAK = "\u2060"
"""WORD JOINER: invisible, and enough to make a special token ordinary text."""
TAGGING = str.maketrans(
    {c: f"&#{ord(c)};" for c in f"{BREAK}\u226e\u226f\ufe60\ufe64\ufe65\uff06\uff1c\uff1e"}
)
"""Characters that a tokenizer's normalisation turns into <, > or &, and the one that breaks special tokens up."""
_THINKING = re.compile(r"\s*<think>(.*?)</think>(.*)", re.DOTALL)


class Encoded(NamedTuple):
    """Token ids of one prompt and its responses."""

    prompt_ids: tuple[int, ...]
    responses: tuple[tuple[int, ...] | None, ...]
    """None: too long to be read whole."""
    num_cut: int
    """Tokens that the prompt lost at its beginning."""
    critique_starts: tuple[int, ...] = ()
    """Where the critique begins in each response's ids; empty: there are none."""


class RewardInput:
    """Encodes problems and responses for one reward model."""

    def __init__(self, policy: Policy, config: InputConfig, *, encoder: bool) -> None:
        self.policy = policy
        self.config = config
        self.encoder = encoder
        special = sorted({*policy.tokenizer.all_special_tokens, *_added(policy.tokenizer)}, key=len)
        self.special = re.compile("|".join(re.escape(token) for token in reversed(special) if token))
        self.max_length = min(config.max_length, policy.max_context)
        self.fences_turns = config.is_fenced or encoder

    def encode(
        self,
        problem: Problem,
        responses: Sequence[str],
        verdicts: Sequence[str | None] | None = None,
        critiques: Sequence[str] | None = None,
    ) -> Encoded:
        """Ids of the prompt, and of each response that fits.

        Args:
            problem: its messages are the dialogue so far, its target the reference answer.
            responses: texts of one or more responses.
            verdicts: what a rule said of each, where the recipe shows it.
            critiques: one of each response, for a reward model that writes them.
        """
        opened = self._opened(responses, verdicts)
        if critiques is None:
            return self._fit(problem, [(*ids, self._end) for ids in opened], self.max_length)
        opened = [ids + self._opening for ids in opened]
        ended = [(*ids, *self._closed(text), self._end) for ids, text in zip(opened, critiques, strict=True)]
        fitted = self._fit(problem, ended, self.max_length)
        return fitted._replace(critique_starts=tuple(map(len, opened)))

    def openings(
        self, problem: Problem, responses: Sequence[str], verdicts: Sequence[str | None] | None, room: int
    ) -> list[tuple[int, ...] | None]:
        """Prompt, response and the opening of its critique, for the model to go on; None: it does not fit.

        Args:
            problem: as for `encode`.
            responses: as for `encode`.
            verdicts: as for `encode`.
            room: tokens that the critique may take.
        """
        opened = [ids + self._opening for ids in self._opened(responses, verdicts)]
        fitted = self._fit(problem, opened, self.max_length - room)
        return [None if ids is None else fitted.prompt_ids + ids for ids in fitted.responses]

    def _opened(
        self, responses: Sequence[str], verdicts: Sequence[str | None] | None
    ) -> list[tuple[int, ...]]:
        return [
            self._response(text, None if verdicts is None else verdicts[index])
            for index, text in enumerate(responses)
        ]

    def _fit(self, problem: Problem, responses: Sequence[tuple[int, ...]], limit: int) -> Encoded:
        """The prompt, cut so that the longest response that can fits; None for those that cannot."""
        longest = max((len(ids) for ids in responses if len(ids) < limit), default=0)
        prompt, cut = self._prompt(problem, limit - longest)
        room = limit - len(prompt)
        return Encoded(prompt, tuple(ids if len(ids) <= room else None for ids in responses), cut)

    def read_critique(self, written: str) -> str:
        """The text of a critique from what the model wrote behind the opening."""
        return html.unescape(written.split(CLOSE)[0].replace(BREAK, "")).strip()

    def plain(self, text: str) -> str:
        """The text with every special token of the tokenizer broken up.

        Breaking one up may not make another: the pattern runs until nothing is left.
        """
        while self.special.search(text):
            text = self.special.sub(lambda match: match[0][0] + BREAK + match[0][1:], text)
        return text

    def _prompt(self, problem: Problem, room: int) -> tuple[tuple[int, ...], int]:
        messages = [self._turn(message) for message in problem.messages]
        full = self._render(messages, problem)
        ids = full
        while len(ids) > room and len(messages) > 1:  # the oldest go first; a system prompt stays
            del messages[1 if messages[0].role == "system" and len(messages) > 2 else 0]
            ids = self._render(messages, problem)
        ids = ids if len(ids) <= room else ids[len(ids) - max(1, room) :]
        return ids, len(full) - len(ids)

    def _turn(self, message: Message) -> Message:
        """The message as it is shown."""
        if not self.fences_turns:
            return Message(role=self.plain(message.role), content=self.plain(message.content))
        role = self._escaped(message.role)
        return Message(role=role, content=f"<turn {role}>\n{self._escaped(message.content)}\n</turn>")

    def _render(self, turns: Sequence[Message], problem: Problem) -> tuple[int, ...]:
        shown = list(turns)
        if "reference" in self.config.fields and problem.target is not None:
            last = shown[-1]
            reference = self._field("reference", problem.target)
            shown[-1] = Message(role=last.role, content=f"{last.content}\n\n{reference}")
        return (
            self._ids("\n".join(turn.content for turn in shown))
            if self.encoder
            else self.policy.render(shown)
        )

    def _response(self, text: str, verdict: str | None) -> tuple[int, ...]:
        if not self.config.is_fenced:
            return self._ids(self.plain(text), first=False)
        fields = []
        if "verdict" in self.config.fields:
            fields.append(self._field("verdict", verdict or "none"))
        if "reasoning" in self.config.fields:
            match = _THINKING.fullmatch(text)
            reasoning, text = (match[1], match[2]) if match else ("", text)
            fields.append(self._field("reasoning", reasoning))
        return self._ids("\n".join([*fields, self._field("response", text)]), first=False)

    @property
    def _opening(self) -> tuple[int, ...]:
        return self._ids(OPEN, first=False)

    def _closed(self, critique: str) -> tuple[int, ...]:
        return self._ids(f"{self._escaped(critique.strip())}{CLOSE}", first=False)

    def _field(self, label: str, text: str) -> str:
        return f"<{label}>\n{self._escaped(text)}\n</{label}>"

    def _escaped(self, text: str) -> str:
        """The text without anything that is, or could become, a tag or a special token; different texts stay different."""
        return self.plain(html.escape(text, quote=False).translate(TAGGING))

    def _ids(self, text: str, *, first: bool = True) -> tuple[int, ...]:
        ids = self.policy.encode(text)
        return (self.policy.tokenizer.cls_token_id, *ids, self._end) if self.encoder and first else ids

    @property
    def _end(self) -> int:
        return int(self.policy.tokenizer.sep_token_id) if self.encoder else self.policy.eos_id


def _added(tokenizer: Any) -> list[str]:
    return [str(token) for token in tokenizer.get_added_vocab()]


def check_tokens(tokenizer: Any, *, encoder: bool, source: str, writes: bool) -> None:
    """Refuse a backbone that cannot do what is asked of it.

    Raises:
        ModelError: no EOS token, an encoder without CLS and SEP, or one that should write critiques.
    """
    if encoder and writes:
        raise ModelError(
            f"{source}: an encoder cannot write critiques; remove input.critique, or take a causal LM"
        )
    needed = ("cls_token", "sep_token") if encoder else ("eos_token",)
    missing = [name for name in needed if getattr(tokenizer, name, None) is None]
    if missing:
        raise ModelError(
            f"{source}: the tokenizer has no {missing[0].replace('_', ' ')}, so a reward model cannot see where a response "
            "ends; choose another backbone, or name the token in the tokenizer's special_tokens_map.json"
        )
