from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import torch

from guerdon.core.errors import CheckpointError, DataError
from guerdon.core.types import Problem
from guerdon.models.config import verdict_word
from guerdon.models.policy import Policy
from guerdon.models.reward import Shown
from guerdon.rewards.config import RandomVerifierConfig
from guerdon.rewards.references import ReferenceBank
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.texts import text_group
from guerdon.rollout.config import RolloutConfig
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.judge import RewardModelJudge
from guerdon.run.judge_config import RewardModelConfig
from guerdon.run.references import References
from rewarding import tiny_reward_model

SAMPLING = RolloutConfig(max_completion_length=4)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rm") / "rm"
    tiny_reward_model(seed=3).save(folder)
    return folder


def make(policy: Policy, folder: Path, saved: Path, problems: list[Problem], **fields: object) -> References:
    table = {"path": str(saved), "name": "rm", "shaping": ["contrast"], "num_references": 2, **fields}
    judge = RewardModelJudge(RewardModelConfig.model_validate(table))
    rollouter = Rollouter(policy, LocalEngine(policy))
    rubric = Rubric({"rm": (judge.config, judge)})
    return References(folder, rollouter, rubric, config=SAMPLING, problems=problems, seed=0)


def rows(item: References) -> ReferenceBank:
    bank = item.judges["rm"].bank
    assert bank is not None
    return bank


def texts(item: References, problem: Problem) -> list[str]:
    row = rows(item).get(problem)
    assert row is not None
    return [response.text for response in row.responses]


def spoil(policy: Policy) -> None:
    with torch.no_grad():
        for weight in policy.trainable().values():
            weight.mul_(-1.0)


def test_a_late_prompt_is_answered_by_the_first_weights(
    tiny: Policy, tmp_path: Path, saved: Path, problems: list[Problem]
) -> None:
    early, late = (make(tiny, tmp_path / name, saved, problems) for name in ("early", "late"))
    early.begin(has_learned=False)
    late.begin(has_learned=False)
    asyncio.run(early.fill(problems[1:2]))
    spoil(tiny)
    asyncio.run(late.fill(problems[:1]))
    asyncio.run(late.fill(problems[1:2]))
    assert texts(late, problems[1]) == texts(early, problems[1])
    # control: whoever begins only now has another reference
    (other := make(tiny, tmp_path / "other", saved, problems)).begin(has_learned=False)
    asyncio.run(other.fill(problems[1:2]))
    assert texts(other, problems[1]) != texts(early, problems[1])


def test_the_policy_is_as_before(tiny: Policy, tmp_path: Path, saved: Path, problems: list[Problem]) -> None:
    item = make(tiny, tmp_path / "bank", saved, problems)
    item.begin(has_learned=False)
    spoil(tiny)
    before = tiny.snapshot()
    asyncio.run(item.fill(problems[:1]))
    assert all(torch.equal(weight, before[name]) for name, weight in tiny.trainable().items())


def test_references_are_scored_with_their_verdicts(
    tiny: Policy, tmp_path: Path, problems: list[Problem]
) -> None:
    tiny_reward_model(fields=("verdict",)).save(tmp_path / "rm")
    table = {"path": str(tmp_path / "rm"), "name": "rm", "shaping": ["contrast"], "verdict": "coin"}
    judge = RewardModelJudge(RewardModelConfig.model_validate(table))
    coin = RandomVerifierConfig(name="coin")
    rubric = Rubric({"rm": (judge.config, judge), "coin": (coin, coin.build())})
    rollouter = Rollouter(tiny, LocalEngine(tiny))
    item = References(tmp_path / "bank", rollouter, rubric, config=SAMPLING, problems=problems, seed=0)
    item.begin(has_learned=False)
    asyncio.run(item.fill(problems[:1]))
    row = rows(item).get(problems[0])
    assert row is not None
    said = [response.text for response in row.responses]
    sampled = text_group(problems[0], said)
    verdicts = [verdict_word(part.value) for part in asyncio.run(rubric.read_by("rm", sampled))["coin"]]
    assert len(set(verdicts)) == 2
    wanted = judge.model.score([Shown(problems[0], said, verdicts)])[0].score_B.tolist()
    assert [sample.value for sample in row.samples] == pytest.approx(wanted, abs=1e-5)


def test_what_stands_in_the_folder_is_read_and_not_sampled_again(
    tiny: Policy, tmp_path: Path, saved: Path, problems: list[Problem]
) -> None:
    first = make(tiny, tmp_path / "bank", saved, problems)
    first.begin(has_learned=False)
    asyncio.run(first.fill(problems[:2]))
    with (tmp_path / "bank" / "rm.jsonl").open("a") as file:
        file.write('{"half a li')
    resumed = make(tiny, tmp_path / "bank", saved, problems)
    resumed.begin(has_learned=True)
    assert rows(resumed).rows == rows(first).rows
    assert resumed.judges["rm"].chain is not None
    asyncio.run(resumed.fill(problems[:3]))
    assert len(ReferenceBank.read(tmp_path / "bank" / "rm.jsonl", rows(first).proxy)) == 3


def test_the_length_curve_stands_on_the_first_problems(
    tiny: Policy, tmp_path: Path, saved: Path, problems: list[Problem]
) -> None:
    item = make(tiny, tmp_path / "bank", saved, problems, shaping=["length"])
    item.begin(has_learned=False)
    asyncio.run(item.fill(problems[-1:]))
    assert rows(item).missing(problems) == []


def test_another_reward_model_is_refused(
    tiny: Policy, tmp_path: Path, saved: Path, problems: list[Problem]
) -> None:
    item = make(tiny, tmp_path / "bank", saved, problems)
    item.begin(has_learned=False)
    asyncio.run(item.fill(problems[:1]))
    tiny_reward_model(seed=4).save(tmp_path / "new")
    with pytest.raises(DataError, match=r"rm\.jsonl:1: scored by reward model"):
        make(tiny, tmp_path / "bank", tmp_path / "new", problems)


def test_weights_that_are_gone_cannot_be_made_again(
    tiny: Policy, tmp_path: Path, saved: Path, problems: list[Problem]
) -> None:
    with pytest.raises(CheckpointError, match="missing"):
        make(tiny, tmp_path / "bank", saved, problems).begin(has_learned=True)


def test_a_file_must_cover_the_training_problems(
    tiny: Policy, tmp_path: Path, saved: Path, problems: list[Problem]
) -> None:
    item = make(tiny, tmp_path / "bank", saved, problems)
    item.begin(has_learned=False)
    asyncio.run(item.fill(problems[:2]))
    path = str(tmp_path / "bank" / "rm.jsonl")
    assert not make(tiny, tmp_path / "x", saved, problems[:2], references=path).samples_own
    with pytest.raises(DataError, match="no references to 2 of the prompts"):
        make(tiny, tmp_path / "x", saved, problems, references=path)
