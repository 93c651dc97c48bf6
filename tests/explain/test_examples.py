from __future__ import annotations

import re
from dataclasses import replace

import pytest

from guerdon.explain.examples import comparisons, training_rollouts
from guerdon.explain.rollouts import Answer, Comparison, Comparisons, Group, PartView, TrainingStep

ANSWER = Answer(
    problem_id="p",
    prompt="1 + 1?",
    target="2",
    index=0,
    text="It is 2.",
    parts=(PartView(name="math", value=1.0, weight=2.0, note="equal", span=(6, 7), extracted="2"),),
    reward=2.0,
    advantage=0.75,
    stop="length",
    num_tokens=1234,
)


def page_of(*answers: Answer, failures: tuple[str, ...] = ()) -> str:
    group = Group(answers, len(answers), failures)
    return training_rollouts([TrainingStep("grpo", 5, (group,), 1)], "math")


def test_an_answer_says_everything_about_itself() -> None:
    shown = page_of(ANSWER)
    assert 'It is <mark title="math: equal">2</mark>.' in shown
    assert "1,234 tokens · cut off" in shown
    assert '<th scope="row">math</th><td>1 × 2</td><td dir="auto">equal' in shown
    assert '<th scope="row">reward</th><td>2</td>' in shown
    assert "+0.75" in shown


@pytest.mark.parametrize(
    ("advantage", "side", "strength"),
    [(0.75, "up", 62), (-0.75, "down", 62), (9.0, "up", 100), (0.0, "zero", 0), (None, "zero", 0)],
)
def test_colour_follows_the_advantage(advantage: float | None, side: str, strength: int) -> None:
    shown = page_of(replace(ANSWER, advantage=advantage))
    assert f'class="rollout {side}" style="--strength:{strength}%"' in shown


def test_unverified_is_neither_right_nor_wrong() -> None:
    unknown = replace(ANSWER, parts=(replace(ANSWER.parts[0], value=None),), reward=None)
    shown = page_of(unknown)
    assert 'data-verdict="unverified"' in shown
    assert "<td>not verified</td>" in shown
    assert '<th scope="row">reward</th><td>–</td>' in shown


def test_an_empty_answer_is_visible() -> None:
    assert "(empty)" in page_of(replace(ANSWER, text="", parts=()))


def test_a_blank_answer_says_how_blank() -> None:
    shown = page_of(replace(ANSWER, text=" \n" * 12, parts=(), advantage=-1e-9))
    assert "(24 characters, all blank)" in shown
    assert 'tokens">0.00</span>' in shown


def test_failures_are_shown_escaped() -> None:
    shown = page_of(ANSWER, failures=("score: <b>: boom",))
    assert '<p class="failure">score: &lt;b&gt;: boom</p>' in shown


def test_over_budget_the_rest_is_counted() -> None:
    long = replace(ANSWER, text="\u202e" * 50_000)
    groups = tuple(Group((long,) * 8, 8, ()) for _ in range(40))
    shown = training_rollouts([TrainingStep("grpo", 5, groups, 40)], "math")
    kept = int(re.findall(r"(\d+) of 40 problems", shown)[0])
    assert 0 < kept < 40
    assert shown.count('class="group"') == kept


def test_the_counts_of_all_kinds_are_told() -> None:
    shown = comparisons(
        Comparisons(
            shown=(Comparison("gained", (("before", ANSWER), ("after sft", ANSWER))),),
            counts={"gained": 3, "lost": 1, "right": 5, "wrong": 2},
            mode="greedy",
        ),
        "math",
    )
    assert "Of 11 held-out problems (greedy answers), 3 went from wrong to right and 1 from right" in shown
    assert re.findall(r"<h4>(\w+ ?\w*) <", shown) == ["Before", "After SFT"]


def test_what_is_not_there_is_said() -> None:
    assert "No training rollouts were recorded." in training_rollouts([], "math")
    assert "two evaluated models" in comparisons(None, "math")
