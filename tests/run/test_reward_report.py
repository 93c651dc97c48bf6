from __future__ import annotations

import json
from pathlib import Path

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import UserError
from guerdon.models.version import version_of
from guerdon.run.build_reward import pairs_file
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.folder import RunFolder, kind_of
from guerdon.run.reward_eval import JudgedPair, RewardEvaluation
from guerdon.run.reward_report import reward_summary, write_reward_report
from rewarding import pair, tiny_reward_model


def run(tmp_path: Path, *steps: tuple[str, int, int, float]) -> Path:
    """A run folder with evaluations: (label, step, training pairs seen, by how much the chosen side wins)."""
    config = parse_config(
        RewardRunConfig, {"data": {"train": {"w": {"kind": "arith"}}}, "train": {"batch_size": 4}}
    )
    with RunFolder.create(tmp_path / "rm") as folder:
        folder.write_config(config)
        for label, step, seen, gap in steps:
            judged = tuple(
                JudgedPair(pair(f"<b>{index}"), gap, 0.0, gap * (1 if index % 4 else -1), 0.0)
                for index in range(12)
            )
            found = RewardEvaluation(label, step, judged, 1.0)
            folder.append_eval({**found.record(), "pairs_seen": seen})
            rows = "".join(json.dumps(item.record()) + "\n" for item in judged)
            pairs_file(folder.path, label).write_text(rows)
        return folder.path


def test_the_last_evaluation_and_accuracy_against_pairs_seen(tmp_path: Path) -> None:
    # Eight pairs, four a step: after the second step all are seen, and the later passes show none anew.
    steps = (("before", 0, 0, -0.1), ("step 1", 1, 4, 0.1), ("step 2", 2, 8, -0.2), ("after rm", 5, 8, 0.4))
    summary = reward_summary(run(tmp_path, *steps))
    assert summary.accuracy.share is not None
    assert summary.accuracy.share.value == pytest.approx(0.75)
    assert summary.scaling is not None
    # Of the two evaluations after eight pairs the later one: -0.2 would say 0.25.
    assert [(point.num_pairs, point.share.value) for point in summary.scaling.points] == [
        (4, 0.75),
        (8, 0.75),
    ]


def test_the_report_has_the_loss_curve_and_the_model_s_version(tmp_path: Path) -> None:
    folder = run(tmp_path, ("before", 0, 0, -0.1), ("after rm", 5, 20, 0.4))
    tiny_reward_model().save(folder / "checkpoints" / "checkpoint-rm-00005" / "model")
    tiny_reward_model(seed=1).save(folder / "checkpoints" / "checkpoint-rm-00004" / "model")
    with (folder / "metrics.jsonl").open("w") as file:
        for step in range(1, 6):
            metrics = {"loss": 0.7 - 0.1 * step, "accuracy": 0.5, "learning_rate": 1e-4}
            file.write(
                json.dumps({"stage": "rm", "step": step, "time": float(step), "metrics": metrics}) + "\n"
            )
    html = write_reward_report(folder).read_text()
    assert version_of(folder / "checkpoints" / "checkpoint-rm-00005" / "model") in html
    training = html[html.index('id="training"') :]
    assert [title in training for title in (">Loss<", ">Accuracy by step<", ">Learning rate<")] == [True] * 3
    assert training.count('circle class="held"') == 2  # held-out accuracy before and after


def test_the_page_stands_in_the_run_and_escapes_texts(tmp_path: Path) -> None:
    folder = run(tmp_path, ("after rm", 5, 20, 0.4))
    page = write_reward_report(folder)
    assert page == folder / "report.html"
    html = page.read_text()
    assert "Say <b>" not in html
    assert "Say &lt;b&gt;" in html
    assert kind_of(folder) == "reward_model"
    assert kind_of(tmp_path) is None


def test_health_on_samples_and_alarms_stand_on_the_page(tmp_path: Path) -> None:
    folder = run(tmp_path, ("after rm", 5, 20, 0.4))
    evals = [json.loads(line) for line in (folder / "evals.jsonl").read_text().splitlines()]
    evals[0]["metrics"] |= {
        "reward_health/sample_score_mean": {"value": -0.91},
        "reward_health/sample_score_std": {"value": 0.02},
        "reward_health/sample_saturated": {"value": 0.25},
    }
    (folder / "evals.jsonl").write_text("".join(json.dumps(line) + "\n" for line in evals))
    event = {"stage": "rm", "step": 4, "kind": "collapse_alarm", "message": "collapsed: scores <are> off"}
    (folder / "events.jsonl").write_text(json.dumps(event) + "\n")
    summary = reward_summary(folder)
    assert summary.samples == {"score_mean": -0.91, "score_std": 0.02, "saturated": 0.25}
    assert summary.alarms == ("at step 4 it collapsed: scores <are> off",)
    html = write_reward_report(folder).read_text()
    assert "Samples, mean and spread" in html
    assert "at step 4 it collapsed: scores &lt;are&gt; off" in html


def test_without_an_evaluation_there_is_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing evaluated yet"):
        reward_summary(run(tmp_path))
