from __future__ import annotations

import pytest
import torch

from guerdon.core.types import Preference
from guerdon.explain.reward_model.intervals import wilson
from guerdon.models.reward import Shown
from guerdon.rewards.pool import Request
from guerdon.run.reward_eval import (
    JudgedPair,
    JudgedSample,
    RewardEvaluation,
    RewardEvaluator,
    accuracy_of,
)
from guerdon.run.reward_source import asked_of
from rewarding import digits_pairs, pair, problem, tiny_reward_model


def judged(chosen: float | None, rejected: float | None, item: Preference | None = None) -> JudgedPair:
    return JudgedPair(item or pair(), chosen, rejected, chosen, rejected)


def evaluation(*items: JudgedPair) -> RewardEvaluation:
    return RewardEvaluation("after rm", 3, items, 1.0)


def test_the_record_by_hand() -> None:
    longer = pair("a", "long answer", "no")
    shorter = pair("b", "no", "long answer", source="rule")
    record = evaluation(
        judged(0.5, 0.1, longer), judged(0.9, 0.1, longer), judged(0.1, 0.4, shorter), judged(None, 0.0)
    ).record()
    metrics = record["metrics"]
    assert isinstance(metrics, dict)
    assert accuracy_of(record) == pytest.approx(2 / 3)
    assert record["num_problems"] == 4
    assert record["num_unscored"] == 1

    def value(name: str) -> object:
        found = metrics[name]
        assert isinstance(found, dict)
        return found["value"]

    assert value("accuracy/chosen longer") == 1.0
    assert value("accuracy/chosen shorter") == 0.0
    assert value("accuracy/source rule") == 0.0
    assert value("saturated") == 0.0
    # mean of 0.5, 0.1, 0.9, 0.1, 0.1, 0.4, 0.0
    assert value("score_mean") == pytest.approx(0.3)


def test_confidence_and_hits_of_differences() -> None:
    sure = evaluation(*[judged(40.0, 0.0)] * 4).record()["metrics"]
    wrong = evaluation(*[judged(0.0, 40.0)] * 4).record()["metrics"]
    assert isinstance(sure, dict)
    assert isinstance(wrong, dict)
    assert sure["calibration_error"] == {"value": pytest.approx(0.0, abs=1e-6)}
    assert wrong["calibration_error"] == {"value": pytest.approx(1.0, abs=1e-6)}


def test_collapse_is_named() -> None:
    fine = evaluation(*(judged(0.1 * place, -0.1 * place) for place in range(1, 8)))
    assert fine.collapse() == []
    (flat,) = evaluation(*(judged(0.3, 0.3) for _ in range(8))).collapse()
    assert "nearly constant (std 0.000" in flat
    (ends,) = evaluation(*(judged(0.999, -0.999) for _ in range(8))).collapse()
    assert "100% of the scores on held-out responses" in ends
    assert evaluation(judged(0.3, 0.3)).collapse() == []  # too few to say


