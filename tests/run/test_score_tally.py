from __future__ import annotations

from typing import Any

from guerdon.rewards.config import parse_rewards
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.run.score_tally import MAX_REASONS, OTHER, Tally, general


def row(name: str, value: float | None, **parts: float | None) -> dict[str, Any]:
    return {
        "id": name,
        "value": value,
        "parts": [
            {"name": part, "value": found, "evidence": {"note": f"problem {name} has no target"}}
            for part, found in parts.items()
        ],
    }


def tally() -> Tally:
    length = {"kind": "overlong", "weight": 0.0, "max_length": 10, "cache": 5}
    return Tally(parse_rewards({"math": {}, "format": {"weight": 0.5}, "length": length}))


def test_means_and_passes_over_what_was_verified() -> None:
    found = tally()
    found.add(row("a", 1.5, math=1.0, format=1.0), 0.5)
    found.add(row("b", 0.5, math=0.0, format=1.0), 1.5)
    found.add(row("c", None, math=None, format=1.0))
    assert (found.parts["math"].mean, found.parts["math"].pass_rate) == (0.5, 0.5)
    assert found.parts["format"].pass_rate == 1.0
    assert (found.reward.mean, found.reward.pass_rate, found.reward.unverified) == (1.0, 0.5, 1)
    assert (found.rows, found.timed, found.seconds, found.slowest) == (3, 2, 2.0, (1.5, "b"))
    assert found.parts["length"].mean is None


def test_reasons_are_counted_across_rows() -> None:
    found = tally()
    for index in range(3):
        found.add(row(f"p{index}", None, math=None))
    (reason,) = found.reasons()
    assert (reason.part, reason.rows, reason.example) == ("math", 3, "p0")
    assert reason.why == "problem … has no target"


def test_a_reason_keeps_its_own_words_where_all_rows_have_them() -> None:
    found = tally()
    note = "0 of 4 votes could be read from m, version v1; no line 'Score: N'"

    def add(name: str, said: str) -> None:
        found.add({**row(name, None), "parts": [{"name": "math", "value": None, "evidence": {"note": said}}]})

    add("m1", note)
    add("e", note)  # an id of one letter does not take it out of every word
    assert [reason.why for reason in found.reasons()] == [note]
    add("7", note.replace("0 of 4", "1 of 4"))
    assert [(reason.why, reason.rows) for reason in found.reasons()] == [
        ("… of … votes could be read from m, version v1; no line '…'", 3)
    ]
    add("x", note.replace("0 of 4", "1 of 4"))
    add("x", note)
    assert "… of … votes" in found.reasons()[0].why, "once they differ they differ"


def test_reasons_do_not_grow_without_bound() -> None:
    found = tally()
    for index in range(MAX_REASONS + 50):
        letters = "".join(chr(97 + int(digit)) for digit in str(index))
        part = {"name": "math", "value": None, "evidence": {"note": letters}}
        found.add({"id": "x-y-z", "value": None, "parts": [part]})
    reasons = found.reasons()
    assert len(reasons) == MAX_REASONS + 1
    assert (reasons[0].why, reasons[0].rows) == (OTHER, 50)


def test_what_differs_from_row_to_row_is_left_out() -> None:
    assert general("row 17: '3 + x' took 1.5 s", "q") == "row …: '…' took … s"
    assert general("", "") == ""
    assert len(general("word " * 100, "")) == 160


def test_a_node_is_a_column_and_the_root_has_the_weight() -> None:
    gate = {"kind": "gate", "condition": "format", "then": "math"}
    found = Tally(RubricConfig.parse({"rewards": {"math": {}, "format": {}}, "reward": {"total": gate}}))
    found.add(row("a", 1.0, math=1.0, format=1.0, total=1.0))
    found.add(row("b", -1.0, math=1.0, format=0.0, total=-1.0))
    assert found.weights == {"math": 0.0, "format": 0.0, "total": 1.0}
    assert (found.parts["total"].mean, found.reward.pass_rate) == (0.0, 0.5)
