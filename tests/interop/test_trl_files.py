from pathlib import Path

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import ConfigError
from guerdon.interop.draft import Fate
from guerdon.interop.trl_files import read_trl
from guerdon.run.config import RunConfig

YAML = """
model_name_or_path: org/model
dataset_name: openai/gsm8k
dataset_config: main
dataset_test_split: test
learning_rate: 1e-6
bf16: true
use_peft: true
lora_r: 32
warmup_ratio: 0.1
max_steps: 200
reward_funcs: [accuracy_reward]
report_to: [wandb, trackio]
"""

SHELL = """
# launch
MODEL=org/model
accelerate launch --num_processes 2 --config_file zero3.yaml train.py \\
    --model_name_or_path $MODEL --dataset_name openai/gsm8k \\
    --learning_rate 1e-6 --bf16 --use_peft --lora_r 32 \\
    --reward_funcs accuracy_reward think_format_reward --max_steps 200 \\
    --lora_target_modules "q_proj", "v_proj"
"""

SCRIPT = """
from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer
from trl.rewards import get_soft_overlong_punishment
from peft import LoraConfig
from mylib.rewards import judge

LR = 1e-6
dataset = load_dataset("openai/gsm8k", "main", split="train").map(lambda row: row)

def short(completions, **kwargs):
    return [-len(item) for item in completions]

args = GRPOConfig(output_dir="out", learning_rate=LR, bf16=True, max_steps=200, seed=seed())
trainer = GRPOTrainer(
    model="org/model",
    args=args,
    train_dataset=dataset,
    reward_funcs=[short, judge, get_soft_overlong_punishment(256, 64)],
    peft_config=LoraConfig(r=32),
)
"""


@pytest.mark.parametrize(("name", "text"), [("a.yaml", YAML), ("a.sh", SHELL), ("a.py", SCRIPT)])
def test_three_kinds_of_file_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    config = parse_config(RunConfig, read_trl(tmp_path / name).recipe)
    assert config.model.source == "org/model"
    assert config.model.dtype == "bfloat16"
    assert config.model.lora is not None
    assert config.model.lora.r == 32
    assert config.train.learning_rate == 1e-6
    assert config.train.max_steps == 200
    assert config.data.train.path == "openai/gsm8k"  # type: ignore[attr-defined]


def test_the_yaml_file_in_detail(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(YAML, encoding="utf-8")
    draft = read_trl(tmp_path / "a.yaml")
    config = parse_config(RunConfig, draft.recipe)
    assert config.train.warmup_steps == 20
    assert config.report_to == ("wandb",)
    assert config.data.eval is not None
    assert next(line.note for line in draft.lines if line.theirs == "report_to") == "no sink for trackio"


def test_the_command_line_in_detail(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text(SHELL, encoding="utf-8")
    config = parse_config(RunConfig, read_trl(tmp_path / "a.sh").recipe)
    assert list(config.rewards) == ["math", "format"]
    assert config.rollout.generation_batch_size == 16  # 8 completions x 2 processes
    assert config.model.lora is not None
    assert config.model.lora.target_modules == ("q_proj", "v_proj")


def test_the_script_in_detail(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(SCRIPT, encoding="utf-8")
    draft = read_trl(path)
    config = parse_config(RunConfig, draft.recipe)
    assert config.rewards["short"].path == f"{path}:short"  # type: ignore[attr-defined]
    assert config.rewards["judge"].path == "mylib.rewards:judge"  # type: ignore[attr-defined]
    assert config.rewards["overlong"].max_length == 256  # type: ignore[attr-defined]
    assert config.eval.accuracy == "short"
    seed = next(line for line in draft.lines if line.theirs == "seed")
    assert seed.fate is Fate.BY_HAND
    assert "seed(...)" in seed.note


def test_a_command_line_may_name_a_yaml_file(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(YAML, encoding="utf-8")
    (tmp_path / "a.sh").write_text("trl grpo --config x.yaml --lora_r 8\n", encoding="utf-8")
    config = parse_config(RunConfig, read_trl(tmp_path / "a.sh").recipe)
    assert config.model.source == "org/model"
    assert config.model.lora is not None
    assert config.model.lora.r == 8


@pytest.mark.parametrize(
    ("name", "text"), [("a.sh", "echo hello\n"), ("a.py", "x = 1\n"), ("a.yaml", "{}\n")]
)
def test_a_file_without_anything_of_trls_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="nothing of TRL's found"):
        read_trl(tmp_path / name)