def test_samples_of_the_policy_have_figures_and_alarms_of_their_own() -> None:
    def samples(*scores: float, **fields: object) -> tuple[JudgedSample, ...]:
        return tuple(JudgedSample(problem(**fields), "text", score, 3.0 * score) for score in scores)  # type: ignore[arg-type]

    pairs = tuple(judged(0.1 * place, -0.1 * place) for place in range(1, 8))
    spread = [0.1 * place for place in range(-5, 6)]
    fine = RewardEvaluation("x", 3, pairs, 1.0, samples(*spread))
    metrics = fine.record()["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["reward_health/sample_score_mean"] == {"value": pytest.approx(0.0, abs=1e-6)}
    assert metrics["reward_health/sample_u_std"] == {"value": pytest.approx(0.995, abs=1e-3)}
    assert fine.collapse() == []
    low = RewardEvaluation("x", 3, pairs, 1.0, samples(*(-0.9 - 0.01 * place for place in range(10))))
    found = low.collapse()
    assert "scores on the policy's samples are off the centre (mean -0.9" in found[0]
    assert "nearly constant" in found[1]
    mixed = samples(*spread, *spread) + samples(*spread, *spread, target="4")
    alike = RewardEvaluation("x", 3, pairs, 1.0, mixed).collapse()
    assert len(alike) == 1
    assert "no longer tell open-ended prompts from closed ones (distance 0.00" in alike[0]
    apart = samples(*spread, *spread) + samples(*(0.2 * one - 0.5 for one in spread * 2), target="4")
    assert RewardEvaluation("x", 3, pairs, 1.0, apart).collapse() == []


def test_u_that_shrinks_to_nothing_is_seen_although_the_scores_are_rescaled() -> None:
    model = tiny_reward_model()
    pairs = digits_pairs(20, seed=0)
    reference = [asked_of(item) for item in digits_pairs(20, seed=1)]
    evaluator = RewardEvaluator(model, pairs, max_tokens=4096)
    with model.settled(reference, max_tokens=4096):
        first = evaluator.evaluate("before", 0).record()
    with torch.no_grad():
        model.heads.score.weight.mul_(1e-3)
    with model.settled(reference, max_tokens=4096):
        later = evaluator.evaluate("after", 9)
    assert later.collapse() == [], "the scores alone look healthy"
    assert any(
        "u on held-out responses has shrunk to 0.1% of its early spread" in one
        for one in later.collapse(first)
    )


def test_open_and_closed_prompts_are_told_apart() -> None:
    closed = Preference(problem=problem(target="4"), chosen="4", rejected="5")
    record = evaluation(judged(1.0, -1.0, closed), judged(0.2, 0.1)).record()
    metrics = record["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["open_closed_distance"] == {"value": 0.5}


def test_the_evaluator_scores_both_sides_of_every_pair() -> None:
    model = tiny_reward_model(max_length=64)
    pairs = [pair("a"), pair("b", "x" * 100, "y"), pair("c")] * 15
    ticks: list[int] = []
    evaluator = RewardEvaluator(model, pairs, max_tokens=300)
    found = evaluator.evaluate("before", 0, tick=lambda: ticks.append(1))
    assert len(ticks) == evaluator.num_ticks == 2
    assert [item.pair for item in found.judged] == pairs
    assert found.judged[1].chosen is None
    assert found.judged[1].rejected is not None
    wanted = model.score([Shown(pairs[2].problem, ("good", "bad"))])[0]
    assert found.judged[2].chosen == pytest.approx(wanted.score_B[0].item(), abs=1e-5)
    assert found.judged[2].record()["chosen_chars"] == 4
    assert found.judged[2].record()["chosen_tokens"] == model.count_tokens("good")
    # Every prompt once, every side once, without the one that does not fit.
    encoded = [model.encode(item.problem, (item.chosen, item.rejected)) for item in pairs]
    read = [[item.prompt_ids, *item.responses] for item in encoded]
    assert found.num_tokens == sum(len(ids) for row in read for ids in row if ids is not None)


def test_intervals_of_accuracies_are_wilson_s() -> None:
    # A bootstrap of two misses said "0.0 (0.0 to 0.0)".
    record = evaluation(judged(0.1, 0.5), judged(0.2, 0.5)).record()
    metrics = record["metrics"]
    assert isinstance(metrics, dict)
    wanted = wilson(0, 2)
    assert metrics["accuracy"] == {"value": 0.0, "low": 0.0, "high": wanted.high}
    assert (wanted.high or 0) > 0.6


def test_rows_are_told_apart_by_what_they_say_of_themselves() -> None:
    def row(index: int, **info: object) -> JudgedPair:
        item = Preference(problem=problem(str(index), **info), chosen="good", rejected="bad")
        return judged(1.0, float(index % 2 * 2), item)._replace(chosen_tokens=index, rejected_tokens=1)

    sources = ("hh-harmless", "tulu-human")
    found = evaluation(
        *(row(n, set="people", source=sources[n // 4], domain=("code", "chat")[n % 2]) for n in range(8))
    )
    assert [(pair.set, pair.data_set, pair.domain) for pair in found.pairs[:2]] == [
        ("people", "hh-harmless", "code"),
        ("people", "hh-harmless", "chat"),
    ]
    metrics = found.record()["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["accuracy/domain chat"]["value"] == 0.0  # type: ignore[index, call-overload]
    assert metrics["accuracy/domain code"]["value"] == 1.0  # type: ignore[index, call-overload]
    assert metrics["accuracy/data set tulu-human"]["value"] == 0.5  # type: ignore[index, call-overload]
    assert "accuracy/length 6 to 7 tokens" in metrics
    assert not any("characters" in name for name in metrics)
    many = evaluation(*(row(n, domain=f"d{n}") for n in range(20))).record()["metrics"]
    assert isinstance(many, dict)
    assert not any("domain" in name for name in many)  # a page of so many rows tells nothing


def test_the_evaluator_scores_samples_as_it_scores_pairs() -> None:
    model = tiny_reward_model(max_length=64)
    asked = [Request(problem=problem("a"), texts=("good", "x" * 100))]
    ticks: list[int] = []
    evaluator = RewardEvaluator(model, [pair("a")], max_tokens=300, samples=asked)
    found = evaluator.evaluate("before", 0, tick=lambda: ticks.append(1))
    assert len(ticks) == evaluator.num_ticks == 2
    first, second = found.samples
    assert first.score == pytest.approx(found.judged[0].chosen, abs=1e-5)
    assert second.score is None
    assert second.record()["completion"] == "x" * 100
