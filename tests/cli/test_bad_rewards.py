"""Bad input for reward models and rewards, by the real commands: refused with exit code 2 and one line, or recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guerdon.cli.main import main
from guerdon.models.version import version_of
from judging import Asked, Reply, judging
from rewarding import tiny_reward_model

RECIPE = """
kind = "reward_model"
report_to = []
[model]
source = "builtin:tiny"
[data]
eval_fraction = 0.5
[data.train.mine]
kind = "jsonl"
path = "{data}"
[train]
max_steps = 1
batch_size = 4
[eval]
before = false
"""
GOOD = [
    {"prompt": f"Say the number {n}, please, {n * n}", "chosen": f"{n}", "rejected": f"no {n}"}
    for n in range(16)
]
POLICY = """
output_dir = "{here}/runs"
name = "run"
report_to = []
stages = ["grpo"]
[model]
source = "builtin:tiny"
[data.train]
kind = "arith"
num_problems = 20
max_digits = 1
[rollout]
num_generations = 2
generation_batch_size = 4
max_completion_length = 4
[train]
max_steps = 3
[eval]
num_problems = 0
"""


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recipe(tmp_path: Path, rows: list[dict[str, Any]], more: str = "") -> str:
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE.format(data=lines(tmp_path / "pairs.jsonl", rows)) + more)
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The one line of a refusal."""
    capsys.readouterr()
    assert main(list(args)) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line]
    # What a run says of itself before it fails is no part of the refusal.
    told = [
        line
        for line in said
        if not line.startswith(
            (
                "reward model on ",
                "model ",
                "rm: ",
                "grpo: ",
                "grpo step ",
                "evaluating ",
                "samples of ",
            )
        )
    ]
    assert len(told) == 1, said
    return told[0]


def train(tmp_path: Path, rows: list[dict[str, Any]], more: str = "") -> list[str]:
    return ["rm", "train", recipe(tmp_path, rows, more), "--set", f"output_dir={tmp_path / 'runs'}"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"prompt": "q", "chosen": "same", "rejected": " same"},
            "line 17: chosen and rejected are identical ('same')",
        ),
        ({"prompt": "q", "chosen": "", "rejected": "x"}, "line 17: an answer is empty"),
        ({"prompt": "q", "chosen": "x", "rejected": " "}, "line 17: "),
        (
            {
                "prompt": "q",
                "chosen": "x",
                "rejected": "y",
                "score_chosen": float("nan"),
                "score_rejected": 1,
            },
            "line 17: score_chosen is nan",
        ),
    ],
    ids=["identical sides", "empty side", "blank side", "NaN rating"],
)
def test_a_bad_pair_is_refused_with_its_place_by_training_and_measuring(
    row: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, *train(tmp_path, [*GOOD, row]))
    assert said in refused(capsys, "rm", "eval", "builtin:tiny", "--data", str(tmp_path / "pairs.jsonl"))


def test_labels_that_an_audit_overturns_stop_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped = [
        {**row, "chosen": row["rejected"], "rejected": row["chosen"]} if n % 2 else row
        for n, row in enumerate(GOOD)
    ]
    again = lines(tmp_path / "again.jsonl", swapped)
    said = refused(capsys, *train(tmp_path, GOOD, f'[data.audit.again]\nkind = "jsonl"\npath = "{again}"\n'))
    assert "expected at most 45 %: these labels teach nothing" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_response_that_would_be_cut_is_refused_or_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = [{**row, "chosen": "x" * 200} if n == 3 else row for n, row in enumerate(GOOD)]
    more = '[input]\nmax_length = 100\n[data.eval.held]\nkind = "jsonl"\npath = "{}"\n'.format(
        lines(tmp_path / "held.jsonl", [{"prompt": "other", "chosen": "a", "rejected": "b"}])
    )
    every = ["--set", "train.batch_size=16"]
    said = refused(capsys, *train(tmp_path, long, more), *every, "--set", "train.too_long=refuse")
    assert (
        "the chosen response does not fit into 100 tokens, and cutting it would change what is judged" in said
    )
    assert main([*train(tmp_path, long, more), *every]) == 0
    (line,) = [
        json.loads(line) for line in (tmp_path / "runs" / "rm-2" / "metrics.jsonl").read_text().splitlines()
    ]
    assert line["metrics"]["signal/pairs_too_long"] == 1
    said = refused(
        capsys, *train(tmp_path, [{**row, "chosen": "x" * 200 + row["chosen"]} for row in GOOD], more)
    )
    assert "no response of the first 16 pairs fits into 100 tokens" in said


