"""Where TRL's keys stand: a YAML file, a shell command line, or a Python script. Nothing is executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guerdon.core.errors import ConfigError
from guerdon.interop import sources
from guerdon.interop.draft import Draft, Unreadable
from guerdon.interop.sources import Call
from guerdon.interop.trl import translate


def read_trl(path: Path) -> Draft:
    """Translate a file.

    Raises:
        ConfigError: not readable as YAML, a shell script or a Python script, or nothing of TRL's in it.
    """
    text = sources.read_text(path)
    if path.suffix == ".py":
        theirs = _from_script(text, path)
    elif path.suffix in (".yaml", ".yml", ".json"):
        theirs = sources.read_yaml(text, str(path))
    else:
        theirs = sources.flags(_after_program(sources.shell_words(text)))
        inner = theirs.get("config")
        if isinstance(inner, str) and (path.parent / inner).is_file():
            theirs = {**sources.read_yaml(sources.read_text(path.parent / inner), inner), **theirs}
    if not theirs:
        raise ConfigError(f"{path}: nothing of TRL's found; expected YAML keys, --flags or GRPOConfig(...)")
    return translate(theirs)


def _after_program(words: list[str | Unreadable]) -> list[str | Unreadable]:
    """The words after the training program; a launcher's own flags stand before it and stay."""
    return [
        word for word in words if word.startswith("--") or not word.endswith((".py", "grpo", "trl", "launch"))
    ]


def _from_script(text: str, path: Path) -> dict[str, Any]:
    script = sources.read_script(text, str(path))
    theirs: dict[str, Any] = {}
    for name in ("GRPOConfig", "ScriptArguments", "ModelConfig"):
        for call in script.calls.get(name, []):
            theirs.update({key: value for key, value in call.items() if key not in ("()", "0")})
    trainer = (script.calls.get("GRPOTrainer") or [Call()])[-1]
    for key in ("model", "reward_funcs", "peft_config"):
        if key in trainer:
            theirs[key] = trainer[key]
    if "reward_funcs" in theirs:
        funcs = theirs["reward_funcs"]
        theirs["reward_funcs"] = [
            _located(func, script, path) for func in (funcs if isinstance(funcs, list) else [funcs])
        ]
    for call in script.calls.get("LoraConfig", []):
        names = {"r": "lora_r", "target_modules": "lora_target_modules"}
        theirs.update(
            {
                names.get(key, key): call[key]
                for key in ("r", "lora_alpha", "lora_dropout", "target_modules")
                if key in call
            }
        )
    for call in script.calls.get("load_dataset", [])[:1]:
        found = {
            "dataset_name": call.get("0", call.get("path")),
            "dataset_config": call.get("1", call.get("name")),
            "dataset_train_split": call.get("split"),
        }
        theirs.update({key: value for key, value in found.items() if value is not None})
    return theirs


def _located(func: Any, script: sources.Script, path: Path) -> Any:
    """A reward function's name with the file or module it is in."""
    if not isinstance(func, Unreadable) or func not in script.functions | script.imports.keys():
        return func
    return f"{path}:{func}" if func in script.functions else script.imports[func]
