"""Credited groups to tensors: packed rows without padding, each prompt once, micro-batches by token budget.

    [ prompt a | a0 | a1 | a3 | prompt b | b0 | ... ]      a2 had advantage 0 and nothing else to learn: left out

The last token of a completion is predicted but never fed. Denominators are counted over the whole update first, so
neither micro-batching nor leaving rows out can change the gradient. Axes: B rows (one turn of one rollout each),
T completion tokens, S scored tokens of one micro-batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from guerdon.core.types import CreditedGroup, Turn
from guerdon.functional.aggregate import Totals
from guerdon.models.attention import PackedLayout
from guerdon.models.logprobs import Kept


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """One forward and backward pass."""

    layout: PackedLayout
    tokens_T: Tensor
    """Packed input tokens."""
    predict_S: Tensor
    """Index into the packed row of the hidden state that predicts each scored token."""
    target_S: Tensor
    """The scored tokens."""
    row_S: Tensor
    """Which of `rows` each belongs to."""
    column_S: Tensor
    """Its place in its completion."""
    rows: Tensor
    """Rows of the batch at hand here."""
    kept: Kept | None
    """The support of truncated sampling, where there was any."""

    def scatter(self, value_S: Tensor, width: int) -> Tensor:
        """[S] -> [rows, T], zeros elsewhere, differentiable."""
        grid = value_S.new_zeros(len(self.rows), width)
        return grid.index_put((self.row_S, self.column_S), value_S)


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Everything one optimiser update needs."""

    micro: tuple[MicroBatch, ...]
    mask_BT: Tensor
    advantages_BT: Tensor
    behavior_logprobs_BT: Tensor
    row_group_B: Tensor
    totals: Totals
    """Denominators of the whole update."""
    num_skipped: int
    """Rows left out because their advantage is exactly 0 and no other term needs them."""

    def totals_of(self, rows: Tensor) -> Totals:
        """The same denominators with the per-row counts of these rows."""
        return self.totals._replace(prompt_tokens_B=self.totals.prompt_tokens_B[rows])


class _Row(NamedTuple):
    group: int
    turn: Turn
    advantages: tuple[float, ...]


def pack(
    credited: Sequence[CreditedGroup],
    *,
    max_tokens: int,
    max_length: int,
    skip_zero: bool,
    mask_truncated: bool = False,
    device: torch.device | None = None,
) -> PackedBatch:
    """Pack the groups of one update.

    Args:
        credited: groups with advantages; unscored rollouts are left out.
        max_tokens: token budget of a micro-batch; one longer completion still gets a micro-batch of its own.
        max_length: the recipe's completion limit, the constant of `constant_length`.
        skip_zero: leave rows of advantage 0 out of the passes (they still count in the denominators); only right
            where the surrogate is the only term of the loss.
        mask_truncated: leave truncated rollouts out of the loss and its denominators.
        device: where the tensors go.
    """
    rows = _rows(credited, mask_truncated)
    width = max((len(row.turn.completion_ids) for row in rows), default=1)
    mask_BT = torch.zeros(len(rows), width, dtype=torch.bool)
    advantages_BT = torch.zeros(len(rows), width)
    behavior_BT = torch.zeros(len(rows), width)
    for index, row in enumerate(rows):
        length = len(row.turn.completion_ids)
        mask_BT[index, :length] = True
        advantages_BT[index, :length] = torch.tensor(row.advantages)
        behavior_BT[index, :length] = torch.tensor(row.turn.behavior_logprobs)
    row_group_B = torch.tensor([row.group for row in rows], dtype=torch.long)
    needed = [index for index, row in enumerate(rows) if not skip_zero or any(row.advantages)]
    device = device or torch.device("cpu")
    return PackedBatch(
        micro=tuple(_micro(rows, chosen, device) for chosen in _bins(rows, needed, max_tokens)),
        mask_BT=mask_BT.to(device),
        advantages_BT=advantages_BT.to(device),
        behavior_logprobs_BT=behavior_BT.to(device),
        row_group_B=row_group_B.to(device),
        totals=_totals(mask_BT, row_group_B, max_length, device),
        num_skipped=len(rows) - len(needed),
    )


