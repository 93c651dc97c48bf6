from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from guerdon.core.errors import DataError, UserError
from guerdon.core.types import Message, Problem
from guerdon.explain.reward_model.summary import Summary
from guerdon.models.config import InputConfig, ModelConfig
from guerdon.models.reward import RewardScores, Shown
from guerdon.models.version import version_of
from guerdon.run import measure_reward
from guerdon.run.measure_reward import matrices_of, measure_reward_models
from rewarding import tiny_reward_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny_reward_model().save(tmp_path / "model")
    return tmp_path / "model"


def write(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def pairs(tmp_path: Path, name: str, count: int) -> str:
    return write(
        tmp_path / name,
        [{"prompt": f"q{i}", "chosen": "a" * i, "rejected": "b"} for i in range(2, 2 + count)],
    )


class Reads:
    """A reward model that finds its score written in the answer, times a factor; "-" cannot be scored."""

    version = "v1"
    reader = SimpleNamespace(config=InputConfig())

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def score(self, items: Sequence[Shown], *, max_tokens: int) -> list[RewardScores]:
        def one(text: str) -> float:
            return float("nan") if text == "-" else self.factor * float(text.split()[-1])

        rows = [torch.tensor([one(text) for text in texts]) for _, texts, *_ in items]
        return [RewardScores(row.tanh(), row, None, None, num_tokens=7) for row in rows]

    def count_tokens(self, text: str) -> int:
        return len(text)


@pytest.fixture
def by_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(config: ModelConfig) -> Reads:
        return Reads(float(config.source))

    monkeypatch.setattr(measure_reward, "load_reward_model", load)
    monkeypatch.setattr(measure_reward, "check_hub_name", lambda source: None)  # "1" is no folder


def only(*paths: str, **options: Any) -> Summary:
    (found,) = measure_reward_models(["1"], data=paths, **options)
    return found


def test_any_pairs_under_any_reward_model(model: Path, tmp_path: Path) -> None:
    files = [pairs(tmp_path, "one.jsonl", 6), pairs(tmp_path, "two.jsonl", 3)]
    output = tmp_path / "scored.jsonl"
    found = measure_reward_models([str(model)], data=files, limit=4, output=output)
    assert [summary.name.rpartition(" on ")[2] for summary in found] == ["one.jsonl", "two.jsonl"]
    assert [summary.accuracy.num_decided for summary in found] == [4, 3]
    assert {summary.version for summary in found} == {version_of(model)}
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["data"] for row in rows] == ["one.jsonl"] * 4 + ["two.jsonl"] * 3
    assert all(-1.0 <= row["chosen_score"] <= 1.0 for row in rows)
    counted = tiny_reward_model().count_tokens
    assert [row["chosen_tokens"] for row in rows] == [counted(row["chosen"]) for row in rows]
    assert "length in tokens" in found[0].slices


def test_a_benchmark_s_scores_are_the_reward_model_s_own(model: Path, tmp_path: Path) -> None:
    every = {"prompt": "Name a colour.", "rejected": ["cat"], "subset": "Ties"}
    rows = [
        {**every, "id": "ref:7", "chosen": ["red"]},
        {**every, "id": "tied:7", "chosen": ["red", "blue"]},
    ]
    output = tmp_path / "scored.jsonl"
    (found,) = measure_reward_models([str(model)], data=[write(tmp_path / "b.jsonl", rows)], output=output)
    said = [json.loads(line)["scores"] for line in output.read_text().splitlines()]
    reward_model = tiny_reward_model()
    asked = Problem(id="x", messages=(Message(role="user", content="Name a colour."),))
    wanted = [
        reward_model.score([Shown(asked, texts)])[0].u_B.tolist()
        for texts in (["red", "cat"], ["red", "blue", "cat"])
    ]
    assert said[0] == pytest.approx(wanted[0], abs=1e-5)
    assert said[1] == pytest.approx(wanted[1], abs=1e-5)
    assert found.benches[0].details["Ties: ref"].value == float(wanted[0][0] > wanted[0][1])
    assert found.benches[0].details["Ties: tied"].value == float(min(wanted[1][:2]) > wanted[1][2])


def test_verdicts_are_shown_as_in_training_and_missing_ones_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reward_model = tiny_reward_model(fields=("verdict",))
    reward_model.save(tmp_path / "model")
    measure_reward_models([str(tmp_path / "model")], data=[pairs(tmp_path, "bare.jsonl", 3)])
    told = capsys.readouterr().err
    assert "bare.jsonl: this reward model is shown a rule's verdict, and 6 of 6 responses have none" in told
    tiny_reward_model().save(tmp_path / "plain")
    measure_reward_models([str(tmp_path / "plain")], data=[pairs(tmp_path, "bare.jsonl", 3)])
    assert "verdict" not in capsys.readouterr().err


