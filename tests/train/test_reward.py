from __future__ import annotations

import asyncio
import copy
import math
from collections.abc import Sequence

import pytest
import torch

from guerdon.core.types import CreditedGroup, Preference
from guerdon.data.preferences.judged import Judged
from guerdon.data.preferences.pairing import Answer, Candidates
from guerdon.models.config import HeadConfig, InputConfig, LoraConfig, ModelConfig
from guerdon.models.reward import RewardModel, Shown
from guerdon.models.reward_loading import load_reward_model
from guerdon.run.reward_eval import RewardEvaluator
from guerdon.run.reward_source import PreferenceSource
from guerdon.train.config import OptimConfig, RewardLossConfig
from guerdon.train.reward import RewardLearner, pack_rewards
from rewarding import digits_pairs, judged, pair, problem, tiny_reward_model

OPTIM = OptimConfig(learning_rate=1e-3, lr_scheduler_type="constant", max_steps=100, max_grad_norm=1e9)
EVERYTHING = RewardLossConfig(use_margin=True, label_smoothing=0.1, pointwise=0.5, centering=0.1, bias=0.3)


def credited(model: RewardModel, pairs: Sequence[Judged]) -> list[CreditedGroup]:
    source = PreferenceSource(pairs, model, too_long="refuse")
    return judged(asyncio.run(source.scored(1, source.problems)))


def rated_pairs() -> list[Preference]:
    ratings = [{"score": 3.0, "clear": 1.0, "true": 5.0}, {"score": 1.0, "clear": 4.0}]
    return [
        pair("a", "good", "bad thing", margin=1.5, chosen_ratings=ratings[0], rejected_ratings=ratings[1]),
        pair("bb", "so so", "so la la", tie=True),
        pair("ccc", "a long and winding answer", "no"),
        pair("d", "x", "yyy", margin=0.2),
    ]


def gradients(
    model: RewardModel, groups: Sequence[CreditedGroup], max_tokens: int
) -> dict[str, torch.Tensor]:
    learner = RewardLearner(model, EVERYTHING, OPTIM)
    batch = pack_rewards(groups, model=model, max_tokens=max_tokens)
    model.heads.train()
    model.heads.score_deviation.fill_(0.1)  # so that the variance floor has something to say
    for micro in batch.micro:
        read = model.read(micro.plan)
        torch.stack(list(learner._terms(micro, read, batch.totals).values())).sum().backward()
    found = {name: gradient.clone() for name, gradient in learner.optimizer.gradients().items()}
    learner.close()
    for weight in model.trainable().values():
        weight.grad = None
    return found


@pytest.mark.parametrize("kind", ["scalar", "ensemble", "attributes", "binned"])
def test_micro_batches_do_not_change_the_gradient(kind: str) -> None:
    model = tiny_reward_model(kind)
    groups = credited(model, rated_pairs())
    whole = gradients(model, groups, 10_000)
    parts = gradients(model, groups, 40)
    assert whole.keys() == parts.keys()
    assert any(gradient.abs().max() > 0 for gradient in whole.values())
    for name, gradient in whole.items():
        assert torch.allclose(gradient, parts[name], atol=1e-5 * max(1.0, float(gradient.abs().max()))), name


def test_the_loss_is_what_plain_passes_give() -> None:
    # Each response alone through the model, the loss by hand: mean over pairs of -log sigmoid(u_w - u_l - m).
    model = tiny_reward_model()
    pairs = [item for item in rated_pairs() if not item.tie]
    loss = RewardLossConfig(use_margin=True, centering=0.0, bias=0.0, variance_floor=0.0)
    by_hand = []
    for item in pairs:
        u = [model.score([Shown(item.problem, (text,))])[0].u_B for text in (item.chosen, item.rejected)]
        by_hand.append(-torch.nn.functional.logsigmoid(u[0] - u[1] - (item.margin or 0.0)))
    report = RewardLearner(model, loss, OPTIM).step(
        [pack_rewards(credited(model, pairs), model=model, max_tokens=60)]
    )
    assert report.metrics["loss"] == pytest.approx(torch.cat(by_hand).mean().item(), abs=1e-5)


def test_a_tie_pulls_together_and_a_pair_apart() -> None:
    def gap_after(tie: bool) -> float:
        model = tiny_reward_model()
        item = pair("p", "left", "right", tie=tie)
        learner = RewardLearner(model, RewardLossConfig(), OPTIM)
        for _ in range(8):
            learner.step([pack_rewards(credited(model, [item]), model=model, max_tokens=500)])
        u = model.score([Shown(item.problem, (item.chosen, item.rejected))])[0].u_B
        return float(u[0] - u[1])

    assert abs(gap_after(True)) < 0.05
    assert gap_after(False) > 1.0


