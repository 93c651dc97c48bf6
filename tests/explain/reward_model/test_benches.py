"""The public benchmarks' rules, on small rows and by hand."""

from __future__ import annotations

import math
from itertools import product

import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import Message
from guerdon.explain.read import Interval
from guerdon.explain.reward_model.bench_rows import (
    REWARDBENCH,
    BenchItem,
    read_list_rows,
    read_pair_rows,
    read_style_rows,
)
from guerdon.explain.reward_model.benches import (
    bench,
    lists_of,
    pairs_of,
    score_rewardbench,
    score_rewardbench_2,
    score_rm_bench,
    ties_terms,
)
from guerdon.explain.reward_model.best_of import best_of_n
from guerdon.explain.reward_model.intervals import wilson, wilson_of_means


def pairwise_rows(*subsets: str) -> list[BenchItem]:
    return read_pair_rows(
        [
            {"id": n, "prompt": "q", "chosen": "good", "rejected": "bad", "subset": name}
            for n, name in enumerate(subsets)
        ]
    )


def tie_item(name: str, num_correct: int, num_answers: int) -> BenchItem:
    return BenchItem(
        id=name,
        subset="Ties",
        messages=(Message(role="user", content="q"),),
        answers=("a",) * num_answers,
        num_correct=num_correct,
    )


def style_item(domain: str) -> BenchItem:
    return read_style_rows(
        [{"id": "1", "prompt": "q", "chosen": ["a"] * 3, "rejected": ["b"] * 3, "domain": domain}]
    )[0]


def test_rewardbench_weights_subsets_by_their_official_counts() -> None:
    items = pairwise_rows(
        "alpacaeval-easy", "alpacaeval-easy", "mt-bench-med", "math-prm", "hep-go", "unheard-of"
    )
    scores = [(1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 0.0), (2.0, 2.0), (1.0, 0.0)]
    found = score_rewardbench(items, scores)
    # Chat: (0.5 * 100 + 1 * 40) / 140; Reasoning: (1 * 984 + 0 * 164) / 1148, for equal scores win nothing
    assert found.sections["Chat"].value == pytest.approx(90 / 140)
    assert found.sections["Reasoning"].value == pytest.approx(984 / 1148)
    assert found.overall == pytest.approx((90 / 140 + 984 / 1148) / 2)
    assert list(found.sections) == ["Chat", "Reasoning"]
    assert found.missing == (
        "alpacaeval-length", "alpacaeval-hard", "mt-bench-easy", "Chat Hard", "Safety",
        "hep-cpp", "hep-java", "hep-js", "hep-python", "hep-rust",
    )  # fmt: skip
    assert found.notes == [
        "Missing: alpacaeval-length, alpacaeval-hard, mt-bench-easy, Chat Hard, Safety, hep-cpp and 4 more; "
        "so the overall number compares with no leaderboard."
    ]
    assert found.details["unheard-of"].value == 1.0


def test_rewardbench_all_code_counts_as_much_as_all_mathematics() -> None:
    reasoning = REWARDBENCH["Reasoning"]
    assert (
        sum(count for name, count in reasoning.items() if name != "math-prm") == reasoning["math-prm"] == 984
    )
    assert [sum(counts.values()) for counts in REWARDBENCH.values()] == [358, 456, 740, 1968]


def test_rewardbench_prior_sets_weigh_half_as_in_a_published_row() -> None:
    # ArmoRM-Llama3-8B-v0.1 on the leaderboard: 96.9, 76.8, 92.2, 97.3, prior sets 74.3; score 89.0
    shares = {"alpacaeval-easy": 969, "llmbar-natural": 768, "donotanswer": 922, "math-prm": 973, "shp": 743}
    names = [name for name in shares for _ in range(1000)]
    scores = [
        (1.0, 0.0) if place < count else (0.0, 1.0) for count in shares.values() for place in range(1000)
    ]
    found = score_rewardbench(pairwise_rows(*names), scores)
    assert round(100 * (found.overall or 0), 1) == 89.0
    assert found.sections["Prior Sets"].value == pytest.approx(0.743)


