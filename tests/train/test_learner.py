from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from factories import credited_group, scored_group
from guerdon.core.types import CreditedGroup
from guerdon.models.policy import Policy
from guerdon.train.algorithms import Objective, resolve
from guerdon.train.batch import pack
from guerdon.train.config import AlgorithmConfig, OptimConfig
from guerdon.train.learner import PolicyLearner

OPTIM = OptimConfig(learning_rate=1e-3, lr_scheduler_type="constant")


def groups() -> list[CreditedGroup]:
    one = scored_group("a", [1.0, 0.0, 0.5, 0.5], lengths=[6, 2, 4, 7], prompt=(10, 11, 12, 13))
    two = scored_group("b", [1.0, 0.0, 0.0], lengths=[5, 3, 1], prompt=(14, 15))
    return [credited_group(one, [1.0, -1.0, 0.0, 0.5]), credited_group(two, [1.2, -0.3, -0.9])]


def objective(**changes: object) -> Objective:
    return resolve(AlgorithmConfig.model_validate({"name": "grpo", **changes}))


def gradient_of(
    learner: PolicyLearner, credited: list[CreditedGroup], **options: object
) -> dict[str, torch.Tensor]:
    """The gradient of one update, caught before the optimiser uses it."""
    caught: dict[str, torch.Tensor] = {}
    before: Callable[[float], tuple[float, bool]] = learner.optimizer.step

    def catch(rate: float) -> tuple[float, bool]:
        caught.update({name: tensor.clone() for name, tensor in learner.optimizer.gradients().items()})
        return before(rate)

    learner.optimizer.step = catch  # type: ignore[method-assign]
    settings = {"max_tokens": 1000, "max_length": 8, "skip_zero": learner.objective.surrogate_only, **options}
    learner.step([pack(credited, **settings)])  # type: ignore[arg-type]
    return caught


def plain_gradient(policy: Policy, credited: list[CreditedGroup]) -> dict[str, torch.Tensor]:
    """GRPO at ratio 1 as a textbook writes it: one unpacked forward per answer through plain Hugging Face code."""
    model = policy.causal_lm
    model.config._attn_implementation = "sdpa"
    rows = [
        (rollout.turns[0], advantages[0])
        for group in credited
        for rollout, advantages in zip(group.scored.group.rollouts, group.advantages_G_T, strict=True)
    ]
    model.zero_grad()
    for turn, advantage in rows:
        tokens = torch.tensor([[*turn.prompt_ids, *turn.completion_ids]])
        logprobs = model(tokens, use_cache=False).logits[0, len(turn.prompt_ids) - 1 : -1].log_softmax(1)
        chosen_T = logprobs.gather(1, torch.tensor(turn.completion_ids)[:, None])[:, 0]
        ratio_T = (chosen_T - chosen_T.detach()).exp()
        (-(ratio_T * advantage).mean() / len(rows)).backward()
    model.config._attn_implementation = "guerdon"
    found = {name: weight.grad.clone() for name, weight in policy.trainable().items()}
    model.zero_grad()
    return found


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], tolerance: float) -> None:
    scale = max(tensor.abs().max() for tensor in theirs.values())
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert (ours[name] - tensor).abs().max() <= tolerance * scale, name


def test_gradient_equals_the_plain_unpacked_one(tiny: Policy) -> None:
    expected = plain_gradient(tiny, groups())
    assert_same(gradient_of(PolicyLearner(tiny, objective(), OPTIM), groups()), expected, 1e-5)


@pytest.mark.parametrize("budget", [5, 17, 30])
def test_micro_batching_cannot_change_the_gradient(tiny: Policy, budget: int) -> None:
    whole = gradient_of(PolicyLearner(tiny, objective(), OptimConfig(learning_rate=1e-30)), groups())
    split = gradient_of(
        PolicyLearner(tiny, objective(), OptimConfig(learning_rate=1e-30)), groups(), max_tokens=budget
    )
    assert_same(split, whole, 1e-5)


def test_leaving_out_rows_without_advantage_cannot_change_the_gradient(tiny: Policy) -> None:
    still = OptimConfig(learning_rate=1e-30)
    skipped = gradient_of(PolicyLearner(tiny, objective(), still), groups(), skip_zero=True)
    full = gradient_of(PolicyLearner(tiny, objective(), still), groups(), skip_zero=False)
    assert_same(skipped, full, 1e-5)


