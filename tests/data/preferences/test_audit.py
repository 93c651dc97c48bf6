from __future__ import annotations

import math

import pytest

from guerdon.core.types import Message, Preference, Problem
from guerdon.data.preferences.audit import Audit, label_noise, pair_key, verdict_alone, verdict_line, wilson


def pair(chosen: str, rejected: str, prompt: str = "q", **options: object) -> Preference:
    problem = Problem(id=prompt, messages=(Message(role="user", content=prompt),))
    return Preference(problem=problem, chosen=chosen, rejected=rejected, **options)  # type: ignore[arg-type]


def audited(*pairs: Preference) -> Audit:
    audit = Audit()
    for index, one in enumerate(pairs):
        audit.add(one, f"line {index + 1}")
    return audit


def test_the_interval_of_a_share_by_hand() -> None:
    # Wilson, 8 of 10, z = 1.96: centre 0.71675, half width 0.22657
    share = wilson(8, 10)
    assert share.value == 0.8
    assert share.low == pytest.approx(0.49016, abs=1e-4)
    assert share.high == pytest.approx(0.94332, abs=1e-4)
    assert math.isnan(wilson(0, 0).value)


def test_a_pair_has_one_key_whichever_is_chosen() -> None:
    assert pair_key(pair("a", "b")) == pair_key(pair(" b", "a"))
    assert pair_key(pair("a", "b")) != pair_key(pair("a", "b", prompt="other"))
    assert pair_key(pair("a", "bc")) != pair_key(pair("ab", "c"))


def test_repetitions_contradictions_and_disagreements_are_told_apart() -> None:
    audit = audited(
        pair("a", "b"),
        pair("a", "b"),  # the same again
        pair("b", "a"),  # the other way round, nobody says by whom
        pair("c", "d", annotator="ann"),
        pair("d", "c", annotator="bob"),
        pair("c", "d", annotator="cy"),
        pair("c", "d", annotator="bob"),  # bob now says otherwise
        pair("e", "f"),
        pair("e", "f", tie=True),
    )
    assert audit.counts == {"repetition": 1, "contradiction": 3, "disagreement": 1}
    assert [item[:2] for item in audit.examples if item.how == "contradiction"] == [
        ("line 3", "line 1"),
        ("line 7", "line 5"),
        ("line 9", "line 8"),
    ]
    agreement = audit.agreement()
    assert (agreement.value, agreement.num) == (0.5, 2)


def test_length_bias_leaves_out_ties_and_equal_lengths() -> None:
    audit = audited(
        pair("long", "s"),
        pair("longer", "s", prompt="r", source="model"),
        pair("s", "long", prompt="s"),
        pair("same", "size"),
        pair("tied at length", "s", tie=True),
    )
    share = audit.length_bias()
    assert (share.value, share.num) == (pytest.approx(2 / 3), 3)
    assert audit.length_bias("model").num == 1
    assert audit.length_bias("human").value == 0.5
    assert (audit.num_pairs, audit.ties, audit.num_prompts) == (5, 1, 3)


def test_preferences_in_a_circle_are_found() -> None:
    assert len(audited(pair("a", "b"), pair("b", "c"), pair("c", "a")).cyclic_prompts()) == 1
    assert not audited(pair("a", "b"), pair("b", "c"), pair("a", "c")).cyclic_prompts()
    assert not audited(pair("a", "b"), pair("b", "a")).cyclic_prompts()  # a contradiction already
    assert not audited(pair("a", "b"), pair("b", "c"), pair("c", "a", prompt="r")).cyclic_prompts()


def test_ratings_that_contradict_the_choice_are_counted() -> None:
    low, high = {"score": 1.0}, {"score": 2.0}
    audit = audited(
        pair("a", "b", chosen_ratings=low, rejected_ratings=high),
        pair("a", "c", chosen_ratings=high, rejected_ratings=low),
    )
    assert audit.num_inverted == 1


def test_label_noise_is_the_share_that_an_audit_overturns() -> None:
    labels = [pair(f"a{n}", f"b{n}") for n in range(10)] + [pair("x", "y", tie=True)]
    truth = [pair(f"b{n}", f"a{n}") if n < 3 else pair(f"a{n}", f"b{n}") for n in range(8)] + [pair("y", "x")]
    noise = label_noise(labels, truth)
    assert (noise.num_wrong, noise.num_audited, noise.num_ties) == (3, 8, 1)
    assert noise.share == 0.375
    assert str(noise).startswith("3 of 8 audited pairs are labelled the wrong way, 37.5 %")
    assert math.isnan(label_noise(labels, []).share)


def test_a_verdict_that_is_the_label_once_more_is_told() -> None:
    def judged(chosen: float | None, rejected: float | None, *, tie: bool = False) -> Preference:
        sides = [{} if value is None else {"verdict": value} for value in (chosen, rejected)]
        problem = Problem(id="p", messages=(Message(role="user", content="q"),))
        return Preference(
            problem=problem,
            chosen="a",
            rejected="b",
            tie=tie,
            chosen_ratings=sides[0],
            rejected_ratings=sides[1],
        )

    copied = verdict_alone([judged(1.0, 0.0)] * 60 + [judged(None, 0.0), judged(1.0, 0.0, tie=True)])
    assert (copied.value, copied.num) == (1.0, 60)
    assert "only learns to copy it" in verdict_line(copied)
    apart = verdict_alone([judged(1.0, 0.0), judged(0.0, 0.0), judged(1.0, 1.0), judged(0.0, 1.0)])
    assert apart.value == 0.25
    assert "copy" not in verdict_line(apart)
    assert verdict_alone([judged(None, 1.0)]).num == 0
