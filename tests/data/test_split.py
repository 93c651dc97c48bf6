from __future__ import annotations

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


@given(st.permutations(range(40)), st.integers(10, 40))
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
