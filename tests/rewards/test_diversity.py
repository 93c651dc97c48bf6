from __future__ import annotations

from guerdon.core.metrics import values
from guerdon.rewards.diversity import distinct, diversity_metrics
from guerdon.rewards.texts import text_group
from rewarding import problem


def test_distinct_by_hand() -> None:
    assert distinct([(1, 2, 1, 2)], 2) == 2 / 3  # 12, 21, 12
    assert distinct([(1,)], 2) is None


def test_texts_without_tokens_have_no_diversity() -> None:
    assert diversity_metrics([text_group(problem(), ("",))]) == {}


def test_repetition_is_within_and_distinct_is_across() -> None:
    from factories import scored_group

    group = scored_group("a", [0.0, 0.0], lengths=[4, 4]).group
    found = values(diversity_metrics([group]))
    rows = [[token for turn in rollout.turns for token in turn.completion_ids] for rollout in group.rollouts]
    assert found["completions/distinct_2"] == distinct(rows, 2)
    assert found["completions/repetition"] == 1 - sum(distinct([row], 2) or 0.0 for row in rows) / 2
