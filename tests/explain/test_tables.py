from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from guerdon.explain.read import Evaluation, Interval, Run, read_run
from guerdon.explain.tables import metric_numbers, provenance, recipe, results


@pytest.fixture(scope="module")
def run(finished_run: Path) -> Run:
    return read_run(finished_run)


def evaluation(label: str, name: str, found: Interval, gap: Interval | None = None) -> Evaluation:
    return Evaluation(
        label=label,
        stage="grpo",
        step=1,
        num_problems=200,
        metrics={name: found},
        changes={name: gap} if gap else {},
        per_problem={},
    )


def test_columns_are_the_evaluations_then_their_changes(run: Run) -> None:
    heads = re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', results(run.evals))
    assert heads == ["Before", "After SFT", "After GRPO", "Change, SFT", "Change, GRPO", "Change, whole run"]


def test_the_interval_bar_stands_where_its_numbers_say() -> None:
    table = results([evaluation("before", "format_rate", Interval(0.5, 0.25, 0.75))])
    assert "<b>50.0</b><small>25.0 – 75.0</small>" in table
    assert 'style="left:25.0%;width:50.0%"' in table
    assert 'style="left:50.0%"' in table


def test_a_value_without_interval_has_no_bar() -> None:
    assert "ibar" not in results([evaluation("before", "format_rate", Interval(0.5))])


@pytest.mark.parametrize(
    ("name", "gap", "mood"),
    [
        ("format_rate", Interval(0.1, 0.05, 0.15), "change good"),
        ("format_rate", Interval(-0.1, -0.15, -0.05), "change bad"),
        ("format_rate", Interval(0.1, -0.01, 0.21), "change"),  # may be noise
        ("mean_length", Interval(9.0, 5.0, 15.0), "change"),  # longer is neither good nor bad
    ],
)
def test_only_a_clear_change_is_coloured(name: str, gap: Interval, mood: str) -> None:
    table = results(
        [evaluation("before", name, Interval(1.0)), evaluation("after", name, Interval(1.0), gap)]
    )
    assert f'<td class="{mood}"' in table


def test_all_metrics_stand_as_numbers(run: Run) -> None:
    table = metric_numbers(run.stages[1])
    assert set(re.findall(r"<code>([^<]*)</code>", table)) == set(run.stages[1].curves)


def test_the_recipe_shows_nested_settings_and_cuts_long_ones(run: Run) -> None:
    long = replace(run, config={**run.config, "data": {"train": {"kind": "arith", "note": "x" * 5_000}}})
    shown = recipe(long)
    assert "<dt>train.kind</dt><dd>arith</dd>" in shown
    assert "x" * 599 + "…" in shown
    assert "x" * 600 not in shown
    assert "lora" not in shown  # what the recipe left out


def test_where_it_ran_is_told(run: Run) -> None:
    shown = provenance(run)
    assert "<dt>git_commit</dt><dd>0f3c2a</dd>" in shown
    assert "guerdon 0.1.0, pyarrow 24.0.0, torch 2.13.0" in shown
