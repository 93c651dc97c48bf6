"""The gate, fitted from texts through the parts of a recipe: by hand, and where what matters depends on the prompt."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from guerdon.cli.main import main
from guerdon.core.errors import DataError, UserError
from guerdon.core.types import Message, Preference, Problem
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.learned import LearnedWeights
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.run.fit_weights import CONTROL, FITTED, GATE, FittedWeights, fit_weights, parts_to_mix

PARTS = ("has_a", "has_b")
REWARDS = RubricConfig(parse_rewards({name: {"kind": "regex", "pattern": name[-1]} for name in PARTS}))
TOPICS = ("rivers", "taxes", "bread", "maps", "trains", "keys", "moons", "ants")


def pairs(count: int, *, seed: int = 0) -> list[Preference]:
    """Prompts that ask for "alpha" prefer an answer with an a, those that ask for "beta" one with a b; 5 % by mistake."""
    draw = random.Random(seed)
    found = []
    for index in range(count):
        wanted = draw.choice(["alpha", "beta"])
        prompt = f"Write {wanted} about {draw.choice(TOPICS)} and {draw.choice(TOPICS)}, number {index}"
        sides = ["a", "b"] if (wanted == "alpha") == (draw.random() > 0.05) else ["b", "a"]
        problem = Problem(id=str(index), messages=(Message(role="user", content=prompt),))
        found.append(Preference(problem=problem, chosen=sides[0], rejected=sides[1]))
    return found


def held(found: FittedWeights, name: str) -> float:
    return next(row.held_out.value for row in found.rows if row.name == name)


@pytest.mark.learning
def test_the_gate_beats_fixed_weights_where_the_prompt_matters_and_its_control_does_not() -> None:
    found = fit_weights(REWARDS, PARTS, pairs(400))
    assert (found.num_train + found.num_held_out, found.left_out) == (400, {})
    assert held(found, GATE) > 0.85
    assert held(found, CONTROL) < 0.65  # the same gate, and prompts that say nothing
    assert held(found, found.best_fixed) < 0.65
    assert found.change.low is not None
    assert found.change.low > 0.2
    weights = found.gate("Write alpha about maps")
    assert weights[0] > weights[1]


def test_pairs_that_teach_nothing_are_left_out_and_counted() -> None:
    one = pairs(60)
    tie = Preference(problem=one[0].problem, chosen="a", rejected="b", tie=True)
    alike = Preference(problem=one[0].problem, chosen="neither", rejected="nor")
    found = fit_weights(REWARDS, PARTS, [*one, tie, alike])
    assert dict(found.left_out) == {"ties": 1, "pairs whose sides score alike in every part": 1}
    assert {row.name for row in found.rows} >= {GATE, CONTROL, FITTED, "has_a alone", "has_b alone"}
    with pytest.raises(DataError, match=r"0 comparisons to learn from .*left out: 1 ties"):
        fit_weights(REWARDS, PARTS, [tie])


def test_a_part_that_lacks_what_it_needs_is_named_with_what_helps() -> None:
    rewards = RubricConfig.parse({"rewards": {"math": {}, "has_a": {"kind": "regex", "pattern": "a"}}})
    with pytest.raises(DataError) as caught:
        fit_weights(rewards, ("math", "has_a"), pairs(20))
    told = str(caught.value)
    assert "left out: 20 pairs that math could not score" in told
    assert re.search(r"rewards.math says: .* has no target; give pairs that it can score$", told)
    with pytest.raises(DataError, match=r"give more pairs, or another --held-out$"):
        fit_weights(REWARDS, PARTS, [])


def test_which_parts_are_mixed() -> None:
    learned = {"path": "gate.json", "of": ["has_b", "has_a"]}
    table = {
        "rewards": {name: {"kind": "regex", "pattern": "x"} for name in (*PARTS, "third")},
        "reward": {"learned": learned},
    }
    table["rewards"]["third"]["weight"] = 0  # type: ignore[assignment]
    named = RubricConfig.parse(table)
    assert parts_to_mix(named, ()) == ("has_b", "has_a")
    assert parts_to_mix(named, ("has_a", "third")) == ("has_a", "third")
    assert parts_to_mix(REWARDS, ()) == PARTS
    with pytest.raises(UserError, match="'has_c' is no part of \\[rewards\\] \\(did you mean 'has_"):
        parts_to_mix(REWARDS, ("has_a", "has_c"))
    with pytest.raises(UserError, match="expected two or more to weigh"):
        parts_to_mix(REWARDS, ("has_a",))


RECIPE = """
kind = "preferences"
[model]
source = "builtin:tiny"
[data.train]
kind = "arith"
[rewards.has_a]
kind = "regex"
pattern = "a"
[rewards.has_b]
kind = "regex"
pattern = "b"
"""


def test_the_command_writes_a_gate_that_a_recipe_can_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text(RECIPE)
    rows = [
        {"prompt": p.problem.messages[0].content, "chosen": p.chosen, "rejected": p.rejected}
        for p in pairs(60)
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = tmp_path / "gate.json"
    files = [str(tmp_path / "mine.toml"), str(tmp_path / "pairs.jsonl"), "--output", str(output)]
    assert main(["prefs", "weights", *files]) == 0
    out = capsys.readouterr().out
    assert "learned gate" in out
    assert "gate against " in out
    assert f'path = "{output}", of = ["has_a", "has_b"]' in out
    assert LearnedWeights.load(output).parts == PARTS
    used = RECIPE + f'[reward.learned]\npath = "{output}"\nof = ["has_a", "has_b"]\n'
    (tmp_path / "used.toml").write_text(used)
    assert main(["check", str(tmp_path / "used.toml"), "--no-data"]) == 0
    assert main(["prefs", "weights", str(tmp_path / "used.toml"), *files[1:]]) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--held-out", "1"], "expected more than 0 and less than 1"),
        (["--of", "has_a,has_d"], "is no part of"),
        (["--output", "/nowhere/at/all.json"], "cannot be written"),
    ],
)
def test_the_command_s_mistakes_are_one_line(
    tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text(RECIPE)
    row = [{"prompt": f"q{n}", "chosen": "a", "rejected": "b"} for n in range(40)]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(one) + "\n" for one in row))
    files = [str(tmp_path / "mine.toml"), str(tmp_path / "p.jsonl"), "--output", str(tmp_path / "g.json")]
    assert main(["prefs", "weights", *files, *options]) == 2
    err = [line for line in capsys.readouterr().err.splitlines() if "scoring" not in line]
    assert len(err) == 1
    assert said in err[0]
