"""A reward model in this process, judging the rollouts of a group in one pass over their shared prompt.

Scores are remembered by content, so that what was scored once (in an evaluation, a replay, a sibling that says the
same) costs nothing again. Every score's evidence carries the model's version.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from guerdon.core.errors import ModelError, UserError
from guerdon.core.metrics import Mean, Metric
from guerdon.core.seeds import content_hash
from guerdon.core.types import Evidence, Part, Problem, RolloutGroup
from guerdon.models.config import VERDICTS, verdict_word
from guerdon.rewards.references import ReferenceBank, Row, prompt_key
from guerdon.rewards.shaping import Chain, Sample
from guerdon.run.judge_config import RewardModelConfig

if TYPE_CHECKING:
    from torch import Tensor

    from guerdon.models.reward import RewardModel, RewardScores


EXCERPT = 400
"""Characters of a critique that are kept as evidence."""


class _Scored(NamedTuple):
    value: float | None
    """On the scale that the recipe asks for, before shaping."""
    note: str
    disagreement: float | None = None
    """Deviation of an ensemble's members."""


class RewardModelJudge:
    """Scores groups with one reward model."""

    def __init__(self, config: RewardModelConfig) -> None:
        self.config = config
        self.num_hits = 0
        """Scores that were remembered."""
        self.bank: ReferenceBank | None = None
        """Reference responses; of a run it is filled as prompts come up."""
        self.chain: Chain | None = None
        """The shaping; None: none, or not fitted yet."""
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
            from guerdon.models.reward_loading import load_reward_model
            from guerdon.run.critiques import with_writer

            config = self.config
            config.check_fields()
            source = ModelConfig(source=str(config.folder()), dtype=config.dtype, device=config.device)
            model = with_writer(load_reward_model(source), votes=config.votes)
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
            self.config.check_fields()
            _ = self.model
        except UserError as error:
            raise type(error)(f"path: {str(error).removeprefix('model.source: ')}") from None
        if self.config.ensemble != "trained" and self.model.heads.config.kind != "ensemble":
            raise UserError(
                f"ensemble: {self.config.ensemble!r} needs several members; {self.config.path} has a "
                f"{self.model.heads.config.kind} head: train one with head.kind = 'ensemble', or remove the key"
            )
        self.open_references()

    @property
    def proxy(self) -> str:
        """What a reference's value must have come from to be compared with: version, scale, ensemble."""
        return f"{self.model.version} ({self.config.measure})"

    def open_references(self) -> None:
        """Read the recipe's file of references, if it names one.

        Raises:
            DataError: it cannot be used.
        """
        if self.config.references and self.bank is None:
            self.bank = ReferenceBank.read(Path(self.config.references).expanduser(), self.proxy)
            self.fit(self.bank.rows)

    def fit(self, rows: Sequence[Row]) -> None:
        """Take these references for what the steps of the shaping need to know once."""
        self.chain = Chain.fit(self.config.shaping, [row.samples for row in rows], clip=self.config.clip)

    async def score(
        self, group: RolloutGroup, parts: Mapping[str, Sequence[Part]] | None = None
    ) -> list[Part]:
        """One part for each rollout; None where a response is too long to be read, or has nothing to be compared with.

        Args:
            group: the rollouts.
            parts: of each of them, the part that `verdict` names.

        Raises:
            UserError: shaping is asked for, and there is nobody to sample references from.
        """
        found = self.scored(group, parts)
        if not self.config.shaping:
            return [self._part(item) for item in found]
        self.open_references()
        if self.bank is None:
            raise UserError(
                f"rewards.{self.config.name}: shaping compares with reference responses, which a training run samples; "
                "here, set references to the file references/NAME.jsonl of a run"
            )
        row = self.bank.get(group.problem)
        if "length" in self.config.shaping and any(r.text and not r.num_tokens for r in group.rollouts):
            raise UserError(
                f"rewards.{self.config.name}: shaping by length counts the policy's tokens, and these responses are plain "
                "text; score them without 'length'"
            )
        return [
            self._part(self._shaped(item, rollout.num_tokens, row))
            for item, rollout in zip(found, group.rollouts, strict=True)
        ]

    def _shaped(self, item: _Scored, length: int, row: Row | None) -> _Scored:
        if item.value is None:
            return item
        if row is None or self.chain is None:
            return item._replace(value=None, note=f"{item.note}; no reference responses to this prompt")
        value = self.chain(Sample(item.value, length), row.samples)
        steps = ", ".join(self.config.shaping)
        return item._replace(
            value=value,
            note=f"{item.note}; {item.value:.3f} by {steps} against {len(row.samples)} references",
        )

    def scored(self, group: RolloutGroup, parts: Mapping[str, Sequence[Part]] | None = None) -> list[_Scored]:
        """What the model says of each rollout, before shaping; remembered. Arguments as for `score`."""
        problem = group.problem
        verdicts: list[str | None] = [None] * len(group.rollouts)
        if self.config.verdict:
            assert parts is not None, "the rubric computes what a part reads"
            verdicts = [verdict_word(part.value) for part in parts[self.config.verdict]]
        asked = [(rollout.text, verdict) for rollout, verdict in zip(group.rollouts, verdicts, strict=True)]
        keys = [self._key(problem, *one) for one in asked]
        fresh = {key: one for key, one in zip(keys, asked, strict=True) if key not in self._known}
        self.num_hits += len(asked) - len(fresh)
        found = {key: self._known[key] for key in keys if key in self._known}
        if fresh:
            found |= dict(zip(fresh, self._judge(problem, list(fresh.values())), strict=True))
        for key in keys:
            self._known[key] = found[key]
            self._known.move_to_end(key)
        while len(self._known) > self.config.num_cached:
            self._known.popitem(last=False)
        return [found[key] for key in keys]

    def health(self, groups: Sequence[RolloutGroup]) -> dict[str, Metric]:
        """How far the members of an ensemble differ on these rollouts: far from its data they do."""
        keys = [
            self._key(group.problem, rollout.text, verdict)
            for group in groups
            for rollout in group.rollouts
            for verdict in (VERDICTS if self.config.verdict else (None,))
        ]
        found = [item.disagreement for key in keys if (item := self._known.get(key))]
        known = [value for value in found if value is not None]
        return {f"rewards/{self.config.name}/disagreement": Mean(sum(known), len(known))} if known else {}

    def _judge(self, problem: Problem, fresh: Sequence[tuple[str, str | None]]) -> list[_Scored]:
        from guerdon.models.reward import Shown

        model = self.model
        texts, verdicts = zip(*fresh, strict=True)
        (scores,) = model.score([Shown(problem, texts, verdicts)], max_tokens=self.config.max_tokens)
        u_B, score_B = self._reduced(scores)
        value_B = u_B if self.config.scale == "utility" else score_B
        found = []
        for index in range(len(fresh)):
            value, u = float(value_B[index]), float(u_B[index])
            if value != value:
                note = f"does not fit into the reward model's {model.reader.max_length} tokens"
                found.append(_Scored(None, note))
                continue
            note, disagreement = f"u = {u:.3f}", None
            if scores.members_EB is not None:
                disagreement = float(scores.members_EB[:, index].std())
                note += f", members differ by {disagreement:.3f}"
            if scores.critiques:
                note += f"; it wrote: {scores.critiques[index][0][:EXCERPT]}"
            found.append(_Scored(value, note, disagreement))
        return found

    def _reduced(self, scores: RewardScores) -> tuple[Tensor, Tensor]:
        """Utility and score of each response, an ensemble's members made one as the recipe says."""
        from guerdon.functional.uncertainty import mean_minus_variance, worst_case
        from guerdon.models.heads import Readout

        kind, members_EB = self.config.ensemble, scores.members_EB
        if kind == "trained" or members_EB is None or scores.bias_B is None:
            return scores.u_B, scores.score_B
        if kind == "worst_case":
            u_B = worst_case(members_EB)
        else:
            u_B = mean_minus_variance(members_EB, 0.0 if kind == "mean" else self.config.variance_weight)
        device = self.model.trunk.device
        return u_B, self.model.heads.squashed(Readout(u_B.to(device), scores.bias_B.to(device)))

    def _part(self, scored: _Scored) -> Part:
        version = self.model.version
        evidence = Evidence(note=f"reward model {version}: {scored.note}", extracted=version)
        return Part(name=self.config.name, value=scored.value, weight=self.config.weight, evidence=evidence)

    def _key(self, problem: Problem, text: str, verdict: str | None) -> str:
        shown = "" if verdict is None else verdict
        return content_hash("\x1d".join([self.model.version, prompt_key(problem), shown, text]))
