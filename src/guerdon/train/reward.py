"""Training a reward model: judged responses, packed, to one optimiser step. Another learner on the same spine.

    scored groups (chosen 1, rejected 0; or ratings) --pack--> [ prompt a | a+ | a- | prompt b | ... ] --> heads --> losses

Every loss is a sum over a denominator of the whole update, so neither micro-batches nor packing change the gradient;
both sides of a pair are always in one pass and share their prompt.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from guerdon.core.metrics import Mean, Metric, Sum, merge, values
from guerdon.core.seeds import content_hash, derive_seed
from guerdon.core.types import CreditedGroup, ScoredGroup, StepReport
from guerdon.functional import preference
from guerdon.models.heads import Readout
from guerdon.models.memory import release_memory
from guerdon.models.reward import Pass, RewardModel
from guerdon.train.config import OptimConfig, RewardLossConfig
from guerdon.train.optimizer import MasterAdamW, learning_rate

LABEL, MARGIN = "label", "margin"
"""Parts of a judged response: its label is its place (1 chosen, 0 rejected, 0.5 a tie) or its rating."""
CRITIQUE = "critique_start"
"""Key of `Turn.facts`: at which token of a judged response its critique begins."""
ATTRIBUTE = "attribute/"
"""Prefix of the parts that rate one attribute, in [-1, 1]."""


class Totals(NamedTuple):
    """Denominators of one update."""

    pairs: float
    lists: float
    rows: float
    rated: float
    critique_tokens: float


@dataclass(frozen=True, slots=True)
class RewardMicroBatch:
    """One pass. N pairs, L lists, B responses."""

    plan: Pass
    chosen_N: Tensor
    rejected_N: Tensor
    """Rows of the pairs."""
    margin_N: Tensor
    tie_N: Tensor
    open_N: Tensor
    weight_EN: Tensor | None
    """Bootstrap weights of the ensemble's members."""
    list_LB: Tensor
    """Rows of each list, best first; -1 where there is none."""
    rating_B: Tensor
    """Ratings in [-1, 1]; NaN: none."""
    attributes_BK: Tensor | None
    parent_B: Tensor
    """Which prompt each row answers."""


@dataclass(frozen=True, slots=True)
class RewardBatch:
    """Everything one optimiser update needs."""

    micro: tuple[RewardMicroBatch, ...]
    totals: Totals


def pack_rewards(credited: Sequence[CreditedGroup], *, model: RewardModel, max_tokens: int) -> RewardBatch:
    """Pack the judged groups of one update; each group stays in one pass.

    Args:
        credited: groups whose scores hold labels; advantages are not read.
        model: whose heads say which labels count.
        max_tokens: token budget of a pass; one larger group still gets a pass of its own.
    """
    groups = [group.scored for group in credited]
    micro = tuple(_micro(part, model) for part in _bins(groups, max_tokens))
    return RewardBatch(
        micro,
        Totals(
            pairs=float(sum(len(item.chosen_N) for item in micro)),
            lists=float(sum(len(item.list_LB) for item in micro)),
            rows=float(sum(len(item.rating_B) for item in micro)),
            rated=float(sum(int((~item.rating_B.isnan()).sum()) for item in micro)),
            critique_tokens=float(
                sum(0 if item.plan.critique_C is None else len(item.plan.critique_C) for item in micro)
            ),
        ),
    )


def _cost(group: ScoredGroup) -> int:
    turns = [rollout.turns[0] for rollout in group.group.rollouts]
    return len(turns[0].prompt_ids) + sum(len(turn.completion_ids) for turn in turns)


def _bins(groups: Sequence[ScoredGroup], max_tokens: int) -> list[list[ScoredGroup]]:
    """Groups by length, so that little of a pass is padding; a new bin where the next would exceed the budget."""
    bins: list[list[ScoredGroup]] = []
    used = 0
    for group in sorted(groups, key=_cost):
        cost = _cost(group)
        if not bins or used + cost > max_tokens:
            bins.append([])
            used = 0
        bins[-1].append(group)
        used += cost
    return bins


