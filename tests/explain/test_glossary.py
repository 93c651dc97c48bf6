from __future__ import annotations

import pytest

from guerdon.explain.glossary import EVALUATION, TRAINING, term
from guerdon.rewards.signal import Signal
from run_folders import metrics_at


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_every_metric_of_a_run_is_explained(stage: str) -> None:
    unexplained = [name for name in metrics_at(stage, 3, 9) if not term(name).meaning]
    assert unexplained == []


def test_every_reason_of_the_signal_accounting_is_explained() -> None:
    assert [kind for kind in Signal if f"signal/groups_{kind}" not in TRAINING] == []


def test_a_meaning_is_one_sentence_with_an_end() -> None:
    for known in (EVALUATION | TRAINING).values():
        assert known.meaning.endswith(".")
        assert len(known.meaning) < 130


def test_pass_at_k_takes_any_k() -> None:
    assert term("pass@64").meaning == "Share of problems with a right answer among 64 samples."
    assert term("pass@k").meaning == ""


def test_a_part_may_have_any_name() -> None:
    assert term("rewards/a/b {0} {x}/mean").label == "a/b {0} {x}, mean"


@pytest.mark.parametrize("metric", ["greedy_accuracy", "sampled_accuracy", "sampled_value", "pass@8"])
def test_the_metrics_of_a_set_name_it(metric: str) -> None:
    known = term(f"{metric}/open {{0}}")
    assert known.label.endswith(", open {0}")
    assert "“open {0}”" in known.meaning
    assert len(known.meaning) < 130
    assert known.better == 1