@pytest.mark.slow
def test_a_backbone_without_a_pad_token_is_trained_and_loads_in_plain_transformers(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    backbone = tmp_path / "backbone"
    model = tiny_reward_model().trunk
    model.tokenizer.pad_token = None
    model.causal_lm.config.pad_token_id = None
    model.save(backbone)
    model.tokenizer.pad_token = "<|pad|>"
    settings = json.loads((backbone / "tokenizer_config.json").read_text())
    assert not settings.get("pad_token")
    assert main([*train(tmp_path, GOOD), "--set", f"model.source={backbone}"]) == 0
    (trained,) = (tmp_path / "runs" / "rm" / "checkpoints").glob("*/model")
    plain = AutoModelForSequenceClassification.from_pretrained(trained)
    assert plain.config.pad_token_id is not None
    assert plain.config.pad_token_id != plain.config.eos_token_id
    assert main(["rm", "eval", str(trained), "--data", str(tmp_path / "pairs.jsonl")]) == 0


def test_a_checkpoint_with_another_tokenizer_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "rm"
    tiny_reward_model().save(folder)
    data = lines(tmp_path / "pairs.jsonl", GOOD)
    measure = ("rm", "eval", str(folder), "--data", str(data))
    place = folder / "tokenizer.json"
    tokens = json.loads(place.read_text())
    words = tokens["model"]["vocab"]
    words["a"], words["b"] = words["b"], words["a"]  # as many tokens, other meanings
    place.write_text(json.dumps(tokens))
    assert "its tokenizer is another than the one this reward model was trained with" in refused(
        capsys, *measure
    )
    words["more"] = len(words)
    place.write_text(json.dumps(tokens))
    assert "the tokenizer belongs to another model" in refused(capsys, *measure)


@pytest.mark.slow
def test_a_served_model_that_changes_under_a_run_stops_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored = 0

    def answer(asked: Asked) -> Reply:
        nonlocal scored
        scored += asked.body is not None
        version = "v1" if scored <= 3 else "v2"
        if asked.body is None:
            return Reply({"status": "ok", "version": version})
        rows = [{"value": float(n % 2)} for n in range(len(asked.body["rows"]))]
        return Reply({"results": rows, "version": version})

    (tmp_path / "run.toml").write_text(POLICY.format(here=tmp_path))
    with judging(answer) as server:
        rewards = {"kind": '"remote"', "url": f'"{server.url}"', "protocol": '"guerdon"', "batch_size": "1"}
        sets = [part for key, value in rewards.items() for part in ("--set", f"rewards.rm.{key}={value}")]
        said = refused(capsys, "train", str(tmp_path / "run.toml"), *sets, "--set", "eval.accuracy=rm")
    assert "rewards.rm: the model behind" in said
    assert "changed from version v1 to v2; scores of two versions do not compare" in said


@pytest.mark.slow
def test_a_reward_model_swapped_under_a_run_is_refused_at_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_reward_model().save(tmp_path / "rm")
    rewards = f'accuracy = "rm"\n[rewards.rm]\nkind = "reward_model"\npath = "{tmp_path / "rm"}"\n'
    (tmp_path / "run.toml").write_text(POLICY.format(here=tmp_path) + rewards)
    assert main(["train", str(tmp_path / "run.toml")]) == 0
    folder = tmp_path / "runs" / "run"
    assert json.loads((folder / "versions.json").read_text()) == {"rm": version_of(tmp_path / "rm")}
    resume = ("train", "--resume", str(folder))
    assert main(list(resume)) == 0  # the same weights
    before = version_of(tmp_path / "rm")
    tiny_reward_model(seed=1).save(tmp_path / "rm")
    said = refused(capsys, *resume)
    assert f"this run was judged by version {before} of the model, and now it is version" in said
    assert said.startswith("rewards.rm: ")


def test_a_judge_that_answers_nonsense_gives_no_score_and_its_words_are_kept(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "a", "completion": "c"}
    output = tmp_path / "out.jsonl"
    with judging(lambda asked: Reply({"results": "purple"} if asked.body else {"version": "v1"})) as server:
        (tmp_path / "run.toml").write_text(
            POLICY.format(here=tmp_path)
            + f'[rewards.rm]\nkind = "remote"\nurl = "{server.url}"\nprotocol = "guerdon"\n'
        )
        data = lines(tmp_path / "in.jsonl", [row])
        recipe = str(tmp_path / "run.toml")
        assert main(["score", str(data), "--recipe", recipe, "--output", str(output), "--workers", "1"]) == 0
    (found,) = [json.loads(line) for line in output.read_text().splitlines()]
    assert found["value"] is None
    assert "no score from http" in found["parts"][0]["evidence"]["note"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[reward.a]\nkind = "minimum"\nof = ["b", "math"]\n[reward.b]\nkind = "minimum"\nof = ["a", "math"]\n',
         "a cycle: a -> b -> a"),
        ('[reward.sum]\nof = { math = 0.0 }\n', "weight 0"),
        ('[reward.sum]\nof = { maths = 1.0 }\n', "'maths'"),
        ('[reward.gate]\ncondition = "safe"\nthen = "math"\n', "'safe'"),
    ],
    ids=["cycle", "zero weight", "unknown leaf", "unknown condition"],
)  # fmt: skip
@pytest.mark.parametrize("command", ["check", "train"])
def test_a_reward_that_means_nothing_is_refused_before_the_run(
    command: str, table: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.toml").write_text(POLICY.format(here=tmp_path) + f"[rewards.math]\n{table}")
    assert main([command, str(tmp_path / "run.toml")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert sum(said in line for line in told) == 1
    assert all(line.startswith(str(tmp_path)) for line in told)
    assert not (tmp_path / "runs").exists()
