"""A rubric in several processes, none of which can take the others down.

    requests --JSON line--> worker (pool_worker.py) --one JSON line a request--> scores
                            hangs or dies: killed and replaced; the guilty answer is "could not verify"

Only JSON crosses the pipes. Every method may be called from any thread.
"""

from __future__ import annotations

import json
import queue
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from guerdon.core.errors import PluginError
from guerdon.core.types import Json, Problem, to_json
from guerdon.rewards.child import Child
from guerdon.rewards.rubric_config import Rewards, RubricConfig

WORKER = "guerdon.rewards.pool_worker"
START_TIMEOUT_S = 150.0
"""A part's module may import heavy libraries once."""
SIBLING = 0.1
"""Share of an answer's time that each sibling in its request adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Answers to one problem."""

    problem: Problem
    texts: tuple[str, ...]
    token_ids: tuple[tuple[int, ...] | None, ...] | None = None
    """Of each text, for signals that count tokens."""


class Verdict(NamedTuple):
    """What one request got: JSON of a `Score` (value, parts) for each text, and how long that took."""

    scores: list[dict[str, Any]]
    seconds: float
    is_lost: bool = False
    """Whether no worker survived it."""

    def apart(self) -> list[Verdict]:
        """A verdict for each text; the time is shared out evenly."""
        return [Verdict([score], self.seconds / len(self.scores), self.is_lost) for score in self.scores]


def same_problem(first: Request, second: Request) -> bool:
    """Whether two requests ask the same, with the same gold answer and the same further columns but for the id.

    Without a prompt nobody knows what was asked, and so nobody is a sibling.
    """
    one, other = first.problem, second.problem
    if (one.messages, one.target) != (other.messages, other.target) or not _has_prompt(one):
        return False
    return _columns(one) == _columns(other)


def _has_prompt(problem: Problem) -> bool:
    return any(message.content for message in problem.messages)


def _columns(problem: Problem) -> dict[str, Json]:
    return {name: value for name, value in problem.info.items() if str(value) != problem.id}


def siblings(requests: Sequence[Request]) -> list[list[int]]:
    """Places of requests that ask the same, wherever they stand; in the order of their first ones."""
    groups: dict[Any, list[int]] = {}
    for index, request in enumerate(requests):
        problem = request.problem
        columns = json.dumps(to_json(_columns(problem)), sort_keys=True)
        key = (problem.messages, problem.target, columns) if _has_prompt(problem) else index
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def group_requests(requests: Sequence[Request]) -> list[Request]:
    """Neighbours with the same problem as one request, so that parts that compare siblings see them all."""
    groups: list[list[Request]] = []
    for request in requests:
        if groups and same_problem(groups[-1][0], request):
            groups[-1].append(request)
        else:
            groups.append([request])
    return [joined(group) for group in groups]


def joined(group: Sequence[Request]) -> Request:
    """Requests about one problem as one."""
    if len(group) == 1:
        return group[0]
    ids = [item.token_ids or (None,) * len(item.texts) for item in group]
    return Request(
        problem=group[0].problem,
        texts=tuple(text for item in group for text in item.texts),
        token_ids=tuple(tokens for each in ids for tokens in each),
    )


def _only(request: Request, places: Sequence[int]) -> Request:
    ids = request.token_ids
    return Request(
        problem=request.problem,
        texts=tuple(request.texts[place] for place in places),
        token_ids=None if ids is None else tuple(ids[place] for place in places),
    )


