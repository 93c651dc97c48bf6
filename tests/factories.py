"""Hand-made groups: the learner is tested without a sampler."""

from __future__ import annotations

from collections.abc import Sequence

from guerdon.core.types import (
    CreditedGroup,
    Message,
    Problem,
    Rollout,
    RolloutGroup,
    Score,
    ScoredGroup,
    StopReason,
    Turn,
)


def scored_group(
    name: str,
    values: Sequence[float | None],
    *,
    lengths: Sequence[int] | None = None,
    prompt: Sequence[int] = (10, 11, 12),
    truncated: Sequence[int] = (),
) -> ScoredGroup:
    """A group with the given rewards; tokens count up from 20, log-probs are -1, -2, ..."""
    lengths = lengths or [index % 3 + 1 for index in range(len(values))]
    rollouts = tuple(
        Rollout(
            problem_id=name,
            index=index,
            stop=StopReason.LENGTH if index in truncated else StopReason.EOS,
            turns=(
                Turn(
                    prompt_ids=tuple(prompt),
                    completion_ids=tuple(20 + (7 * index + position) % 60 for position in range(length)),
                    behavior_logprobs=tuple(-1.0 - position for position in range(length)),
                    text="x" * length,
                ),
            ),
        )
        for index, length in enumerate(lengths)
    )
    problem = Problem(id=name, messages=(Message(role="user", content=name),))
    return ScoredGroup(
        group=RolloutGroup(problem=problem, rollouts=rollouts),
        scores=tuple(Score(value=value, parts=()) for value in values),
    )


def credited_group(scored: ScoredGroup, advantages: Sequence[float]) -> CreditedGroup:
    return CreditedGroup(
        scored=scored,
        advantages_G_T=tuple(
            (advantage,) * rollout.num_tokens
            for advantage, rollout in zip(advantages, scored.group.rollouts, strict=True)
        ),
    )


def answered(
    texts: Sequence[str], *, target: str | None = None, stop: StopReason = StopReason.EOS
) -> RolloutGroup:
    """A group of the given answers to one question."""
    problem = Problem(id="q", messages=(Message(role="user", content="How many?"),), target=target)
    rollouts = tuple(
        Rollout(
            problem_id="q",
            index=index,
            stop=stop,
            turns=(
                Turn(
                    prompt_ids=(1,),
                    completion_ids=tuple(range(2, 3 + len(text.split()))),
                    behavior_logprobs=(-1.0,) * (1 + len(text.split())),
                    text=text,
                ),
            ),
        )
        for index, text in enumerate(texts)
    )
    return RolloutGroup(problem=problem, rollouts=rollouts)
