from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.core.errors import DataError
from guerdon.data import rows as rows_in_a_file
from guerdon.data.config import ArithConfig, DataConfig, JsonlConfig
from guerdon.data.feed import Feed
from guerdon.data.rows import Rows
from guerdon.data.split import Split, load_problems


def rows(path: Path, numbers: list[int]) -> JsonlConfig:
    path.write_text("".join(f'{{"prompt": "{number} + 0", "answer": {number}}}\n' for number in numbers))
    return JsonlConfig(path=str(path))


def asked(problems: tuple) -> set[str]:
    return {problem.messages[-1].content for problem in problems}


@given(st.permutations(range(40)), st.integers(30, 40))  # more than either side has: both keep some
@settings(max_examples=20, deadline=None)
def test_a_problems_side_depends_on_itself_alone(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], count: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    all_rows = load_problems(
        DataConfig(train=rows(folder / "all.jsonl", list(range(40))), eval_fraction=0.4), 0
    )
    some = load_problems(DataConfig(train=rows(folder / "some.jsonl", order[:count]), eval_fraction=0.4), 0)
    assert asked(some.train) <= asked(all_rows.train)
    assert asked(some.eval) <= asked(all_rows.eval)


def test_train_and_eval_never_share_a_problem() -> None:
    split = load_problems(DataConfig(train=ArithConfig(num_problems=500)), 0)
    assert not asked(split.train) & asked(split.eval)
    assert len(split.train) + len(split.eval) == 500
    assert 60 < len(split.eval) < 140


def test_held_out_files_are_taken_out_of_training_and_doubles_are_kept_once(tmp_path: Path) -> None:
    train = rows(tmp_path / "train.jsonl", [1, 2, 2, 3, 4])
    held = rows(tmp_path / "eval.jsonl", [3, 9])
    split = load_problems(DataConfig(train=train, eval=held), 0)
    assert asked(split.train) == {"1 + 0", "2 + 0", "4 + 0"}
    assert (split.num_duplicates, split.num_overlap) == (1, 1)


def test_white_space_makes_no_new_problem(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"prompt": "1 +  1", "answer": 2}\n{"prompt": "1 + 1 ", "answer": "2"}\n{"prompt": "9", "answer": 9}\n'
    )
    held = rows(tmp_path / "eval.jsonl", [5])
    assert load_problems(DataConfig(train=JsonlConfig(path=str(path)), eval=held), 0).num_duplicates == 1


def test_instructions_are_added_and_an_own_system_message_wins(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"prompt": "a", "answer": 1}\n'
        '{"prompt": [{"role": "system", "content": "mine"}, {"role": "user", "content": "b"}], "answer": 2}\n'
    )
    config = DataConfig(
        train=JsonlConfig(path=str(path)),
        eval=rows(tmp_path / "eval.jsonl", [5]),
        system_prompt="be brief",
        suffix=" Answer in a box.",
    )
    one, two = load_problems(config, 0).train
    assert [(message.role, message.content) for message in one.messages] == [
        ("system", "be brief"),
        ("user", "a Answer in a box."),
    ]
    assert [message.content for message in two.messages] == ["mine", "b Answer in a box."]


def test_an_empty_side_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no train problems are left"):
        load_problems(
            DataConfig(train=rows(tmp_path / "a.jsonl", [1]), eval=rows(tmp_path / "b.jsonl", [1])), 0
        )


def mixture(**weights: float) -> DataConfig:
    sets = {"sums": {"kind": "arith", "num_problems": 200}, "lists": {"kind": "lists", "num_problems": 100}}
    return DataConfig.model_validate(
        {"train": {name: {**table, "weight": weights.get(name)} for name, table in sets.items()}}
    )


def counts(problems: tuple) -> dict[str, int]:
    return dict(Counter(problem.info["set"] for problem in problems))


