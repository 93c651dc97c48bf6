from __future__ import annotations

import subprocess
import sys

import pytest

from guerdon.core.errors import ModelError
from guerdon.rewards.config import parse_rewards
from guerdon.run.judge_config import RewardModelConfig


def test_it_is_a_kind_of_reward() -> None:
    config = parse_rewards({"quality": {"kind": "reward_model", "path": "runs/rm", "weight": 0.5}})["quality"]
    assert isinstance(config, RewardModelConfig)
    assert config.name == "quality"


def test_without_a_path_only_its_own_run_can_have_it() -> None:
    judge = parse_rewards({"reward_model": {}})["reward_model"].build()
    with pytest.raises(
        ModelError, match=r"path: none given: this recipe trains its reward model itself, in stage rm"
    ):
        judge.check()


def test_reading_a_recipe_with_it_needs_no_torch() -> None:
    code = (
        "import sys; from guerdon.rewards.config import parse_rewards;"
        "parse_rewards({'reward_model': {'path': 'x'}}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"shaping": ["clip", "clip"]}, "stands twice"),
        ({"shaping": ["par", "contrast"], "scale": "utility"}, "contrast changes nothing"),
        ({"shaping": ["par"]}, "set scale = 'utility'"),
        ({"shaping": ["length", "par"], "scale": "utility"}, "let par come first"),
        ({"references": "bank.jsonl"}, "nothing compares with them"),
        ({"shaping": ["contrast"], "num_references": 0}, "greater than or equal to 1"),
        ({"shaping": ["squash"]}, "'contrast', 'par', 'length' or 'clip'"),
    ],
)
def test_a_shaping_that_cannot_be_meant_is_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RewardModelConfig.model_validate({"path": "rm", **fields})
