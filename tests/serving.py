"""A real uvicorn on loopback, in a thread, for the tests of the server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from guerdon.cli.serve import listen
from guerdon.interop.server import create_app
from guerdon.interop.server_gate import Gate, Limits, patient_protocol
from guerdon.rewards.config import parse_rewards
from guerdon.rewards.rubric_config import Rewards


@contextlib.contextmanager
def serving(
    table: dict[str, Any], limits: Limits | None = None, **options: Any
) -> Iterator[tuple[int, Gate]]:
    """Port and gate of a running server."""
    listening = listen("127.0.0.1", 0)
    with serving_rubric(parse_rewards(table), listening, limits, **options) as gate:
        yield listening.getsockname()[1], gate


@contextlib.contextmanager
def serving_rubric(
    rewards: Rewards, listening: socket.socket, limits: Limits | None = None, **options: Any
) -> Iterator[Gate]:
    """The gate of a running server, on a socket of one's own."""
    limits = limits or Limits()
    gate = create_app(rewards, limits=limits, **options)
    config = uvicorn.Config(
        gate,
        http=patient_protocol(limits),
        ws="none",
        lifespan="on",
        log_level="error",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        yield gate
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
        assert not thread.is_alive()
