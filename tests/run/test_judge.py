from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guerdon.core.errors import PluginError, UserError
from guerdon.core.types import Part
from guerdon.models.reward import Shown
from guerdon.models.version import version_of
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.references import ReferenceBank, Response, Row, prompt_key
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.rewards.shaping import Sample
from guerdon.rewards.texts import text_group
from guerdon.run.judge import RewardModelJudge
from guerdon.run.judge_config import RewardModelConfig
from rewarding import problem, tiny_reward_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_reward_model("ensemble", max_length=64).save(tmp_path / "rm")
    return tmp_path / "rm"


def judge(folder: Path, **fields: object) -> RewardModelJudge:
    return RewardModelJudge(RewardModelConfig.model_validate({"path": str(folder), "name": "rm", **fields}))


def parts(item: RewardModelJudge, *texts: str, name: str = "p") -> list[Part]:
    return asyncio.run(item.score(text_group(problem(name), texts)))


def test_scores_are_the_model_s_and_carry_its_version(folder: Path) -> None:
    found = parts(judge(folder), "yes", "no")
    wanted = tiny_reward_model("ensemble", max_length=64).score([Shown(problem(), ("yes", "no"))])[0].score_B
    assert [part.value for part in found] == pytest.approx(wanted.tolist(), abs=1e-5)
    assert all(part.evidence.extracted == version_of(folder) for part in found)
    assert "members differ by" in found[0].evidence.note


@pytest.fixture
def informed(tmp_path: Path) -> Path:
    """A reward model that is shown a rule's verdict."""
    tiny_reward_model(max_length=128, fields=("verdict",)).save(tmp_path / "informed")
    return tmp_path / "informed"


def test_the_verdict_of_a_rule_reaches_the_model(informed: Path) -> None:
    rewards = parse_rewards(
        {
            "rm": {"kind": "reward_model", "path": str(informed), "verdict": "math"},
            "math": {"weight": 0.0, "extract": "boxed"},
        }
    )
    rubric = Rubric.from_config(RubricConfig(rewards))
    rubric.check()
    texts = (r"\boxed{4}", r"\boxed{5}", "who knows")
    (found,) = asyncio.run(rubric.score([text_group(problem(target="4"), texts)]))
    model = tiny_reward_model(max_length=128, fields=("verdict",))
    shown = Shown(problem(target="4"), texts, ("right", "wrong", "wrong"))
    wanted = model.score([shown])[0].score_B.tolist()
    assert [item.value for item in found.scores] == pytest.approx(wanted, abs=1e-5)
    assert wanted != pytest.approx(
        model.score([Shown(problem(target="4"), texts)])[0].score_B.tolist(), abs=1e-3
    )


def test_one_text_with_two_verdicts_is_scored_twice(informed: Path) -> None:
    item = judge(informed, verdict="math")
    group = text_group(problem(), ("a", "a", "a"))
    given = {"math": [Part(name="math", value=value) for value in (1.0, 0.0, 1.0)]}
    first, second, third = (part.value for part in asyncio.run(item.score(group, given)))
    assert first == third != second


def test_a_verdict_that_is_missing_or_has_no_use_is_told_before_the_run(informed: Path, folder: Path) -> None:
    with pytest.raises(UserError, match=r"path: .*was trained to be shown a rule's verdict, and gets none"):
        judge(informed).check()
    with pytest.raises(UserError, match=r"path: .*is shown no verdict, so verdict = 'math' has no use"):
        judge(folder, verdict="math").check()
    judge(informed, verdict="math").check()


def test_a_response_too_long_could_not_be_judged(folder: Path) -> None:
    long, short = parts(judge(folder), "x" * 200, "ok")
    assert long.value is None
    assert "does not fit into the reward model's 64 tokens" in long.evidence.note
    assert short.value is not None


def test_what_was_scored_is_remembered_by_content(folder: Path) -> None:
    item = judge(folder)
    first = parts(item, "a", "b", "a")
    assert item.num_hits == 1  # the sibling that says the same
    assert first[0].value == first[2].value
    assert parts(item, "b", "c")[0].value == first[1].value
    assert item.num_hits == 2
    parts(item, "a", name="another prompt")
    assert item.num_hits == 2


def test_memory_is_bounded(folder: Path) -> None:
    item = judge(folder, num_cached=2)
    parts(item, "a", "b", "c")
    parts(item, "a")
    assert item.num_hits == 0
    parts(item, "a")
    assert item.num_hits == 1


def test_a_run_folder_means_its_last_checkpoint(tmp_path: Path) -> None:
    model = tmp_path / "run" / "checkpoints" / "checkpoint-rm-00003" / "model"
    model.mkdir(parents=True)
    tiny_reward_model().save(model)
    assert parts(judge(tmp_path / "run"), "x")[0].evidence.extracted == version_of(model)