def test_ratings_in_their_scale_and_missing_ones_left_out() -> None:
    model = tiny_reward_model("attributes")
    (micro,) = pack_rewards(credited(model, rated_pairs()), model=model, max_tokens=10_000).micro
    assert micro.attributes_BK is not None
    known = micro.attributes_BK[~micro.attributes_BK.isnan()]
    assert sorted(known.tolist()) == [-1.0, 0.0, 1.0]  # clear: 1 -> -1, 4 -> 1; true: 5 alone, so 0
    assert sorted(micro.rating_B[~micro.rating_B.isnan()].tolist()) == [-1.0, 1.0]


def test_each_member_of_an_ensemble_sees_about_half_and_always_the_same_half() -> None:
    model = tiny_reward_model("ensemble")
    pairs = digits_pairs(60, seed=0)
    (first,) = pack_rewards(credited(model, pairs), model=model, max_tokens=10**6).micro
    assert first.weight_EN is not None
    assert set(first.weight_EN.unique().tolist()) == {0.0, 2.0}
    assert 0.7 < float(first.weight_EN.mean()) < 1.3
    assert not torch.equal(first.weight_EN[0], first.weight_EN[1])
    (again,) = pack_rewards(credited(model, pairs), model=model, max_tokens=10**6).micro
    assert torch.equal(first.weight_EN, again.weight_EN)


def listed(name: str, **scores: float) -> Candidates:
    answers = tuple(Answer(text=text, score=score) for text, score in scores.items())
    return Candidates(problem=problem(name), answers=answers)


def test_a_list_is_learned_as_a_whole() -> None:
    model = tiny_reward_model()
    texts = {"nine": 0.2, "five": 0.9, "one": 0.5}
    learner = RewardLearner(model, RewardLossConfig(ranking="none", listwise=1.0), OPTIM)
    groups = credited(model, [listed("list", **texts)])
    for _ in range(12):
        learner.step([pack_rewards(groups, model=model, max_tokens=500)])
    u = model.score([Shown(problem("list"), list(texts))])[0].u_B
    assert u[1] > u[2] > u[0]


def learned_with_dropout(
    dropout: float, seed: int, *, resume_at: int | None = None
) -> dict[str, torch.Tensor]:
    """Weights after three steps of two passes each; perhaps by another learner from `resume_at` on."""

    def fresh() -> tuple[RewardModel, RewardLearner]:
        lora = LoraConfig(r=4, dropout=dropout)
        model = load_reward_model(
            ModelConfig(source="builtin:tiny", lora=lora), HeadConfig(), InputConfig(), seed=0
        )
        return model, RewardLearner(model, RewardLossConfig(listwise=0.5), OPTIM, seed=seed)

    model, learner = fresh()
    for step in range(3):
        if step == resume_at:
            kept = {name: tensor.clone() for name, tensor in learner.state_tensors().items()}
            model, learner = fresh()
            learner.load_state_tensors(kept, num_steps=step, version=step)
        items = [*digits_pairs(8, seed=step), listed("l", good=3.0, fair=2.0, poor=1.0)]
        batch = pack_rewards(credited(model, items), model=model, max_tokens=180)
        assert len(batch.micro) == 2
        learner.step([batch])
        model.score([Shown(problem(), ("between", "steps"))])
    return {name: weight.detach().clone() for name, weight in model.trainable().items()}


@pytest.mark.slow
def test_dropout_acts_in_training_and_repeats_itself() -> None:
    def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
        return all(torch.equal(weight, two[name]) for name, weight in one.items())

    first = learned_with_dropout(0.3, seed=0)
    assert same(first, learned_with_dropout(0.3, seed=0))
    assert same(first, learned_with_dropout(0.3, seed=0, resume_at=2))
    assert not same(first, learned_with_dropout(0.3, seed=1))
    assert not same(first, learned_with_dropout(0.0, seed=0))


def test_the_loss_of_a_list_with_equal_scores_is_what_plain_passes_give() -> None:
    # Two equals above one: each of them is drawn against the worst alone, in whatever order the list stands.
    scores = {"worst": 1.0, "equal": 3.0, "same": 3.0}
    only = RewardLossConfig(ranking="none", listwise=0.5, centering=0.0, bias=0.0, variance_floor=0.0)
    found = []
    for texts in (list(scores), list(scores)[::-1]):
        model = tiny_reward_model()
        u = dict(zip(texts, model.score([Shown(problem("p"), texts)])[0].u_B.tolist(), strict=True))
        items = [listed("p", **{text: scores[text] for text in texts}), pair("q", "a", "b")]
        batch = pack_rewards(credited(model, items), model=model, max_tokens=500)
        assert (batch.totals.lists, batch.totals.pairs) == (1, 1)
        metrics = RewardLearner(model, only, OPTIM).step([batch]).metrics
        by_hand = sum(math.log(1 + math.exp(u["worst"] - u[text])) for text in ("equal", "same"))
        assert metrics["loss/listwise"] == pytest.approx(0.5 * by_hand, abs=1e-5)
        found.append(metrics["loss"])
    assert found[0] == pytest.approx(found[1], abs=1e-5)


