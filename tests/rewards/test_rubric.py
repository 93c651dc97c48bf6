from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from factories import answered
from guerdon.core.errors import PluginError, UserError
from guerdon.core.metrics import values
from guerdon.core.types import Part, Problem, Rollout, RolloutGroup, ScoredGroup, StopReason
from guerdon.rewards.config import RandomVerifierConfig, VerifierConfig, parse_rewards
from guerdon.rewards.rubric import Rubric, rubric_metrics
from guerdon.rewards.rubric_config import RubricConfig


class Says:
    """A verifier that reads its verdict off the answer."""

    def __call__(self, problem: Problem, rollout: Rollout) -> Part:
        verdicts = {"yes": 1.0, "no": 0.0, "unknown": None, "nan": float("nan"), "flag": True}
        if rollout.text == "crash":
            raise ZeroDivisionError("on purpose")
        return Part(name="ignored", value=verdicts[rollout.text], weight=99.0)


def rubric(**settings: object) -> Rubric:
    config = RandomVerifierConfig.model_validate({"name": "says", **settings})
    return Rubric({"says": (config, Says())})


def score(rubric_: Rubric, *texts: str, stop: StopReason = StopReason.EOS) -> ScoredGroup:
    return asyncio.run(rubric_.score([answered(texts, stop=stop, target="4")]))[0]


def test_parts_are_kept_with_the_recipes_name_and_weight() -> None:
    found = score(rubric(weight=0.5), "yes", "no")
    assert [item.value for item in found.scores] == [0.5, 0.0]
    assert found.scores[0].parts == (Part(name="says", value=1.0, weight=0.5),)


def test_could_not_verify_masks_or_is_skipped() -> None:
    assert score(rubric(), "unknown").scores[0].value is None
    rewards = parse_rewards({"math": {}, "format": {"weight": 0.2}})
    config = RandomVerifierConfig(name="says", when_missing="skip")
    both = Rubric({**Rubric.from_config(rewards).verifiers, "says": (config, Says())})
    found = score(both, "unknown")
    assert found.scores[0].value == 0.0  # wrong and unformatted; the unknown part has no say
    assert found.scores[0].part("says") == Part(name="says", value=None)
    masked = Rubric({**both.verifiers, "says": (RandomVerifierConfig(name="says"), Says())})
    assert score(masked, "unknown").scores[0].value is None


class ReaderConfig(VerifierConfig):
    """Of a judge that is shown what `says` found."""

    kind: str = "reader"

    @property
    def reads(self) -> dict[str, str]:
        return {"verdict": "says"}


class Reader:
    async def score(self, group: RolloutGroup, parts: dict[str, list[Part]]) -> list[Part]:
        assert list(parts) == ["says"]
        return [
            Part(name="x", value=None if part.value is None else 10.0 * part.value) for part in parts["says"]
        ]


def test_what_a_judge_reads_is_computed_first_and_handed_over() -> None:
    says = (RandomVerifierConfig(name="says", weight=0.0), Says())
    both = Rubric({"reader": (ReaderConfig(name="reader"), Reader()), "says": says})
    found = score(both, "yes", "no", "unknown")
    assert [item.value for item in found.scores] == [10.0, 0.0, None]
    assert [part.name for part in found.scores[0].parts] == ["reader", "says"]  # the recipe's order
    read = asyncio.run(both.read_by("reader", answered(["yes", "crash"])))
    assert [part.value for part in read["says"]] == [1.0, None]  # one that crashes is data


