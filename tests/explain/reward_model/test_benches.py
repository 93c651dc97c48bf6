"""The public benchmarks' rules, on small rows and by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product

import pytest

from guerdon.core.errors import DataError
from guerdon.core.types import Json, Message
from guerdon.explain.reward_model.benches import (
    REWARDBENCH,
    BenchItem,
    bench,
    pairs_of,
    read_list_rows,
    read_pair_rows,
    read_style_rows,
    score_rewardbench,
    score_rewardbench_2,
    score_rm_bench,
    ties_terms,
)


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
    assert not found.is_complete
    assert found.details["unheard-of"] == 1.0


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
    assert (found.is_complete, found.overall, found.num_unscored) == (True, 1.0, 0)


def test_items_without_all_scores_are_left_out() -> None:
    found = score_rewardbench(pairwise_rows("hep-go", "hep-go"), [(1.0, 0.0), (None, 0.0)])
    assert (found.overall, found.num_unscored, found.sections["Reasoning"].count) == (1.0, 1, 1)
    nothing = score_rewardbench(pairwise_rows("hep-go"), [(None, 0.0)])
    assert (nothing.overall, nothing.sections) == (None, {})


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
    assert (found.num_unscored, found.is_complete) == (1, False)
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
    assert found["ref"] == 1.0
    assert found["tied"] == pytest.approx(2 / 3)
    assert (found["preferred"], found["preferred_hard"]) == (1.0, 0.5)
    assert found["margin"] == pytest.approx((math.tanh(2 - 1) + math.tanh(0.5 - 1)) / 2)
    result = score_rewardbench_2([item for item, _ in items], [row for _, row in items])
    assert result.sections["Ties"].value == pytest.approx(
        0.3 + 0.3 * 2 / 3 + 0.2 + 0.2 * 0.5 + 0.01 * found["margin"]
    )
    assert result.sections["Ties"].count == 5


@pytest.mark.parametrize(
    ("tied", "margin"), [((3.0, 3.0, 1.0), 1.0), ((1.0, 1.0, 3.0), -1.0), ((3.0, 3.0, 3.0), 0.0)]
)
def test_ties_without_spread(tied: tuple[float, ...], margin: float) -> None:
    # what dividing by zero gives in the official code: tanh of an infinity, or nothing
    found = ties_terms([(tie_item("ref:0", 1, 2), (9.0, 1.0)), (tie_item("tied:0", 2, 3), tied)])
    assert found["margin"] == margin


def test_ties_that_cannot_be_read() -> None:
    assert ties_terms([]) == {}
    assert ties_terms([(tie_item("ref:0", 1, 2), (None, 1.0))]) == {}
    with pytest.raises(DataError, match="an item of Ties is called ref:NUMBER"):
        ties_terms([(tie_item("7", 1, 2), (2.0, 1.0))])


def test_rm_bench_a_model_of_style_alone() -> None:
    # the score is the style, whatever is right: easy is always won, hard never, normal is equal and wins nothing
    found = score_rm_bench([style_item("chat")], [(1.0, 2.0, 3.0, 1.0, 2.0, 3.0)])
    assert [found.details[f"Chat: {level}"] for level in ("easy", "normal", "hard")] == [1.0, 0.0, 0.0]
    assert found.sections["Chat"].value == pytest.approx(1 / 3)


def test_rm_bench_matrix_as_counted() -> None:
    scores = (2.0, 5.0, 3.0, 1.0, 2.5, 4.0)
    wins = {(i, j): scores[i] > scores[3 + j] for i, j in product(range(3), repeat=2)}
    found = score_rm_bench([style_item("math")], [scores])
    # upper right: (0,1) lost, (0,2) lost, (1,2) won; diagonal: won, won, lost; lower left: all won
    assert (
        found.details["Math: hard"]
        == pytest.approx(sum(wins[cell] for cell in ((0, 1), (0, 2), (1, 2))) / 3)
        == pytest.approx(1 / 3)
    )
    assert found.details["Math: normal"] == pytest.approx(2 / 3)
    assert found.details["Math: easy"] == 1.0
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
    assert found.details["hard"] == pytest.approx((2 + 1 / 3) / 4)
    assert (found.is_complete, found.num_unscored) == (True, 1)
    one_set = [style_item(name) for name in names[:4]]
    assert not score_rm_bench(one_set, scores[:4]).is_complete


def test_prompts_may_be_messages() -> None:
    prompt: Json = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    found = read_pair_rows([{"prompt": prompt, "chosen": "c", "rejected": "d", "subset": "s"}])[0]
    assert found.messages == (Message(role="user", content="a"), Message(role="assistant", content="b"))
    assert (found.answers, found.num_correct) == (("c", "d"), 1)


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("rewardbench", {"chosen": ["a"]}, "row 1: chosen: expected text, got list"),
        ("rewardbench", {"prompt": 3}, "row 1: prompt: expected text or messages"),
        ("rewardbench", {"prompt": [{"role": "user"}]}, "prompt: expected"),
        ("rewardbench2", {"chosen": ["a"], "rejected": []}, "rejected: expected a list of texts, not empty"),
        ("rm-bench", {"chosen": ["a"] * 3, "rejected": ["b"]}, "got 3 and 1"),
        ("rm-bench", {"chosen": ["a"] * 3, "rejected": ["b"] * 3}, "domain: expected text"),
        ("rm-bench", {"chosen": ["a"] * 3, "rejected": ["b"] * 3, "domain": "poetry"}, "domain: expected chat, math"),
    ],
)  # fmt: skip
def test_rows_of_another_layout_are_refused(name: str, row: Mapping[str, Json], message: str) -> None:
    with pytest.raises(DataError, match=message):
        bench(name).items([{"prompt": "q", "chosen": "a", "rejected": "b", "subset": "s", **row}])


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
