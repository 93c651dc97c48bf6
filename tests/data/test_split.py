from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.core.errors import DataError
from guerdon.data.config import ArithConfig, DataConfig, JsonlConfig
from guerdon.data.split import load_problems


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
