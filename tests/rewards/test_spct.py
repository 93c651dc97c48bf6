from __future__ import annotations

import pytest

from guerdon.core.types import Json, Problem, Rollout, StopReason, Turn
from guerdon.functional.preference import spct_reward
from guerdon.rewards.config import SpctVerifierConfig, parse_rewards


def judged(text: str, **info: Json) -> float | None:
    turn = Turn(prompt_ids=(1,), completion_ids=(2,), behavior_logprobs=(-0.1,), text=text)
    rollout = Rollout(problem_id="p", index=0, turns=(turn,), stop=StopReason.EOS)
    part = SpctVerifierConfig(name="spct").build()(Problem(id="p", messages=(), info=info), rollout)
    return part.value  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "best", "value"),
    [
        ("Scores: 2, 9, 5", 2, 1.0),
        ("Scores: 9, 9, 5", 2, -1.0),
        ("Scores: 9, 2, 5", 2, -1.0),
        ("Scores: 9, 2", 1, -1.0),
        ("the second", 2, -1.0),
    ],
)
def test_the_best_of_several_must_stand_alone_at_the_top(text: str, best: int, value: float) -> None:
    assert judged(text, num_responses=3, best=best) == value


def test_it_is_the_formula_of_the_paper() -> None:
    import torch

    for scores in ([2, 9, 5], [9, 9, 1], [1, 2, 3]):
        for best in range(3):
            said = f"Scores: {', '.join(map(str, scores))}"
            expected = spct_reward(torch.tensor([float(score) for score in scores]), best)
            assert judged(said, num_responses=3, best=best + 1) == expected


def test_one_response_must_get_its_label() -> None:
    assert judged("Scores: 10", num_responses=1, label=10) == 1.0
    assert judged("Scores: 9", num_responses=1, label=10) == -1.0


def test_without_a_label_nothing_can_be_verified() -> None:
    assert judged("Scores: 2, 9") is None
    assert judged("Scores: 2, 9", num_responses=2) is None
    assert judged("Scores: 2", num_responses=1, best=1) is None


def test_it_is_a_kind_of_reward() -> None:
    assert isinstance(parse_rewards({"spct": {}})["spct"], SpctVerifierConfig)
