"""A reward model in this process, judging the rollouts of a group in one pass over their shared prompt.

Scores are remembered by content, so that what was scored once (in an evaluation, a replay, a sibling that says the
same) costs nothing again. Every score's evidence carries the model's version.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from guerdon.core.errors import ModelError, UserError
from guerdon.core.seeds import content_hash
from guerdon.core.types import Evidence, Part, Problem, RolloutGroup
from guerdon.run.judge_config import RewardModelConfig

if TYPE_CHECKING:
    from guerdon.models.reward import RewardModel


class _Scored(NamedTuple):
    score: float | None
    note: str


class RewardModelJudge:
    """Scores groups with one reward model."""

    def __init__(self, config: RewardModelConfig) -> None:
        self.config = config
        self.num_hits = 0
        """Scores that were remembered."""
        self._model: RewardModel | None = None
        self._known: OrderedDict[str, _Scored] = OrderedDict()

    @property
    def model(self) -> RewardModel:
        """The reward model, loaded once.

        Raises:
            ModelError: it cannot be loaded.
        """
        if self._model is None:
            from guerdon.models.config import ModelConfig
            from guerdon.models.reward import load_reward_model

            config = self.config
            source = ModelConfig(source=str(config.folder()), dtype=config.dtype, device=config.device)
            model = load_reward_model(source)
            if config.version and model.version != config.version:
                raise ModelError(
                    f"{config.path}: the reward model is version {model.version}, and version {config.version} is wanted: "
                    "its weights were changed; put those back, or serve it anew"
                )
            self._model = model
        return self._model

    @property
    def version(self) -> str:
        """Of the weights that score.

        Raises:
            ModelError: they cannot be loaded.
        """
        return self.model.version

    def check(self) -> None:
        """Load it now.

        Raises:
            UserError: it cannot be loaded; the path is named.
        """
        try:
            _ = self.model
        except UserError as error:
            raise type(error)(f"path: {error}") from None

    async def score(self, group: RolloutGroup) -> list[Part]:
        """One part for each rollout; None where a response is too long to be read."""
        texts = [rollout.text for rollout in group.rollouts]
        keys = [self._key(group.problem, text) for text in texts]
        fresh = list(
            {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}.items()
        )
        self.num_hits += len(texts) - len(fresh)
        found = {key: self._known[key] for key in keys if key in self._known}
        if fresh:
            found |= dict(zip((key for key, _ in fresh), self._judge(group.problem, fresh), strict=True))
        for key in keys:
            self._known[key] = found[key]
            self._known.move_to_end(key)
        while len(self._known) > self.config.num_cached:
            self._known.popitem(last=False)
        return [self._part(found[key]) for key in keys]

    def _judge(self, problem: Problem, fresh: list[tuple[str, str]]) -> list[_Scored]:
        model = self.model
        (scores,) = model.score(
            [(problem, [text for _, text in fresh], None)], max_tokens=self.config.max_tokens
        )
        found = []
        for index in range(len(fresh)):
            score, u = float(scores.score_B[index]), float(scores.u_B[index])
            if score != score:
                note = f"does not fit into the reward model's {model.reader.max_length} tokens"
                found.append(_Scored(None, note))
                continue
            note = f"u = {u:.3f}"
            if scores.members_EB is not None:
                note += f", members differ by {float(scores.members_EB[:, index].std()):.3f}"
            found.append(_Scored(score, note))
        return found

    def _part(self, scored: _Scored) -> Part:
        version = self.model.version
        evidence = Evidence(note=f"reward model {version}: {scored.note}", extracted=version)
        return Part(name=self.config.name, value=scored.score, weight=self.config.weight, evidence=evidence)

    def _key(self, problem: Problem, text: str) -> str:
        said = "\x1e".join(f"{message.role}\x1f{message.content}" for message in problem.messages)
        return content_hash("\x1d".join([self.model.version, said, problem.target or "", text]))
