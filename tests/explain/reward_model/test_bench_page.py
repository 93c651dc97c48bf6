"""Benchmarks on the page: every number with its interval, the matrix of styles, parts in the unit of the table."""

from __future__ import annotations

import re

from guerdon.core.types import Json
from guerdon.explain.reward_model.bench_page import bench_section
from guerdon.explain.reward_model.bench_rows import read_list_rows
from guerdon.explain.reward_model.benches import score_rewardbench_2
from scored_rows import rm_bench


def test_the_official_number_stands_first_with_its_interval() -> None:
    found = rm_bench()
    text = bench_section(found)
    official = found.official
    assert official is not None
    assert official.low is not None
    assert official.high is not None
    rows = re.findall(
        r"<tr[^>]*><th scope=\"row\">([^<]*)</th><td class=\"share\"><b>([^<]*)</b>.*?<small>([^<]*)<", text
    )
    assert [name for name, _, _ in rows] == ["Overall", "Chat", "Math"]
    ends = f"{100 * official.low:.1f} – {100 * official.high:.1f}"
    assert rows[0][1:] == (f"{100 * official.value:.1f}", ends)
    assert all(small for _, _, small in rows)
    assert text.count("ibar") == 3


def test_the_matrix_of_styles_is_shown() -> None:
    found = rm_bench()
    text = bench_section(found)
    assert text.count("heat styles") == 3  # all domains at once, chat, mathematics
    first = text[text.index("heat styles") : text.index("Styles by domain")]
    shown = re.findall(r'data-label="Wrong, ([^"]*)"><b>([^<]*)</b><small>([^<]*)</small>', first)
    assert len(shown) == 9
    assert [value for _, value, _ in shown] == [
        f"{100 * cell.value:.1f}" for row in found.styles["All domains"] for cell in row
    ]
    assert all("–" in ends for _, _, ends in shown)


def test_parts_are_in_per_cent_like_the_table_above_them() -> None:
    text = bench_section(rm_bench())
    parts = text[text.index("Its parts") :]
    hard = rm_bench().details["hard"].value
    assert f"<th scope='row'>hard</th><td>{100 * hard:.1f} %</td>" in parts
    assert not re.search(r"<td>0\.\d+</td>", parts)


def test_the_margin_of_the_ties_is_no_share() -> None:
    row: dict[str, Json] = {"prompt": "q", "chosen": ["a", "b"], "rejected": ["c"], "subset": "Ties"}
    items = read_list_rows([{**row, "id": f"{kind}:{n}"} for n in range(3) for kind in ("ref", "tied")])
    text = bench_section(score_rewardbench_2(items, [(3.0, 2.0, 1.0)] * 6))
    assert re.search(r"Ties: margin</th><td>−?\d(\.\d+)?</td>", text)
    assert "<th scope='row'>Ties: ref</th><td>100.0 %</td>" in text
    assert "Missing: Factuality, Precise IF, Math, Safety, Focus; so" in text


def test_nothing_scored_shows_why() -> None:
    found = rm_bench(1)  # its one item has no score
    text = bench_section(found)
    assert "so the overall number is not there" in text
    assert "Left out for a missing score: 1 item." in text
    assert "heat" not in text