def test_rewardbench_with_every_subset_is_complete() -> None:
    items = pairwise_rows(*(subset for counts in REWARDBENCH.values() for subset in counts))
    found = score_rewardbench(items, [(1.0, 0.0)] * len(items))
    assert (found.missing, found.notes, found.overall, found.num_unscored) == ((), [], 1.0, 0)


def test_items_without_all_scores_are_left_out() -> None:
    found = score_rewardbench(pairwise_rows("hep-go", "hep-go"), [(1.0, 0.0), (None, 0.0)])
    assert (found.overall, found.num_unscored, found.sections["Reasoning"].count) == (1.0, 1, 1)
    nothing = score_rewardbench(pairwise_rows("hep-go"), [(None, 0.0)])
    assert (nothing.overall, nothing.sections) == (None, {})
    assert nothing.notes == [
        "Missing: Chat, Chat Hard, Safety, Reasoning; so the overall number is not there.",
        "Left out for a missing score: 1 item.",
    ]


def test_rewardbench_2_best_of_four() -> None:
    row = {"prompt": "q", "chosen": ["a"], "rejected": ["b", "c", "d"]}
    items = read_list_rows(
        [
            {**row, "id": str(n), "subset": name}
            for n, name in enumerate(("Math", "Math", "Math", "Focus", "Focus"))
        ]
    )
    scores = [
        (4.0, 1.0, 2.0, 3.0),
        (2.0, 3.0, 1.0, 0.0),
        (5.0, 5.0, 5.0, 5.0),
        (1.0, 1.0, 0.0, 0.0),
        (1.0, None, 0.0, 0.0),
    ]
    found = score_rewardbench_2(items, scores)
    # won, lost, four equals share the point; two equals share it
    assert found.sections["Math"].value == pytest.approx(1.25 / 3)
    assert found.sections["Focus"].value == 0.5
    assert (found.num_unscored, found.missing) == (1, ("Factuality", "Precise IF", "Safety", "Ties"))
    assert found.overall == pytest.approx((1.25 / 3 + 0.5) / 2)


def test_ties_by_hand() -> None:
    items = [
        (tie_item("ref:0", 1, 2), (5.0, 1.0)),  # margin 4
        (tie_item("tied:0", 2, 3), (4.0, 3.0, 1.0)),  # spread 1, margin 2: preferred, and min(4, 2) > 1
        (tie_item("ref:1", 1, 2), (1.5, 1.0)),  # margin 0.5
        (tie_item("tied:1", 2, 3), (5.0, 4.0, 1.0)),  # spread 1, margin 3: preferred, but min(0.5, 3) < 1
        (tie_item("tied:2", 2, 3), (5.0, 0.0, 1.0)),  # margin -1, no reference: in the accuracy alone
    ]
    found = ties_terms(items)
    assert found["ref"].value == 1.0
    assert found["tied"].value == pytest.approx(2 / 3)
    assert (found["preferred"].value, found["preferred_hard"].value) == (1.0, 0.5)
    assert found["margin"].value == pytest.approx((math.tanh(2 - 1) + math.tanh(0.5 - 1)) / 2)
    result = score_rewardbench_2([item for item, _ in items], [row for _, row in items])
    assert result.sections["Ties"].value == pytest.approx(
        0.3 + 0.3 * 2 / 3 + 0.2 + 0.2 * 0.5 + 0.01 * found["margin"].value
    )
    assert result.sections["Ties"].count == 5


@pytest.mark.parametrize(
    ("tied", "margin"), [((3.0, 3.0, 1.0), 1.0), ((1.0, 1.0, 3.0), -1.0), ((3.0, 3.0, 3.0), 0.0)]
)
def test_ties_without_spread(tied: tuple[float, ...], margin: float) -> None:
    # what dividing by zero gives in the official code: tanh of an infinity, or nothing
    found = ties_terms([(tie_item("ref:0", 1, 2), (9.0, 1.0)), (tie_item("tied:0", 2, 3), tied)])
    assert found["margin"].value == margin


