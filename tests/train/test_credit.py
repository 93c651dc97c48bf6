from __future__ import annotations

import pytest

from factories import scored_group
from guerdon.functional.advantages import group_center
from guerdon.train.credit import credit


def test_advantages_by_hand_and_unscored_rollouts_take_no_part() -> None:
    # scored rewards 1, 0, 2: mean 1; the unscored one is in no mean and gets 0
    group = scored_group("a", [1.0, 0.0, None, 2.0], lengths=[2, 1, 3, 1])
    credited = credit(group_center, [group])[0]
    assert credited.advantages_G_T == ((0.0, 0.0), (-1.0,), (0.0, 0.0, 0.0), (1.0,))
    assert credited.scored is group


def test_groups_do_not_mix() -> None:
    one, two = scored_group("a", [1.0, 0.0]), scored_group("b", [10.0, 20.0])
    together = credit(group_center, [one, two])
    assert [credit(group_center, [one])[0], credit(group_center, [two])[0]] == together


def test_nothing_scored_is_no_crash() -> None:
    assert credit(group_center, [scored_group("a", [None, None], lengths=[1, 1])])[0].advantages_G_T == (
        (0.0,),
        (0.0,),
    )
    assert credit(group_center, []) == []


def test_token_rewards_would_need_their_own_estimator() -> None:
    assert credit(group_center, [scored_group("a", [3.0])])[0].advantages_G_T[0][0] == pytest.approx(0.0)
