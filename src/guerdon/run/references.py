"""Fills the reference banks of a run: responses of the policy as it was when reinforcement began, scored once.

    runs/NAME/references/weights.safetensors    the trained weights at that moment; on disk, for they are seldom needed
                         rm.jsonl               the bank of the reward model `rm` (rewards/references.py)

A prompt's references are sampled when it first comes up, with a seed of its own: neither the order of the prompts nor a
resume changes them. They stay when `sync_ref_model` refreshes the KL anchor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from guerdon.core.errors import CheckpointError, DataError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Part, Problem, RolloutGroup
from guerdon.rewards.references import ReferenceBank, Response, Row, prompt_key
from guerdon.rewards.rubric import Rubric
from guerdon.rewards.shaping import Sample
from guerdon.rollout.config import RolloutConfig
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.durable import TEMPORARY, append_line, place_file
from guerdon.run.judge import RewardModelJudge

WEIGHTS = "weights.safetensors"
NUM_TO_FIT = 256
"""Reference responses from which the steps of a shaping take what they need to know once."""


def shaped_judges(rubric: Rubric) -> dict[str, RewardModelJudge]:
    """The reward models that are compared with references, by name."""
    return {
        name: judge
        for name, (_, judge) in rubric.verifiers.items()
        if isinstance(judge, RewardModelJudge) and judge.config.shaping
    }


class References:
    """Samples and scores what the banks lack."""

    def __init__(
        self,
        folder: Path,
        rollouter: Rollouter,
        rubric: Rubric,
        *,
        config: RolloutConfig,
        problems: Sequence[Problem],
        seed: int,
    ) -> None:
        """Opens the banks.

        Args:
            folder: the run's `references`.
            rollouter: samples.
            rubric: holds the reward models that are compared with references, and what they read.
            config: how to sample; as in training.
            problems: the training problems. The first of them give what must be known before the first reward.
            seed: of the sampling.

        Raises:
            DataError: a bank is damaged, of another reward model, or (where the recipe names one) without some prompts.
        """
        self.folder = folder
        self.rollouter = rollouter
        self.rubric = rubric
        self.judges = shaped_judges(rubric)
        self.config = config
        self.problems = problems
        self.seed = seed
        for name, judge in self.judges.items():
            judge.open_references()
            if judge.config.references:
                assert judge.bank is not None
                judge.bank.check_covers(problems, f"rewards.{name}.references: {judge.config.references}")
            elif self._file(name).exists():
                judge.bank = ReferenceBank.read(self._file(name), judge.proxy)
                self._drop_torn(self._file(name))
                self._fit(judge)
            else:
                judge.bank = ReferenceBank(judge.proxy)

    @property
    def samples_own(self) -> bool:
        """Whether some bank is filled here."""
        return any(not judge.config.references for judge in self.judges.values())

    def begin(self, *, has_learned: bool) -> None:
        """Keep the policy's weights as they are: from now on, these are the reference.

        Raises:
            CheckpointError: the policy has learned already, and the weights it began with are gone.
        """
        path = self.folder / WEIGHTS
        if not self.samples_own or path.exists():
            return
        if has_learned:
            raise CheckpointError(
                f"{path}: missing, and this run's rewards compare with what they say; restore it, or start a new run"
            )
        from safetensors.torch import save_file

        self.folder.mkdir(exist_ok=True)
        partial = self.folder / (TEMPORARY + WEIGHTS)
        weights = self.rollouter.policy.snapshot()
        save_file({name: weight.cpu().contiguous() for name, weight in weights.items()}, partial)
        place_file(partial, path)

    async def fill(self, problems: Sequence[Problem]) -> None:
        """See to it that every prompt has its references.

        Raises:
            DataError: the reward model can read none of the references to a prompt.
        """
        for name, judge in self.judges.items():
            if judge.config.references:
                continue
            assert judge.bank is not None
            wanted = list(problems) if judge.chain else [*self._to_fit(judge), *problems]
            if missing := judge.bank.missing(wanted):
                await self._sample(name, judge, judge.bank, missing)
            if judge.chain is None:
                self._fit(judge)

    def _to_fit(self, judge: RewardModelJudge) -> Sequence[Problem]:
        count = math.ceil(NUM_TO_FIT / judge.config.num_references) if "length" in judge.config.shaping else 0
        return self.problems[:count]

    def _fit(self, judge: RewardModelJudge) -> None:
        """On the same prompts whenever it is done, so that a resumed run has the same curve."""
        assert judge.bank is not None
        problems = self._to_fit(judge)
        rows = [row for problem in problems if (row := judge.bank.get(problem))]
        if "length" not in judge.config.shaping:
            rows = list(judge.bank.rows[:1])  # no step has statistics
        if rows:
            judge.fit(rows)

    async def _sample(
        self, name: str, judge: RewardModelJudge, bank: ReferenceBank, problems: Sequence[Problem]
    ) -> None:
        from safetensors.torch import load_file

        policy = self.rollouter.policy
        weights = load_file(self.folder / WEIGHTS, device=str(policy.device))
        with policy.swapped(weights):
            groups = self.rollouter.rollout(
                problems,
                self.config,
                num_generations=judge.config.num_references,
                seed=derive_seed(self.seed, "references"),
            )
        rows = [
            _row(judge, group, await self.rubric.read_by(name, group)) for group in groups if group.rollouts
        ]
        bank.add(rows, lambda line: append_line(self._file(name), line))

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"

    @staticmethod
    def _drop_torn(path: Path) -> None:
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):  # a kill in the middle of a line
            path.write_bytes(data[: data.rfind(b"\n") + 1])


def _row(judge: RewardModelJudge, group: RolloutGroup, read: Mapping[str, Sequence[Part]]) -> Row:
    found = zip(group.rollouts, judge.scored(group, read), strict=True)
    responses = [
        Response(rollout.text, Sample(scored.value, rollout.num_tokens))
        for rollout, scored in found
        if scored.value is not None
    ]
    if not responses:
        raise DataError(
            f"rewards.{judge.config.name}: the reward model can read none of the {len(group.rollouts)} reference responses "
            f"to problem {group.problem.id}; raise its input.max_length, or lower rollout.max_completion_length"
        )
    return Row(prompt_key(group.problem), judge.proxy, tuple(responses))
