from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import DataError
from guerdon.core.types import Message, Preference, Problem
from guerdon.data.preferences.config import PreferenceDataConfig
from guerdon.data.preferences.split import PreferenceSplit, load_preferences, mix, split_key


def rows(name: str, count: int, *, per_prompt: int = 1, swapped: bool = False) -> list[dict[str, object]]:
    sides = ("rejected", "chosen") if swapped else ("chosen", "rejected")
    return [
        {"prompt": f"{name} {index // per_prompt}?", sides[0]: f"good {index}", sides[1]: f"bad {index}"}
        for index in range(count)
    ]


def file(tmp_path: Path, name: str, content: list[dict[str, object]]) -> dict[str, object]:
    path = tmp_path / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return {"kind": "jsonl", "path": str(path)}


def load(data: dict[str, object], seed: int = 0) -> PreferenceSplit:
    return load_preferences(parse_config(PreferenceDataConfig, {"eval_fraction": 0.3, **data}), seed)


def asked(pairs: tuple[Preference, ...]) -> set[str]:
    return {pair.problem.messages[0].content for pair in pairs}


def test_train_and_held_out_side_share_no_prompt_whichever_set_it_is_in(tmp_path: Path) -> None:
    shared = rows("both", 40)
    shouted = [{**row, "prompt": str(row["prompt"]).upper(), "chosen": f"x{row['chosen']}"} for row in shared]
    found = load(
        {
            "train": {
                "a": file(tmp_path, "a", rows("a", 60, per_prompt=3) + shared),
                "b": file(tmp_path, "b", shouted),
            },
        }
    )
    assert len(found.train) + len(found.eval) == 140
    lowered = [{prompt.lower() for prompt in asked(side)} for side in (found.train, found.eval)]
    assert not lowered[0] & lowered[1]
    assert 20 < len(found.eval) < 65
    assert {pair.problem.info["set"] for pair in found.train} == {"a", "b"}


def test_a_prompts_side_does_not_depend_on_other_rows(tmp_path: Path) -> None:
    few = load({"train": {"a": file(tmp_path, "few", rows("a", 60))}})
    many = load({"train": {"a": file(tmp_path, "many", rows("b", 50) + rows("a", 60)[::-1])}}, seed=5)
    assert asked(few.eval) < asked(many.eval)
    assert asked(few.train) < asked(many.train)


def test_prompts_of_the_held_out_sets_are_taken_out_of_training(tmp_path: Path) -> None:
    found = load(
        {
            "train": {"a": file(tmp_path, "a", rows("a", 10))},
            "eval": {"test": file(tmp_path, "test", rows("a", 4))},
        }
    )
    assert (len(found.train), len(found.eval), found.num_overlap) == (6, 4, 4)


def test_dialogues_can_be_split_by_how_they_open() -> None:
    def dialogue(*contents: str) -> Preference:
        messages = tuple(
            Message(role=("user", "assistant")[index % 2], content=text)
            for index, text in enumerate(contents)
        )
        return Preference(problem=Problem(id="p", messages=messages), chosen="a", rejected="b")

    short, long = dialogue("hi"), dialogue("hi", "hello", "how are you")
    assert split_key(short, "prompt") != split_key(long, "prompt")
    assert split_key(short, "opening") == split_key(long, "opening")


def test_pairs_without_a_prompt_are_known_by_their_answers() -> None:
    def bare(text: str) -> Preference:
        problem = Problem(id="p", messages=(Message(role="user", content=""),))
        return Preference(problem=problem, chosen=text, rejected="b")

    assert split_key(bare("a"), "prompt") != split_key(bare("c"), "prompt")


def test_one_judgement_twice_counts_once_and_another_one_stays(tmp_path: Path) -> None:
    some = rows("a", 30)
    swapped = rows("a", 30, swapped=True)[:5]
    found = load({"train": {"a": file(tmp_path, "a", some + some[:7] + swapped)}})
    assert found.num_duplicates == 7
    assert len(found.train) + len(found.eval) == 35


def pairs(name: str, count: int) -> list[Preference]:
    problem = Problem(id=name, messages=(Message(role="user", content=name),), info={"set": name})
    return [Preference(problem=problem, chosen=f"{name}{index}", rejected="-") for index in range(count)]


def test_without_weights_the_mix_is_everything_evenly_spread() -> None:
    sets = {"a": pairs("a", 90), "b": pairs("b", 30)}
    mixed = mix(sets, {}, seed=0)
    assert len({pair.chosen for pair in mixed}) == 120
    for end in (20, 40, 80):
        counts = Counter(pair.problem.id for pair in mixed[:end])
        assert abs(counts["b"] - end / 4) <= 1
    assert mixed == mix(sets, {}, seed=0)
    assert mixed != mix(sets, {}, seed=1)


