"""The version of a model's folder: a hash of what its scores depend on. Torch-free, so that a server can name it too."""

from __future__ import annotations

import hashlib
from pathlib import Path

META = "reward_model.json"
"""What Guerdon keeps beside the weights of a reward model."""


def version_of(folder: Path) -> str:
    """What a score of this reward model carries: a hash of its weights and settings, 16 hexadecimal digits.

    Two folders with equal content have one version, wherever they stand.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.iterdir()):
        if path.suffix == ".safetensors" or path.name in (META, "config.json", "tokenizer.json"):
            with path.open("rb") as file:
                digest.update(f"{path.name}\x1f".encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
