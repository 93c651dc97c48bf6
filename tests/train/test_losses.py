from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from guerdon.models.config import HeadConfig, InputConfig
from guerdon.train.config import RewardLossConfig
from guerdon.train.losses import DATA, LOSSES, losses_of, markdown, refuse_missing, refuse_unread

DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "reward-model.md"
PLAIN = InputConfig()
ATTRIBUTES = HeadConfig(kind="attributes", attributes=("clear",))


def on(loss: dict[str, object], head: HeadConfig | None = None, shown: InputConfig = PLAIN) -> list[str]:
    return list(losses_of(RewardLossConfig.model_validate(loss), head or HeadConfig(), shown))


def test_every_key_of_the_recipe_belongs_to_a_row_and_the_other_way_round() -> None:
    keys = {key for row in LOSSES.values() for key in (row.key, *row.reads) if key}
    assert keys == set(RewardLossConfig.model_fields)
    assert all(row.needs in DATA for row in LOSSES.values())


def test_the_recipe_turns_rows_on() -> None:
    held = ["centering", "bias", "variance_floor"]
    assert on({}) == ["bradley_terry", *held]
    assert on({"ranking": "prompt_aware", "listwise": 1.0, "pointwise": 1.0}) == [
        "prompt_aware", "listwise", "pointwise", *held,
    ]  # fmt: skip
    assert on({"pointwise": 0.1}, HeadConfig(kind="binned")) == ["binned_pairs", "binned_ratings"]
    assert on({"ranking": "none", "listwise": 1.0, "centering": 0.0}, ATTRIBUTES) == [
        "listwise", "attributes", "bias", "variance_floor",
    ]  # fmt: skip
    assert on({}, HeadConfig(bias=False)) == ["bradley_terry", "centering", "variance_floor"]
    assert "critique" in on({}, shown=InputConfig.model_validate({"critique": {}}))


def test_what_is_left_at_its_default_is_never_unread() -> None:
    for head in (HeadConfig(), HeadConfig(kind="binned"), HeadConfig(bias=False), ATTRIBUTES):
        assert refuse_unread(RewardLossConfig(), head, PLAIN) == []
        assert refuse_unread(RewardLossConfig(ranking="none", listwise=1.0), head, PLAIN) == []


def test_whether_critiques_are_written_may_not_be_known_yet() -> None:
    loss = RewardLossConfig(critique=0.9)
    assert refuse_unread(loss, HeadConfig(), None) == []
    assert len(refuse_unread(loss, HeadConfig(), PLAIN)) == 1


@pytest.mark.parametrize(
    ("loss", "missing", "told"),
    [
        ({"listwise": 1.0}, "lists", "loss.listwise: 1, but the training data hold no prompts with several"),
        ({"pointwise": 0.5}, "ratings", "loss.pointwise: 0.5, but the training data hold no answers with an"),
        (
            {"ranking": "prompt_aware"},
            "pairs",
            "loss.ranking: 'prompt_aware', but the training data hold no pairs",
        ),
        ({"centering": 0.5}, "pairs", "loss.centering: 0.5, but the training data hold no pairs"),
    ],
)
def test_a_loss_that_is_asked_for_needs_its_data(loss: dict[str, object], missing: str, told: str) -> None:
    config = RewardLossConfig.model_validate(loss)
    rows = losses_of(config, HeadConfig(), PLAIN)
    assert refuse_missing(rows, config, dict.fromkeys(DATA, 3)) == []
    (problem,) = refuse_missing(rows, config, {**dict.fromkeys(DATA, 3), missing: 0})
    assert problem.startswith(told)
    default = RewardLossConfig()
    assert refuse_missing(losses_of(default, HeadConfig(), PLAIN), default, dict.fromkeys(DATA, 0)) == []


def test_the_documentation_has_the_table() -> None:
    assert markdown() in DOCS.read_text(), "paste guerdon.train.losses.markdown() into the page"


def test_the_table_never_needs_torch() -> None:
    code = "import sys, guerdon.train.losses; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
