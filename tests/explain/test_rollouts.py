from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from guerdon.explain.read import read_run
from guerdon.explain.rollouts import MAX_ANSWERS, compare, training_steps


def test_the_same_problem_stands_side_by_side(finished_run: Path) -> None:
    found = compare(read_run(finished_run), notices := [])
    assert found is not None
    assert notices == []
    assert found.mode == "greedy"
    assert sum(found.counts.values()) == 201
    assert found.counts["gained"] > found.counts["lost"] > 0
    for comparison in found.shown:
        assert [label for label, _ in comparison.answers] == ["before", "after sft", "after grpo"]
        assert len({answer.problem_id for _, answer in comparison.answers}) == 1
        first, last = comparison.answers[0][1].is_right("math"), comparison.answers[-1][1].is_right("math")
        kinds = {
            (False, True): "gained",
            (True, False): "lost",
            (True, True): "right",
            (False, False): "wrong",
        }
        assert comparison.kind == kinds[bool(first), bool(last)]


def test_first_middle_and_last_step_are_shown(finished_run: Path) -> None:
    steps = training_steps(read_run(finished_run), [])
    assert [step.step for step in steps] == [1, 30, 90]
    assert all(step.num_groups == len(step.groups) == 8 for step in steps)
    answer = steps[0].groups[0].answers[0]
    assert [part.name for part in answer.parts] == ["math", "format"]
    assert [part.weight for part in answer.parts] == [1.0, 0.2]
    assert answer.num_tokens == max(4, len(answer.text) // 3)
    maths = answer.parts[0]
    assert maths.span is not None
    assert answer.text[slice(*maths.span)] == maths.extracted


def test_failures_of_a_group_are_told(finished_run: Path) -> None:
    run = read_run(finished_run)
    found = [group.failures for step in training_steps(run, []) for group in step.groups if group.failures]
    assert found == [("rollout: TimeoutError: slow",)]


def test_a_broken_file_is_a_notice(fresh_run: Path) -> None:
    (fresh_run / "completions").mkdir()
    (fresh_run / "completions" / "completions_grpo_00001.parquet").write_bytes(b"PAR1 half")
    notices: list[str] = []
    assert training_steps(read_run(fresh_run), notices) == ()
    assert notices == ["completions/completions_grpo_00001.parquet cannot be read (ArrowInvalid)."]


def test_a_file_with_trl_columns_only_is_read(fresh_run: Path) -> None:
    (fresh_run / "completions").mkdir()
    rows = [
        {
            "step": 7,
            "prompt": "q",
            "completion": f"a{index}",
            "math": 1.0,
            "advantage": 0.5,
            "problem_id": "p",
        }
        for index in range(MAX_ANSWERS + 4)
    ]
    pq.write_table(pa.Table.from_pylist(rows), fresh_run / "completions" / "completions_grpo_00007.parquet")
    (step,) = training_steps(read_run(fresh_run), [])
    (group,) = step.groups
    assert (len(group.answers), group.num_answers) == (MAX_ANSWERS, MAX_ANSWERS + 4)
    assert [(part.name, part.value) for part in group.answers[0].parts] == [("math", 1.0)]


def test_a_part_with_a_reserved_name_is_found(fresh_run: Path) -> None:
    (fresh_run / "completions").mkdir()
    row = {
        "prompt": "q",
        "completion": "a",
        "rewards/reward": 0.25,
        "reward": 2.0,
        "weights": '{"reward": 3.0}',
    }
    pq.write_table(pa.Table.from_pylist([row]), fresh_run / "completions" / "completions_grpo_00001.parquet")
    run = replace(read_run(fresh_run), config={"rewards": {"reward": {"weight": 3.0}}})
    (step,) = training_steps(run, [])
    answer = step.groups[0].answers[0]
    assert [(part.name, part.value, part.weight) for part in answer.parts] == [("reward", 0.25, 3.0)]
    assert answer.reward == 2.0


def test_evidence_that_is_no_evidence_is_passed_over(fresh_run: Path) -> None:
    (fresh_run / "completions").mkdir()
    rows = [
        {"prompt": "q", "completion": "a", "math": 1.0, "evidence": text, "weights": "[]", "failures": "3"}
        for text in ('{"math": 3}', '{"math": {"span": [1, "x"], "note": null}}', "{", "[" * 100_000, None)
    ]
    pq.write_table(pa.Table.from_pylist(rows), fresh_run / "completions" / "completions_grpo_00001.parquet")
    (step,) = training_steps(read_run(fresh_run), [])
    assert [(part.note, part.span) for answer in step.groups[0].answers for part in answer.parts] == [
        ("", None)
    ] * 5
