"""Made-up scored rows, shared by tests."""

from __future__ import annotations

import math
import random

from guerdon.explain.reward_model.bench_rows import read_style_rows
from guerdon.explain.reward_model.benches import BenchResult, score_rm_bench
from guerdon.explain.reward_model.rows import ScoredList, ScoredPair


def pair(
    chosen: float | None,
    rejected: float | None,
    name: str = "p",
    *,
    lengths: tuple[int, int] | None = None,
    tie: bool = False,
) -> ScoredPair:
    """A pair with nothing but what is named."""
    return ScoredPair(
        id=name, chosen_score=chosen, rejected_score=rejected, tie=tie,
        chosen_tokens=lengths[0] if lengths else None, rejected_tokens=lengths[1] if lengths else None,
    )  # fmt: skip


def many_pairs(count: int = 240, *, seed: int = 0, skill: float = 0.8) -> list[ScoredPair]:
    """Pairs with everything: sources, lengths, ties, members, texts, some without a score."""
    draw = random.Random(seed)
    rows = []
    for index in range(count):
        lengths = draw.randint(5, 400), draw.randint(5, 400)
        tie = index % 12 == 0
        bias = 0 if tie else skill / 2
        utilities = [
            side * bias + draw.gauss(0, 1) + 0.001 * n for side, n in zip((1, -1), lengths, strict=True)
        ]
        scores = [math.tanh(value) for value in utilities]
        members = [tuple(score + draw.gauss(0, 0.3) for _ in range(3)) for score in scores]
        rows.append(
            ScoredPair(
                id=f"row/{index}", source=("human", "rule")[index % 2], subset=f"part {index % 3}", domain="chat",
                chosen_score=None if index % 40 == 1 else scores[0], rejected_score=scores[1],
                chosen_u=None if index % 40 == 1 else utilities[0], rejected_u=utilities[1],
                chosen_tokens=lengths[0], rejected_tokens=lengths[1], tie=tie, open_ended=index % 4 < 2,
                chosen_members=members[0], rejected_members=members[1],
                prompt=f"question {index} <script>window.hacked = true</script>",
                chosen="right " * 9, rejected="wrong\u202e & <b>bold</b> " * 400,
            )
        )  # fmt: skip
    return rows


def many_lists(count: int = 20, *, size: int = 6) -> list[ScoredList]:
    """Lists whose scores know something of the gold."""
    draw = random.Random(1)
    rows = []
    for index in range(count):
        gold = [draw.gauss(0, 1) for _ in range(size)]
        rows.append(
            ScoredList(id=str(index), scores=tuple(g + draw.gauss(0, 1) for g in gold), gold=tuple(gold))
        )
    return rows


def rm_bench(count: int = 20, *, seed: int = 0) -> BenchResult:
    """RM-Bench without code and safety, by a model that likes style; one item without a score."""
    draw = random.Random(seed)
    domains = [("chat", "math")[index % 2] for index in range(count)]
    items = read_style_rows(
        {"id": str(index), "prompt": "q", "chosen": ["a"] * 3, "rejected": ["b"] * 3, "domain": name}
        for index, name in enumerate(domains)
    )
    scores: list[list[float | None]] = [
        [side + 0.6 * style + draw.gauss(0, 1) for side in (1, 0) for style in range(3)] for _ in items
    ]
    scores[0][0] = None
    return score_rm_bench(items, scores)