@pytest.mark.usefixtures("by_reading")
def test_rewardbench_worked_by_hand(tmp_path: Path) -> None:
    def row(subset: str, chosen: str, rejected: str) -> dict[str, Any]:
        return {"id": 0, "prompt": "q", "chosen": chosen, "rejected": rejected, "subset": subset}

    rows = [
        row("alpacaeval-easy", "2", "1"),
        row("alpacaeval-easy", "1", "2"),
        row("mt-bench-med", "2", "1"),
        row("hep-go", "1", "1"),  # equal scores win nothing
        row("math-prm", "1", "0"),
        row("refusals-offensive", "-", "0"),  # left out
    ]
    summary = only(write(tmp_path / "rb.jsonl", rows))
    (found,) = summary.benches
    assert found.sections["Chat"].value == pytest.approx((0.5 * 100 + 1.0 * 40) / 140)
    assert found.sections["Reasoning"].value == pytest.approx(984 / (984 + 164))
    assert found.overall == pytest.approx((90 / 140 + 984 / 1148) / 2)
    assert ("Chat Hard" in found.missing, found.num_unscored) == (True, 1)
    assert summary.accuracy.num_unscored == 1
    assert summary.accuracy.share is not None
    assert summary.accuracy.share.value == pytest.approx((3 + 0.5) / 5)  # 3 wins and an equal one of 5


@pytest.mark.usefixtures("by_reading")
def test_rewardbench_2_with_ties_worked_by_hand(tmp_path: Path) -> None:
    def row(name: str, subset: str, chosen: list[str], rejected: list[str]) -> dict[str, Any]:
        return {"id": name, "prompt": "q", "chosen": chosen, "rejected": rejected, "subset": subset}

    rows = [
        row("1", "Focus", ["5"], ["1", "2", "3"]),
        row("2", "Focus", ["3"], ["3", "1", "2"]),  # the best with one other: half a point
        row("ref:7", "Ties", ["4"], ["1"]),
        row("tied:7", "Ties", ["6", "5"], ["3", "0"]),
    ]
    summary = only(write(tmp_path / "rb2.jsonl", rows))
    (found,) = summary.benches
    assert found.sections["Focus"].value == pytest.approx(0.75)
    # ref margin 3; tied margin 5 - 3 = 2 over a spread of 1; the smaller margin is 2: tanh(2 / 1 - 1)
    wanted = 0.3 + 0.3 + 0.2 + 0.2 + 0.01 * 0.7615941559
    assert found.sections["Ties"].value == pytest.approx(wanted)
    assert found.overall == pytest.approx((0.75 + wanted) / 2)
    # Best of four by the two items of Focus: 1/4 at random; at the end won, and half of a shared point.
    assert summary.best_of is not None
    assert [item.value for item in summary.best_of.gold][::3] == pytest.approx([0.25, 0.75])
    assert summary.best_of.num_prompts == 2


@pytest.mark.usefixtures("by_reading")
def test_rm_bench_worked_by_hand(tmp_path: Path) -> None:
    row = {
        "id": "1",
        "prompt": "q",
        "chosen": ["1", "2", "3"],
        "rejected": ["1.5", "1.5", "2.5"],
        "domain": "chat",
    }
    (found,) = only(write(tmp_path / "rm.json.jsonl", [row])).benches
    # style by style, right against wrong: 1: 0 0 0    2: 1 1 0    3: 1 1 1
    assert found.details["hard"].value == pytest.approx(0 / 3)  # above the diagonal
    assert found.details["normal"].value == pytest.approx(2 / 3)
    assert found.details["easy"].value == pytest.approx(3 / 3)
    assert found.overall == pytest.approx((0 + 2 / 3 + 1) / 3)


@pytest.mark.usefixtures("by_reading")
def test_rated_lists_give_a_best_of_n_curve(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"q{n}", "responses": ["a 1", "b 3", "c 2"], "scores": [0.0, 1.0, 5.0]} for n in range(2)
    ]
    found = only(write(tmp_path / "lists.jsonl", rows)).best_of
    assert found is not None
    # n = 2: of the three pairs of answers, the model takes b, c, b
    assert [round(item.value, 6) for item in found.gold] == [2.0, round((1 + 5 + 1) / 3, 6), 1.0]
    assert found.oracle == pytest.approx((2.0, (1 + 5 + 5) / 3, 5.0))
    assert found.proxy == pytest.approx((2.0, (3 + 2 + 3) / 3, 3.0))


@pytest.mark.usefixtures("by_reading")
def test_length_is_taken_out_beside_the_plain_accuracy(tmp_path: Path) -> None:
    # The model scores by length alone, and the chosen answer is the longer one: without length, nothing is left.
    def text(length: int) -> str:
        return "x" * (length - 2) + f" {length // 10}"

    rows = [
        {"prompt": f"q{n}", "chosen": text(20 + 10 * (n % 7)), "rejected": text(10 + 10 * (n % 7))}
        for n in range(40)
    ]
    found = only(write(tmp_path / "p.jsonl", rows)).length
    assert found is not None
    assert found.before is not None
    assert found.after is not None
    assert found.before.value == 1.0
    assert found.after.value < 0.75