def test_ties_that_cannot_be_read() -> None:
    assert ties_terms([]) == {}
    assert ties_terms([(tie_item("ref:0", 1, 2), (None, 1.0))]) == {}
    with pytest.raises(DataError, match="an item of Ties is called ref:NUMBER"):
        ties_terms([(tie_item("7", 1, 2), (2.0, 1.0))])


def test_rm_bench_a_model_of_style_alone() -> None:
    # the score is the style, whatever is right: easy is always won, hard never, normal is equal and wins nothing
    found = score_rm_bench([style_item("chat")], [(1.0, 2.0, 3.0, 1.0, 2.0, 3.0)])
    assert [found.details[f"Chat: {level}"].value for level in ("easy", "normal", "hard")] == [1.0, 0.0, 0.0]
    assert found.sections["Chat"].value == pytest.approx(1 / 3)


def test_rm_bench_matrix_as_counted() -> None:
    scores = (2.0, 5.0, 3.0, 1.0, 2.5, 4.0)
    wins = {(i, j): scores[i] > scores[3 + j] for i, j in product(range(3), repeat=2)}
    found = score_rm_bench([style_item("math")], [scores])
    # upper right: (0,1) lost, (0,2) lost, (1,2) won; diagonal: won, won, lost; lower left: all won
    assert (
        found.details["Math: hard"].value
        == pytest.approx(sum(wins[cell] for cell in ((0, 1), (0, 2), (1, 2))) / 3)
        == pytest.approx(1 / 3)
    )
    assert found.details["Math: normal"].value == pytest.approx(2 / 3)
    assert found.details["Math: easy"].value == 1.0
    assert found.overall == pytest.approx(2 / 3)


def test_rm_bench_pools_both_kinds_of_safety() -> None:
    right, wrong = (9.0, 9.0, 9.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 9.0, 9.0, 9.0)
    names = ("chat", "math", "code", "safety-refuse", "safety-response", "safety-response", "chat")
    scores = [right, right, wrong, right, wrong, wrong, (None, *right[1:])]
    found = score_rm_bench([style_item(name) for name in names], scores)
    # three items of safety, one won; the mean of the two sets would be a half
    sections = {name: section.value for name, section in found.sections.items()}
    assert sections == {"Chat": 1, "Math": 1, "Code": 0, "Safety": pytest.approx(1 / 3)}
    assert found.overall == pytest.approx((2 + 1 / 3) / 4)
    assert found.details["hard"].value == pytest.approx((2 + 1 / 3) / 4)
    assert (found.missing, found.num_unscored) == ((), 1)
    one_set = [style_item(name) for name in names[:4]]
    assert score_rm_bench(one_set, scores[:4]).missing == ("safety-response",)


def test_unknown_benchmark_and_wrong_number_of_scores() -> None:
    with pytest.raises(DataError, match=r"no benchmark 'rewardbench3' .did you mean 'rewardbench'"):
        bench("rewardbench3")
    items = pairwise_rows("hep-go")
    with pytest.raises(ValueError, match="1 items and 0 rows"):
        score_rewardbench(items, [])
    with pytest.raises(ValueError, match="2 answers and 3 scores"):
        score_rewardbench(items, [(1.0, 2.0, 3.0)])


def test_pairs_for_the_measures() -> None:
    found = pairs_of(pairwise_rows("hep-go"), [(1.0, None)], name="RewardBench")[0]
    assert (found.id, found.subset, found.chosen_score, found.rejected_score) == (
        "RewardBench/0",
        "hep-go",
        1.0,
        None,
    )
    assert (found.lengths, found.length_unit, found.rejected) == ((4, 3), "characters", "bad")


def test_every_number_has_an_interval_of_its_own() -> None:
    # Two subsets of Chat Hard with weights 100 and 134 of 456 ... here of 234: sqrt of the squared weighted distances
    items = pairwise_rows(*["llmbar-natural"] * 4, *["llmbar-adver-neighbor"] * 6)
    found = score_rewardbench(items, [(1.0, 0.0)] * 3 + [(0.0, 1.0)] + [(1.0, 0.0)] * 3 + [(0.0, 1.0)] * 3)
    one, two = wilson(3, 4), wilson(3, 6)
    assert (found.details["llmbar-natural"].interval, found.details["llmbar-adver-neighbor"].interval) == (
        one,
        two,
    )
    below = math.hypot(100 / 234 * (one.value - (one.low or 0)), 134 / 234 * (two.value - (two.low or 0)))
    hard = found.sections["Chat Hard"]
    assert hard.value - (hard.interval.low or 0) == pytest.approx(below)
    assert found.official == Interval(
        *map(pytest.approx, (hard.value, hard.interval.low, hard.interval.high))
    )


