"""Problems to groups: render, sample G answers each, record what failed. A bad rollout is data, not a crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from guerdon.core.errors import ModelError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Failure, Problem, Rollout, RolloutGroup, Turn
from guerdon.models.policy import Policy
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.engine import Completion, Engine, Request

GroupDone = Callable[[int, RolloutGroup], None]


class Rollouter:
    """Samples `num_generations` answers per problem from an engine."""

    def __init__(self, policy: Policy, engine: Engine, *, begin: Callable[[], None] = lambda: None) -> None:
        """`begin` is called first in each `rollout`, in its thread: it may give the policy other weights."""
        self.policy = policy
        self.engine = engine
        self.begin = begin

    def rollout(
        self,
        problems: Sequence[Problem],
        sampling: SamplingConfig,
        *,
        num_generations: int,
        seed: int,
        done: GroupDone | None = None,
    ) -> list[RolloutGroup]:
        """One group per problem, in order.

        Args:
            problems: what to answer.
            sampling: the distribution and the token limit.
            num_generations: answers per problem (G).
            seed: already derived from (run seed, stage, step); each answer adds its problem's id and its index.
            done: called with the place of a problem and its group as soon as its last answer has ended.
        """
        self.begin()
        prompts = [self._prompt(problem, sampling) for problem in problems]
        requests = [
            Request(
                prompt_ids=prompt,
                sampling=sampling,
                seed=derive_seed(seed, problem.id, index),
            )
            for problem, prompt in zip(problems, prompts, strict=True)
            if isinstance(prompt, tuple)
            for index in range(num_generations)
        ]
        asked = [place for place, prompt in enumerate(prompts) if isinstance(prompt, tuple)]
        groups: dict[int, RolloutGroup] = {
            place: RolloutGroup(problem=problems[place], rollouts=(), failures=(prompt,))
            for place, prompt in enumerate(prompts)
            if isinstance(prompt, Failure)
        }
        if done:
            for place, group in groups.items():
                done(place, group)
        ended: dict[int, dict[int, Completion]] = {place: {} for place in asked}

        def collect(number: int, completion: Completion) -> None:
            place = asked[number // num_generations]
            ended[place][number % num_generations] = completion
            if len(ended[place]) == num_generations:
                groups[place] = self._group(problems[place], requests[number].prompt_ids, ended.pop(place))
                if done:
                    done(place, groups[place])

        if requests:
            self.engine.generate(requests, collect)
        return [groups[place] for place in range(len(problems))]

    def _group(
        self, problem: Problem, prompt_ids: tuple[int, ...], completions: Mapping[int, Completion]
    ) -> RolloutGroup:
        rollouts = tuple(
            self._rollout(problem, index, prompt_ids, completions[index]) for index in sorted(completions)
        )
        return RolloutGroup(problem=problem, rollouts=rollouts)

    def _prompt(self, problem: Problem, sampling: SamplingConfig) -> tuple[int, ...] | Failure:
        try:
            prompt_ids = self.policy.render(problem.messages)
        except ModelError as error:
            return Failure(stage="rollout", kind="chat_template", message=str(error))
        room = self.policy.max_context - len(prompt_ids)
        if room < sampling.max_completion_length:
            return Failure(
                stage="rollout",
                kind="prompt_too_long",
                message=f"problem {problem.id}: {len(prompt_ids)} prompt tokens + max_completion_length="
                f"{sampling.max_completion_length} exceed the context of {self.policy.max_context}",
            )
        return prompt_ids

    def _rollout(
        self, problem: Problem, index: int, prompt_ids: tuple[int, ...], completion: Completion
    ) -> Rollout:
        turn = Turn(
            prompt_ids=prompt_ids,
            completion_ids=completion.token_ids,
            behavior_logprobs=completion.logprobs,
            kept=completion.kept,
            text=completion.text,
            version=self.engine.version,
        )
        return Rollout(problem_id=problem.id, index=index, turns=(turn,), stop=completion.stop)


def greedy(sampling: SamplingConfig) -> SamplingConfig:
    """The same limits, always the likeliest token."""
    fields = {name: getattr(sampling, name) for name in ("max_completion_length", "stop")}
    return SamplingConfig(temperature=0.0, **fields)
