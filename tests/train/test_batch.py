from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import credited_group, scored_group
from guerdon.train.batch import pack


def groups() -> list:
    one = scored_group("a", [1.0, 0.0, 0.5, 0.5], lengths=[3, 1, 2, 4], prompt=(10, 11, 12))
    two = scored_group("b", [1.0, None, 0.0], lengths=[2, 2, 1], prompt=(13, 14), truncated=[2])
    return [credited_group(one, [1.0, -1.0, 0.0, 0.5]), credited_group(two, [1.0, 0.0, -1.0])]


def test_each_prompt_once_and_the_last_token_is_never_fed() -> None:
    batch = pack(groups(), max_tokens=1000, max_length=8, skip_zero=False)
    (micro,) = batch.micro
    # prompt a, a0 without its last, a1 without its only, a2, a3; prompt b, b0, b2 without its only (b1 is unscored)
    expected = [10, 11, 12, 20, 21, 34, 41, 42, 43, 13, 14, 20]
    assert micro.tokens_T.tolist() == expected
    assert micro.target_S.tolist() == [20, 21, 22, 27, 34, 35, 41, 42, 43, 44, 20, 21, 34]
    # the first token of every completion is predicted by the last token of its prompt
    assert micro.predict_S.tolist() == [2, 3, 4, 2, 2, 5, 2, 6, 7, 8, 10, 11, 10]
    assert batch.mask_BT.sum(1).tolist() == [3, 1, 2, 4, 2, 1]


def test_denominators_count_the_whole_update() -> None:
    batch = pack(groups(), max_tokens=4, max_length=8, skip_zero=True)
    assert len(batch.micro) > 2
    assert batch.totals[:4] == (6.0, 13.0, 2.0, 8)
    assert batch.totals.prompt_tokens_B.tolist() == [10, 10, 10, 10, 3, 3]
    assert batch.num_skipped == 1


def test_rows_without_advantage_are_left_out_only_when_asked() -> None:
    kept = pack(groups(), max_tokens=1000, max_length=8, skip_zero=True)
    assert kept.micro[0].rows.tolist() == [0, 1, 3, 4, 5]
    assert pack(groups(), max_tokens=1000, max_length=8, skip_zero=False).micro[0].rows.tolist() == list(
        range(6)
    )


def test_truncated_rollouts_can_be_masked() -> None:
    batch = pack(groups(), max_tokens=1000, max_length=8, skip_zero=False, mask_truncated=True)
    assert batch.totals[:3] == (5.0, 12.0, 2.0)


@given(st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_any_budget_covers_every_row_once(budget: int) -> None:
    batch = pack(groups(), max_tokens=budget, max_length=8, skip_zero=False)
    assert sorted(row for micro in batch.micro for row in micro.rows.tolist()) == list(range(6))
    for micro in batch.micro:
        assert len(micro.tokens_T) <= budget or len(micro.rows) == 1
        grid = micro.scatter(batch_values(batch, micro), batch.mask_BT.shape[1])
        assert torch.equal(grid != 0, batch.mask_BT[micro.rows])


def batch_values(batch, micro) -> torch.Tensor:
    return batch.behavior_logprobs_BT[micro.rows][micro.row_S, micro.column_S]


def test_nothing_to_learn_is_an_empty_batch() -> None:
    batch = pack([], max_tokens=10, max_length=8, skip_zero=True)
    assert batch.micro == ()
    assert batch.totals[:3] == (0.0, 0.0, 0.0)
