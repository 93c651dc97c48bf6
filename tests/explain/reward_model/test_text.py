"""The terminal's table says the same numbers, aligned, in plain ASCII."""

from __future__ import annotations

import dataclasses

from guerdon.explain.reward_model.summary import summarise
from guerdon.explain.reward_model.text import summary_table
from scored_rows import many_lists, many_pairs, pair, rm_bench


def test_columns_stand_below_each_other() -> None:
    rows = [
        dataclasses.replace(pair(0.5, 0.25), source="a"),
        dataclasses.replace(pair(0.25, 0.5), source="b"),
        pair(None, 0.5),
    ]
    lines = summary_table(summarise(rows, name="rm")).splitlines()
    head, rule, whole, first, second = lines[:5]
    assert whole.split("  ")[0] == "all pairs"
    place = head.index("accuracy, %")
    assert [line[place:].split("  ")[0] for line in (whole, first, second)] == [
        "50.0 (9.5 to 90.5)",
        "100.0 (20.7 to 100.0)",
        "0.0 (0.0 to 79.3)",
    ]
    assert [line[head.index("pairs ") :].split()[0] for line in (whole, first, second)] == ["2", "1", "1"]
    assert whole.endswith("1 unscored")
    assert set(rule) == {"-"}


def test_every_block_is_there_and_ascii() -> None:
    rows = many_pairs()
    summary = summarise(
        rows,
        name="rm",
        lists=many_lists(),
        others={"öther\x1b[2J": many_pairs(seed=3)},
        runs=[(9, rows), (18, rows)],
    )
    bench = rm_bench()
    text = summary_table(dataclasses.replace(summary, benches=(bench,)))
    assert all(" " <= char <= "~" or char == "\n" for char in text)
    assert "\x1b" not in text
    for words in (
        "one pair of each item",
        "calibration error",
        "Missing: Code, Safety; so the overall number compares with no leaderboard.",
        "right, by style (all domains)",
        "both in the concise style",
        "best of n",
        "pairs seen",
        "kappa",
    ):
        assert words in text
    assert "chosen longer" in text
    (best_of,) = [line.split() for line in text.splitlines() if line.startswith("best of n")]
    assert best_of == ["best", "of", "n", "worth", "u", "best", "there", "is"]
    assert bench.official is not None
    wanted = [100 * (value or 0) for value in (bench.official.value, bench.official.low, bench.official.high)]
    (overall,) = [line for line in text.splitlines() if line.startswith("overall")]
    assert overall.split("  ")[-2].strip() == "{:.1f} ({:.1f} to {:.1f})".format(*wanted)
    assert text.index("overall") < text.index("one pair of each item")  # the benchmark's own number first
    assert not text.endswith("\n")


def test_nothing_to_say() -> None:
    lines = summary_table(summarise([], name="rm")).splitlines()
    assert lines[2].split() == ["all", "pairs", "-", "0", "-"]
