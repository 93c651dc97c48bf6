from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guerdon.explain.read import Evaluation, Interval, Run, read_run
from guerdon.explain.words import change, verdict, whole_change


def evaluation(label: str, rights: list[float], changes: dict[str, Interval] | None = None) -> Evaluation:
    value = sum(rights) / len(rights)
    return Evaluation(
        label=label,
        stage=label.removeprefix("after "),
        step=0,
        num_problems=len(rights),
        metrics={"sampled_accuracy": Interval(value, value - 0.03, value + 0.03)},
        changes=changes or {},
        per_problem={"sampled_accuracy": tuple(rights)},
    )


@pytest.fixture
def run(fresh_run: Path) -> Run:
    return read_run(fresh_run)


def said(run: Run, *evals: Evaluation) -> str:
    return verdict(replace(run, evals=evals)).replace("\u00a0", " ")


def test_a_clear_rise_is_told_with_the_last_stage_and_its_interval(run: Run) -> None:
    before = evaluation("before", [1.0] * 31 + [0.0] * 69)
    step = {"sampled_accuracy": Interval(0.214, 0.098, 0.185)}
    after = evaluation("after grpo", [1.0] * 52 + [0.0] * 48, step)
    assert said(run, before, after) == (
        "Sampled accuracy rose from 31.0 % to 52.0 % (GRPO stage: +21.4 points, 95 % interval 9.8 to 18.5)."
    )


def test_a_fall_is_called_a_fall(run: Run) -> None:
    worse = evaluation("after grpo", [0.0] * 100)
    assert "fell from 31.0 % to 0.0 %" in said(run, evaluation("before", [1.0] * 31 + [0.0] * 69), worse)


def test_noise_is_not_called_progress(run: Run) -> None:
    # 6 problems got right, 5 got wrong: +1 point, and 0 lies well inside the interval
    before = [1.0] * 5 + [0.0] * 6 + [1.0] * 20 + [0.0] * 69
    after = [0.0] * 5 + [1.0] * 6 + [1.0] * 20 + [0.0] * 69
    sentence = said(run, evaluation("before", before), evaluation("after grpo", after))
    assert sentence == "Sampled accuracy did not change measurably: 25.0 % before, 26.0 % after."


def test_a_single_evaluation_says_that_it_is_alone(run: Run) -> None:
    sentence = said(run, evaluation("before", [1.0, 0.0]))
    assert sentence.startswith("Sampled accuracy before training was 50.0 % (95 % interval 47.0 to 53.0)")
    assert sentence.endswith("has no later evaluation yet.")


def test_nothing_recorded_is_said_plainly(run: Run) -> None:
    assert verdict(run) == "No step has been recorded yet."


def test_the_whole_change_is_paired() -> None:
    # every problem gains exactly 0.1: paired, there is no uncertainty, however different the problems are
    before = [index / 200 for index in range(100)]
    gap = whole_change(
        evaluation("before", before),
        evaluation("after", [value + 0.1 for value in before]),
        "sampled_accuracy",
    )
    assert gap is not None
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.1, 0.1, 0.1))


def test_a_rounded_zero_has_no_sign() -> None:
    assert [change(value, "%") for value in (0.0002, -0.0002, 0.001)] == ["0.0", "0.0", "+0.1"]
