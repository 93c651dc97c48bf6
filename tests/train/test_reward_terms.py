"""Each loss of the table by hand, on two responses of one prompt. The whole of a step: test_reward.py."""

from __future__ import annotations

import math
import pkgutil
from typing import Any

import pytest
import torch

from guerdon.models.config import HeadConfig
from guerdon.models.heads import Readout, RewardHeads
from guerdon.train.config import RewardLossConfig
from guerdon.train.losses import LOSSES
from guerdon.train.reward import RewardMicroBatch, Totals
from guerdon.train.reward_terms import Seen

NOTHING = torch.zeros(0, dtype=torch.long)


def micro(**changes: Any) -> RewardMicroBatch:
    """One pair: row 0 beats row 1."""
    fields: dict[str, Any] = {
        "plan": None,
        "chosen_N": torch.tensor([0]),
        "rejected_N": torch.tensor([1]),
        "margin_N": torch.tensor([0.5]),
        "tie_N": torch.tensor([False]),
        "open_N": torch.tensor([False]),
        "weight_EN": None,
        "list_LB": NOTHING.view(0, 0),
        "rank_LB": NOTHING.view(0, 0),
        "rating_B": torch.tensor([float("nan")] * 2),
        "attributes_BK": None,
        "parent_B": torch.tensor([0, 0]),
    }
    return RewardMicroBatch(**{**fields, **changes})


def loss_of(
    name: str, *, loss: Any = None, head: Any = None, read: Any = None, **changes: Any
) -> float | None:
    heads = RewardHeads(HeadConfig.model_validate(head or {}), 4)
    # u = 2 and 1, b = 0.5: tau is 1, so the scores are tanh(1.5) and tanh(0.5)
    said = Readout(torch.tensor([2.0, 1.0]), torch.tensor([0.5, 0.5]))._replace(**(read or {}))
    seen = Seen(micro(**changes), said, heads, RewardLossConfig.model_validate(loss or {}))
    found = pkgutil.resolve_name(LOSSES[name].function)(seen)
    return None if found is None else float(found)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def huber(error: float) -> float:
    return 0.5 * error**2 if abs(error) < 0.5 else 0.5 * (abs(error) - 0.25)


def test_every_row_has_its_function_and_its_denominator() -> None:
    for name, row in LOSSES.items():
        assert pkgutil.resolve_name(row.function).__name__ == name
        assert row.per in Totals._fields


def test_pairs() -> None:
    assert loss_of("bradley_terry") == pytest.approx(-math.log(sigmoid(1.0)))
    assert loss_of("bradley_terry", loss={"use_margin": True}) == pytest.approx(-math.log(sigmoid(0.5)))
    tie = {"tie_N": torch.tensor([True])}
    even = -0.5 * math.log(sigmoid(1.0)) - 0.5 * math.log(sigmoid(-1.0))
    assert loss_of("bradley_terry", **tie) == pytest.approx(even)
    assert loss_of("prompt_aware", **tie) == pytest.approx(even)
    assert loss_of("prompt_aware") == pytest.approx(-(sigmoid(2.0) - sigmoid(1.0)))


def test_each_member_of_an_ensemble_has_its_own_pairs() -> None:
    members = {"members_EB": torch.tensor([[2.0, 1.0], [0.0, 3.0]])}
    found = loss_of("bradley_terry", read=members, weight_EN=torch.tensor([[2.0], [0.0]]))
    assert found == pytest.approx(-2.0 * math.log(sigmoid(1.0)) / 2)


def test_binned_heads() -> None:
    # all mass of the chosen one in the middle bin, of the other one even: above with 1/3, equal with 1/3
    bins = {"bins_BK": torch.tensor([[-50.0, 50.0, -50.0], [0.0, 0.0, 0.0]])}
    head = {"kind": "binned", "num_bins": 3}
    assert loss_of("binned_pairs", head=head, read=bins) == pytest.approx(-math.log(0.5), abs=1e-5)
    rated = {"rating_B": torch.tensor([float("nan"), 0.5])}
    assert loss_of("binned_ratings", head=head, read=bins, **rated) == pytest.approx(math.log(3.0))


def test_lists_with_equal_ranks() -> None:
    u = {"u_B": torch.tensor([3.0, 2.0, 1.0]).log(), "bias_B": torch.zeros(3)}
    rows = {"list_LB": torch.tensor([[0, 1, 2]]), "rank_LB": torch.tensor([[0, 0, 1]])}
    assert loss_of("listwise", read=u, **rows) == pytest.approx(math.log(4 / 3 * 3 / 2))


def test_ratings_and_attributes() -> None:
    rated = {"rating_B": torch.tensor([1.0, float("nan")])}
    assert loss_of("pointwise", **rated) == pytest.approx(huber(1 - math.tanh(1.5)))
    head = {"kind": "attributes", "attributes": ["a", "b"]}
    attributes = {"attributes_BK": torch.tensor([[1.0, 0.0], [2.0, 0.5]])}
    wanted = {"attributes_BK": torch.tensor([[1.0, float("nan")], [1.0, 0.25]])}
    found = loss_of("attributes", head=head, read=attributes, **wanted)
    assert found == pytest.approx(huber(0.0) + huber(1.0) + huber(0.25))


def test_what_holds_the_level() -> None:
    assert loss_of("centering") == pytest.approx((2.0 + 1.0 - 2 * 0.5) ** 2)
    assert loss_of("bias") == pytest.approx(2 * (0.5 - 1.5) ** 2)
    assert loss_of("bias", parent_B=torch.tensor([0, 1])) is None  # one response each: no level to learn
    assert loss_of("variance_floor", loss={"min_std": 0.3}) == 0.0  # the running deviation is 1
    assert loss_of("critique", read={"critique_C": torch.tensor([-0.5, -1.5])}) == 2.0


def test_where_there_is_nothing_to_learn_from_there_is_no_term() -> None:
    empty = {"chosen_N": NOTHING, "rejected_N": NOTHING}
    for name in ("bradley_terry", "prompt_aware", "binned_pairs", "centering"):
        assert loss_of(name, **empty) is None
    for name in ("listwise", "critique", "pointwise", "binned_ratings", "attributes"):
        assert loss_of(name) is None