def _micro(groups: Sequence[ScoredGroup], model: RewardModel) -> RewardMicroBatch:
    families = []
    pairs: list[tuple[int, int, float, bool, bool]] = []
    names: list[str] = []
    lists: list[list[int]] = []
    parents: list[int] = []
    starts: list[int] = []
    row = 0
    for index, group in enumerate(groups):
        turns = [rollout.turns[0] for rollout in group.group.rollouts]
        families.append((turns[0].prompt_ids, [turn.completion_ids for turn in turns]))
        starts += [int(str(turn.facts[CRITIQUE])) for turn in turns if CRITIQUE in turn.facts]
        labels = [score.value or 0.0 for score in group.scores]
        order = sorted(range(len(labels)), key=lambda place: -labels[place])
        if len(labels) == 2:
            better, worse = order
            margin = group.scores[better].part(MARGIN)
            gap = 0.0 if margin is None or margin.value is None else margin.value
            problem = group.group.problem
            pairs.append((row + better, row + worse, gap, labels[0] == labels[1], problem.is_open_ended))
            names.append(problem.id)
        elif len(labels) > 2:
            lists.append([row + place for place in order])
        parents += [index] * len(labels)
        row += len(labels)
    device = model.trunk.device
    columns = list(zip(*pairs, strict=True)) if pairs else [()] * 5
    width = max(map(len, lists), default=0)
    scores = [score for group in groups for score in group.scores]
    ratings = [None if (part := score.part("rating")) is None else part.value for score in scores]
    kinds = (torch.long, torch.long, torch.float32, torch.bool, torch.bool)
    chosen_N, rejected_N, margin_N, tie_N, open_N = (
        torch.tensor(column, dtype=kind, device=device) for column, kind in zip(columns, kinds, strict=True)
    )
    return RewardMicroBatch(
        plan=model.plan(families, starts),
        chosen_N=chosen_N,
        rejected_N=rejected_N,
        margin_N=margin_N,
        tie_N=tie_N,
        open_N=open_N,
        weight_EN=_bootstrap(names, model),
        list_LB=torch.tensor([rows + [-1] * (width - len(rows)) for rows in lists], device=device).long(),
        rating_B=_numbers(ratings, device),
        attributes_BK=_attributes(groups, model),
        parent_B=torch.tensor(parents, dtype=torch.long, device=device),
    )


def _numbers(items: Sequence[float | None], device: torch.device) -> Tensor:
    return torch.tensor([float("nan") if item is None else item for item in items], device=device).float()


def _bootstrap(names: Sequence[str], model: RewardModel) -> Tensor | None:
    """Weights 0 or 2 by the pair's name: each member sees its own half of the data, the same in every epoch."""
    if model.heads.config.kind != "ensemble":
        return None
    members = range(model.heads.config.num_heads)
    coins = [
        [2.0 * (int(content_hash(f"{name}\x1f{member}"), 16) % 2) for name in names] for member in members
    ]
    return torch.tensor(coins, device=model.trunk.device).view(len(members), len(names))


def _attributes(groups: Sequence[ScoredGroup], model: RewardModel) -> Tensor | None:
    names = model.heads.config.attributes
    if not names:
        return None
    rows = [
        [None if (part := score.part(ATTRIBUTE + name)) is None else part.value for name in names]
        for group in groups
        for score in group.scores
    ]
    return torch.stack([_numbers(row, model.trunk.device) for row in rows])


