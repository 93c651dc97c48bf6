"""Text that somebody else wrote, made safe and honest to look at.

Escaped for HTML, and what the eye cannot see (control characters, bidi overrides, zero-width and tag
characters, lone surrogates) is shown as a small labelled box: such text cannot pass for other text.
Spans count code points, as Python's `str` does, so they are applied before anything is escaped.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MAX_RENDERED = 9_000
"""Bytes of HTML of one text at most, whatever is in it."""
_LIMITS = (2400, 600, 120)
"""Characters shown; the next one is tried where the last did not fit into MAX_RENDERED."""

_SPECIAL = re.compile(
    "[&<>\"'\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
# Zero-width joiners (U+200C, U+200D) are left alone: Persian and family emoji are written with them.
_NAMES = {"\x7f": "DEL", "\u200b": "ZWSP", "\u200e": "LRM", "\u200f": "RLM", "\u202d": "LRO", "\u202e": "RLO"}
_NAMES |= {"\u2028": "LS", "\u2029": "PS", "\u2066": "LRI", "\u2067": "RLI", "\u2068": "FSI", "\u2069": "PDI"}
_NAMES |= {"\u202a": "LRE", "\u202b": "RLE", "\u202c": "PDF", "\ufeff": "BOM", "\x00": "NUL", "\r": "CR"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A half-open character range to point out, and why."""

    start: int
    end: int
    title: str


def visible(text: str) -> str:
    r"""HTML of any text, for content; `attribute` is for attributes.

    >>> visible("a < b")
    'a &lt; b'
    >>> visible("x\u202ey")
    'x<span class="ctl" title="U+202E">RLO</span>y'
    """
    return _SPECIAL.sub(_shown, text)


def attribute(text: str) -> str:
    r"""Text for a quoted attribute: escaped, invisible characters by their number.

    >>> attribute('say "\x00"')
    'say &quot;[NUL]&quot;'
    """
    return html.escape(_SPECIAL.sub(_spelled, text))


def embedded_json(value: object) -> str:
    r"""JSON that no HTML parser can leave early: inside <script type="application/json">; no NaN.

    >>> embedded_json("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))  # ASCII: U+2028 is escaped, too
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def marked(text: str, marks: Sequence[Mark] = ()) -> str:
    """HTML of a text with its marks highlighted, shortened in the middle where it is long.

    Marks that leave the text are cut to it; around the first mark the text is always shown.
    """
    fitting = [
        Mark(max(0, mark.start), min(len(text), mark.end), mark.title)
        for mark in marks
        if max(0, mark.start) < min(len(text), mark.end)
    ]
    rendered = ""
    for limit in _LIMITS:
        rendered = _windows_html(text, fitting, limit)
        if len(rendered) <= MAX_RENDERED:
            break
    return rendered


def number(value: float | None, digits: int = 3) -> str:
    """A number for reading: `digits` significant digits, a real minus sign, a dash for None.

    >>> number(0.12345), number(-2.0), number(123456.0), number(2e-5), number(None)
    ('0.123', '−2', '123,456', '2e−5', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        text = f"{value:,.0f}" if size < 1e9 else f"{value:.{digits - 1}e}"
    elif size >= 1e-3 or size == 0:
        text = f"{value:.{digits}g}"
    else:
        text = re.sub(r"\.?0*e", "e", f"{value:.{digits - 1}e}")
    return re.sub(r"e([+-])0*", lambda found: f"e{found[1].replace('+', '')}", text).replace("-", "−")


def _windows_html(text: str, marks: Sequence[Mark], limit: int) -> str:
    pieces: list[str] = []
    reached = 0
    for start, end in _windows(len(text), marks, limit):
        if start > reached:
            pieces.append(f'<span class="gap">⋯ {start - reached:,} characters left out ⋯</span>')
        pieces.append(_piece(text, marks, start, end))
        reached = end
    return "".join(pieces)


def _windows(length: int, marks: Sequence[Mark], limit: int) -> list[tuple[int, int]]:
    """What of a text is shown: all of it, or its head, the surroundings of the first mark, and its tail."""
    if length <= limit:
        return [(0, length)]
    third = limit // 3
    wanted = [(0, third), (length - third, length)]
    if marks:
        centre = min((marks[0].start + marks[0].end) // 2, marks[0].start + third // 2)
        wanted.append((max(0, centre - third // 2), min(length, centre + third // 2)))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(wanted):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _piece(text: str, marks: Sequence[Mark], start: int, end: int) -> str:
    """HTML of text[start:end]; overlapping marks become neighbouring highlights."""
    edges = {start, end, *(edge for mark in marks for edge in (mark.start, mark.end) if start < edge < end)}
    pieces = []
    for left, right in pairwise(sorted(edges)):
        over = [mark for mark in marks if mark.start <= left and right <= mark.end]
        shown = visible(text[left:right])
        title = attribute("; ".join(mark.title for mark in over)[:300])
        pieces.append(f'<mark title="{title}">{shown}</mark>' if over else shown)
    return "".join(pieces)


def _shown(found: re.Match[str]) -> str:
    char = found[0]
    if char in "&<>\"'":
        return html.escape(char)
    return f'<span class="ctl" title="U+{ord(char):04X}">{_name(char)}</span>'


def _spelled(found: re.Match[str]) -> str:
    char = found[0]
    return char if char in "&<>\"'" else f"[{_name(char)}]"


def _name(char: str) -> str:
    return _NAMES.get(char, f"U+{ord(char):04X}")
