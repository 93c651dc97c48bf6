from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from guerdon.core.errors import UserError
from guerdon.explain.read import read_run

STEP = '{"stage": "grpo", "step": %d, "time": 1.0, "metrics": {"reward": 0.5}}\n'


def test_a_finished_run_is_read_whole(finished_run: Path) -> None:
    run = read_run(finished_run)
    assert [(stage.name, stage.last_step, stage.planned_steps) for stage in run.stages] == [
        ("sft", 60, 60),
        ("grpo", 90, 90),
    ]
    assert [item.label for item in run.evals] == ["before", "after sft", "after grpo"]
    assert run.stages[0].seconds == pytest.approx(60 * 2.5)
    assert run.weights == {"math": 1.0, "format": 0.2}
    assert run.notices == ()


def test_the_weights_of_a_reward_tree_are_those_of_its_root(fresh_run: Path) -> None:
    path = fresh_run / "config.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["config"]["rewards"] = {"math": {}, "format": {}}
    gate = {"kind": "gate", "condition": "format", "then": "math"}
    record["config"]["reward"] = {
        "total": {"kind": "sum", "of": {"gate": 2.0}},
        "gate": gate,
        "calibrate": {},
    }
    path.write_text(json.dumps(record), encoding="utf-8")
    assert read_run(fresh_run).weights == {"math": 0.0, "format": 0.0, "gate": 2.0, "total": 0.0}
    record["config"]["reward"]["gate"]["kind"] = "of_another_version"
    path.write_text(json.dumps(record), encoding="utf-8")
    assert read_run(fresh_run).weights == {"math": 1.0, "format": 1.0}


def test_a_half_written_last_line_is_passed_over_and_told(fresh_run: Path) -> None:
    text = STEP % 1 + STEP % 2 + (STEP % 3)[:30]
    (fresh_run / "metrics.jsonl").write_text(text, encoding="utf-8")
    run = read_run(fresh_run)
    assert run.stages[0].last_step == 2
    assert run.notices == ("The last line of metrics.jsonl is half-written and was passed over.",)


def test_damage_in_the_middle_does_not_hide_the_rest(fresh_run: Path) -> None:
    rubbish = '{"half\n\x00\x00\n[1]\n{"stage": 3}\n' + '{"a":' * 60_000 + "\n"
    (fresh_run / "metrics.jsonl").write_text(STEP % 1 + rubbish + STEP % 2, encoding="utf-8")
    run = read_run(fresh_run)
    assert run.stages[0].last_step == 2
    assert run.notices == ("4 damaged lines of metrics.jsonl passed over.",)


def test_what_is_not_a_finite_number_is_not_drawn(fresh_run: Path) -> None:
    metrics = '{"reward": NaN, "kl": null, "loss": true, "entropy": 1e999, "grad_norm": 2}'
    line = f'{{"stage": "grpo", "step": 1, "time": null, "metrics": {metrics}}}\n'
    (fresh_run / "metrics.jsonl").write_text(line, encoding="utf-8")
    run = read_run(fresh_run)
    assert list(run.stages[0].curves) == ["grad_norm"]
    assert run.notices == ("4 metric values were not finite and are not drawn.",)


def test_an_interval_that_could_not_be_estimated_is_left_out(fresh_run: Path) -> None:
    line = {"label": "before", "metrics": {"sampled_accuracy": {"value": 1, "low": None, "high": None}}}
    text = json.dumps(line) + '\n{"label": "no metrics"}\n'
    (fresh_run / "evals.jsonl").write_text(text, encoding="utf-8")
    run = read_run(fresh_run)
    assert run.evals[0].metrics["sampled_accuracy"].low is None
    assert len(run.evals) == 1
    assert run.notices == ("A line of evals.jsonl is not an evaluation and was passed over.",)


def test_an_evaluation_made_twice_counts_once(fresh_run: Path) -> None:
    lines = [{"label": "before", "metrics": {"a": {"value": value}}} for value in (1.0, 2.0)]
    (fresh_run / "evals.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert [item.metrics["a"].value for item in read_run(fresh_run).evals] == [2.0]


def test_memory_does_not_grow_with_the_run(fresh_run: Path) -> None:
    def peak(num_steps: int) -> int:
        with (fresh_run / "metrics.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(STEP % step for step in range(1, num_steps + 1))
        tracemalloc.start()
        read_run(fresh_run)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(12_000) < 1.5 * peak(1_500)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"config": 3}', '{"config": {}'])
def test_what_is_no_run_folder_is_refused_in_one_line(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_run(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_events_are_read_and_what_is_none_is_told(fresh_run: Path) -> None:
    event = {"stage": "grpo", "step": 3, "kind": "hacking_alarm", "message": "m"}
    (fresh_run / "events.jsonl").write_text(json.dumps(event) + '\n{"stage": "grpo"}\n')
    run = read_run(fresh_run)
    assert [(item.stage, item.step, item.message) for item in run.events] == [("grpo", 3, "m")]
    assert run.notices == ("A line of events.jsonl is not an event and was passed over.",)
