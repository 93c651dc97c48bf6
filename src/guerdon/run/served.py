"""What the settings of a rubric do not say: the contents of the files it names, and the weights of its reward models.

`guerdon serve` makes them a part of the version of every score, so that whoever asks notices when one of them changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from guerdon.core.errors import ModelError
from guerdon.rewards.rubric_config import RubricConfig
from guerdon.run.judge_config import RewardModelConfig


def pinned(rewards: RubricConfig) -> RubricConfig:
    """The same rubric, each reward model held to the weights that are there now.

    A worker that starts later finds the same weights or refuses.

    Raises:
        ModelError: no reward model at a path, or other weights than the recipe itself wants.
    """
    parts = dict(rewards.rewards)
    for name, part in parts.items():
        if isinstance(part, RewardModelConfig):
            try:
                found = part.weights()
            except ModelError as error:
                raise ModelError(f"rewards.{name}: path: {error}") from None
            if part.version and part.version != found:
                raise ModelError(
                    f"rewards.{name}: {part.path}: the reward model is version {found}, and the recipe wants version "
                    f"{part.version}"
                )
            parts[name] = part.model_copy(update={"version": found})
    return RubricConfig(parts, rewards.reward)


def served_version(rewards: RubricConfig) -> str:
    """`NAME@HASH` of every reward model, gate, scale and file of functions; "" if there is none."""
    return ",".join(f"{name}@{version}" for name, version in _contents(rewards))


def _contents(rewards: RubricConfig) -> Iterator[tuple[str, str]]:
    for name, part in {**rewards.rewards, **rewards.nodes}.items():
        if isinstance(part, RewardModelConfig):
            yield name, part.version or part.weights()
            continue
        path = getattr(part, "path", None)
        if isinstance(path, str) and (found := _hash_of(path)):
            yield name, found
    if rewards.reward and rewards.reward.calibration:
        yield "calibration", _hash_of(str(rewards.reward.calibration))


def _hash_of(path: str) -> str:
    """Of a file, 16 hexadecimal digits; "file.py:function" means the file, and "" that there is none."""
    for place in (Path(path).expanduser(), Path(path.rpartition(":")[0] or path).expanduser()):
        if place.is_file():
            return hashlib.blake2b(place.read_bytes(), digest_size=8).hexdigest()
    return ""
