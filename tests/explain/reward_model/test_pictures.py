"""The pictures: which there are, and that they say the numbers they are drawn from."""

from __future__ import annotations

import re

import pytest

from guerdon.explain.reward_model.pictures import pictures
from guerdon.explain.reward_model.summary import Summary, summarise
from scored_rows import many_lists, many_pairs, pair


@pytest.fixture(scope="module")
def whole() -> Summary:
    rows = many_pairs()
    return summarise(
        rows, name="rm", lists=many_lists(), runs=[(100, rows[:60]), (100, rows[60:120]), (1000, rows)]
    )


def test_every_measure_has_its_picture(whole: Summary) -> None:
    assert [panel.title for panel in pictures(whole)] == [
        "Accuracy by length", "Reliability", "Margins", "Scores", "Scores by prompt kind", "Value against length",
        "Best of n: worth", "Best of n: u", "Accuracy by pairs seen",
    ]  # fmt: skip


def test_what_was_not_measured_has_none() -> None:
    assert pictures(summarise([], name="rm")) == []
    few = pictures(summarise([pair(0.5, 0.1), pair(0.3, 0.4)], name="rm"))
    assert [panel.title for panel in few] == ["Reliability", "Margins", "Scores"]


def test_drawings_are_finite_and_tell_their_numbers(whole: Summary) -> None:
    for panel in pictures(whole):
        assert not re.search(r"nan|inf", panel.drawing.svg), panel.title
        data = panel.drawing.data
        places, words, series = data["x"], data["t"], data["s"]
        assert isinstance(places, list)
        assert isinstance(words, list)
        assert isinstance(series, list)
        assert len(places) == len(words) > 1
        assert series
        assert all(
            isinstance(item, dict) and isinstance(item["v"], list) and len(item["v"]) == len(places)
            for item in series
        )


def test_margins_are_split_at_zero(whole: Summary) -> None:
    panel = next(panel for panel in pictures(whole) if panel.title == "Margins")
    wrong, right, tied = (item["v"] for item in panel.drawing.data["s"])  # type: ignore[union-attr, index, call-overload]
    assert sum(wrong) + sum(right) == whole.accuracy.num_decided
    assert sum(tied) == whole.accuracy.num_ties
    assert sum(right) / (sum(wrong) + sum(right)) == pytest.approx(whole.accuracy.share.value)  # type: ignore[union-attr]


def test_accuracy_by_pairs_seen_is_about_one_model(whole: Summary) -> None:
    panel = next(panel for panel in pictures(whole) if panel.title == "Accuracy by pairs seen")
    data = panel.drawing.data
    assert data["t"] == ["100 training pairs seen", "1,000 training pairs seen"]
    assert panel.drawing.svg.count('class="held"') == 3
    assert "One model as it grows" in panel.meaning
    assert "each trained model" not in panel.meaning
