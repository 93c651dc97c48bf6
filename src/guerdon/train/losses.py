"""The losses of a reward model: one row each, from which the learner sums its terms. Torch-free.

    recipe --rows that are on--> function --sum--> * weight / number of `per` --> loss/TERM
           --keys that no row reads, rows whose data are missing--> refused

`guerdon list losses`, the table of docs/how-to/reward-model.md and the refusals are made from the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from guerdon.models.config import HeadConfig, InputConfig
from guerdon.train.config import RewardLossConfig

ANY = ("scalar", "ensemble", "attributes", "binned")
UTILITY = ("scalar", "ensemble", "attributes")
"""Heads that say a utility without bounds."""


class LossRow(NamedTuple):
    """One loss."""

    help: str
    """The formula in words, for one item."""
    paper: str
    needs: str
    """What the data must hold: a key of DATA."""
    function: str
    """module:name of the sum over the items of a pass."""
    per: str
    """Its mean is over these: a field of `Totals`."""
    term: str
    """Its metric is loss/TERM."""
    key: str = ""
    """Its weight in `[loss]`, or "ranking"; empty: always on."""
    ranking: str = ""
    """The value of `loss.ranking` that chooses it."""
    reads: tuple[str, ...] = ()
    """Further keys of `[loss]` that it reads."""
    heads: tuple[str, ...] = ANY
    """Kinds of heads that it is for."""
    only: str = ""
    """Key of the recipe without which it is off."""

    @property
    def where(self) -> str:
        """Which heads it is for, in words; empty: any."""
        return {UTILITY: "not binned", ANY: ""}.get(self.heads, " ".join(self.heads))


TERMS = "guerdon.train.reward_terms:"

LOSSES: dict[str, LossRow] = {
    "bradley_terry": LossRow(
        "-log sigmoid(u_w - u_l - margin): chosen above rejected; a tie is half a win for either side",
        "Bradley and Terry 1952, arXiv:2307.09288",
        "pairs", TERMS + "bradley_terry", "pairs", "ranking",
        key="ranking", ranking="bradley_terry", reads=("use_margin", "label_smoothing"), heads=UTILITY,
    ),
    "prompt_aware": LossRow(
        "-U(sigmoid(u_w) - sigmoid(u_l)): closed prompts to both ends, open-ended ones spread evenly",
        "arXiv:2305.17608",
        "pairs", TERMS + "prompt_aware", "pairs", "ranking",
        key="ranking", ranking="prompt_aware", heads=UTILITY,
    ),
    "binned_pairs": LossRow(
        "-log P(a score drawn for chosen is above one drawn for rejected), equal bins half",
        "-",
        "pairs", TERMS + "binned_pairs", "pairs", "ranking",
        key="ranking", ranking="bradley_terry", heads=("binned",),
    ),
    "listwise": LossRow(
        "-log P(the list's order), each answer drawn from itself and those ranked below it; equals are left unordered",
        "Plackett 1975",
        "lists", TERMS + "listwise", "lists", "listwise",
        key="listwise",
    ),
    "critique": LossRow(
        "-log P(critique), a mean over its tokens: the words that the model writes before it scores",
        "arXiv:2408.11791",
        "critiques", TERMS + "critique", "critique_tokens", "critique",
        key="critique", only="input.critique",
    ),
    "pointwise": LossRow(
        "Huber loss of the score against the rating, both in [-1, 1]",
        "Huber 1964",
        "ratings", TERMS + "pointwise", "rated", "pointwise",
        key="pointwise", heads=UTILITY,
    ),
    "binned_ratings": LossRow(
        "cross-entropy of the bins against the rating, shared between its two nearest bins",
        "arXiv:2403.03950",
        "ratings", TERMS + "binned_ratings", "rated", "pointwise",
        key="pointwise", heads=("binned",),
    ),
    "attributes": LossRow(
        "Huber loss of each attribute against its rating, both in [-1, 1]",
        "arXiv:2406.12845",
        "attributes", TERMS + "attributes", "rows", "attributes",
        heads=("attributes",),
    ),
    "centering": LossRow(
        "(u_w + u_l - 2 b)^2: holds u at the bias b(x)",
        "arXiv:2312.09244",
        "pairs", TERMS + "centering", "pairs", "centering",
        key="centering", heads=UTILITY,
    ),
    "bias": LossRow(
        "(b - mean u of the prompt's responses)^2: b(x) learns the level, u does not follow it",
        "-",
        "responses", TERMS + "bias", "siblings", "bias",
        key="bias", heads=UTILITY, only="head.bias",
    ),
    "variance_floor": LossRow(
        "max(0, min_std - std of the scores)^2: pushes scores apart that crowd together",
        "arXiv:2105.04906",
        "responses", TERMS + "variance_floor", "rows", "variance_floor",
        key="variance_floor", reads=("min_std",), heads=UTILITY,
    ),
}  # fmt: skip

DATA: dict[str, str] = {
    "pairs": "pairs of answers of which one is better",
    "lists": "prompts with several ranked answers (layouts list, ranked, ratings, pointwise)",
    "ratings": "answers with an overall rating (a column score, layouts list, ratings, pointwise)",
    "attributes": "answers rated by each of head.attributes",
    "critiques": "a critique of every answer",
    "responses": "any answers",
}
"""What a loss can need, in words."""


def losses_of(loss: RewardLossConfig, head: HeadConfig, shown: InputConfig | None) -> dict[str, LossRow]:
    """The rows that a recipe turns on, in the table's order.

    Args:
        loss: weights and choices.
        head: which heads there are.
        shown: whether critiques are written; None: not known yet, they may be.
    """
    return {name: row for name, row in LOSSES.items() if not _obstacle(row, loss, head, shown)}


def refuse_unread(loss: RewardLossConfig, head: HeadConfig, shown: InputConfig | None) -> list[str]:
    """Keys of `[loss]` that were changed and that nothing would read; each as `loss.key: what to do`.

    A weight of 0 is no problem: it asks for nothing, and nothing is what happens.
    """
    on = losses_of(loss, head, shown).values()
    read = {key for row in on for key in (row.key, *row.reads)}
    problems = []
    for key in RewardLossConfig.model_fields:
        if key in read or not getattr(loss, key) or not _is_changed(loss, key) or key == "ranking":
            continue
        rows = [row for row in LOSSES.values() if key in (row.key, *row.reads)]
        reasons = dict.fromkeys(_obstacle(row, loss, head, shown) for row in rows)
        problems.append(f"loss.{key}: nothing reads it, because {' and '.join(reasons)}; remove the key")
    if loss.ranking != "none" and "ranking" not in read:
        problems.append(
            f"loss.ranking: {loss.ranking} compares utilities, a {head.kind} head has none; choose another"
        )
    return problems


def refuse_missing(on: Mapping[str, LossRow], loss: RewardLossConfig, held: Mapping[str, int]) -> list[str]:
    """Losses that a recipe asks for and whose data it does not have; each as `loss.key: what is missing`.

    Args:
        on: the rows that the recipe turns on.
        loss: its `[loss]`; what is left at its default is not asked for.
        held: of each key of DATA, how many items the training data hold.
    """
    return [
        f"loss.{row.key}: {_value(loss, row.key)}, but the training data hold no {DATA[row.needs]}; add a set that "
        f"does, or remove loss.{row.key}"
        for row in on.values()
        if row.key and _is_changed(loss, row.key) and not held[row.needs]
    ]


def markdown() -> str:
    """The table of the documentation."""
    lines = ["| loss | `[loss]` | one item's loss | needs | from |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in _cells())]) + "\n"


def _cells() -> Iterator[tuple[str, ...]]:
    for name, row in LOSSES.items():
        switch = f'`ranking = "{row.ranking}"`' if row.ranking else f"`{row.key}`" if row.key else "-"
        keys = ", ".join([switch, *(f"`{key}`" for key in row.reads)])
        heads = f", {row.where}" if row.where else ""
        yield f"`{name}`{heads}", keys, row.help.replace("|", "\\|"), row.needs, row.paper


def _obstacle(row: LossRow, loss: RewardLossConfig, head: HeadConfig, shown: InputConfig | None) -> str:
    """Why the row is off, in words; empty: it is on."""
    if head.kind not in row.heads:
        return f"head.kind is {head.kind!r}"
    if row.ranking and loss.ranking != row.ranking:
        return f"loss.ranking is {loss.ranking!r}"
    if row.key and not getattr(loss, row.key):
        return f"loss.{row.key} is 0"
    if row.only == "head.bias" and not head.bias:
        return "head.bias is false"
    if row.only == "input.critique" and shown is not None and shown.critique is None:
        return "there is no input.critique"
    return ""


def _is_changed(loss: RewardLossConfig, key: str) -> bool:
    """Not "was given": a recipe read back from config.json gives every key."""
    return bool(getattr(loss, key) != RewardLossConfig.model_fields[key].default)


def _value(loss: RewardLossConfig, key: str) -> str:
    found = getattr(loss, key)
    return f"{found:g}" if isinstance(found, float) else repr(found)
