from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from guerdon.core.errors import ModelError
from guerdon.models.config import ModelConfig
from guerdon.models.fetch import check_source
from guerdon.models.hub import check_hub_name
from guerdon.models.loading import load_policy


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, int]]:
    """No network, an empty cache, and a record of who was asked."""
    from huggingface_hub import constants

    found: list[tuple[str, int]] = []

    def refuse(place: tuple[str, int], timeout: float) -> None:
        found.append(place)
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "tinyrm").mkdir(parents=True)
    return found


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("runs/tinyrmm", r"runs/tinyrmm: no such folder .did you mean 'tinyrm'."),
        ("runs/quite-another", "runs/quite-another: no such folder;"),
        ("a/b/c", "no such folder; a model on the hub is called owner/name"),
        ("./here", "no such folder"),
        ("~/nowhere/model", "no such folder"),
        ("two words", "no such folder"),
    ],
)
def test_a_mistyped_path_asks_nobody(source: str, said: str, asked: list[tuple[str, int]]) -> None:
    with pytest.raises(ModelError, match=said):
        check_hub_name(source)
    assert asked == []


def test_a_name_is_refused_offline_unless_it_is_cached(tmp_path: Path, asked: list[tuple[str, int]]) -> None:
    with pytest.raises(ModelError, match="the hub, where it may be, cannot be reached"):
        check_hub_name("owner/name")
    assert [place for place, _ in asked] == ["huggingface.co"]
    (tmp_path / "cache" / "models--owner--name").mkdir(parents=True)
    check_hub_name("owner/name")


def test_what_only_a_proxy_knows_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    check_hub_name("owner/name")


def test_a_hub_that_answers_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda place, timeout: socket.socket())
    check_hub_name("owner/name")
    check_hub_name("gpt2")


def test_loading_is_refused_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(ModelError, match="did you mean 'tinyrm'"):
        load_policy(ModelConfig(source="runs/tinyrmm"))
    assert time.monotonic() - started < 5.0


def test_a_check_tells_a_mistyped_path_and_asks_nobody(asked: list[tuple[str, int]]) -> None:
    with pytest.raises(
        ModelError, match=r"^model\.source: runs/tinyrmm: no such folder .did you mean 'tinyrm'."
    ):
        check_source("runs/tinyrmm")
    check_source("owner/name")
    assert asked == []