@pytest.mark.parametrize(
    ("weights", "num_pairs", "expected"),
    [
        ({"a": 1.0, "b": 1.0}, None, {"a": 30, "b": 30}),
        ({"a": 0.7, "b": 0.3}, None, {"a": 70, "b": 30}),
        ({"a": 9.0, "b": 1.0}, None, {"a": 90, "b": 10}),
        ({"a": 1.0, "b": 1.0}, 11, {"a": 6, "b": 5}),
        ({"a": 1.0, "b": 2.0}, 120, {"a": 40, "b": 80}),
    ],
)
def test_weights_are_shares(
    weights: dict[str, float], num_pairs: int | None, expected: dict[str, int]
) -> None:
    mixed = mix({"a": pairs("a", 90), "b": pairs("b", 30)}, weights, seed=0, total=num_pairs)
    assert Counter(pair.problem.id for pair in mixed) == expected
    repeats = Counter(pair.chosen for pair in mixed if pair.problem.id == "b")
    assert max(repeats.values()) - min(repeats.values() if len(repeats) == 30 else [1]) <= 1


def test_a_mix_of_nothing_is_nothing() -> None:
    assert mix({"a": []}, {}, seed=0) == ()


def test_the_recipes_weights_reach_the_mix(tmp_path: Path) -> None:
    train = {
        name: {**file(tmp_path, name, rows(name, 40)), "weight": weight}
        for name, weight in (("a", 3.0), ("b", 1.0))
    }
    found = load({"train": train, "num_pairs": 20})
    assert Counter(pair.problem.info["set"] for pair in found.train) == {"a": 15, "b": 5}
    assert {pair.problem.info["set"] for pair in found.eval} == {"a", "b"}


def test_labels_that_the_audit_overturns_are_refused(tmp_path: Path) -> None:
    train = {"a": file(tmp_path, "a", rows("a", 40))}
    again = file(tmp_path, "again", rows("a", 40)[:30] + rows("a", 40, swapped=True)[30:])
    noise = load({"train": train, "audit": {"again": again}}).noise
    assert noise is not None
    assert 0 < noise.share < 0.45
    swapped = {"again": file(tmp_path, "swapped", rows("a", 40, swapped=True))}
    with pytest.raises(
        DataError, match=r"data.audit: .* labelled the wrong way, 100.0 % .*; expected at most 45 %"
    ):
        load({"train": train, "audit": swapped})
    strangers = {"again": file(tmp_path, "strangers", rows("z", 4))}
    with pytest.raises(DataError, match=r"none of its pairs stands in data\.train"):
        load({"train": train, "audit": strangers})


def test_an_empty_side_is_refused(tmp_path: Path) -> None:
    one = file(tmp_path, "one", rows("a", 1))
    with pytest.raises(DataError, match=r"no pairs (are held out of 1|to train on are left of a)"):
        load({"train": {"a": one}})
    with pytest.raises(DataError, match="no pairs to train on are left of a"):
        load({"train": {"a": one}, "eval": {"e": one}})


def lists(name: str, count: int) -> list[dict[str, object]]:
    return [
        {"prompt": f"{name} {index}?", "responses": ["best", "fair", "poor"], "scores": [3, 2, 1]}
        for index in range(count)
    ]


def test_lists_and_pairs_are_mixed_and_share_no_prompt_with_the_held_out_side(tmp_path: Path) -> None:
    data = {
        "train": {
            "pairs": {**file(tmp_path, "pairs", rows("a", 60)), "weight": 1.0},
            "lists": {**file(tmp_path, "lists", [*lists("a", 60), *lists("b", 60)]), "weight": 1.0},
        },
        "num_pairs": 40,
    }
    config = parse_config(PreferenceDataConfig, data)
    found = load_preferences(config, 0, listwise=True)
    assert Counter((item.problem.info["set"], type(item).__name__) for item in found.train) == {
        ("pairs", "Preference"): 20,
        ("lists", "Candidates"): 20,
    }
    assert found == load_preferences(config, 0, listwise=True)
    assert found.train != load_preferences(config, 1, listwise=True).train
    held = {pair.problem.messages for pair in found.eval}
    assert not held & {item.problem.messages for item in found.train}
    assert found.eval == load_preferences(config, 0).eval, (
        "held out are the same pairs whatever is learned from"
    )


def test_the_same_list_twice_counts_once(tmp_path: Path) -> None:
    twice = [*lists("a", 20), *lists("a", 20)]
    found = load_preferences(
        parse_config(
            PreferenceDataConfig, {"train": {"a": file(tmp_path, "a", twice)}, "eval_fraction": 0.3}
        ),
        0,
        listwise=True,
    )
    assert found.num_duplicates == 20


def test_answers_without_a_partner_are_of_use_to_the_pointwise_loss_alone(tmp_path: Path) -> None:
    single = [{"prompt": f"a {n}?", "completion": "yes", "label": n % 2 == 0} for n in range(8)]
    config = parse_config(PreferenceDataConfig, {"train": {"a": file(tmp_path, "a", single)}})
    found = load_preferences(config, 0, pointwise=True)
    assert (len(found.train), found.eval) == (8, ())
    with pytest.raises(
        DataError,
        match=r"data.train.a: 8 rows and no pair of answers \(8 prompts with one answer\); .*loss.pointwise",
    ):
        load_preferences(config, 0)


def test_every_set_that_was_read_is_named_with_its_side(tmp_path: Path) -> None:
    one = file(tmp_path, "one", rows("a", 30))
    found = load(
        {"train": {"a": one}, "eval": {"a": file(tmp_path, "two", rows("b", 5))}, "audit": {"a": one}}
    )
    assert list(found.sets) == ["train.a", "eval.a", "audit.a"]
