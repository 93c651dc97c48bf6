from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import CreditedGroup, Message, Turn
from guerdon.run.completions import credited_entries, evaluated_entries, write_groups
from guerdon.run.folder import completions_file, evaluation_file
from guerdon.run.replay import read_evaluation, read_rollouts


def record(folder: Path, credited: list[CreditedGroup], steps: tuple[int, ...] = (1,)) -> Path:
    (folder / "completions").mkdir(exist_ok=True)
    for step in steps:
        write_groups(completions_file(folder, "grpo", step), step, credited_entries(credited))
    return completions_file(folder, "grpo", steps[0])


def edit(path: Path, column: str, values: pa.Array | None) -> None:
    table = pq.read_table(path)
    number = table.column_names.index(column)
    table = table.remove_column(number) if values is None else table.set_column(number, column, values)
    pq.write_table(table, path)


def test_what_was_written_comes_back_equal(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    record(tmp_path, credited, steps=(1, 2))
    replayed = list(read_rollouts(tmp_path))
    assert [step for step, _ in replayed] == [1, 2]
    # half a surrogate pair is not text: in plain columns it would become "?"; in JSON columns it survives
    assert replayed[1][1] == [group.scored for group in credited]


def test_logprobs_come_back_bit_for_bit(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    record(tmp_path, credited)
    ((_, groups),) = read_rollouts(tmp_path)
    logprobs = groups[0].group.rollouts[0].turns[0].behavior_logprobs
    assert [value.hex() for value in logprobs] == [(-0.1).hex(), (-1 / 3).hex()]


def test_an_evaluation_comes_back_by_mode(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    (tmp_path / "evals").mkdir()
    scored = [group.scored for group in credited]
    path = evaluation_file(tmp_path, "after sft")
    write_groups(path, 9, evaluated_entries([("greedy", scored[:2]), ("sampled", scored[2:])]))
    assert path.name == "after_sft.parquet"
    assert read_evaluation(tmp_path, "after sft") == {"greedy": scored[:2], "sampled": scored[2:]}


def test_rollouts_without_logprobs_are_refused(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    path = record(tmp_path, credited[:1])
    edit(path, "behavior_logprobs", pa.array([[-1.0, -1.0], None], pa.list_(pa.float64())))
    with pytest.raises(
        DataError, match=r"00001.parquet: problem 'p0', rollout 1: behavior_logprobs are missing"
    ):
        list(read_rollouts(tmp_path))


def test_a_missing_column_is_named(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    edit(record(tmp_path, credited), "behavior_logprobs", None)
    with pytest.raises(DataError, match="no column 'behavior_logprobs'"):
        list(read_rollouts(tmp_path))


@pytest.mark.parametrize("kept", [1, 3])
def test_a_row_that_contradicts_itself_is_refused(
    tmp_path: Path, credited: list[CreditedGroup], kept: int
) -> None:
    path = record(tmp_path, credited[:1])
    edit(path, "completion_ids", pa.array([[4] * kept, [4, 5]], pa.list_(pa.int32())))
    with pytest.raises(
        DataError, match=f"cannot be read back: ValueError: {kept} items, but the turns count"
    ):
        list(read_rollouts(tmp_path))


def test_nothing_recorded_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="no rollouts of stage 'grpo' to replay; was the run made with log_comp"
    ):
        list(read_rollouts(tmp_path))


def test_a_gap_is_refused_after_the_steps_before_it(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    record(tmp_path, credited, steps=(1, 3))
    rollouts = read_rollouts(tmp_path)
    assert next(rollouts)[0] == 1
    with pytest.raises(DataError, match=r"00002.parquet: missing, but step 3 is there"):
        next(rollouts)


def test_a_truncated_file_is_refused(tmp_path: Path, credited: list[CreditedGroup]) -> None:
    path = record(tmp_path, credited)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="not a readable Parquet file"):
        list(read_rollouts(tmp_path))


def test_the_fixture_fills_every_field_of_a_turn(credited: list[CreditedGroup]) -> None:
    # guards the round trip above: a new field of Turn must be recorded too, or this fails
    turn = credited[2].scored.group.rollouts[0].turns[0]
    default = Turn(prompt_ids=(), completion_ids=(), behavior_logprobs=(), text="")
    critic = credited[2].scored.group.rollouts[0].turns[1]
    same = [n for n in Turn.__slots__ if getattr(turn, n) == getattr(default, n) == getattr(critic, n)]
    assert same == []
    assert turn.replies == (Message(role="user", content="answer\ud800"),)