def test_the_accuracy_counts_the_pairs_of_lists_that_have_an_order() -> None:
    model = tiny_reward_model()
    u = model.score([Shown(problem("p"), ["a", "b", "c"])])[0].u_B.tolist()
    best = max(range(3), key=u.__getitem__)
    scores = dict.fromkeys("abc", 1.0) | {
        "abc"[best]: 2.0
    }  # the one it likes best is best, the others are equal
    only = RewardLossConfig(ranking="none", listwise=1.0)
    batch = pack_rewards(credited(model, [listed("p", **scores)]), model=model, max_tokens=500)
    metrics = RewardLearner(model, only, OPTIM).step([batch]).metrics
    assert metrics["accuracy"] == 1.0
    assert metrics["margin"] == pytest.approx(1.5 * u[best] - 0.5 * sum(u), abs=1e-5)


def test_state_comes_back_bit_for_bit() -> None:
    pairs = digits_pairs(8, seed=1)
    model = tiny_reward_model()
    learner = RewardLearner(model, RewardLossConfig(), OPTIM)
    batch = [pack_rewards(credited(model, pairs), model=model, max_tokens=500)]
    learner.step(batch)
    kept = {name: tensor.clone() for name, tensor in copy.copy(learner.state_tensors()).items()}
    learner.step(batch)
    other = tiny_reward_model(seed=7)
    resumed = RewardLearner(other, RewardLossConfig(), OPTIM)
    resumed.load_state_tensors(kept, num_steps=1, version=1)
    resumed.step([pack_rewards(credited(other, pairs), model=other, max_tokens=500)])
    for name, tensor in learner.state_tensors().items():
        assert torch.equal(tensor, resumed.state_tensors()[name]), name


def held_out_accuracy(kind: str, noise: float) -> float:
    model = load_reward_model(
        ModelConfig(source="builtin:tiny"),
        HeadConfig.model_validate({"kind": kind}),
        InputConfig(),
    )
    learner = RewardLearner(model, RewardLossConfig(), OPTIM)
    pairs = digits_pairs(160, seed=0, noise=noise)
    for start in range(0, len(pairs), 16):
        groups = credited(model, pairs[start : start + 16])
        learner.step([pack_rewards(groups, model=model, max_tokens=4096)])
    evaluation = RewardEvaluator(model, digits_pairs(100, seed=99), max_tokens=8192).evaluate("after", 10)
    hits = [item.hit for item in evaluation.pairs]
    return sum(hit or 0.0 for hit in hits) / len(hits)


@pytest.mark.learning
@pytest.mark.parametrize("kind", ["scalar", "binned"])
def test_it_learns_what_is_better_and_nothing_from_coins(kind: str) -> None:
    assert held_out_accuracy(kind, noise=0.0) > 0.95
    assert held_out_accuracy(kind, noise=0.5) < 0.85  # the control: labels by coin


def alone(pairs: Sequence[Preference]) -> list[Candidates]:
    """One side of each, rated good or bad."""
    return [
        Candidates(
            problem=item.problem,
            answers=(Answer(text=(item.rejected, item.chosen)[good], score=good, ratings={"label": good}),),
        )
        for index, item in enumerate(pairs)
        for good in [index % 2]
    ]


def share_of_good_above_bad(noise: float) -> float:
    model = tiny_reward_model()
    slow = OPTIM.model_copy(update={"learning_rate": 3e-4})
    learner = RewardLearner(model, RewardLossConfig(ranking="none", pointwise=1.0), slow)
    items = alone(digits_pairs(240, seed=0, noise=noise))
    for start in range(0, len(items), 16):
        batch = pack_rewards(credited(model, items[start : start + 16]), model=model, max_tokens=4096)
        assert (batch.totals.rated, batch.totals.pairs, batch.totals.siblings) == (16, 0, 0)
        learner.step([batch])
    held = alone(digits_pairs(60, seed=99))
    found = model.score([Shown(item.problem, [item.answers[0].text]) for item in held])
    u = [float(one.u_B[0]) for one in found]
    return sum(good > bad for good in u[1::2] for bad in u[::2]) / 30**2


@pytest.mark.learning
def test_answers_without_a_partner_teach_their_ratings_whichever_these_are() -> None:
    assert share_of_good_above_bad(noise=0.0) > 0.95
    assert share_of_good_above_bad(noise=1.0) < 0.05  # the control: every label turned round