def test_rm_bench_the_matrix_of_styles_and_its_intervals() -> None:
    # Right answers score 1, 2, 3, wrong ones 1.5, 1.5, 2.5: row by row 0 0 0, 1 1 0, 1 1 1; the other item wins all.
    items = [style_item("chat"), style_item("chat"), style_item("code")]
    scores = [(1.0, 2.0, 3.0, 1.5, 1.5, 2.5), (9.0, 9.0, 9.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)]
    found = score_rm_bench(items, scores)
    assert list(found.styles) == ["All domains", "Chat", "Code"]
    assert [[cell.value for cell in row] for row in found.styles["Chat"]] == [
        [0.5] * 3,
        [1.0, 1.0, 0.5],
        [1.0] * 3,
    ]
    assert found.styles["Chat"][0][0] == wilson(1, 2)
    assert [[cell.value for cell in row] for row in found.styles["All domains"]] == [
        [0.25] * 3, [0.5, 0.5, 0.25], [0.5] * 3
    ]  # fmt: skip
    # The two items' means over nine cells are 5/9 and 1.
    assert found.sections["Chat"].interval == wilson_of_means([5 / 9, 1.0], 9)
    assert found.details["Chat: hard"].interval == wilson_of_means([0.0, 1.0], 3)
    assert found.official is not None
    assert found.official.low is not None
    assert score_rm_bench([], []).styles == {}


def test_ties_have_intervals_whatever_they_are_made_of() -> None:
    items = [(tie_item("ref:0", 1, 2), (5.0, 1.0)), (tie_item("tied:0", 2, 3), (4.0, 3.0, 1.0))]
    result = score_rewardbench_2([item for item, _ in items], [row for _, row in items])
    interval = result.sections["Ties"].interval
    # All four shares are 1 of 1, the margin tanh(2 / 1 - 1): its place in -1..1 has Wilson's interval too.
    place = wilson((math.tanh(1.0) + 1) / 2, 1)
    assert interval.low == pytest.approx((wilson(1, 1).low or 0) + 0.01 * (2 * (place.low or 0) - 1))
    assert interval.high == pytest.approx(1.0 + 0.01 * (2 * (place.high or 0) - 1))
    assert not result.details["Ties: margin"].is_share
    assert result.details["Ties: ref"].interval == wilson(1, 1)


def test_items_with_several_answers_are_lists_for_best_of_n() -> None:
    row = {"prompt": "q", "chosen": ["a"], "rejected": ["b", "c", "d"]}
    items = read_list_rows([{**row, "id": str(n), "subset": "Math"} for n in range(3)])
    scores: list[tuple[float | None, ...]] = [
        (4.0, 1.0, 2.0, 3.0),
        (2.0, 3.0, 1.0, 0.0),
        (5.0, 5.0, 5.0, 5.0),
    ]
    lists = lists_of([*items, tie_item("tied:0", 2, 4)], [*scores, (1.0, 2.0, 3.0, 4.0)], name="rb2")
    assert [(one.id, one.gold) for one in lists] == [(f"rb2/{n}", (1.0, 0.0, 0.0, 0.0)) for n in range(3)]
    curve = best_of_n(lists)
    assert curve is not None
    # n = 1 picks at random; n = 4 is the benchmark's own rule: won, lost, a quarter of the point.
    assert [curve.gold[0].value, curve.gold[3].value] == pytest.approx([0.25, 1.25 / 3])
    assert curve.gold[3].value == pytest.approx(score_rewardbench_2(items, scores).sections["Math"].value)
    assert lists_of(pairwise_rows("hep-go"), [(1.0, 0.0)], name="rb") == []