def test_sets_are_mixed_evenly_on_both_sides_and_a_problem_keeps_its_side() -> None:
    split = load_problems(mixture(), 0)
    assert not asked(split.train) & asked(split.eval)
    for side in split.train, split.eval:
        whole, half = counts(side), counts(side[: len(side) // 2])
        assert all(abs(half[name] - whole[name] / 2) <= 1 for name in ("sums", "lists"))
    weighted = load_problems(mixture(sums=1.0, lists=1.0), 0)
    assert weighted.eval == split.eval
    assert set(asked(weighted.train)) < asked(split.train)
    assert counts(weighted.train) == dict.fromkeys(("sums", "lists"), counts(split.train)["lists"])


def test_a_mix_is_the_same_again_and_another_with_another_seed() -> None:
    assert load_problems(mixture(), 3) == load_problems(mixture(), 3)
    assert load_problems(mixture(), 3) != load_problems(mixture(), 4)


def test_a_set_of_which_nothing_is_left_is_named(tmp_path: Path) -> None:
    one, same = rows(tmp_path / "a.jsonl", [1, 2, 3]), rows(tmp_path / "b.jsonl", [1, 2])
    config = DataConfig.model_validate(
        {
            "train": {"one": one.model_dump(), "same": same.model_dump()},
            "eval": rows(tmp_path / "e.jsonl", [9]).model_dump(),
        }
    )
    with pytest.raises(DataError, match=r"data.train.same: no problem of it is left"):
        load_problems(config, 0)


def test_without_shuffling_each_set_comes_as_it_stands(tmp_path: Path) -> None:
    one, two = rows(tmp_path / "a.jsonl", [1, 2, 3, 4]), rows(tmp_path / "b.jsonl", [5, 6])
    train = {"one": one.model_dump(), "two": two.model_dump()}
    held = rows(tmp_path / "e.jsonl", [9]).model_dump()
    split = load_problems(DataConfig.model_validate({"train": train, "eval": held, "shuffle": False}), 0)
    assert [problem.messages[-1].content[0] for problem in split.train] == ["1", "5", "2", "3", "6", "4"]


def told(count: int, thing: str = "eggs") -> list[dict]:
    """Rows of which some share an id, ask the same but for white space, or ask the same and are answered otherwise."""
    return [
        {
            "id": number % 61,
            "prompt": f"How many {thing} are {' ' * (number % 2)}{number % 61} and one?",
            "answer": number % 61 + (number % 10 == 9),
        }
        for number in range(count)
    ]


def as_jsonl(folder: Path, name: str, rows: list[dict]) -> dict:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"kind": "jsonl", "path": str(path)}


def as_parquet(folder: Path, name: str, rows: list[dict]) -> dict:
    (folder / name).mkdir()
    for part, start in enumerate(range(0, len(rows), 60)):
        pq.write_table(pa.Table.from_pylist(rows[start : start + 60]), folder / name / f"{part}.parquet")
    return {"kind": "parquet", "path": str(folder / name)}


def shown_data(folder: Path) -> dict:
    conversation = [{"role": "system", "content": "Mine."}, {"role": "user", "content": "Ünusual?"}]
    rows = [*told(90), {"prompt": conversation, "answer": 3, "date": [1.5, None, {"deep": "\ud800"}]}]
    return {"train": as_jsonl(folder, "rows", rows), "system_prompt": "Be brief.", "suffix": " In a box."}


def two_files(folder: Path) -> dict:
    held = [*told(12), {"prompt": "alone?", "answer": 1}, {"prompt": "alone?", "answer": 1}]
    return {"train": as_jsonl(folder, "rows", told(150)), "eval": as_parquet(folder, "held", held)}


def woven_data(folder: Path, *weights: float, **fields: object) -> dict:
    sums = {"kind": "arith", "num_problems": 40}
    sets = {
        "a": as_jsonl(folder, "a", told(150)),
        "b": sums,
        "c": as_parquet(folder, "c", told(9) + told(90, "hens")),
    }
    for table, weight in zip(sets.values(), weights, strict=False):
        table["weight"] = weight
    return {"train": sets, "eval_fraction": 0.3, **fields}


PATHS: dict[str, tuple[Callable[[Path], dict], str]] = {
    "jsonl": (lambda folder: {"train": as_jsonl(folder, "rows", told(150))}, "f28e19b62381a2f1"),
    "limit": (
        lambda folder: {"train": {**as_jsonl(folder, "rows", told(150)), "limit": 70}},
        "fd991252d59a5ba1",
    ),
    "parquet": (lambda folder: {"train": as_parquet(folder, "rows", told(150))}, "f28e19b62381a2f1"),
    "instructions": (shown_data, "d6b27ab5ef7f0d98"),
    "an eval of its own": (two_files, "4d9935c02ec27577"),
    "mixed": (woven_data, "f517369f8a78b8cc"),
    "by weight": (lambda folder: woven_data(folder, 1.0, 2.0, 3.0), "cb411160efc2bbf2"),
    "as they come": (
        lambda folder: woven_data(folder, 1.0, 1.0, 2.0, shuffle=False, suffix="!"),
        "ac48cba9e1bd07ab",
    ),
    "mixed held out": (
        lambda folder: {
            "train": as_jsonl(folder, "r", told(150, "ducks")),
            "eval": woven_data(folder)["train"],
        },
        "ccee5365a51c343d",
    ),
}
"""A way to read and split, and the fingerprint of its problems when all of them were still in memory."""


@pytest.mark.parametrize("name", PATHS)
def test_many_rows_are_the_same_problems_in_the_same_order_as_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make, fingerprint = PATHS[name]
    config = DataConfig.model_validate(make(tmp_path))
    small = load_problems(config, 3)
    assert isinstance(small.train, tuple)
    assert small.num_duplicates
    assert Feed(small.train, seed=0, shuffle=True).fingerprint == fingerprint, (
        "old checkpoints would not resume"
    )
    monkeypatch.setattr(rows_in_a_file, "MAX_BYTES", 500)
    large = load_problems(config, 3)
    assert isinstance(large.train, Rows)
    assert Split(tuple(large.train), tuple(large.eval), *large[2:]) == small
    few, many = (Feed(split.train, seed=0, shuffle=True) for split in (small, large))
    assert many.fingerprint == fingerprint
    assert many.take(2 * len(small.train)) == few.take(2 * len(small.train))


def test_a_row_that_cannot_be_used_is_refused_by_its_place_among_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_in_a_file, "MAX_BYTES", 500)
    config = DataConfig.model_validate({"train": as_jsonl(tmp_path, "rows", [*told(50), {"prompt": ""}])})
    with pytest.raises(DataError, match=r"rows.jsonl, line 51: the prompt is empty"):
        load_problems(config, 0)


@pytest.mark.slow
def test_a_hub_dataset_of_many_rows_is_the_same_as_one_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    table = {**as_parquet(tmp_path, "rows", told(150)), "kind": "hub"}
    config = DataConfig.model_validate({"train": table})
    small = load_problems(config, 3)
    monkeypatch.setattr(rows_in_a_file, "MAX_BYTES", 500)
    large = load_problems(config, 3)
    assert isinstance(large.train, Rows)
    assert Split(tuple(large.train), tuple(large.eval), *large[2:]) == small
