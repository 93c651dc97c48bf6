from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence

import pytest
import torch

from guerdon.core.types import CreditedGroup, Preference
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


def credited(model: RewardModel, pairs: Sequence[Preference]) -> list[CreditedGroup]:
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


def test_a_list_is_learned_as_a_whole() -> None:
    import dataclasses

    from guerdon.core.types import Score

    model = tiny_reward_model()
    item = problem("list")
    texts = ("nine", "five", "one!")
    encoded = model.encode(item, texts)
    (group,) = credited(model, [pair("list", "nine", "five")])
    rollouts = tuple(
        dataclasses.replace(
            group.scored.group.rollouts[0],
            index=index,
            turns=(
                dataclasses.replace(
                    group.scored.group.rollouts[0].turns[0], completion_ids=ids or (), text=text
                ),
            ),
        )
        for index, (text, ids) in enumerate(zip(texts, encoded.responses, strict=True))
    )
    scores = tuple(Score(value=value, parts=()) for value in (0.2, 0.9, 0.5))
    scored = dataclasses.replace(
        group.scored, group=dataclasses.replace(group.scored.group, rollouts=rollouts), scores=scores
    )
    learner = RewardLearner(model, RewardLossConfig(ranking="none", listwise=1.0), OPTIM)
    for _ in range(12):
        learner.step([pack_rewards(judged([scored]), model=model, max_tokens=500)])
    u = model.score([Shown(item, texts)])[0].u_B
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
        return model, RewardLearner(model, RewardLossConfig(), OPTIM, seed=seed)

    model, learner = fresh()
    for step in range(3):
        if step == resume_at:
            kept = {name: tensor.clone() for name, tensor in learner.state_tensors().items()}
            model, learner = fresh()
            learner.load_state_tensors(kept, num_steps=step, version=step)
        groups = credited(model, digits_pairs(8, seed=step))
        batch = pack_rewards(groups, model=model, max_tokens=150)
        assert len(batch.micro) == 2
        learner.step([batch])
        model.score([Shown(problem(), ("between", "steps"))])
    return {name: weight.detach().clone() for name, weight in model.trainable().items()}


def test_dropout_acts_in_training_and_repeats_itself() -> None:
    def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
        return all(torch.equal(weight, two[name]) for name, weight in one.items())

    first = learned_with_dropout(0.3, seed=0)
    assert same(first, learned_with_dropout(0.3, seed=0))
    assert same(first, learned_with_dropout(0.3, seed=0, resume_at=2))
    assert not same(first, learned_with_dropout(0.3, seed=1))
    assert not same(first, learned_with_dropout(0.0, seed=0))


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
    hits = [item.hit for item in evaluation.judged]
    return sum(hit or 0.0 for hit in hits) / len(hits)


@pytest.mark.learning
@pytest.mark.parametrize("kind", ["scalar", "binned"])
def test_it_learns_what_is_better_and_nothing_from_coins(kind: str) -> None:
    assert held_out_accuracy(kind, noise=0.0) > 0.95
    assert held_out_accuracy(kind, noise=0.5) < 0.85  # the control: labels by coin
