from __future__ import annotations

import math

import pytest
import torch

from guerdon.core.errors import CheckpointError
from guerdon.train.config import OptimConfig
from guerdon.train.optimizer import MasterAdamW, learning_rate


def parameter(dtype: torch.dtype = torch.float32) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=dtype))


def test_first_step_by_hand() -> None:
    # AdamW's first step moves each weight by lr x sign(gradient), after decay by lr x weight_decay
    weight = parameter()
    optimizer = MasterAdamW({"w": weight}, OptimConfig(weight_decay=0.1, max_grad_norm=100.0))
    (weight * torch.tensor([3.0, -4.0])).sum().backward()
    norm, finite = optimizer.step(0.5)
    assert (norm, finite) == (5.0, True)
    torch.testing.assert_close(weight.detach(), torch.tensor([1.0 * 0.95 - 0.5, -2.0 * 0.95 + 0.5]))


def test_bf16_weights_keep_what_bf16_would_lose() -> None:
    weight = parameter(torch.bfloat16)
    optimizer = MasterAdamW({"w": weight}, OptimConfig())
    for _ in range(
        20
    ):  # each step is below half a bf16 ulp of 1.0 (2^-8): a bf16-only optimiser would never move
        weight.float().sum().backward()
        optimizer.step(1e-3)
    assert weight[0].item() == pytest.approx(1.0 - 0.02, abs=0.004)
    assert optimizer.masters["w"][0].item() == pytest.approx(0.98, abs=1e-5)


def test_bf16_gradients_add_up_in_float32() -> None:
    weight = parameter(torch.bfloat16)
    optimizer = MasterAdamW({"w": weight}, OptimConfig())
    for _ in range(300):  # 1/256 x 300 = 1.17; added in bf16 the sum would stall at 1.0
        (weight / 256).sum().backward()
    assert weight.grad is None
    assert optimizer.gradients()["w"].tolist() == [300 / 256, 300 / 256]


def test_a_non_finite_gradient_is_thrown_away() -> None:
    weight = parameter()
    optimizer = MasterAdamW({"w": weight}, OptimConfig())
    (weight * float("nan")).sum().backward()
    norm, finite = optimizer.step(0.1)
    assert math.isnan(norm)
    assert not finite
    assert weight.tolist() == [1.0, -2.0]
    assert optimizer.gradients()["w"].tolist() == [0.0, 0.0]


def test_restored_state_continues_bit_for_bit() -> None:
    def steps(optimizer: MasterAdamW, weight: torch.nn.Parameter, numbers: range) -> None:
        for number in numbers:
            (weight.float() ** 2 * number).sum().backward()
            optimizer.step(0.01)

    straight = parameter(torch.bfloat16)
    whole = MasterAdamW({"w": straight}, OptimConfig())
    steps(whole, straight, range(1, 9))
    first = parameter(torch.bfloat16)
    half = MasterAdamW({"w": first}, OptimConfig())
    steps(half, first, range(1, 5))
    saved = {name: tensor.clone() for name, tensor in half.state_tensors().items()}
    again = parameter(torch.bfloat16)
    resumed = MasterAdamW({"w": again}, OptimConfig())
    resumed.load_state_tensors(saved)
    assert torch.equal(again, first)
    steps(resumed, again, range(5, 9))
    assert torch.equal(resumed.masters["w"], whole.masters["w"])
    with pytest.raises(CheckpointError, match="does not fit the model at w"):
        resumed.load_state_tensors({"master/w": torch.zeros(3)})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # warm-up of 2 to the peak of 1, then 8 steps of decay; step 6 is half way
        ("constant", {0: 0.5, 1: 1.0, 2: 1.0, 6: 1.0, 9: 1.0}),
        ("linear", {0: 0.5, 1: 1.0, 2: 1.0, 6: 0.5, 10: 0.0, 12: 0.0}),
        ("cosine", {0: 0.5, 1: 1.0, 2: 1.0, 6: 0.5, 10: 0.0}),
    ],
)
def test_schedules_by_hand(kind: str, expected: dict[int, float]) -> None:
    config = OptimConfig.model_validate(
        {"learning_rate": 1.0, "warmup_steps": 2, "max_steps": 10, "lr_scheduler_type": kind}
    )
    for step, rate in expected.items():
        assert learning_rate(config, step) == pytest.approx(rate, abs=1e-9), (kind, step)
