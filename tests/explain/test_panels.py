from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from guerdon.explain.panels import Panel, panels
from guerdon.explain.read import Run, read_run
from run_folders import write_config, write_metrics


def of_stage(run: Run, name: str) -> dict[str, Panel]:
    (stage,) = (stage for stage in run.stages if stage.name == name)
    return {panel.title: panel for panel in panels(run, stage)}


@pytest.fixture(scope="module")
def run(finished_run: Path) -> Run:
    return read_run(finished_run)


def test_shares_of_the_stations_sum_to_the_whole(run: Run) -> None:
    legend = of_stage(run, "grpo")["Time by station"].legend
    assert [entry.name for entry in legend] == [
        "rollout",
        "score",
        "logprobs",
        "forward",
        "backward",
        "update",
    ]
    shares = [float(entry.note.removesuffix("\u00a0%")) for entry in legend]
    assert sum(shares) == pytest.approx(100.0, abs=0.3)


def test_a_station_keeps_its_colour_in_every_stage(run: Run) -> None:
    colours = [
        {entry.name: entry.colour for entry in of_stage(run, stage)["Time by station"].legend}
        for stage in ("sft", "grpo")
    ]
    assert colours[0].items() <= colours[1].items()
    assert len(set(colours[1].values())) == len(colours[1])


def test_groups_are_counted_by_signal(run: Run) -> None:
    panel = of_stage(run, "grpo")["Groups by signal"]
    assert [entry.name for entry in panel.legend] == ["learning", "all right", "all wrong"]  # never truncated
    assert panel.summary.endswith(" of 8.0 teach")


def test_accuracy_shows_held_out_marks_at_both_ends(run: Run) -> None:
    svg = of_stage(run, "grpo")["Accuracy"].drawing.svg
    assert svg.count('class="held"') == 2  # after SFT, after GRPO
    assert 'class="held" cx="42.0"' in svg
    assert 'class="held" cx="372.0"' in svg


def test_before_its_evaluation_a_stage_has_one_mark(run: Run) -> None:
    unfinished = replace(run, evals=run.evals[:2])
    assert of_stage(unfinished, "grpo")["Accuracy"].drawing.svg.count('class="held"') == 1


def test_a_metric_of_weight_zero_is_no_layer(fresh_run: Path) -> None:
    write_config(fresh_run, rewards={"math": {"weight": 2.0}, "watch": {"weight": 0.0}})
    metrics = {"reward": 1.0, "rewards/math/mean": 0.5, "rewards/watch/mean": 0.9}
    line = {"stage": "grpo", "step": 1, "time": 1.0, "metrics": metrics}
    (fresh_run / "metrics.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    legend = of_stage(read_run(fresh_run), "grpo")["Reward"].legend
    assert [entry.name for entry in legend] == ["math × 2", "reward"]


def test_without_a_kl_term_there_is_no_kl_chart(fresh_run: Path) -> None:
    line = {"stage": "grpo", "step": 1, "time": 1.0, "metrics": {"reward": 1.0, "kl": 0.0, "entropy": 0.0}}
    (fresh_run / "metrics.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert list(of_stage(read_run(fresh_run), "grpo")) == ["Reward", "Entropy"]


def test_every_chart_is_told_in_words(run: Run) -> None:
    label = of_stage(run, "grpo")["Entropy"].drawing.svg.split('aria-label="')[1].split('"')[0]
    assert label.startswith("Entropy, GRPO, 90 steps: from 1.")
    assert "lowest 0." in label


def test_the_monitor_s_panel_marks_the_alarm(fresh_run: Path) -> None:
    write_metrics(fresh_run, {"grpo": 60})
    lines = [json.loads(line) for line in (fresh_run / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        if line["stage"] == "grpo":
            line["metrics"] |= {"monitor/proxy_z": 0.1 * line["step"], "monitor/rule_z": -0.1 * line["step"]}
    (fresh_run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    quiet = of_stage(read_run(fresh_run), "grpo")["Reward hacking"]
    assert quiet.summary == "no alarm"
    assert [entry.name for entry in quiet.legend] == ["rule", "reward"]
    assert 'class="alarm"' not in quiet.drawing.svg
    event = {"stage": "grpo", "step": 40, "kind": "hacking_alarm", "message": "rule went <down>"}
    (fresh_run / "events.jsonl").write_text(json.dumps(event) + "\n")
    panel = of_stage(read_run(fresh_run), "grpo")["Reward hacking"]
    assert panel.summary == "alarm at step 40"
    assert panel.drawing.svg.count('class="alarm"') == 1
    assert "rule went <down>." in panel.meaning


def test_without_a_monitor_there_is_no_such_panel(run: Run) -> None:
    assert "Reward hacking" not in of_stage(run, "grpo")