def _rows(credited: Sequence[CreditedGroup], mask_truncated: bool) -> list[_Row]:
    rows = []
    for group_index, group in enumerate(credited):
        scores = group.scored.scores
        for rollout, score, advantages in zip(
            group.scored.group.rollouts, scores, group.advantages_G_T, strict=True
        ):
            if score.value is None or (mask_truncated and rollout.truncated):
                continue
            start = 0
            for turn in rollout.turns:
                length = len(turn.completion_ids)
                if length:
                    rows.append(_Row(group_index, turn, advantages[start : start + length]))
                start += length
    return rows


def _totals(mask_BT: Tensor, row_group_B: Tensor, max_length: int, device: torch.device) -> Totals:
    tokens_B = mask_BT.sum(1).float()
    num_groups = int(row_group_B.max()) + 1 if len(row_group_B) else 0
    tokens_P = torch.zeros(num_groups).index_add(0, row_group_B, tokens_B)
    return Totals(
        num_sequences=float(len(tokens_B)),
        num_tokens=float(tokens_B.sum()),
        num_prompts=float((tokens_P > 0).sum()),
        max_length=max_length,
        prompt_tokens_B=tokens_P[row_group_B].to(device),
    )


def _bins(rows: Sequence[_Row], needed: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Rows in order, a new bin where the next row (and its prompt, if new there) would exceed the budget."""
    bins: list[list[int]] = []
    prompts: set[tuple[int, ...]] = set()
    used = 0
    for index in needed:
        turn = rows[index].turn
        own = len(turn.completion_ids) - 1
        cost = own + (0 if turn.prompt_ids in prompts else len(turn.prompt_ids))
        if not bins or used + cost > max_tokens:
            bins.append([])
            prompts, used = set(), 0
            cost = own + len(turn.prompt_ids)
        bins[-1].append(index)
        prompts.add(turn.prompt_ids)
        used += cost
    return bins


def _micro(rows: Sequence[_Row], chosen: Sequence[int], device: torch.device) -> MicroBatch:
    families: dict[tuple[int, ...], list[int]] = {}
    for index in chosen:
        families.setdefault(rows[index].turn.prompt_ids, []).append(index)
    order = [index for family in families.values() for index in family]
    tokens: list[int] = []
    predict: list[int] = []
    for prompt_ids, family in families.items():
        tokens += prompt_ids
        last = len(tokens) - 1
        for index in family:
            completion = rows[index].turn.completion_ids
            predict += [last, *range(len(tokens), len(tokens) + len(completion) - 1)]
            tokens += completion[:-1]
    lengths = [[len(rows[index].turn.completion_ids) - 1 for index in family] for family in families.values()]
    scored = [
        (place, column) for place, index in enumerate(order) for column in range(len(rows[index].advantages))
    ]
    place_S, column_S = torch.tensor(scored, dtype=torch.long).T
    return MicroBatch(
        layout=PackedLayout([len(prompt) for prompt in families], lengths).to(device),
        tokens_T=torch.tensor(tokens, device=device),
        predict_S=torch.tensor(predict, device=device),
        target_S=torch.tensor([t for index in order for t in rows[index].turn.completion_ids], device=device),
        row_S=place_S.to(device),
        column_S=column_S.to(device),
        rows=torch.tensor(order, device=device),
        kept=_kept([rows[index].turn for index in order], device),
    )


def _kept(turns: Sequence[Turn], device: torch.device) -> Kept | None:
    if all(turn.kept is None for turn in turns):
        return None
    supports = [support for turn in turns for support in (turn.kept or ((),) * len(turn.completion_ids))]
    flat = torch.tensor([token for support in supports for token in support], dtype=torch.long, device=device)
    counts = torch.tensor([len(support) for support in supports], dtype=torch.long, device=device)
    return Kept(flat, counts)