class ScoringPool:
    """Workers, each with the whole rubric."""

    def __init__(self, rewards: Rewards, *, num_workers: int = 1, timeout_s: float = 90.0) -> None:
        """Workers start when first needed.

        Args:
            rewards: the parts, or with how they become one reward.
            num_workers: processes.
            timeout_s: how long one answer may be silent before its worker is killed; each sibling in its request adds
                a tenth. Parts have limits of their own, which are shorter and say more; this one is for whatever gets
                past them.
        """
        config = RubricConfig.of(rewards)
        self._setup = json.dumps(config.to_table()).encode() + b"\n"
        self._parts = list(config.weights().items())
        self.timeout_s = timeout_s
        self.num_workers = num_workers
        self.num_replaced = 0
        """Workers killed because of a request."""
        self._closed = False
        # A worker dies with the thread that started it (child.py), so one thread that stays starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="guerdon-pool")
        self._slots = [_Slot() for _ in range(num_workers)]
        self._idle: queue.LifoQueue[_Slot] = queue.LifoQueue()
        for slot in self._slots:
            self._idle.put(slot)
        weakref.finalize(
            self, _end, self._slots, self._starter
        )  # for loops that never say when they are done

    def score(self, requests: Sequence[Request]) -> list[Verdict]:
        """Score some requests in one worker; blocks until one is free and has answered.

        Raises:
            PluginError: a part cannot be built, or returned what is no verdict.
        """
        slot = self._idle.get()
        try:
            return self._score(slot, requests)
        except BaseException:
            slot.drop()  # half a conversation must not be continued
            raise
        finally:
            self._idle.put(slot)

    def check(self) -> None:
        """Start one worker now, so that a part that cannot be built shows at once.

        Raises:
            PluginError: it cannot.
        """
        self.score(())

    def close(self) -> None:
        """End every worker, also one in the middle of a request; that call then raises PluginError."""
        self._closed = True
        for _ in self._slots:
            while True:
                for slot in self._slots:
                    if (child := slot.child) is not None:
                        child.end()
                try:
                    self._idle.get(timeout=0.1).drop()
                    break
                except queue.Empty:
                    continue
        for slot in self._slots:
            self._idle.put(slot)
        self._starter.shutdown()

    def unverified(self, note: str, *, count: int = 1) -> Verdict:
        """The verdict on `count` texts that no part could look at."""
        evidence: dict[str, Json] = {"note": note, "span": None, "extracted": None}
        parts = [
            {"name": name, "value": None, "weight": weight, "evidence": evidence}
            for name, weight in self._parts
        ]
        return Verdict([{"value": None, "parts": parts} for _ in range(count)], 0.0)

    def _score(self, slot: _Slot, requests: Sequence[Request]) -> list[Verdict]:
        found: dict[int, Verdict] = {}
        child, width = self._ready(slot)
        todo = list(range(len(requests)))
        while todo:
            fault = self._deal(child, width, {index: requests[index] for index in todo}, found)
            todo = [index for index in todo if index not in found]
            if fault is None:
                continue
            ending = slot.drop()
            if self._closed:
                raise PluginError("the scoring pool was closed")
            self.num_replaced += 1
            if width == 1:  # one at a time: the first without an answer is the guilty one
                guilty = todo.pop(0)
                if len(requests[guilty].texts) == 1:
                    note = f"this answer's worker {fault or ending} and was replaced"
                    found[guilty] = self.unverified(note)._replace(is_lost=True)
                else:
                    found[guilty] = self._sifted(slot, requests[guilty])
            child, _ = self._ready(slot)
            width = 1
        return [found[index] for index in range(len(requests))]

    def _sifted(self, slot: _Slot, request: Request) -> Verdict:
        """Of a group that took its worker down: each text alone shows which one it was; the others are a group again."""
        tried = self._score(slot, [_only(request, [index]) for index in range(len(request.texts))])
        kept = [index for index, verdict in enumerate(tried) if not verdict.is_lost]
        scores = {index: verdict.scores[0] for index, verdict in enumerate(tried)}
        if 1 < len(kept) < len(tried):
            again = self._score(slot, [_only(request, kept)])[0]
            scores |= dict(zip(kept, again.scores, strict=True))
        return Verdict([scores[index] for index in range(len(tried))], sum(item.seconds for item in tried))

    def _deal(
        self, child: Child, width: int, requests: Mapping[int, Request], found: dict[int, Verdict]
    ) -> str | None:
        """Fill `found`; None: all answered, else what the worker did ("": it ended)."""
        told = {"width": width, "requests": [[index, _plain(item)] for index, item in requests.items()]}
        if not child.write(json.dumps(told).encode() + b"\n"):
            return ""
        most = max((len(item.texts) for item in requests.values()), default=1)
        limit_s = self.timeout_s * (1.0 + SIBLING * (most - 1))
        for _ in requests:
            try:
                line = child.read(limit_s)
            except (EOFError, OSError, ValueError):
                return ""
            if line is None:
                return f"gave no answer within {limit_s:g} s"
            reply = json.loads(line)
            if "error" in reply:
                raise PluginError(reply["error"])
            found[reply["index"]] = Verdict(reply["scores"], reply["seconds"])
        return None

    def _ready(self, slot: _Slot) -> tuple[Child, int]:
        if slot.child is not None and slot.child.process.poll() is None:
            return slot.child, slot.width
        slot.drop()
        if self._closed:
            raise PluginError("the scoring pool was closed")
        child = slot.child = self._starter.submit(Child, WORKER).result()
        try:
            line = child.read(START_TIMEOUT_S) if child.write(self._setup) else None
        except (EOFError, OSError, ValueError):
            line = None
        reply: dict[str, Any] = json.loads(line) if line else {"error": f"a scoring worker {slot.drop()}"}
        if "error" in reply:
            slot.drop()
            raise PluginError(reply["error"])
        slot.width = reply["width"]
        return child, slot.width


def _end(slots: Sequence[_Slot], starter: ThreadPoolExecutor) -> None:
    for slot in slots:
        slot.drop()
    starter.shutdown(wait=False)


class _Slot:
    """Place of one worker."""

    def __init__(self) -> None:
        self.child: Child | None = None
        self.width = 1

    def drop(self) -> str:
        """Kill the worker, if there is one; how it had ended."""
        child, self.child = self.child, None
        return child.kill() if child else "was gone"


def _plain(request: Request) -> dict[str, Json]:
    problem = request.problem
    return {
        "id": problem.id,
        "messages": [[message.role, message.content] for message in problem.messages],
        "target": problem.target,
        "info": {name: to_json(value) for name, value in problem.info.items()},
        "texts": list(request.texts),
        "token_ids": None if request.token_ids is None else to_json(request.token_ids),
    }
