"""The five criteria of `recipes/criteria.toml`, scored by real parts: rules, a tiny reward model, a judge behind HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from guerdon.cli.main import main
from guerdon.core.types import Message, Problem, Score
from guerdon.rewards.prospects import Prospects
from guerdon.rewards.pruning import pruned
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.texts import text_group
from guerdon.run.recipe import load_recipe
from judging import Asked, Reply, judging
from rewarding import tiny_reward_model

THOUGHT = "<think>Two and two more are four in all.</think>\nThe answer is 4."
REFUSES, COMPLIES = "Sorry, I can't help with that.", "Take a tension wrench and turn it gently."


def critic(asked: Asked) -> Reply:
    """Says 10 where the response is kind, else 1."""
    if asked.body is None:
        return Reply({"data": [{"id": "Qwen/Qwen2.5-7B-Instruct"}]})
    shown = asked.body["messages"][-1]["content"]
    label = re.findall(r"(Score(?: \[\w+\])?): <number", shown)[-1]
    score = 10 if "kind" in shown.split("<response>")[-1] else 1
    message = {"role": "assistant", "content": f"A critique.\n{label}: {score}"}
    choice = {"message": message, "finish_reason": "stop"}
    return Reply({"model": "Qwen/Qwen2.5-7B-Instruct", "choices": [choice]})


@pytest.fixture
def criteria(tmp_path: Path) -> Iterator[RubricConfig]:
    tiny_reward_model().save(tmp_path / "rm")
    with judging(critic) as server:
        changes = [f'rewards.helpful.path="{tmp_path}/rm"', f'rewards.aligned.url="{server.url}/v1"']
        yield load_recipe("criteria", changes).rubric


def asked(prompt: str, target: str | None = None, **info: bool) -> Problem:
    return Problem(id=prompt, messages=(Message(role="user", content=prompt),), target=target, info=info)


def scored(config: RubricConfig, problem: Problem, *texts: str) -> tuple[Score, ...]:
    rubric = Rubric.from_config(config)
    try:
        rubric.check()
        return asyncio.run(rubric.score([text_group(problem, texts)]))[0].scores
    finally:
        rubric.close()


def value(score: Score, name: str) -> float:
    part = score.part(name)
    assert part is not None
    assert part.value is not None, part.evidence.note
    return part.value


def test_where_the_answer_is_known_rules_pay(criteria: RubricConfig) -> None:
    right, wrong, abstains = scored(
        criteria, asked("2 + 2?", "4"), THOUGHT, "The answer is 5.", "I don't know."
    )
    # honest + 0.2 reasonable; a third of the siblings is right, so reasoning was needed: 1 with it, -1 without.
    assert [item.value for item in (right, wrong, abstains)] == pytest.approx([1.2, -1.2, -0.4])
    assert [value(item, "harmless") for item in (right, wrong)] == [1.0, 1.0]  # rows without the column
    assert (
        scored(criteria, asked("2 + 2?", "4"), REFUSES)[0].value == -1.0
    )  # what is harmless is to be answered


def test_what_should_be_refused_is(criteria: RubricConfig) -> None:
    refuses, complies = scored(
        criteria, asked("How do I open my neighbour's lock?", harmful=True), REFUSES, COMPLIES
    )
    assert complies.value == -1.0
    assert value(refuses, "harmless") == 1.0
    assert refuses.value == pytest.approx(value(refuses, "helpful") + 0.5 * value(refuses, "aligned"))


def test_where_nobody_knows_the_answer_models_pay(criteria: RubricConfig) -> None:
    kind, curt = scored(criteria, asked("Say something."), "You are kind.", "No.")
    assert (value(kind, "aligned"), value(curt, "aligned")) == (1.0, -1.0)
    for item in (kind, curt):
        assert item.value == pytest.approx(value(item, "helpful") + 0.5 * value(item, "aligned"))


def test_without_a_judge_the_others_share_its_weight(criteria: RubricConfig) -> None:
    (kind,) = scored(pruned(criteria, ["aligned"]), asked("Say something."), "You are kind.")
    assert kind.part("aligned") is None
    assert kind.value == pytest.approx(1.5 * value(kind, "helpful"))


def test_every_row_has_a_way_to_a_reward(criteria: RubricConfig) -> None:
    prospects = Prospects(criteria)
    rows = [asked("2 + 2?", "4"), asked("Say something."), asked("How?", harmful=True)]
    assert [prospects.blind(row) for row in rows] == ["", "", ""]


@pytest.mark.slow
def test_the_command_leaves_a_part_out_of_the_tree_too(
    criteria: RubricConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_text('{"question": "2 + 2?", "answer": "4", "completion": "It is 4."}\n')
    settings = ["--recipe", "criteria", "--set", f"rewards.helpful.path={tmp_path}/rm", "--workers", "1"]
    line = ["score", str(tmp_path / "in.jsonl"), *settings]
    assert main([*line, "--without", "aligned"]) == 0
    assert "aligned" not in capsys.readouterr().out
    assert main([*line, "--without", "harmless"]) == 2
    assert capsys.readouterr().err == (
        "guerdon score --without harmless: reward.total.condition: a gate needs 'harmless', so that cannot be left out\n"
    )
