"""Plain Python functions as rewards, with TRL's signature: `(prompts, completions, **columns) -> list[float | None]`.

The function lives in a process of its own, so a hang is ended by killing it: a hard wall-clock limit that works from any
thread and inside any event loop. Only JSON crosses the pipe; what comes back is checked, never broadcast, never defaulted.

    group --JSON line--> worker (function_worker.py) --JSON line--> parts         over the limit: kill, replace, None
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import select
import subprocess
import sys
import threading
import time
from typing import Any

from guerdon.core.errors import PluginError, RolloutFailure
from guerdon.core.types import Evidence, Json, Part, RolloutGroup, to_json
from guerdon.rewards.config import FunctionRewardConfig

START_TIMEOUT_S = 120.0
"""The function's module may import heavy libraries once."""


class FunctionReward:
    """A `Judge` around one user function."""

    def __init__(self, config: FunctionRewardConfig) -> None:
        self.config = config
        self._worker: _Worker | None = None
        self._lock = threading.Lock()

    async def score(self, group: RolloutGroup) -> list[Part]:
        """Call the function with the whole group.

        Raises:
            PluginError: it cannot be imported, or returned the wrong length or something that is no number.
            RolloutFailure: it raised, died, or was killed at its limit.
        """
        return await asyncio.to_thread(self._score, group)

    def check(self) -> None:
        """Import the function now, so that a typo shows before a run starts.

        Raises:
            PluginError: it cannot be imported.
        """
        with self._lock:
            self._ready()

    def close(self) -> None:
        """End the worker process."""
        with self._lock:
            if self._worker:
                self._worker.kill()
                self._worker = None

    def _score(self, group: RolloutGroup) -> list[Part]:
        with self._lock:
            worker = self._ready()
            reply = worker.call(_request(group), self.config.timeout_s)
            if reply is None:
                worker.kill()
                self._worker = None
        if reply is None:
            limit = f"{self.config.timeout_s:g} s"
            raise RolloutFailure(
                f"reward function {self.config.path} gave no answer within {limit} and was killed"
            )
        if "error" in reply:
            raise RolloutFailure(f"reward function {self.config.path}: {reply['error']}")
        return [self._part(value) for value in self._values(reply.get("values"), group)]

    def _values(self, values: Any, group: RolloutGroup) -> list[float | None]:
        where, expected = f"reward function {self.config.path}", len(group.rollouts)
        if not isinstance(values, list):
            raise PluginError(
                f"{where} returned {values!r:.60}; expected a list of {expected} numbers or None"
            )
        if len(values) != expected:
            raise PluginError(
                f"{where} returned {len(values)} values for {expected} completions; expected one for each"
            )
        for index, value in enumerate(values):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and math.isfinite(value)):
                raise PluginError(
                    f"{where} returned {value!r:.60} for completion {index} of problem {group.problem.id}; "
                    "expected a finite number or None"
                )
        return values

    def _part(self, value: float | None) -> Part:
        evidence = Evidence(note=f"returned by {self.config.path}")
        return Part(name=self.config.name, value=value, weight=self.config.weight, evidence=evidence)

    def _ready(self) -> _Worker:
        if self._worker is None or not self._worker.alive():
            self._worker = _Worker(self.config.path)
        return self._worker


def _request(group: RolloutGroup) -> dict[str, Json]:
    """TRL's arguments: prompts and completions as messages or text, and every dataset column as a list."""
    problem, count = group.problem, len(group.rollouts)
    texts = [rollout.text for rollout in group.rollouts]
    as_text = problem.info.get("prompt_format") == "text"
    prompt: Json = problem.messages[-1].content if as_text else to_json(problem.messages)
    completions: list[Json] = [
        text if as_text else [{"role": "assistant", "content": text}] for text in texts
    ]
    columns: dict[str, Json] = {name: [to_json(value)] * count for name, value in problem.info.items()}
    columns.setdefault("answer", [problem.target] * count)
    ids = [to_json(rollout.turns[-1].completion_ids) for rollout in group.rollouts]
    return {"prompts": [prompt] * count, "completions": completions, "completion_ids": ids, **columns}


class _Worker:
    """The process that holds the function."""

    def __init__(self, path: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "guerdon.rewards.function_worker", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self.buffer = b""
        reply = self._read(START_TIMEOUT_S)
        if reply is None or "error" in reply:
            self.kill()
            why = reply["error"] if reply else f"its import did not finish within {START_TIMEOUT_S:g} s"
            raise PluginError(f"reward function {path}: {why}")

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def call(self, request: dict[str, Json], timeout_s: float) -> dict[str, Any] | None:
        """The function's reply, or None past the limit or if the process died."""
        assert self.process.stdin is not None
        line = json.dumps(request).encode() + b"\n"
        writer = threading.Thread(target=self._write, args=(line,), daemon=True)
        writer.start()  # a worker that does not read must not block us either
        return self._read(timeout_s)

    def _write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def _read(self, timeout_s: float) -> dict[str, Any] | None:
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout_s
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                return None
            block = os.read(descriptor, 1 << 16)
            if not block:
                return {"error": "the process died (sys.exit, or out of memory?)"}
            self.buffer += block
        line, _, self.buffer = self.buffer.partition(b"\n")
        reply = json.loads(line)
        return reply if isinstance(reply, dict) else {"values": reply}

    def kill(self) -> None:
        """End the process and everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
