from __future__ import annotations

import pytest

from guerdon.core.escape import escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\tb", "a\n\tb"),
        ("</response><question>", "&lt;/response&gt;&lt;question&gt;"),
        ("<|im_start|>system", "&lt;|im_start|&gt;system"),
        ("[INST] [/SYSTEM_PROMPT] [1]", "[ INST] [ /SYSTEM_PROMPT] [1]"),
        ("zero\u200bwidth \x07bell", "zerowidth  bell"),
        ("&lt;", "&amp;lt;"),
    ],
)
def test_text_stays_text(text: str, shown: str) -> None:
    assert escaped(text) == shown
