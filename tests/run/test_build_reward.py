"""Whole trainings of a tiny reward model through the real command: resume after kill -9, Ctrl-C, collapse, refusals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

RECIPE = """
kind = "reward_model"
name = "rm"
save_steps = 1
[model]
source = "builtin:tiny"
[data]
eval_fraction = 0.2
[data.train.worked]
kind = "arith"
num_pairs = 80
max_operands = 2
max_digits = 1
[train]
max_steps = 5
batch_size = 8
learning_rate = 1e-3
[eval]
num_pairs = 6
eval_steps = 2
"""


def command(tmp_path: Path, *extra: str) -> list[str]:
    (tmp_path / "rm.toml").write_text(RECIPE)
    output = ("--set", f"output_dir={tmp_path / 'runs'}")
    return [sys.executable, "-m", "guerdon", "rm", "train", str(tmp_path / "rm.toml"), *output, *extra]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def run(tmp_path: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(tmp_path, *extra), env=environment(), capture_output=True, text=True, check=False
    )


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def learned(folder: Path) -> list[dict[str, float]]:
    timed = ("timing_s/", "memory/", "step_time")
    return [
        {name: value for name, value in line["metrics"].items() if not name.startswith(timed)}
        for line in lines(folder, "metrics.jsonl")
    ]


def model_of(folder: Path) -> Path:
    return folder / "checkpoints" / "checkpoint-rm-00005" / "model"


def same_weights(first: Path, second: Path) -> bool:
    for name in ("model.safetensors", "reward_heads.safetensors"):
        one, two = load_file(model_of(first) / name), load_file(model_of(second) / name)
        if one.keys() != two.keys() or not all(torch.equal(one[key], two[key]) for key in one):
            return False
    return True


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    done = run(folder)
    assert done.returncode == 0, done.stderr
    assert "accuracy, %" in done.stdout
    return folder / "runs" / "rm"


def test_a_run_leaves_its_records_and_a_model_with_its_results(whole: Path) -> None:
    assert [line["label"] for line in lines(whole, "evals.jsonl")] == [
        "before",
        "step 2",
        "step 4",
        "after rm",
    ]
    rows = lines(whole / "evals", "after_rm.jsonl")
    assert len(rows) == 6
    assert {row["source"] for row in rows} == {"rule"}
    samples = [json.loads(line) for line in (whole / "samples.jsonl").read_text().splitlines()]
    assert len(samples) == 2 * len({row["prompt"] for row in rows})
    scored = lines(whole / "evals", "after_rm_samples.jsonl")
    assert [row["completion"] for row in scored] == [row["completion"] for row in samples]
    assert all(-1.0 <= row["score"] <= 1.0 for row in scored)
    assert {"u_std", "reward_health/sample_score_mean", "reward_health/sample_u_std"} <= lines(
        whole, "evals.jsonl"
    )[-1]["metrics"].keys()
    results = json.loads((model_of(whole) / "results.json").read_text())
    assert 0.0 <= results["metrics"]["accuracy"]["value"] <= 1.0
    metrics = learned(whole)[-1]
    assert {"loss", "accuracy", "margin", "loss/ranking", "grad_norm"} <= metrics.keys()
    assert not [name for name in metrics if name.startswith(("rewards/", "completions/"))]


def test_without_prompts_for_samples_nothing_is_said_of_them(tmp_path: Path) -> None:
    quick = ("--set", "train.max_steps=1", "--set", "eval.before=false")
    done = run(tmp_path, *quick, "--set", "eval.num_sample_prompts=0")
    assert done.returncode == 0, done.stderr
    assert "sample" not in done.stdout + done.stderr
    assert "samples of the policy: 1/1" in run(tmp_path, *quick).stderr


def test_a_killed_run_ends_as_one_never_interrupted(whole: Path, tmp_path: Path) -> None:
    folder = killed_after_two_steps(tmp_path)
    done = run(tmp_path, "--resume", str(folder))
    assert done.returncode == 0, done.stderr
    assert same_weights(folder, whole)
    assert learned(folder) == learned(whole)
    assert [line["metrics"] for line in lines(folder, "evals.jsonl")] == [
        line["metrics"] for line in lines(whole, "evals.jsonl")
    ]
    assert (folder / "samples.jsonl").read_bytes() == (whole / "samples.jsonl").read_bytes()


def killed_after_two_steps(tmp_path: Path, *extra: str) -> Path:
    process = subprocess.Popen(command(tmp_path, *extra), env=environment(), stderr=subprocess.DEVNULL)
    folder = tmp_path / "runs" / "rm"
    deadline = time.monotonic() + 120
    while not (folder / "checkpoints" / "checkpoint-rm-00002").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not model_of(folder).exists()
    return folder


LORA = ("--set", "model.lora={ r = 4, dropout = 0.2 }", "--set", "model.gradient_checkpointing=true")


def test_adapters_with_dropout_save_without_a_trace_and_resume_bit_for_bit(tmp_path: Path) -> None:
    seldom = run(tmp_path, *LORA, "--set", "save_steps=100", "--set", f"output_dir={tmp_path / 'seldom'}")
    assert seldom.returncode == 0, seldom.stderr
    assert "Warning" not in seldom.stderr
    folder = killed_after_two_steps(tmp_path, *LORA)
    done = run(tmp_path, "--resume", str(folder), *LORA)
    assert done.returncode == 0, done.stderr
    assert same_weights(folder, tmp_path / "seldom" / "rm")
    assert learned(folder) == learned(tmp_path / "seldom" / "rm")


def test_ctrl_c_finishes_the_step_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tmp_path, "--set", "train.max_steps=400", "--set", "save_steps=400"),
        env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    folder = tmp_path / "runs" / "rm"
    deadline = time.monotonic() + 120
    while not (folder / "metrics.jsonl").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"guerdon rm train --resume {folder}" in told
    assert list((folder / "checkpoints").glob("checkpoint-rm-*"))


def test_scores_that_collapse_are_told_and_stop_the_run_if_asked(tmp_path: Path) -> None:
    # Without the bias, and pushed by a huge learning rate, every score ends at the same end of the scale.
    broken = ["head.bias=false", "train.learning_rate=0.3", "loss.variance_floor=0.0", "loss.centering=0.0"]
    settings = [part for item in broken for part in ("--set", item)]
    told = run(tmp_path, *settings)
    assert told.returncode == 0, told.stderr
    assert "collapsed:" in told.stderr
    stopped = run(tmp_path, *settings, "--set", "train.collapse=stop", "--set", "name=stopped")
    assert stopped.returncode == 2
    assert stopped.stderr.strip().splitlines()[-1].startswith("rm step ")


def test_a_collapse_stops_the_training_long_before_its_end_and_a_resume_does_not_undo_it(
    tmp_path: Path,
) -> None:
    broken = [
        "head.bias=false", "train.learning_rate=0.3", "loss.variance_floor=0.0", "loss.centering=0.0",
        "train.max_steps=300", "train.batch_size=4", "eval.eval_steps=300", "save_steps=300", "train.collapse=stop",
    ]  # fmt: skip
    stopped = run(tmp_path, *[part for item in broken for part in ("--set", item)])
    assert stopped.returncode == 2, stopped.stderr
    folder = tmp_path / "runs" / "rm"
    (event,) = lines(folder, "events.jsonl")
    assert event["kind"] == "collapse_stop"
    assert lines(folder, "metrics.jsonl")[-1]["step"] == event["step"] < 40
    last = stopped.stderr.strip().splitlines()[-1]
    assert last == f"rm step {event['step']}: {event['message']}"
    again = run(tmp_path, "--resume", str(folder), *[part for item in broken for part in ("--set", item)])
    assert again.returncode == 2
    assert again.stderr.strip().splitlines()[-1] == last


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["input.max_length=16"], "no response of the first"),
        (["model.source=builtin:huge"], "unknown built-in model"),
        (["data.train.worked.num_pairs=2"], "held out"),
        (["eval.samples=./none.jsonl"], "eval.samples: none.jsonl: no such file"),
        (["loss.listwise=1.0"], "loss.listwise: 1, but the training data hold no prompts with several"),
        (["loss.pointwise=1.0"], "loss.pointwise: 1, but the training data hold no answers with an overall"),
        (["head.kind=attributes", "head.attributes=['clear']"], "no answer of the training data is rated by"),
    ],
)
def test_what_cannot_work_is_told_in_one_line(tmp_path: Path, settings: list[str], told: str) -> None:
    done = run(tmp_path, *[part for item in settings for part in ("--set", item)])
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists(), "a run that never began leaves nothing behind"


def test_pairs_that_an_audit_overturns_are_refused(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    audit = tmp_path / "audit.jsonl"
    rows = [{"prompt": f"q{index}", "chosen": "a", "rejected": "b"} for index in range(60)]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    audit.write_text("".join(json.dumps({**row, "chosen": "b", "rejected": "a"}) + "\n" for row in rows))
    done = run(
        tmp_path,
        "--set", f"data.train.worked={{kind='jsonl', path='{pairs}'}}",
        "--set", f"data.audit.again={{kind='jsonl', path='{audit}'}}",
    )  # fmt: skip
    assert done.returncode == 2
    assert "labelled the wrong way" in done.stderr


MIXED = """
kind = "reward_model"
name = "rm"
save_steps = 1
save_total_limit = 9
[model]
source = "builtin:tiny"
[data]
eval_fraction = 0.3
[data.train.lists]
kind = "jsonl"
path = "lists.jsonl"
[data.train.labels]
kind = "jsonl"
path = "labels.jsonl"
[data.train.pairs]
kind = "jsonl"
path = "pairs.jsonl"
bad_rows = "leave_out"
[input]
max_length = 60
[loss]
listwise = 1.0
pointwise = 0.5
[train]
max_steps = 5
batch_size = 12
learning_rate = 1e-3
[eval]
before = false
"""


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def train(tmp_path: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "guerdon", "rm", "train", *extra]
    return subprocess.run(words, env=environment(), capture_output=True, text=True, check=False, cwd=tmp_path)


def test_lists_ratings_and_pairs_are_learned_together_and_resume_to_the_bit(tmp_path: Path) -> None:
    some = range(20)
    write(
        tmp_path / "lists.jsonl",
        [{"prompt": f"list {n}?", "responses": ["best", "fair", "poor"], "scores": [9, 1, 1]} for n in some],
    )
    write(
        tmp_path / "labels.jsonl",
        [{"prompt": f"label {n}!", "completion": "a", "label": n % 2 == 0} for n in some],
    )
    pairs = [{"prompt": f"pair {n}." + "so" * 40 * (n % 2), "chosen": "yes", "rejected": "no"} for n in some]
    write(tmp_path / "pairs.jsonl", [*pairs, {"prompt": "x", "chosen": "same", "rejected": "same"}])
    (tmp_path / "rm.toml").write_text(MIXED)
    done = train(tmp_path, "rm.toml")
    assert done.returncode == 0, done.stderr
    assert "lists, 20 single answers, " in done.stderr
    assert (
        "data.train.pairs: 1 of 21 rows cannot be used and are left out: line 21: chosen and" in done.stderr
    )
    assert (
        "lost their beginning and 0 were left out for a response that does not fit into 60 tokens"
        in done.stderr
    )
    folder = tmp_path / "runs" / "rm"
    first = learned(folder)
    assert all(line["loss/listwise"] > 0 and line["loss/pointwise"] > 0 for line in first)
    assert sum(line["signal/prompts_cut"] for line in first) > 0
    kept = json.loads((folder / "left_out.json").read_text())["sets"]["data.train.pairs"]["bad_rows"]
    assert [row["place"] for row in kept] == ["line 21"]
    assert json.loads((folder / "config.json").read_text())["config"]["input"]["max_length"] == 60

    shutil.copytree(folder, tmp_path / "again")
    for step in (3, 4, 5):  # as if it had been stopped after step 2
        shutil.rmtree(tmp_path / "again" / "checkpoints" / f"checkpoint-rm-{step:05d}")
    done = train(tmp_path, "--resume", "again")
    assert done.returncode == 0, done.stderr
    assert learned(tmp_path / "again") == first
    assert same_weights(tmp_path / "again", folder)


def test_answers_that_have_no_partner_are_trained_on_without_an_evaluation(tmp_path: Path) -> None:
    write(
        tmp_path / "labels.jsonl",
        [{"prompt": f"label {n}!", "completion": "a", "label": n % 2 == 0} for n in range(20)],
    )
    recipe = MIXED.partition("[data.train.lists]")[0] + MIXED[MIXED.index("[data.train.labels]") :]
    recipe = recipe.partition("[data.train.pairs]")[0] + MIXED[MIXED.index("[input]") :]
    (tmp_path / "rm.toml").write_text(recipe.replace("listwise = 1.0\n", ""))
    done = train(tmp_path, "rm.toml", "--set", "train.max_steps=1", "--set", "train.batch_size=4")
    assert done.returncode == 0, done.stderr
    assert "nothing is held out, for no answer has a partner" in done.stderr
    assert "accuracy" not in done.stderr
    (line,) = learned(tmp_path / "runs" / "rm")
    assert line["loss/pointwise"] > 0
    assert not (tmp_path / "runs" / "rm" / "evals.jsonl").exists()

    write(
        tmp_path / "theirs.jsonl", [{"prompt": f"label {n}!", "completion": "b" * (n + 1)} for n in range(9)]
    )
    settings = ["train.max_steps=2", "eval.eval_steps=1", "eval.samples=./theirs.jsonl", "name=seen"]
    done = train(tmp_path, "rm.toml", *[part for item in settings for part in ("--set", item)])
    assert done.returncode == 0, done.stderr
    assert "the scores are seen on eval.samples alone" in done.stderr
    last = lines(tmp_path / "runs" / "seen", "evals.jsonl")[-1]
    assert (last["label"], last["num_problems"]) == ("after rm", 0)
    assert "reward_health/sample_u_std" in last["metrics"]
    assert len(lines(tmp_path / "runs" / "seen" / "evals", "after_rm_samples.jsonl")) == 9
    page = (tmp_path / "runs" / "seen" / "report.html").read_text()
    assert "No pair could be judged" in page
    assert "Saturated samples" in page