class RewardLearner:
    """Updates one reward model."""

    def __init__(
        self, model: RewardModel, loss: RewardLossConfig, config: OptimConfig, *, seed: int = 0
    ) -> None:
        """`seed` draws what the adapters' dropout drops."""
        self.model = model
        self.loss = loss
        self.config = config
        self.seed = seed
        self.optimizer = MasterAdamW(model.trainable(), config)
        self.num_steps = 0

    @property
    def policy(self) -> object:
        """The backbone, as the stage asks for it."""
        return self.model.trunk

    def step(self, batches: Sequence[RewardBatch]) -> StepReport:
        """One update per batch, in order."""
        started = time.perf_counter()
        metrics = values(merge([self._update(batch, index) for index, batch in enumerate(batches)]))
        self.num_steps += 1
        release_memory()
        return StepReport(metrics=metrics | {"timing_s/learn": time.perf_counter() - started})

    def _update(self, batch: RewardBatch, number: int) -> Mapping[str, Metric]:
        self.model.heads.train()
        shares: list[Mapping[str, Metric]] = []
        reads: list[Readout] = []
        for index, micro in enumerate(batch.micro):
            with self.model.trunk.dropout(derive_seed(self.seed, "dropout", self.num_steps, number, index)):
                read = self.model.read(micro.plan)
                terms = self._terms(micro, read, batch.totals)
                total = torch.stack(list(terms.values())).sum()
                total.backward()  # type: ignore[no-untyped-call]
            shares.append(_measured(micro, read, terms, self.model))
            reads.append(_detached(read))
        read = _joined(reads)
        self.model.heads.observe(read)
        rate = learning_rate(self.config, self.num_steps)
        norm, finite = self.optimizer.step(rate)
        self.model.trunk.version += 1
        spread = {"reward_health/u_std": Mean(float(read.u_B.std()), 1)} if len(read.u_B) > 1 else {}
        return merge(shares) | {
            **spread,
            "grad_norm": Mean(norm if finite else 0.0, 1),
            "learning_rate": Mean(rate, 1),
            "signal/nonfinite_updates": Sum(float(not finite)),
        }

    def _terms(self, micro: RewardMicroBatch, read: Readout, totals: Totals) -> dict[str, Tensor]:
        """The loss's parts, each a share of a mean over the whole update."""
        loss, heads = self.loss, self.model.heads
        terms = {"loss/ranking": self._ranking(micro, read) / max(1.0, totals.pairs)}
        if loss.listwise and len(micro.list_LB):
            mask_LB = micro.list_LB >= 0
            u_LB = read.u_B[micro.list_LB.clamp(min=0)]
            found = preference.plackett_luce(u_LB, mask_LB).sum()
            terms["loss/listwise"] = loss.listwise * found / totals.lists
        if loss.critique and read.critique_C is not None:
            terms["loss/critique"] = -loss.critique * read.critique_C.sum() / totals.critique_tokens
        rated_B = ~micro.rating_B.isnan()
        score_B = heads.squashed(read)
        if loss.pointwise and bool(rated_B.any()):
            terms["loss/pointwise"] = loss.pointwise * self._pointwise(micro, read, rated_B) / totals.rated
        if micro.attributes_BK is not None and read.attributes_BK is not None:
            known_BK = ~micro.attributes_BK.isnan()
            found_BK = preference.pointwise(read.attributes_BK, micro.attributes_BK.nan_to_num())
            terms["loss/attributes"] = (found_BK * known_BK).sum() / totals.rows
        if heads.config.kind == "binned":
            return terms
        if loss.centering and len(micro.chosen_N):
            first, second = read.u_B[micro.chosen_N], read.u_B[micro.rejected_N]
            level = read.bias_B[micro.chosen_N].detach()
            terms["loss/centering"] = (
                loss.centering * preference.centering(first, second, level).sum() / totals.pairs
            )
        if loss.bias and heads.config.bias:
            level_B = _group_means(read.u_B.detach(), micro.parent_B)
            found = preference.bias_regression(read.bias_B, level_B).sum()
            terms["loss/bias"] = loss.bias * found / totals.rows
        if loss.variance_floor:
            found = preference.variance_floor(
                score_B, heads.score_mean, heads.score_deviation, loss.min_std
            ).sum()
            terms["loss/variance_floor"] = loss.variance_floor * found / totals.rows
        return terms

    def _ranking(self, micro: RewardMicroBatch, read: Readout) -> Tensor:
        if self.loss.ranking == "none" or not len(micro.chosen_N):
            return read.u_B.sum() * 0.0
        if read.bins_BK is not None:
            first, second = read.bins_BK[micro.chosen_N], read.bins_BK[micro.rejected_N]
            won_N = preference.bin_pair(first, second)
            even_N = 0.5 * (won_N + preference.bin_pair(second, first))
            return torch.where(micro.tie_N, even_N, won_N).sum()
        if read.members_EB is not None and micro.weight_EN is not None:
            found = [
                (weight_N * self._pairs(micro, u_B)).sum()
                for weight_N, u_B in zip(micro.weight_EN, read.members_EB, strict=True)
            ]
            return torch.stack(found).mean()
        return self._pairs(micro, read.u_B).sum()

    def _pairs(self, micro: RewardMicroBatch, u_B: Tensor) -> Tensor:
        chosen_N, rejected_N = u_B[micro.chosen_N], u_B[micro.rejected_N]
        if self.loss.ranking == "prompt_aware":
            won_N = preference.prompt_aware(chosen_N, rejected_N, micro.open_N)
        else:
            won_N = preference.bradley_terry(
                chosen_N,
                rejected_N,
                margin_N=micro.margin_N if self.loss.use_margin else 0.0,
                label_smoothing=self.loss.label_smoothing,
            )
        return torch.where(micro.tie_N, preference.tie(chosen_N, rejected_N), won_N)

    def _pointwise(self, micro: RewardMicroBatch, read: Readout, rated_B: Tensor) -> Tensor:
        label_B = micro.rating_B[rated_B]
        if read.bins_BK is not None:
            return preference.bin_label(read.bins_BK[rated_B], label_B).sum()
        return preference.pointwise(self.model.heads.squashed(read)[rated_B], label_B).sum()

    def state_tensors(self) -> dict[str, Tensor]:
        """Everything a bit-exact resume needs besides the number of steps."""
        buffers = {f"heads_buffer/{name}": tensor for name, tensor in self.model.heads.named_buffers()}
        return self.optimizer.state_tensors() | buffers

    def load_state_tensors(self, tensors: Mapping[str, Tensor], *, num_steps: int, version: int) -> None:
        """Continue from `state_tensors`."""
        self.optimizer.load_state_tensors(tensors)
        with torch.no_grad():
            for name, buffer in self.model.heads.named_buffers():
                buffer.copy_(tensors[f"heads_buffer/{name}"])
        self.num_steps = num_steps
        self.model.trunk.version = version

    def close(self) -> None:
        """Let go of the parameters."""
        self.optimizer.close()


