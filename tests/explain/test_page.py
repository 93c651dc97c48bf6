from __future__ import annotations

import base64
import hashlib
import re

from guerdon.explain.page import heading, page

TEXT = page(title="a < b", description='say "hi"', body="<p>body</p>", charts={"</script>": 1.5})


def test_the_policy_names_exactly_our_script() -> None:
    scripts = re.findall(r"<script>(.*?)</script>", TEXT, flags=re.DOTALL)
    (script,) = scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in TEXT
    assert "unsafe-eval" not in TEXT


def test_plain_text_is_escaped_in_the_head() -> None:
    assert "<title>a &lt; b</title>" in TEXT
    assert 'content="say &quot;hi&quot;"' in TEXT
    assert "<h1>&lt;i&gt;</h1>" in heading("<i>", "")


def test_light_and_dark_define_the_same_colours() -> None:
    light = re.search(r":root\{(.*?);color-scheme:light\}", TEXT)
    dark = re.search(r":root\[data-theme=dark\]\{(.*?);color-scheme:dark\}", TEXT)
    assert light is not None
    assert dark is not None
    names = [re.findall(r"--([\w-]+):", found[1]) for found in (light, dark)]
    assert names[0] == names[1]
    used = set(re.findall(r"var\(--([\w-]+)\)", TEXT)) - {"hue", "strength"}
    assert used <= set(names[0])
