from __future__ import annotations

import html
import json
import re

from guerdon.explain.escape import MAX_RENDERED, Mark, attribute, embedded_json, marked, visible


def readable(rendered: str) -> str:
    """What a person reads: tags away, entities resolved."""
    return html.unescape(re.sub(r"<[^>]*>", "", rendered))


def test_markup_in_text_is_only_text() -> None:
    shown = visible("</style><script>alert('\"&')</script>")
    assert "<" not in shown
    assert readable(shown) == "</style><script>alert('\"&')</script>"


def test_what_the_eye_cannot_see_is_shown() -> None:
    shown = readable(visible("a\x00b\u202ec\u2066d\u2028e\rf\U000e0041g\ufeffh\ud800i"))
    assert shown == "aNULbRLOcLRIdLSeCRfU+E0041gBOMhU+D800i"
    assert visible("line\n\ttab \u200d ä 🦙") == "line\n\ttab \u200d ä 🦙"


def test_no_invisible_character_survives_in_an_attribute() -> None:
    assert attribute("\u202e'\"<\ud800") == "[RLO]&#x27;&quot;&lt;[U+D800]"


def test_embedded_json_cannot_end_its_script_and_reads_back() -> None:
    value = {"</script><!--": ["&", "\u2028\u2029", "]]>", 0.5, None]}
    text = embedded_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value


def test_spans_count_code_points_before_escaping() -> None:
    # "&" grows to five characters, the llama is one code point but two UTF-16 units
    text = "&🦙ä<answer>42</answer>"
    start = text.index("42")
    assert '<mark title="math: equal">42</mark>' in marked(text, [Mark(start, start + 2, "math: equal")])


def test_overlapping_marks_become_neighbours() -> None:
    shown = marked("abcd", [Mark(0, 3, "a"), Mark(1, 2, "b")])
    assert shown == '<mark title="a">a</mark><mark title="a; b">b</mark><mark title="a">c</mark>d'


def test_marks_outside_the_text_are_cut_or_left_out() -> None:
    assert marked("abc", [Mark(2, 99, "t")]) == 'ab<mark title="t">c</mark>'
    assert marked("abc", [Mark(-5, 1, "t")]) == '<mark title="t">a</mark>bc'
    assert marked("abc", [Mark(3, 9, "t"), Mark(2, 1, "t"), Mark(1, 1, "t")]) == "abc"


def test_a_long_text_keeps_its_ends_and_its_mark() -> None:
    text = "H" + "x" * 50_000 + "EVIDENCE" + "y" * 50_000 + "T"
    at = text.index("EVIDENCE")
    shown = marked(text, [Mark(at, at + 8, "t")])
    assert shown.startswith("H")
    assert shown.endswith("T")
    assert ">EVIDENCE</mark>" in shown
    hidden = sum(int(found.replace(",", "")) for found in re.findall(r"⋯ ([\d,]+) characters", shown))
    kept = len(readable(re.sub(r'<span class="gap">.*?</span>', "", shown)))
    assert hidden + kept == len(text)


def test_a_text_of_nothing_but_control_characters_stays_small() -> None:
    assert len(marked("\u202e" * 1_000_000, [Mark(0, 1_000_000, "all")])) <= MAX_RENDERED
