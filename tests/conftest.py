"""Shared fixtures: the tiny built-in model, made once."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach a hub
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
from hypothesis import HealthCheck, settings

from guerdon.core.types import Message, Problem
from guerdon.models.config import LoraConfig, ModelConfig
from guerdon.models.loading import load_policy
from guerdon.models.policy import Policy

# a loaded machine is slow at times; that is no property of ours
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture
def tiny() -> Policy:
    """A fresh copy: tests may train it."""
    return load_policy(ModelConfig(source="builtin:tiny"), seed=0)


@pytest.fixture
def tiny_lora() -> Policy:
    return load_policy(ModelConfig(source="builtin:tiny", lora=LoraConfig(r=4)), seed=0)


@pytest.fixture
def problems() -> list[Problem]:
    return [
        Problem(id=f"p{i}", messages=(Message(role="user", content=f"{i} + {i * 3} ="),), target=str(4 * i))
        for i in range(2, 6)
    ]