def _measured(
    micro: RewardMicroBatch, read: Readout, terms: Mapping[str, Tensor], model: RewardModel
) -> Mapping[str, Metric]:
    """TRL's names for what TRL's RewardTrainer logs: accuracy, margin, mean_reward."""
    found: dict[str, Metric] = {name: Sum(float(term.detach())) for name, term in terms.items()}
    found["loss"] = Sum(float(sum(float(term.detach()) for term in terms.values())))
    u_B = read.u_B.detach()
    gap_N = (u_B[micro.chosen_N] - u_B[micro.rejected_N])[~micro.tie_N]
    if len(gap_N):
        wins = (gap_N > 0).float() + 0.5 * (gap_N == 0).float()
        found["accuracy"] = Mean(float(wins.sum()), len(gap_N))
        found["margin"] = Mean(float(gap_N.sum()), len(gap_N))
    score_B = model.heads.squashed(read).detach()
    found["mean_reward"] = Mean(float(u_B.sum()), len(u_B))
    found["reward_health/score_mean"] = Mean(float(score_B.sum()), len(score_B))
    found["reward_health/saturated"] = Mean(float((score_B.abs() > 0.98).sum()), len(score_B))
    found["reward_health/score_std"] = Mean(float(model.heads.score_deviation), 1)
    found["num_input_tokens"] = Sum(float(len(micro.plan.tokens_T)))
    return found


def _detached(read: Readout) -> Readout:
    return Readout(read.u_B.detach(), read.bias_B.detach())


def _joined(reads: Sequence[Readout]) -> Readout:
    return Readout(torch.cat([read.u_B for read in reads]), torch.cat([read.bias_B for read in reads]))


def _group_means(value_B: Tensor, parent_B: Tensor) -> Tensor:
    count = torch.bincount(parent_B)
    total = value_B.new_zeros(len(count)).index_add(0, parent_B, value_B)
    return (total / count)[parent_B]