@pytest.mark.usefixtures("by_reading")
def test_several_models_are_compared_on_the_same_pairs(tmp_path: Path) -> None:
    rows = [
        {"prompt": "same", "chosen": "2", "rejected": "1"},  # one prompt thrice: pairs are told apart
        {"prompt": "same", "chosen": "3", "rejected": "1"},
        {"prompt": "same", "chosen": "0", "rejected": "1"},
    ]
    found = measure_reward_models(["1", "2", "-1"], data=[write(tmp_path / "p.jsonl", rows)])
    ((label, matrix),) = matrices_of(found)
    assert (label, matrix.names) == ("p.jsonl", ("1", "2", "-1"))
    assert matrix.same == ((1.0, 1.0, 0.0), (1.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert [share.value for share in matrix.accuracy if share] == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert list(found[2].agreements) == ["1", "2"]
    assert found[0].agreements["-1"].change is not None
    assert found[0].agreements["-1"].change.value == pytest.approx(-1 / 3)


@pytest.mark.usefixtures("by_reading")
def test_two_files_of_one_name_are_both_measured(tmp_path: Path) -> None:
    rows = {
        "a": {"prompt": "q", "chosen": "2", "rejected": "1"},
        "b": {"prompt": "q", "chosen": "1", "rejected": "2"},
    }
    for name, row in rows.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name / "p.jsonl", [row] * 3)
    paths = [str(tmp_path / name / "p.jsonl") for name in rows]
    output = tmp_path / "scored.jsonl"
    found = measure_reward_models(["1", "2"], data=paths, output=output)
    assert [summary.data for summary in found] == ["a/p.jsonl"] * 2 + ["b/p.jsonl"] * 2
    shares = [summary.accuracy.share.value for summary in found if summary.accuracy.share]
    assert shares == [1.0, 1.0, 0.0, 0.0]
    assert [label for label, _ in matrices_of(found)] == ["a/p.jsonl", "b/p.jsonl"]
    said = {json.loads(line)["data"] for line in output.read_text().splitlines()}
    assert said == {"a/p.jsonl", "b/p.jsonl"}
    with pytest.raises(DataError, match="is named twice; expected each file once"):
        measure_reward_models(["1"], data=[paths[0], f"{tmp_path}/b/../a/p.jsonl"])


@pytest.mark.usefixtures("by_reading")
def test_domains_and_data_sets_of_the_rows_are_slices(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"q{n}", "chosen": "a 2", "rejected": str(n % 2 * 2 + 1), "domain": ("code", "chat")[n % 2],
         "source": ("hh-harmless", "tulu-human")[n // 4]}
        for n in range(8)
    ]  # fmt: skip
    found = only(write(tmp_path / "p.jsonl", rows))
    assert {
        name: list(table) for name, table in found.slices.items() if name in ("domain", "data set", "source")
    } == {
        "domain": ["chat", "code"],
        "data set": ["hh-harmless", "tulu-human"],
    }
    code = found.slices["domain"]["code"].share
    assert code is not None
    assert code.value == 1.0


@pytest.mark.usefixtures("by_reading")
def test_how_fast_it_read(tmp_path: Path) -> None:
    found = only(write(tmp_path / "p.jsonl", [{"prompt": "q", "chosen": "2", "rejected": "1"}] * 3))
    assert (found.tokens_per_s or 0) > 0


def test_mistakes_are_told_before_anything_is_scored(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(config: ModelConfig) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(measure_reward, "load_reward_model", load)
    data = [pairs(tmp_path, "one.jsonl", 2)]
    with pytest.raises(UserError, match=r"modell: no such folder .did you mean 'model'."):
        measure_reward_models([str(model), f"{model}l"], data=data)
    with pytest.raises(UserError, match=r"--output .*/none/o.jsonl: no folder .*/none; make it first"):
        measure_reward_models([str(model)], data=data, output=tmp_path / "none" / "o.jsonl")
    with pytest.raises(UserError, match="is a folder; expected the name of a file"):
        measure_reward_models([str(model)], data=data, output=tmp_path)


def test_what_is_missing_is_told(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no held-out pairs; name some with --data"):
        measure_reward_models([str(model)])
    with pytest.raises(DataError, match="no such file"):
        measure_reward_models([str(model)], data=[str(tmp_path / "none.jsonl")])
    with pytest.raises(UserError, match="is named twice"):
        measure_reward_models([str(model)] * 2, data=[pairs(tmp_path, "one.jsonl", 2)])
