from __future__ import annotations

import subprocess
import sys

from guerdon.explain.terminal import results_table


def line(label: str, value: float, changes: float | None = None) -> dict[str, object]:
    record: dict[str, object] = {
        "label": label,
        "stage": label.split()[-1],
        "step": 3,
        "num_problems": 200,
        "time": 1.0,
        "metrics": {
            "sampled_accuracy": {"value": value, "low": value - 0.031, "high": value + 0.032},
            "mean_length": {"value": 100 * value, "low": None, "high": None},
        },
    }
    if changes is not None:
        record["changes"] = {"sampled_accuracy": {"value": changes, "low": 0.098, "high": 0.185}}
    return record


def test_the_table_is_aligned_and_complete() -> None:
    table = results_table(
        [line("before", 0.31), line("after sft", 0.382, 0.072), line("after grpo", 0.524, 0.142)]
    )
    assert table.splitlines() == [
        "                     before        after SFT     after GRPO    change by GRPO",
        "-----------------------------------------------------------------------------",
        "sampled accuracy, %  31.0          38.2          52.4          +14.2",
        "                     27.9 to 34.2  35.1 to 41.4  49.3 to 55.6  9.8 to 18.5",
        "mean length, tokens  31.0          38.2          52.4          -",
        "",
        "Below each value: its bootstrap 95 % interval over 200 held-out problems.",
        "Changes are paired on the same problems.",
    ]


def test_one_evaluation_has_no_change_column() -> None:
    table = results_table([line("before", 0.31)])
    assert "change" not in table.lower()
    assert len(table.splitlines()) == 7


def test_a_hostile_label_cannot_paint_the_terminal() -> None:
    table = results_table([line("before\x1b[31m\u202e", 0.31)])
    assert not set(table) & {"\x1b", "\u202e"}


def test_without_evaluations_there_is_no_table() -> None:
    assert results_table([]) == ""


def test_neither_torch_nor_pyarrow_is_needed() -> None:
    code = "import sys, guerdon.explain.terminal; print({'torch', 'pyarrow'} & set(sys.modules) or 'light')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "light"