class Counting:
    """A judge that keeps the targets of the problems it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    async def score(self, group: RolloutGroup) -> list[Part]:
        self.asked.append(group.problem.target)
        return [Part(name="x", value=0.5) for _ in group.rollouts]


def test_a_judge_is_asked_only_where_a_route_leads_to_it() -> None:
    table = {
        "rewards": {"math": {}, "judge": {"kind": "random"}, "probe": {"kind": "random", "weight": 0.0}},
        "reward": {"route": {"by": "target", "cases": {"yes": "math", "no": "judge"}}},
    }
    config = RubricConfig.parse(table)
    judge, probe = Counting(), Counting()
    built = Rubric.from_config(config)
    verifiers = {
        **built.verifiers,
        "judge": (config.rewards["judge"], judge),
        "probe": (config.rewards["probe"], probe),
    }
    routed = Rubric(verifiers, built.tree)
    first, second = asyncio.run(routed.score([answered(["4", "5"], target="4"), answered(["4"])]))
    assert judge.asked == [None]
    assert probe.asked == ["4", None]  # outside the tree: recorded everywhere
    assert [item.value for item in first.scores] == [1.0, 0.0]
    part = first.scores[1].part("judge")
    assert part is not None
    assert (part.value, part.evidence.note[:9]) == (None, "not asked")
    assert [item.value for item in second.scores] == [0.5]
    numbers = values(rubric_metrics([first, second]))
    assert (numbers["rewards/judge/unverified"], numbers["rewards/judge/mean"]) == (0.0, 0.5)
    assert "rewards/judge/unverified" not in values(rubric_metrics([first]))
    assert second.scores[0].part("math") is not None  # a rule costs nothing: it says what it can


def test_what_a_part_reads_is_asked_even_where_its_own_route_ends() -> None:
    table = {
        "rewards": {"says": {"kind": "random"}, "reader": {"kind": "random"}},
        "reward": {"route": {"by": "target", "cases": {"yes": "reader", "no": "says"}}},
    }
    config = RubricConfig.parse(table)
    judge = Counting()
    reader = (ReaderConfig(name="reader"), Reader())
    routed = Rubric(
        {"says": (config.rewards["says"], judge), "reader": reader}, Rubric.from_config(config).tree
    )
    found = asyncio.run(routed.score([answered(["a"], target="4")]))[0]
    assert (judge.asked, found.scores[0].value) == (["4"], 5.0)


def test_a_weight_of_zero_is_a_metric_only() -> None:
    quiet = Rubric({"says": (RandomVerifierConfig(name="says", weight=0.0), Says())})
    found = score(quiet, "yes")
    assert found.scores[0].value is None  # nothing learns from it
    assert values(rubric_metrics([found]))["rewards/says/mean"] == 1.0


def test_an_exception_in_a_verifier_is_a_failure_not_a_crash() -> None:
    found = score(rubric(), "yes", "crash")
    assert [item.value for item in found.scores] == [1.0, None]  # a sibling is judged all the same
    assert "rewards.says on problem q: ZeroDivisionError: on purpose" in found.group.failures[0].message


def test_why_there_is_no_reward_is_what_the_part_says() -> None:
    assert rubric().why([score(rubric(), "yes", "no")]) == ""
    said = rubric().why([score(rubric(), "crash", "yes")])
    assert said == "rewards.says on problem q: ZeroDivisionError: on purpose"
    table = {
        "rewards": {"math": {}, "harmless": {"kind": "refusal", "column": "harmful"}},
        "reward": {"gate": {"condition": "harmless", "then": "math"}},
    }
    gate = Rubric.from_config(RubricConfig.parse(table))
    assert gate.why([score(gate, "4")]) == (
        "rewards.harmless: the problem's harmful is neither true nor false"
    )
    route = {**table, "reward": {"route": {"by": "kind", "cases": {"sum": "math", "open": "harmless"}}}}
    lost = Rubric.from_config(RubricConfig.parse(route))
    assert lost.why([score(lost, "4")]) == "reward.route: no kind: no case of this route"


@pytest.mark.parametrize("text", ["nan", "flag"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(PluginError, match="'says' returned the value"):
        score(rubric(), text)


def test_a_judge_of_the_wrong_length_is_named() -> None:
    class Short:
        async def score(self, group: RolloutGroup) -> list[Part]:
            return [Part(name="short", value=1.0)]

    config: VerifierConfig = RandomVerifierConfig(name="short")
    with pytest.raises(PluginError, match="returned 1 parts for 2 rollouts"):
        score(Rubric({"short": (config, Short())}), "yes", "no")


def test_a_part_that_cannot_work_here_says_so_before_anything_runs() -> None:
    class Lacking(Says):
        def check(self) -> None:
            raise PluginError("no compiler")

    config: VerifierConfig = RandomVerifierConfig(name="code")
    with pytest.raises(PluginError, match=r"^rewards\.code: no compiler$"):
        Rubric({"code": (config, Lacking())}).check()


def test_metrics_by_hand() -> None:
    found = score(rubric(weight=2.0), "yes", "no", "yes", "yes")
    numbers = values(rubric_metrics([found]))
    # rewards 2 0 2 2: mean 1.5, Bessel deviation sqrt((3 x .25 + 2.25) / 3) = 1
    assert numbers["reward"] == 1.5
    assert numbers["reward_std"] == pytest.approx(1.0)
    assert numbers["frac_reward_zero_std"] == 0.0
    assert numbers["rewards/says/mean"] == 0.75
    assert numbers["rewards/says/std"] == pytest.approx(0.5)
    assert numbers["completions/clipped_ratio"] == 0.0
    cut = values(rubric_metrics([score(rubric(), "yes", "yes", stop=StopReason.LENGTH)]))
    assert cut["completions/clipped_ratio"] == 1.0
    assert cut["frac_reward_zero_std"] == 1.0
    assert "completions/mean_terminated_length" not in cut


class Length:
    """A verifier on a scale of its own; counts how often it ran."""

    runs = 0

    def __call__(self, problem: Problem, rollout: Rollout) -> Part:
        self.runs += 1
        return Part(name="", value=None if rollout.text == "unknown" else float(len(rollout.text)))


def spec_rubric(reward: dict[str, object], *names: str) -> Rubric:
    config = RubricConfig.parse({"rewards": {name: {"kind": "random"} for name in names}, "reward": reward})
    made = Rubric.from_config(config)
    made.verifiers = {name: (part, Length()) for name, (part, _) in made.verifiers.items()}
    return made


def test_a_tree_makes_the_reward() -> None:
    made = spec_rubric({"gate": {"condition": "size", "at_least": 3.0, "then": "size"}}, "size")
    assert [item.value for item in score(made, "yes", "no").scores] == [3.0, -1.0]
    made.check_calibrated()


def test_calibration_fits_on_scored_groups_and_runs_no_verifier_again() -> None:
    made = spec_rubric({"sum": {"of": {"size": 2.0}}, "calibrate": {"size": "rank"}}, "size")
    with pytest.raises(UserError, match=r"reward.calibrate: size: no scale yet; set reward.calibration"):
        made.check_calibrated()
    raw = score(made, "a", "bb", "ccc", "unknown")
    assert [item.value for item in raw.scores] == [None] * 4
    (group,) = made.calibrate([raw])
    assert [item.value for item in group.scores] == pytest.approx(
        [-4 / 3, 0.0, 4 / 3, None]
    )  # -2/3, 0, 2/3 twice
    assert made.verifiers["size"][1].runs == 4
    assert score(made, "dddd").scores[0].value == 2.0  # by the reference, not by its own group
    made.check_calibrated()
    assert made.calibrate([group]) == [group]  # the same reference, the same scales


def test_a_calibration_file_is_read(tmp_path: Path) -> None:
    made = spec_rubric({"sum": {"of": {"size": 1.0}}, "calibrate": {"size": "zscore"}}, "size")
    made.calibrate([score(made, "a", "ccc")])
    assert made.tree.calibration
    (tmp_path / "calibration.json").write_text(json.dumps(made.tree.calibration.to_json()))
    table = {"sum": {"of": {"size": 1.0}}, "calibrate": {"size": "zscore"}}
    again = spec_rubric({**table, "calibration": str(tmp_path / "calibration.json")}, "size")
    assert score(again, "aaaa").scores[0].value == 2.0  # mean 2, deviation 1


def test_health_counts_renormalised_rollouts() -> None:
    made = spec_rubric({"sum": {"of": {"size": 1.0, "says": 1.0}, "missing": "renormalise"}}, "size", "says")
    made.verifiers["says"] = (made.verifiers["says"][0], Says())
    groups = [score(made, "yes", "unknown")]  # "unknown" has neither part, and so no reward
    assert values(made.health(groups)) == {"reward_health/renormalised": 0.0}
    made.verifiers["size"] = (made.verifiers["size"][0], lambda problem, rollout: Part(name="", value=1.0))
    assert values(made.health([score(made, "yes", "unknown")])) == {"reward_health/renormalised": 0.5}
    assert rubric().health(groups) == {}
