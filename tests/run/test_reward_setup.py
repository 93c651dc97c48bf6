from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import ConfigError, DataError, ModelError
from guerdon.data.preferences.judged import answers_of
from guerdon.run.config import RunConfig
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.reward_setup import (
    held_data,
    left_out,
    left_out_lines,
    load_reward_data,
    settle,
    stage_problems,
    taken_over,
    told,
)
from guerdon.train.losses import DATA
from rewarding import pair, tiny_reward_model


def rows(count: int) -> list[dict[str, Any]]:
    return [{"prompt": f"q {n}?", "chosen": f"a {n}", "rejected": f"b {n}"} for n in range(count)]


def config(
    tmp_path: Path, content: list[dict[str, Any]], *, options: dict[str, Any] | None = None, **tables: Any
) -> RewardRunConfig:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    mine = {"kind": "jsonl", "path": str(path), **(options or {})}
    data = {"train": {"mine": mine}, "eval_fraction": 0.3}
    return settle(
        parse_config(RewardRunConfig, {"data": data, "model": {"source": "builtin:tiny"}, **tables})
    )


LISTS = [
    {"prompt": f"q {n}?", "responses": ["a", "b", "c"], "scores": [3, 2, 2], "annotations": {"clarity": 1}}
    for n in range(20)
]


def test_lists_are_judged_whole_where_the_loss_asks_for_it(tmp_path: Path) -> None:
    split = load_reward_data(config(tmp_path, LISTS, loss={"listwise": 1.0}))
    assert told(split.train) == f"{len(split.train)} lists"
    assert held_data(split.train, ())["lists"] == len(split.train) > 5
    pairs = load_reward_data(config(tmp_path, LISTS))
    assert told(pairs.train) == f"{len(pairs.train)} pairs"
    assert set(held_data([pair()], ())) == set(DATA)


def test_verdicts_that_are_shown_must_be_there(tmp_path: Path) -> None:
    shown = {"fields": ["verdict"]}
    with pytest.raises(
        DataError, match=r"input.fields shows a rule's verdict, but none of \d+ training pairs"
    ):
        load_reward_data(config(tmp_path, rows(30), input=shown))
    answers = [
        {"response": text, "overall_score": 3 - verdict, "annotations": {"verdict": verdict}}
        for text, verdict in (("a", 1), ("b", 0), ("c", 1))
    ]
    rated = [{"prompt": row["prompt"], "responses": answers} for row in LISTS]
    split = load_reward_data(config(tmp_path, rated, input=shown, loss={"listwise": 1.0}))
    assert told(split.train) == f"{len(split.train)} lists"
    assert {answer.ratings["verdict"] for answer in answers_of(split.train[0])} == {0.0, 1.0}


def policy(tmp_path: Path, *, rule: str | None = "math", **judge: Any) -> RunConfig:
    stage = {"model": {"source": str(tmp_path / "rm")}, "labels": ["format"], "verdict": rule}
    return parse_config(
        RunConfig,
        {
            "stages": ["rm", "grpo"],
            "data": {"train": {"kind": "arith", "num_problems": 40}},
            "rewards": {"math": {}, "format": {}, "own": {"kind": "reward_model", **judge}},
            "rm": stage,
        },
    )


def test_a_stage_that_goes_on_with_a_reward_model_is_checked_before_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "rm"
    tiny_reward_model(fields=["verdict"]).save(folder)
    assert stage_problems(policy(tmp_path, verdict="math")) == []
    (problem,) = stage_problems(policy(tmp_path))
    assert problem.startswith("rewards.own.verdict: missing; rm.input.fields shows")
    (problem,) = stage_problems(policy(tmp_path, rule=None, verdict="math"))
    assert problem.startswith("rm.verdict: missing; the reward model is shown a rule's verdict")
    tiny_reward_model("binned").save(folder)
    (problem,) = stage_problems(policy(tmp_path))
    assert problem.startswith(f'rm.model.source: {folder}: a reward model with head.kind = "binned"')
    tiny_reward_model().save(folder)
    assert stage_problems(policy(tmp_path)) == []
    (problem,) = stage_problems(policy(tmp_path, verdict="math"))
    assert problem.startswith("rewards.own.verdict: has no use")


