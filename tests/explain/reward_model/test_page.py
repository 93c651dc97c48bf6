"""The page on a reward model: self-contained, escaped, and honest about what is missing."""

from __future__ import annotations

import dataclasses
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from guerdon.core.errors import UserError
from guerdon.explain.panels import reward_panels
from guerdon.explain.read import read_run
from guerdon.explain.reward_model.agreement import agreement_matrix
from guerdon.explain.reward_model.page import facts, page_html, verdict, write_page
from guerdon.explain.reward_model.rows import ScoredPair
from guerdon.explain.reward_model.summary import summarise
from guerdon.explain.reward_model.text import matrix_table, summary_table
from scored_rows import many_lists, many_pairs, pair, rm_bench

RESULT = rm_bench()


class Ids(HTMLParser):
    """Ids, and tags that were opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.opened: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in ("meta", "line", "path", "circle", "br"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "circle", "line"):
            assert self.opened.pop() == tag


def test_a_whole_page() -> None:
    rows = many_pairs()
    summary = summarise(
        rows,
        name="rm <1>",
        lists=many_lists(),
        others={"other": many_pairs(seed=3)},
        runs=[(9, rows), (18, rows)],
    )
    text = page_html(dataclasses.replace(summary, benches=(RESULT,)))
    found = Ids()
    found.feed(text)
    assert found.opened == []
    assert len(found.ids) == len(set(found.ids))
    assert {"benches", "pictures", "accuracy", "agreement", "worst", "chart-0", "chart-8"} <= set(found.ids)
    assert "rm &lt;1&gt;" in text
    assert "window.hacked" in text
    assert "<script>window.hacked" not in text
    assert "\u202e" not in text
    assert "characters left out" in text  # long answers are shortened
    assert "Missing: Code, Safety; so the overall number compares with no leaderboard." in text
    assert "Left out for a missing score: 1 item." in text
    assert not re.search(r'(src|href)="', text)


def test_what_is_missing_has_no_section() -> None:
    found = Ids()
    found.feed(page_html(summarise([pair(0.5, 0.1)], name="rm")))
    assert {"benches", "agreement", "worst"}.isdisjoint(found.ids)
    nothing = page_html(summarise([pair(None, 0.1)], name="rm"))
    assert "No pair could be judged (1 without a score, 0 ties)." in nothing
    collapsed = dataclasses.replace(summarise([], name="rm"), alarms=("at step 3 it collapsed",))
    assert (
        verdict(collapsed) == "No pair could be judged (0 without a score, 0 ties); at step 3 it collapsed."
    )
    assert 'id="pictures"' in nothing  # the one score there is still has its histogram
    assert 'id="accuracy"' not in nothing


def test_verdict() -> None:
    assert verdict(summarise([pair(1.0, 0.0)] * 30, name="rm")).startswith(
        "The chosen answer wins in 100.0\u00a0% of 30 pairs"
    )
    chance = verdict(summarise([pair(0.6, 0.5), pair(0.5, 0.6)] * 9, name="rm"))
    assert chance.endswith("; that is not distinguishable from chance.")
    saturated = verdict(summarise([pair(1.0, -1.0)] * 9, name="rm"))
    assert "100.0\u00a0% of the scores are saturated" in saturated


def long_is_good(count: int = 60) -> list[ScoredPair]:
    """The longer answer is the better one and scores higher: all that is right is right by length."""
    draw = random.Random(0)
    rows = []
    for number in range(count):
        long, short = draw.randint(60, 90), draw.randint(5, 30)
        rows.append(
            pair(long + draw.gauss(0, 1), short + draw.gauss(0, 1), str(number), lengths=(long, short))
        )
    return rows


def test_length_is_taken_out_of_the_headline_s_own_number_alone() -> None:
    summary = summarise(long_is_good(), name="rm")
    assert "points when length is taken out" in verdict(summary)
    bench = verdict(dataclasses.replace(summary, benches=(RESULT,)))
    assert bench.startswith("RM-Bench: ")
    assert "length" not in bench, "the benchmark's number does not fall by that"
    assert "length taken out" in summary_table(dataclasses.replace(summary, benches=(RESULT,)))


def test_the_worst_mistakes_and_the_margins_say_that_they_are_in_u() -> None:
    squashed = dataclasses.replace(pair(0.1, 0.9), chosen_u=0.5, rejected_u=3.75)
    text = page_html(summarise([squashed] * 3, name="rm"))
    assert "u is 3.25 higher for the rejected answer" in text
    assert "u, chosen − rejected" in text
    assert "u is" not in page_html(summarise([pair(0.1, 0.9)], name="rm")), "its scores are all that is known"


def test_a_benchmark_speaks_first_and_says_what_its_pairs_are() -> None:
    summary = dataclasses.replace(summarise(many_pairs(), name="rm"), benches=(RESULT,))
    assert RESULT.official is not None
    said = (
        f"RM-Bench: {100 * RESULT.official.value:.1f}\u00a0% of the sections that are there, over 19 items "
    )
    assert verdict(summary).startswith(f"{said}(95\u00a0% interval ")
    text = page_html(summary)
    assert text.index('id="benches"') < text.index('id="accuracy"')
    assert "All pairs" not in text
    assert "both in the concise style; the benchmark compares every style" in text
    plain = page_html(summarise(many_pairs(), name="rm"))
    assert "All pairs" in plain
    assert "One pair of each item" not in plain


def test_a_share_of_all_is_not_worse_than_all() -> None:
    # 100 % of a slice, 100 % overall: the interval ended a hair below 1 and the slice was coloured red.
    rows = [dataclasses.replace(pair(1.0, 0.0, str(n)), source=("a", "b")[n % 2]) for n in range(20)]
    text = page_html(summarise(rows, name="rm"))
    assert "share bad" not in text
    assert "share good" not in text


def test_an_ensemble_without_a_unanimous_pair_says_so() -> None:
    rows = [
        dataclasses.replace(pair(1.0, 0.0, str(n)), chosen_members=(1.0, 0.0), rejected_members=(0.0, 1.0))
        for n in range(3)
    ]
    found = facts(summarise(rows, name="rm"))
    assert (found["Unanimous"], found["Divided"]) == ("no pair", "100.0\u00a0% of 3 pairs")


def test_one_tie_is_one_tie_and_speed_is_told() -> None:
    summary = dataclasses.replace(
        summarise([pair(0.5, 0.1), pair(0.1, 0.3, "t", tie=True)], name="rm"), tokens_per_s=12345.6
    )
    assert ">1 tie<" in page_html(summary)
    assert "1 tie\n" in summary_table(summary)
    assert facts(summary)["Scoring speed"] == "12,346 tokens/s"


def test_training_has_its_own_charts(finished_run: Path) -> None:
    run = read_run(finished_run)
    text = page_html(summarise(many_pairs(), name="rm"), training=reward_panels(run, run.stages[0]))
    found = Ids()
    found.feed(text)
    assert found.opened == []
    assert "training" in found.ids
    assert len(found.ids) == len(set(found.ids))
    assert ">Loss<" in text


def test_facts_are_those_of_the_summary() -> None:
    found = facts(
        summarise(
            [*[pair(0.5, 0.1)] * 3, pair(0.5, 0.5), pair(None, 0.1), pair(0.1, 0.3, tie=True)],
            name="rm",
            version="v7",
        )
    )
    assert found["Version"] == "v7"
    assert (found["Pairs"], found["Ties by label"], found["Equal scores"], found["Without a score"]) == (
        "4",
        "1",
        "1",
        "1",
    )
    assert found["Margin above a tie's"] == "75.0\u00a0%"
    assert "Unanimous" not in found


def test_a_slice_that_differs_from_the_whole_is_coloured() -> None:
    rows = [dataclasses.replace(pair(1.0, 0.0, f"a{n}"), source="good") for n in range(200)]
    rows += [dataclasses.replace(pair(float(n % 2), 0.5, f"b{n}"), source="poor") for n in range(200)]
    text = page_html(summarise(rows, name="rm"))
    assert text.count('class="share good"') == text.count('class="share bad"') == 1


def test_many_slices_are_counted_not_shown() -> None:
    rows = [dataclasses.replace(pair(1.0, 0.0, str(n)), subset=f"s{n}") for n in range(50)]
    assert "10 more are left out" in page_html(summarise(rows, name="rm"))


def test_writing(tmp_path: Path) -> None:
    summary = summarise([pair(0.5, 0.1)], name="rm")
    path = write_page(tmp_path / "rm.html", summary)
    assert path.read_text(encoding="utf-8") == page_html(summary)
    with pytest.raises(UserError, match="cannot be written"):
        write_page(tmp_path / "no" / "rm.html", summary)


def test_several_models_are_a_heat_map_and_length_is_taken_out_beside_the_accuracy() -> None:
    rows, other = many_pairs(), many_pairs(seed=3)
    matrix = agreement_matrix({"rm <1>": rows, "other": other})
    assert matrix is not None
    summary = summarise(rows, name="rm", others={"other": other})
    text = page_html(dataclasses.replace(summary, matrix=matrix))
    found = Ids()
    found.feed(text)
    assert found.opened == []
    assert 'class="results heat"' in text
    assert "1 rm &lt;1&gt;" in text
    share = matrix.same[0][1]
    assert share is not None
    assert f"--heat:{round(100 * max(0.0, 2 * share - 1))}%" in text
    assert "All pairs, length taken out" in text
    assert summary.length is not None
    assert summary.length.after is not None
    (line,) = [line for line in summary_table(summary).splitlines() if line.startswith("length taken out")]
    assert line.split()[3] == f"{100 * summary.length.after.value:.1f}"
    shown = matrix_table(matrix)
    assert "1 rm <1>" in shown
    assert f"{100 * share:.1f}" in shown
