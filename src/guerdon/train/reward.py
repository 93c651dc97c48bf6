"""Training a reward model: judged responses, packed, to one optimiser step. Another learner on the same spine.

    scored groups (chosen 1, rejected 0; lists; ratings) --pack--> [ prompt a | a+ | a- | prompt b | ... ] --> heads
    heads --rows of losses.py that the recipe turns on--> loss

Every loss is a sum over a denominator of the whole update, so neither micro-batches nor packing change the gradient;
all responses of a group are always in one pass and share their prompt.
"""

from __future__ import annotations

import pkgutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from guerdon.core.metrics import Mean, Metric, Sum, merge, values
from guerdon.core.seeds import content_hash, derive_seed
from guerdon.core.types import CreditedGroup, ScoredGroup, StepReport
from guerdon.models.heads import Readout
from guerdon.models.memory import release_memory
from guerdon.models.reward import Pass, RewardModel
from guerdon.train.config import OptimConfig, RewardLossConfig
from guerdon.train.losses import LossRow, losses_of
from guerdon.train.optimizer import MasterAdamW, learning_rate
from guerdon.train.reward_terms import Seen

LABEL, MARGIN = "label", "margin"
"""Parts of one side of a pair: its place (1 chosen, 0 rejected, 0.5 a tie), and by how much it is better.

Groups without labels are lists, ranked by their scores' values; a list of one is only rated."""
RATING = "rating"
"""Part that holds the overall rating, in [-1, 1]."""
CRITIQUE = "critique_start"
"""Key of `Turn.facts`: at which token of a judged response its critique begins."""
ATTRIBUTE = "attribute/"
"""Prefix of the parts that rate one attribute, in [-1, 1]."""


class Totals(NamedTuple):
    """Denominators of one update."""

    pairs: float
    lists: float
    rows: float
    siblings: float
    """Responses to a prompt that has several."""
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
    rank_LB: Tensor
    """Their ranks, from 0; equal ranks are undecided."""
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
            siblings=float(sum(len(one.scores) for one in groups if len(one.scores) > 1)),
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
    lists: list[list[tuple[int, int]]] = []
    parents: list[int] = []
    starts: list[int] = []
    for index, group in enumerate(groups):
        turns = [rollout.turns[0] for rollout in group.group.rollouts]
        families.append((turns[0].prompt_ids, [turn.completion_ids for turn in turns]))
        starts += [int(str(turn.facts[CRITIQUE])) for turn in turns if CRITIQUE in turn.facts]
        row = len(parents)
        if group.scores[0].part(LABEL) is not None:
            pairs.append(_pair(group, row))
            names.append(group.group.problem.id)
        elif len(turns) > 1:
            lists.append(_ranked(group, row))
        parents += [index] * len(turns)
    device = model.trunk.device
    scores = [score for group in groups for score in group.scores]
    ratings = [None if (part := score.part(RATING)) is None else part.value for score in scores]
    columns = list(zip(*pairs, strict=True)) if pairs else [()] * 5
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
        list_LB=_padded(([row for row, _ in one] for one in lists), device),
        rank_LB=_padded(([rank for _, rank in one] for one in lists), device),
        rating_B=_numbers(ratings, device),
        attributes_BK=_attributes(groups, model),
        parent_B=torch.tensor(parents, dtype=torch.long, device=device),
    )


def _pair(group: ScoredGroup, row: int) -> tuple[int, int, float, bool, bool]:
    """Rows of chosen and rejected, margin, whether it is a tie, whether its prompt is open-ended."""
    first, second = (score.value or 0.0 for score in group.scores)
    better, worse = (1, 0) if second > first else (0, 1)
    margin = group.scores[better].part(MARGIN)
    gap = 0.0 if margin is None or margin.value is None else margin.value
    is_open_ended = group.group.problem.is_open_ended
    return row + better, row + worse, gap, first == second, is_open_ended


def _ranked(group: ScoredGroup, row: int) -> list[tuple[int, int]]:
    """(row, rank) of a list's responses, best first; equal values have one rank."""
    values_G = [score.value or 0.0 for score in group.scores]
    levels = sorted(set(values_G), reverse=True)
    order = sorted(range(len(values_G)), key=lambda place: -values_G[place])
    return [(row + place, levels.index(values_G[place])) for place in order]


def _padded(lists: Iterable[list[int]], device: torch.device) -> Tensor:
    rows = list(lists)
    width = max(map(len, rows), default=0)
    return torch.tensor([one + [-1] * (width - len(one)) for one in rows], device=device).long()


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
        self.rows: list[tuple[LossRow, Callable[[Seen], Tensor | None]]] = [
            (row, pkgutil.resolve_name(row.function))
            for row in losses_of(loss, model.heads.config, model.reader.config).values()
        ]
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
                total = torch.stack([read.u_B.sum() * 0.0, *terms.values()]).sum()
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
        seen = Seen(micro, read, self.model.heads, self.loss)
        terms: dict[str, Tensor] = {}
        for row, function in self.rows:
            found = function(seen)
            if found is not None:
                weight = getattr(self.loss, row.key) if row.key and not row.ranking else 1.0
                terms[f"loss/{row.term}"] = weight * found / getattr(totals, row.per)
        return terms

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
    gap_N = torch.cat([(u_B[micro.chosen_N] - u_B[micro.rejected_N])[~micro.tie_N], _gaps(micro, u_B)])
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


def _gaps(micro: RewardMicroBatch, u_B: Tensor) -> Tensor:
    """By how much the better one of any two of a list exceeds the other; equal ranks have no better one."""
    if not len(micro.list_LB):
        return u_B[:0]
    mask_LB = micro.list_LB >= 0
    u_LB = u_B[micro.list_LB.clamp(min=0)]
    better_LBB = micro.rank_LB[:, :, None] < micro.rank_LB[:, None, :]
    return (u_LB[:, :, None] - u_LB[:, None, :])[better_LBB & mask_LB[:, :, None] & mask_LB[:, None, :]]


def _detached(read: Readout) -> Readout:
    return Readout(read.u_B.detach(), read.bias_B.detach())


def _joined(reads: Sequence[Readout]) -> Readout:
    return Readout(torch.cat([read.u_B for read in reads]), torch.cat([read.bias_B for read in reads]))