def test_a_model_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    rewards = parse_rewards({"quality": {"kind": "reward_model", "path": str(tmp_path / "none")}})
    with pytest.raises(PluginError, match=r"rewards.quality: path: .*no such folder"):
        Rubric.from_config(RubricConfig(rewards)).check()
    with pytest.raises(UserError):
        judge(tmp_path / "none").check()
    with pytest.raises(UserError, match="no such run and no such folder"):  # and nobody asks the hub for it
        judge(Path("runs/never")).check()


def test_other_weights_than_the_recipe_wants_are_refused(folder: Path) -> None:
    item = judge(folder, version=version_of(folder))
    item.check()
    assert item.version == version_of(folder)
    with pytest.raises(UserError, match=r"is version .*, and version abc is wanted"):
        judge(folder, version="abc").check()


def test_members_become_one_as_the_recipe_says(folder: Path) -> None:
    (scores,) = tiny_reward_model("ensemble", max_length=64).score([Shown(problem(), ("yes", "no"))])
    assert scores.members_EB is not None
    wanted = {
        "mean": scores.members_EB.mean(0),
        "worst_case": scores.members_EB.amin(0),
        "mean_minus_variance": scores.members_EB.mean(0) - 2.0 * scores.members_EB.var(0, correction=0),
    }
    for kind, u_B in wanted.items():
        item = judge(folder, ensemble=kind, variance_weight=2.0, scale="utility")
        assert [part.value for part in parts(item, "yes", "no")] == pytest.approx(u_B.tolist(), abs=1e-5)


def test_a_pessimist_s_score_is_squashed_too(folder: Path) -> None:
    mean, worst = (parts(judge(folder, ensemble=kind), "yes")[0].value for kind in ("mean", "worst_case"))
    assert mean is not None
    assert worst is not None
    assert -1.0 <= worst < mean <= 1.0


def test_one_head_is_no_ensemble(tmp_path: Path) -> None:
    tiny_reward_model("scalar").save(tmp_path / "one")
    with pytest.raises(UserError, match=r"needs several members.*has a scalar head"):
        judge(tmp_path / "one", ensemble="worst_case").check()


def test_disagreement_is_a_metric(folder: Path) -> None:
    item = judge(folder)
    group = text_group(problem(), ("yes", "no"))
    assert item.health([group]) == {}
    asyncio.run(item.score(group))
    found = item.health([group])["rewards/rm/disagreement"].value
    assert found is not None
    assert found > 0.0


def test_shaped_by_the_bank_of_its_prompt(folder: Path) -> None:
    item = judge(folder, shaping=["contrast"], scale="utility")
    raw = parts(judge(folder, scale="utility"), "yes", "no")
    item.bank = ReferenceBank(item.proxy)
    row = Row(
        prompt_key(problem()), item.proxy, (Response("a", Sample(2.0, 1)), Response("b", Sample(4.0, 1)))
    )
    item.bank.add([row])
    item.fit([row])
    found = parts(item, "yes", "no")
    assert [part.value for part in found] == pytest.approx([(part.value or 0.0) - 3.0 for part in raw])
    assert "by contrast against 2 references" in found[0].evidence.note
    (unknown,) = parts(item, "yes", name="another prompt")
    assert unknown.value is None
    assert "no reference responses to this prompt" in unknown.evidence.note


def test_shaping_without_a_run_needs_a_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"references/NAME\.jsonl"):
        parts(judge(folder, shaping=["contrast"]), "yes")
    lines: list[str] = []
    proxy = judge(folder, shaping=["contrast"]).proxy
    ReferenceBank(proxy).add(
        [Row(prompt_key(problem()), proxy, (Response("a", Sample(0.0, 1)),))], lines.append
    )
    (tmp_path / "bank.jsonl").write_text("\n".join([*lines, ""]))
    item = judge(folder, shaping=["contrast"], references=str(tmp_path / "bank.jsonl"))
    assert parts(item, "yes")[0].value == pytest.approx(parts(judge(folder), "yes")[0].value)


def test_plain_text_has_no_length_to_shape_by(folder: Path) -> None:
    item = judge(folder, shaping=["length"])
    item.bank = ReferenceBank(item.proxy)
    with pytest.raises(UserError, match="score them without 'length'"):
        parts(item, "yes")


def test_a_bank_of_another_scale_is_refused(folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    proxy = judge(folder, scale="utility").proxy
    ReferenceBank(proxy).add([Row("k", proxy, (Response("a", Sample(0.0, 1)),))], lines.append)
    (tmp_path / "bank.jsonl").write_text("\n".join([*lines, ""]))
    with pytest.raises(UserError, match="scored by reward model"):
        judge(folder, shaping=["contrast"], references=str(tmp_path / "bank.jsonl")).check()