def test_a_loss_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"loss\.listwise: 1, but .* hold no prompts with several ranked answers"
    ):
        load_reward_data(config(tmp_path, rows(30), loss={"listwise": 1.0}))
    equal = [{**row, "scores": [2, 2, 2]} for row in LISTS]
    with pytest.raises(ConfigError, match=r"loss\.listwise"):
        load_reward_data(config(tmp_path, equal, loss={"listwise": 1.0}))
    with pytest.raises(
        ConfigError, match=r"loss\.pointwise: 0\.5, but .* hold no answers with an overall rating"
    ):
        load_reward_data(config(tmp_path, rows(30), loss={"pointwise": 0.5}))
    with pytest.raises(DataError, match="hold no critique of both sides"):
        load_reward_data(config(tmp_path, rows(30), input={"critique": {}}))


def test_an_attribute_that_nothing_is_rated_by_is_refused_with_the_nearest_that_is(tmp_path: Path) -> None:
    head = {"kind": "attributes", "attributes": ["clarty", "honesty"]}
    rated = [
        {"prompt": f"q {n}?", "response": text, "helpfulness": 1 + len(text), "clarity": 2, "honesty": None}
        for n in range(20)
        for text in ("a", "bb")
    ]
    options = {"attributes": {"helpfulness": 1.0, "clarity": 0.0}}
    with pytest.raises(ConfigError) as caught:
        load_reward_data(config(tmp_path, rated, options=options, head=head))
    assert [problem.partition(" (")[0] for problem in caught.value.problems] == [
        "head.attributes: no answer of the training data is rated by 'clarty'",
        "head.attributes: no answer of the training data is rated by 'honesty'",
    ]
    assert "did you mean 'clarity'?" in caught.value.problems[0]
    right = {"kind": "attributes", "attributes": ["clarity", "score"]}
    assert load_reward_data(config(tmp_path, rated, options=options, head=right)).train


def test_rows_that_cannot_be_used_are_told_and_kept_with_place_and_reason(tmp_path: Path) -> None:
    bad = [{"prompt": "q", "chosen": "same", "rejected": "same"}] * 5
    split = load_reward_data(config(tmp_path, [*rows(30), *bad], options={"bad_rows": "leave_out"}))
    (line,) = left_out_lines(split)
    assert line.startswith(
        "data.train.mine: 5 of 35 rows cannot be used and are left out: line 31: chosen and rejected"
    )
    assert line.endswith("; and 2 more")
    kept: Any = left_out(split)["sets"]
    assert [row["place"] for row in kept["data.train.mine"]["bad_rows"]] == [
        f"line {n}" for n in range(31, 36)
    ]
    assert "identical" in kept["data.train.mine"]["bad_rows"][4]["why"]
    assert left_out(load_reward_data(config(tmp_path, rows(30)))) == {}


def test_going_on_with_a_reward_model_takes_over_its_input(tmp_path: Path) -> None:
    folder = tmp_path / "rm"
    tiny_reward_model(fields=["verdict", "reasoning"], max_length=99).save(folder)
    model = {"source": str(folder)}
    taken = config(tmp_path, rows(30), model=model)
    assert taken.input is not None
    assert (taken.input.fields, taken.input.max_length) == (("verdict", "reasoning"), 99)
    assert taken_over(taken) == [
        "starts from a reward model: fields verdict, reasoning, no critique, max_length 99, as it was"
    ]
    assert settle(taken) == taken, "what is in config.json is the same again"
    longer = config(tmp_path, rows(30), model=model, input={"fields": ["verdict", "reasoning"]})
    assert taken_over(longer)[0].endswith("otherwise than it was: input.max_length = 99 (the recipe: 2048)")
    with pytest.raises(ModelError, match=r"input\.fields = .* \(the recipe: \[\]\); leave \[input\] out"):
        config(tmp_path, rows(30), model=model, input={"max_length": 99})
    assert taken_over(config(tmp_path, rows(30))) == []


def test_whether_critiques_are_written_is_known_by_now(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"loss\.critique: nothing reads it, because there is no input\.critique"
    ):
        config(tmp_path, rows(30), loss={"critique": 0.9})
    folder = tmp_path / "rm"
    tiny_reward_model(critique={}).save(folder)
    assert config(tmp_path, rows(30), model={"source": str(folder)}, loss={"critique": 0.9}).input is not None
