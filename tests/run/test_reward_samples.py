from __future__ import annotations

import json
from pathlib import Path

import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import Preference
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.models.reward_loading import load_reward_model
from guerdon.run.config_reward import RewardEvalConfig
from guerdon.run.reward_samples import SAMPLES, can_write, open_samples, prompts_of, read_samples
from rewarding import problem, tiny_reward_model


def asked(*names: str, target: str | None = None) -> list[Preference]:
    return [Preference(problem=problem(name, target=target), chosen="a", rejected="b") for name in names]


SMALL = RewardEvalConfig(num_sample_prompts=3, max_completion_length=4)


def test_the_backbone_answers_once_and_the_folder_keeps_it(tmp_path: Path) -> None:
    model = tiny_reward_model()
    pairs = asked("a", "b") + asked("c", target="4")
    found = open_samples(SMALL, tmp_path, model, pairs, seed=0)
    assert [len(one.texts) for one in found] == [2, 2, 2]
    assert [one.problem.is_open_ended for one in found] == [True, False, True]
    assert [one.problem.target for one in found] == [None, "4", None]
    assert found[0].problem.messages == pairs[0].problem.messages
    text = (tmp_path / SAMPLES).read_bytes()
    spoiled = tiny_reward_model(seed=1)  # a resumed run has other weights by now; nothing is sampled again
    assert open_samples(SMALL, tmp_path, spoiled, pairs, seed=7) == found
    assert (tmp_path / SAMPLES).read_bytes() == text


def test_another_seed_gives_other_answers_and_the_same_one_the_same(tmp_path: Path) -> None:
    found = []
    for place, seed in (("x", 0), ("y", 0), ("z", 1)):
        (tmp_path / place).mkdir()
        found.append(open_samples(SMALL, tmp_path / place, tiny_reward_model(), asked("a"), seed=seed))
    assert found[0] == found[1] != found[2]


def test_a_file_of_another_policy_s_answers(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "completion": "one"},
        {"prompt": "q", "completion": "two", "target": "4"},
        {"prompt": "p", "completion": "three"},
    ]
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = RewardEvalConfig(samples=str(path))
    found = open_samples(config, tmp_path, tiny_reward_model(), [], seed=0)
    assert [one.texts for one in found] == [("one", "three"), ("two",)]
    path.unlink()
    assert open_samples(config, tmp_path, tiny_reward_model(), [], seed=0) == found, (
        "the run has its own copy"
    )
    assert read_samples(str(tmp_path / SAMPLES)) == found


def test_a_file_that_cannot_be_used_is_told_by_its_key(tmp_path: Path) -> None:
    config = RewardEvalConfig(samples=str(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match=r"^eval\.samples: .*none\.jsonl: no such file"):
        open_samples(config, tmp_path, tiny_reward_model(), [], seed=0)
    (tmp_path / "none.jsonl").write_text('{"prompt": "p"}\n')
    with pytest.raises(DataError, match=r"^eval\.samples: .*no column 'completion'"):
        open_samples(config, tmp_path, tiny_reward_model(), [], seed=0)
    assert not (tmp_path / SAMPLES).exists()


def test_what_is_no_policy_is_not_asked(tmp_path: Path) -> None:
    tiny_reward_model().save(tmp_path / "rm")
    again = load_reward_model(ModelConfig(source=str(tmp_path / "rm")), HeadConfig(), InputConfig())
    assert not can_write(again)
    assert open_samples(SMALL, tmp_path, again, asked("a"), seed=0) == []
    assert open_samples(SMALL, tmp_path, again, asked("a"), seed=0) == []  # and the empty file says so


def test_each_prompt_once_and_both_kinds_in_turn() -> None:
    pairs = asked("a", "a", "b", "c") + asked("x", target="1")
    chosen = prompts_of(pairs, 3)
    assert [one.id for one in chosen] == ["a", "x", "b"]
    assert [one.id for one in prompts_of(pairs, 9)] == ["a", "x", "b", "c"]
    assert prompts_of(pairs, 0) == []