def test_good_answers_become_likelier_and_bad_ones_less_likely(tiny: Policy) -> None:
    learner = PolicyLearner(tiny, objective(), OPTIM)
    batch = pack(groups(), max_tokens=1000, max_length=8, skip_zero=False)
    before_BT = learner._grid(batch)
    learner.step([batch])
    change_B = ((learner._grid(batch) - before_BT) * batch.mask_BT).sum(1)
    advantages_B = batch.advantages_BT[:, 0]
    assert (change_B[advantages_B > 0] > 0).all()
    assert change_B[advantages_B < 0].sum() < 0


def test_several_updates_share_the_old_logprobs(tiny: Policy) -> None:
    learner = PolicyLearner(tiny, objective(), OPTIM)
    batch = pack(groups(), max_tokens=1000, max_length=8, skip_zero=True)
    report = learner.step([batch, batch, batch])
    assert (tiny.version, learner.num_steps) == (3, 1)
    # after the first update the ratio has left 1, and a step of 1e-3 per weight drives some tokens past the clip
    assert report.metrics["clip_ratio/region_mean"] > 0.0
    fresh = PolicyLearner(tiny, objective(), OPTIM).step([batch])
    assert fresh.metrics["clip_ratio/region_mean"] == 0.0


def test_kl_is_zero_at_the_anchor_and_grows_away_from_it(tiny: Policy) -> None:
    learner = PolicyLearner(tiny, objective(beta=0.1), OPTIM)
    batch = pack(groups(), max_tokens=1000, max_length=8, skip_zero=learner.objective.surrogate_only)
    assert batch.num_skipped == 0  # a row of advantage 0 still has a KL
    first, second = learner.step([batch]).metrics["kl"], learner.step([batch]).metrics["kl"]
    assert first == pytest.approx(0.0, abs=1e-6)
    assert second > 1e-4
    learner.refresh_reference(1.0)
    assert learner.step([batch]).metrics["kl"] == pytest.approx(0.0, abs=1e-6)


def test_supervised_learning_is_a_row_of_the_same_table(tiny: Policy) -> None:
    learner = PolicyLearner(tiny, resolve(AlgorithmConfig(name="sft")), OPTIM)
    demonstration = credited_group(scored_group("a", [1.0], lengths=[6]), [1.0])
    batch = pack([demonstration], max_tokens=100, max_length=8, skip_zero=True)
    losses = [learner.step([batch]).metrics["loss"] for _ in range(12)]
    assert losses[0] == pytest.approx(4.6, abs=0.5)  # log of 102 tokens: an untrained model
    assert losses[-1] < 0.5 * losses[0]


def test_lora_moves_the_adapters_only(tiny_lora: Policy) -> None:
    frozen = {
        name: weight.detach().clone()
        for name, weight in tiny_lora.model.named_parameters()
        if not weight.requires_grad
    }
    before = tiny_lora.snapshot()
    PolicyLearner(tiny_lora, objective(), OPTIM).step(
        [pack(groups(), max_tokens=99, max_length=8, skip_zero=True)]
    )
    parameters = dict(tiny_lora.model.named_parameters())
    assert all(torch.equal(parameters[name], weight) for name, weight in frozen.items())
    assert any(not torch.equal(parameters[name], weight) for name, weight in before.items())


def test_restored_learner_continues_bit_for_bit(tiny: Policy) -> None:
    batch = pack(groups(), max_tokens=20, max_length=8, skip_zero=False)
    start = tiny.snapshot()
    learner = PolicyLearner(tiny, objective(beta=0.05), OPTIM)
    for _ in range(2):
        learner.step([batch])
    saved = {name: tensor.clone() for name, tensor in learner.state_tensors().items()}
    expected = [learner.step([batch]).metrics["loss"] for _ in range(2)]
    final = tiny.snapshot()
    learner.close()
    with torch.no_grad():
        for name, weight in tiny.trainable().items():
            weight.copy_(start[name])
    again = PolicyLearner(tiny, objective(beta=0.05), OPTIM)
    again.load_state_tensors(saved, num_steps=2, version=2)
    assert [again.step([batch]).metrics["loss"] for _ in range(2)] == expected
    assert all(torch.equal(final[name], weight) for name, weight in tiny.snapshot().items())


def test_a_step_without_signal_changes_nothing(tiny: Policy) -> None:
    before = tiny.snapshot()
    flat = [credited_group(scored_group("a", [1.0, 1.0]), [0.0, 0.0])]
    learner = PolicyLearner(tiny, objective(), OPTIM)
    report = learner.step([pack(flat, max_tokens=99, max_length=8, skip_zero=True)])
    assert report.metrics["signal/rows_trained"] == 0
    assert report.metrics["signal/rows_skipped"] == 2
    assert all(torch.equal(before[name], weight) for name, weight in tiny.snapshot().items())
