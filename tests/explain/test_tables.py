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


def test_bars_of_negative_values_stand_where_they_belong() -> None:
    # From 1.1 times the least end, -0.5, to 0: -0.4 at 20 %, and 0 at the right, with its mark.
    found = [Interval(-0.4, -0.5 / 1.1, -0.3), Interval(-0.1, -0.2, 0.0)]
    table = results([evaluation(str(n), "no/such", one) for n, one in enumerate(found)])
    assert re.findall(r'<u style="left:([\d.]+)%">', table) == ["100.0", "100.0"]
    assert re.findall(r'<b style="left:([\d.]+)%">', table) == ["20.0", "80.0"]
    assert 'style="left:9.1%;width:30.9%"' in table
    assert "<small>−0.455 to −0.3</small>" in table  # a dash would be taken for a minus
    mixed = results([evaluation("a", "no/such", Interval(1.0, -1.0, 3.0))])
    assert re.findall(r'<u style="left:([\d.]+)%">', mixed) == ["25.0"]
    assert "<u" not in results([evaluation("a", "no/such", Interval(1.0, 0.5, 3.0))])


def test_the_caption_says_how_intervals_were_made() -> None:
    one = [evaluation("before", "accuracy", Interval(0.5, 0.4, 0.6))]
    assert "bars: bootstrap 95 % intervals.</caption>" in results(one)
    assert "bars: Wilson 95 % intervals.</caption>" in results(one, over="held-out pairs", intervals="Wilson")
    assert "paired problem by problem" in results(
        [evaluation("after", "accuracy", one[0].metrics["accuracy"], Interval(0.1, 0.0, 0.2))]
    )


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
