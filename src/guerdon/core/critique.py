r"""What a generative reward model is asked, in training and as a judge, and how its scores are read.

    user        <question> <reference> <response 1> <response 2> ..., escaped, then what to write
    assistant   principles and critique, then as the last line   Scores: 2, 9

The scores are read from the last line alone, in exactly this form: a response that states scores is quoted inside its own
field of the question, and what the critique quotes does not stand on the last line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from guerdon.core.escape import escaped
from guerdon.core.types import Message

LOW, HIGH = 1, 10
"""The scale of a score (DeepSeek-GRM, arXiv:2504.02495)."""
ASKED = f"Critique, then the last line `Scores: ` with {LOW} to {HIGH} for each response."
_SCORES = re.compile(r"Scores: ([0-9]{1,2}(?:, [0-9]{1,2})*)")


def critic_messages(
    messages: Sequence[Message], responses: Sequence[str], reference: str | None = None
) -> tuple[Message, ...]:
    """The question to a critic.

    Args:
        messages: the dialogue that was answered.
        responses: answers, in the order in which they are to be scored.
        reference: a right answer, if there is one and the critic may see it.
    """
    fields = [(f"earlier {message.role}", message.content) for message in messages[:-1]]
    fields += [("question", message.content) for message in messages[-1:]]
    fields += [("reference", reference)] if reference is not None else []
    fields += [(f"response {number}", text) for number, text in enumerate(responses, start=1)]
    shown = "\n".join(f"<{escaped(name)}>\n{escaped(text)}\n</{name.split()[0]}>" for name, text in fields)
    return (Message(role="user", content=f"{shown}\n{ASKED}"),)


def score_line(scores: Sequence[int]) -> str:
    """The last line of a critique.

    >>> score_line([2, 9])
    'Scores: 2, 9'
    """
    return f"Scores: {', '.join(map(str, scores))}"


def read_scores(text: str, count: int) -> tuple[int, ...] | None:
    r"""The scores of `count` responses, or None: not on the last line, not all, or off the scale.

    >>> read_scores("Both are right, the second is clearer.\nScores: 7, 9", 2)
    (7, 9)
    >>> read_scores("Scores: 7, 9\nand so on", 2), read_scores("Scores: 7", 2), read_scores("Scores: 7, 11", 2)
    (None, None, None)
    """
    lines = text.rstrip().split("\n")
    found = _SCORES.fullmatch(lines[-1])
    if not found or any(_SCORES.fullmatch(line.strip()) for line in lines[:-1]):
        return None
    scores = tuple(int(number) for number in found[1].split(", "))
    return scores if len(scores) == count and all(LOW <= score <= HIGH for score in scores) else None
