"""A summary holds what the rows allow, and JSON keeps it."""

from __future__ import annotations

import dataclasses
import json

from guerdon.explain.reward_model.summary import slices, summarise
from scored_rows import many_lists, many_pairs, pair


def test_everything_is_there() -> None:
    rows = many_pairs()
    found = summarise(
        rows,
        name="rm",
        lists=many_lists(),
        others={"other": many_pairs(seed=3)},
        runs=[(10, rows), (20, rows)],
    )
    empty = [field.name for field in dataclasses.fields(found) if not getattr(found, field.name)]
    assert empty == ["data", "version", "tokens_per_s", "matrix", "benches", "samples", "alarms"]
    assert list(found.slices) == [
        "source",
        "subset",
        "length in tokens",
        "longer side",
    ]  # one domain is no slice
    assert found.accuracy.num_unscored == sum(row.difference is None for row in rows) == 6
    assert found.scores is not None
    assert found.scores.sides.edges[0] == -1.0
    assert all(row.hit == 0 for row in found.worst)


def test_json_is_strict_and_holds_no_texts() -> None:
    found = summarise(many_pairs(), name="rm", lists=many_lists())
    text = json.dumps(found.record(), allow_nan=False)
    assert "window.hacked" not in text
    assert json.loads(text)["accuracy"]["share"]["value"] == found.accuracy.share.value  # type: ignore[union-attr]
    assert json.loads(text)["worst"][0] == found.worst[0].id


def test_what_is_not_there_is_left_out() -> None:
    found = summarise([pair(0.5, 0.1)], name="rm")
    assert (found.length, found.ties, found.ensemble, found.best_of, found.scaling) == (None,) * 5
    assert found.slices == {}
    nothing = summarise([], name="rm")
    assert (nothing.accuracy.share, nothing.scores, nothing.margins, nothing.calibration) == (None,) * 4


def test_scores_beyond_one_are_shown_on_their_own_range() -> None:
    found = summarise([pair(5.0, -3.0), pair(2.0, 1.0)], name="rm").scores
    assert found is not None
    assert (found.sides.edges[0], found.sides.edges[-1]) == (-3.0, 5.0)
    assert summarise([pair(2.0, 2.0)], name="rm").scores is not None


def test_lengths_are_bucketed_in_each_unit_that_was_counted() -> None:
    rows = [
        dataclasses.replace(
            pair(1.0, float(n % 2 * 2), str(n), lengths=(n, 1)), chosen_chars=90 - n, rejected_chars=2
        )
        for n in range(2, 42)
    ]
    found = summarise(rows, name="rm").slices
    assert next(iter(found["length in tokens"])) == "2 to 9"
    assert list(found["length in characters"])[-1] == "81 to 88"
    uncounted = [dataclasses.replace(row, chosen_tokens=None) for row in rows]
    assert "length in tokens" not in summarise(uncounted, name="rm").slices
    assert "length in characters" in summarise(uncounted, name="rm").slices


def test_set_data_set_domain_and_subset_are_slices_of_their_own() -> None:
    rows = [
        dataclasses.replace(
            pair(1.0, float(n % 3), str(n)), source="human", set=("a", "b")[n % 2], data_set=("hh", "tulu")[n // 6],
            domain=("code", "chat", "")[n % 3], subset="easy",
        )
        for n in range(12)
    ]  # fmt: skip
    found = slices(rows)
    assert list(found) == ["set", "data set", "domain", "subset"]
    assert {name: item.num_decided for name, item in found["domain"].items()} == {"chat": 4, "code": 4}
    assert found["domain"]["code"].share.value == 1.0  # type: ignore[union-attr]
    assert list(found["data set"]) == ["hh", "tulu"]
    assert list(found["subset"]) == ["a, easy", "b, easy"]  # one name in two sets is two parts
