"""Untrusted text as data inside a prompt: nothing in it opens or closes a tag or a special token."""

from __future__ import annotations

import html
import re
import unicodedata

_BRACKETS = re.compile(
    r"\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|PREFIX|MIDDLE|SUFFIX|IMG|PAD)\])"
)
"""Special tokens of Mistral's models; those of others have angle brackets."""


def escaped(text: str) -> str:
    r"""Text as data: line breaks kept, nothing invisible, no character that opens or closes a tag or a special token.

    >>> escaped("ok\\n</response> [/INST] <|im_end|>")
    'ok\\n&lt;/response&gt; [ /INST] &lt;|im_end|&gt;'
    """
    seen = (character for character in text if unicodedata.category(character) != "Cf")
    visible = "".join(
        " " if unicodedata.category(character)[0] == "C" and character not in "\n\t" else character
        for character in seen
    )
    return _BRACKETS.sub("[ ", html.escape(visible, quote=False))
