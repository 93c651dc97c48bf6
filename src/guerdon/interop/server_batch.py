"""Many clients, few workers: rows of all requests under way are scored in batches, a row (or group) of each in turn.

    ticket A: a1 a2 a3 ...   \
    ticket B: b1              >  batch: a1 b1 c1 a2 c2 ... --> the next free worker
    ticket C: c1 c2          /

So a request of one row never waits behind a request of thousands, and a client that leaves takes its rows along.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from guerdon.core.errors import PluginError
from guerdon.rewards.pool import Request, ScoringPool, Verdict

BATCH_ROWS = 32
"""Small, because a row that hangs delays its batch. A batch ends with the group that fills it."""


class _Ticket:
    """One client's rows."""

    def __init__(self, requests: Sequence[Request], done: asyncio.Future[None]) -> None:
        self.waiting = deque(enumerate(requests))
        self.found: dict[int, Verdict] = {}
        self.count = len(requests)
        self.done = done


class Batcher:
    """Feeds the pool. Lives in one event loop, between `start` and `stop`."""

    def __init__(self, pool: ScoringPool, observe: Callable[[int], object] | None = None) -> None:
        self.pool = pool
        self.observe = observe
        """Told the size of each batch."""
        self._tickets: deque[_Ticket] = deque()
        self._arrived = asyncio.Event()
        self._executor = ThreadPoolExecutor(pool.num_workers, thread_name_prefix="guerdon-serve")
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """Rows that no worker has yet."""
        return sum(len(request.texts) for ticket in self._tickets for _, request in ticket.waiting)

    def start(self) -> None:
        """Begin, in the running loop."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self.pool.num_workers)]

    async def stop(self) -> None:
        """End; requests under way are cancelled."""
        for task in self._tasks:
            task.cancel()
        for ticket in self._tickets:
            ticket.done.cancel()
        await asyncio.to_thread(self.pool.close)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._executor.shutdown()

    async def score(self, requests: Sequence[Request]) -> list[Verdict]:
        """A verdict for each; cancelling this takes the rows that still wait out of the queue."""
        if not requests:
            return []
        ticket = _Ticket(requests, asyncio.get_running_loop().create_future())
        self._tickets.append(ticket)
        self._arrived.set()
        try:
            await ticket.done
        finally:
            if ticket in self._tickets:
                self._tickets.remove(ticket)
        return [ticket.found[index] for index in range(ticket.count)]

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = self._take()
            if not batch:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            requests = [request for _, _, request in batch]
            if self.observe:
                self.observe(sum(len(request.texts) for request in requests))
            verdicts = await loop.run_in_executor(self._executor, self._verdicts, requests)
            for (ticket, index, _), verdict in zip(batch, verdicts, strict=True):
                ticket.found[index] = verdict
                if len(ticket.found) == ticket.count and not ticket.done.done():
                    ticket.done.set_result(None)

    def _take(self) -> list[tuple[_Ticket, int, Request]]:
        batch: list[tuple[_Ticket, int, Request]] = []
        size = 0
        while self._tickets and size < BATCH_ROWS:
            ticket = self._tickets.popleft()
            index, request = ticket.waiting.popleft()
            batch.append((ticket, index, request))
            size += len(request.texts)
            if ticket.waiting:
                self._tickets.append(ticket)
        return batch

    def _verdicts(self, requests: Sequence[Request]) -> list[Verdict]:
        """Of a batch; where a part misbehaves on one row, only that row shall suffer."""
        try:
            return self.pool.score(requests)
        except PluginError as error:
            if len(requests) == 1:
                return [self.pool.unverified(str(error), count=len(requests[0].texts))]
            return [verdict for request in requests for verdict in self._verdicts([request])]
