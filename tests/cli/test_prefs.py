from __future__ import annotations

from pathlib import Path

import pytest

from guerdon.cli.main import main

RECIPE = """
kind = "preferences"
num_problems = 2
[model]
source = "builtin:tiny"
[data.train]
kind = "arith"
num_problems = 20
[sampling]
num_generations = 2
max_completion_length = 3
[rewards.math]
"""


def test_no_pair_at_all_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.toml").write_text(RECIPE)
    assert main(["prefs", "make", str(tmp_path / "p.toml"), "--output", str(tmp_path / "pairs.jsonl")]) == 2
    out = capsys.readouterr().out
    assert "0 pairs about 2 problems" in out
    assert "answers cut off" in out
    assert "no pair: 2 of 2 problems: the answers were cut off; raise sampling.max_completion_length" in out
    assert "labelled alike" not in out


def test_every_mistake_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = RECIPE.replace('source = "builtin:tiny"', 'source = "/nope"').replace(
        "[rewards.math]", "[rewards.rm]\nkind = 'reward_model'\npath = './no'"
    )
    (tmp_path / "p.toml").write_text(broken)
    told = []
    for command in (["check", "--no-data"], ["prefs", "make", "--output", str(tmp_path / "pairs.jsonl")]):
        assert main([*command, str(tmp_path / "p.toml")]) == 2
        told.append(capsys.readouterr().err.splitlines())
    assert told[0] == told[1]
    assert [line.partition(":")[0] for line in told[0]] == ["model.source", "rewards.rm"]
    cycle = "[reward.a]\nkind='sum'\nof={a=1.0}\n[reward.b]\nkind='gate'\ncondition='x'\nthen='math'\n"
    (tmp_path / "p.toml").write_text(f"{RECIPE}\n{cycle}")
    for command in (["check"], ["prefs", "make", "--output", str(tmp_path / "pairs.jsonl")]):
        assert main([*command, str(tmp_path / "p.toml")]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert any("reward.a: a cycle: a -> a" in line for line in lines)
        assert any("reward.b.condition: no part and no node 'x'" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["p.toml"]


def test_lists_without_labels_come_back_as_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stop = "[sampling]\nstop = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'e', 'a', ' ']"
    text = RECIPE.replace("[rewards.math]", "").replace("[sampling]", stop)
    (tmp_path / "p.toml").write_text(text.replace("max_completion_length = 3", "max_completion_length = 40"))
    recipe, lists, pairs = (str(tmp_path / name) for name in ("p.toml", "lists.jsonl", "pairs.jsonl"))
    assert main(["check", recipe]) == 0
    assert "nothing was proved: no part labels here" in capsys.readouterr().out
    assert main(["prefs", "make", recipe, "--output", lists]) == 0
    out = capsys.readouterr().out
    assert "lists that wait for labels about 2 problems" in out
    assert f"then: guerdon prefs pair {recipe} {lists}" in out
    assert main(["prefs", "pair", recipe, lists, "--output", pairs]) == 2
    assert "judged by nobody" in capsys.readouterr().out
    filled = Path(lists).read_text().replace('"preference": null', '"preference": "a"', 1)
    Path(lists).write_text(filled)
    assert main(["prefs", "pair", recipe, lists, "--output", pairs]) == 0
    out = capsys.readouterr().out
    assert "1 pairs of 2 lists, judged by human" in out
    assert "left out: 1 prompts that nobody judged" in out


def test_the_output_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["prefs", "make", "preferences"])
    assert stopped.value.code == 2
    assert "--output" in capsys.readouterr().err
