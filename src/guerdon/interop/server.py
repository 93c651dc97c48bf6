"""A rubric over HTTP: FastAPI behind a gate, in front of processes that a bad answer cannot take down.

POST /score        {"rows": [{"question": ..., "answer": ..., "completion": ...}]} -> {"results": [{id, value, parts}]}
POST /get_reward   OpenRLHF's remote reward (openrlhf.py)
GET  /health       lives, and how busy it is
GET  /metrics      for Prometheus

The first three say which version of the rubric that was: a field, and for the first two a header, too. Rows of one
request that ask the same (prompt, gold answer, further columns) are one group, as in training.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, TypeVar

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from pydantic import BaseModel, ConfigDict, Field

from guerdon import __version__
from guerdon.core.errors import DataError
from guerdon.core.seeds import content_hash
from guerdon.data.answered import answered_problem
from guerdon.data.config import TableConfig
from guerdon.interop.openrlhf import reply, rows_of
from guerdon.interop.server_batch import Batcher
from guerdon.interop.server_gate import Gate, Limits, Refused
from guerdon.rewards.judges.versions import HEADER
from guerdon.rewards.pool import Request as PoolRequest
from guerdon.rewards.pool import ScoringPool, Verdict, joined, siblings
from guerdon.rewards.rubric_config import Rewards, RubricConfig
from guerdon.rewards.texts import completion_text

T = TypeVar("T")
COMPLETION, TOKEN_IDS = "completion", "completion_ids"


class ScoreBody(BaseModel):
    """Rows as `guerdon score` reads them, each with its answer in `completion`."""

    model_config = ConfigDict(extra="forbid")
    rows: list[dict[str, Any]] = Field(min_length=1)


class Meters:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "guerdon_requests", "Requests, by route and status", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "guerdon_request_seconds", "Time of a request", ["route"], registry=self.registry
        )
        self.rows = Counter("guerdon_rows", "Answers scored", ["verdict"], registry=self.registry)
        self.batches = Histogram(
            "guerdon_batch_rows", "Rows of a batch", buckets=(1, 2, 4, 8, 16, 32), registry=self.registry
        )

    def watch(self, gate: Gate, batcher: Batcher) -> None:
        """Read the others' counts whenever Prometheus asks."""
        gauges: list[tuple[str, str, Any]] = [
            ("guerdon_pending_requests", "Requests under way", lambda: gate.pending),
            ("guerdon_pending_bytes", "Bytes of requests under way", lambda: gate.pending_bytes),
            ("guerdon_waiting_rows", "Rows that no worker has yet", lambda: batcher.waiting),
            ("guerdon_workers_replaced", "Workers killed because of an answer", lambda: batcher.pool.num_replaced),
            ("guerdon_refused_requests", "Requests that got no further than the gate", lambda: gate.refused.total()),
        ]  # fmt: skip
        for name, help_text, read in gauges:
            Gauge(name, help_text, registry=self.registry).set_function(read)


class RewardService:
    """The routes' work."""

    def __init__(
        self, rewards: Rewards, *, limits: Limits, num_workers: int, row_timeout_s: float, served: str
    ) -> None:
        self.limits = limits
        self.version = rubric_version(rewards, served)
        """Of what is served; whoever mixes scores of two versions compares what does not compare."""
        self.meters = Meters()
        self.pool = ScoringPool(rewards, num_workers=num_workers, timeout_s=row_timeout_s)
        self.batcher = Batcher(self.pool, self.meters.batches.observe)
        self.table = TableConfig(kind="rows")
        self.names = list(RubricConfig.of(rewards).rewards)

    async def score(self, body: ScoreBody, request: Request) -> dict[str, Any]:
        """`POST /score`."""
        self._count(len(body.rows))
        asked = [self._asked(row, f"row {index}") for index, row in enumerate(body.rows)]
        verdicts = await self._verdicts([item for _, item in asked], request)
        results = [
            {"id": name, **verdict.scores[0]} for (name, _), verdict in zip(asked, verdicts, strict=True)
        ]
        return {"results": results, "version": self.version}

    async def get_reward(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """`POST /get_reward`."""
        try:
            rows = rows_of(body)
        except DataError as error:
            raise HTTPException(422, str(error)) from None
        self._count(len(rows))
        asked = [
            PoolRequest(problem=row.problem, texts=(row.text,)) if row.problem else row.note for row in rows
        ]
        verdicts = await self._verdicts(asked, request)
        return reply([verdict.scores[0] for verdict in verdicts])

    def _count(self, count: int) -> None:
        if count > self.limits.max_rows:
            raise HTTPException(413, f"{count:,} rows; at most {self.limits.max_rows:,} in one request")

    def _asked(self, row: dict[str, Any], place: str) -> tuple[str, PoolRequest | str]:
        """The row's id, and what to ask the pool, or why not."""
        text, ids = completion_text(row.pop(COMPLETION, None)), row.pop(TOKEN_IDS, None)
        try:
            problem = answered_problem(row, self.table, place)
        except DataError as error:
            name = row.get("id")
            return (name if isinstance(name, str) else place), str(error).removeprefix("data: ")
        if text is None:
            return problem.id, f"{place}: {COMPLETION} holds no text and no messages"
        known = isinstance(ids, list) and all(isinstance(token, int) for token in ids)
        return problem.id, PoolRequest(
            problem=problem, texts=(text,), token_ids=(tuple(ids),) if known else None
        )

    async def _verdicts(self, asked: Sequence[PoolRequest | str], request: Request) -> list[Verdict]:
        known = [item for item in asked if isinstance(item, PoolRequest)]
        groups = siblings(known)  # parts that compare siblings see them all
        work = self.batcher.score([joined([known[index] for index in group]) for group in groups])
        alone: dict[int, Verdict] = {}
        for group, verdict in zip(groups, await _unless_gone(work, request), strict=True):
            alone |= dict(zip(group, verdict.apart(), strict=True))
        found = (alone[index] for index in range(len(known)))
        verdicts = [
            next(found) if isinstance(item, PoolRequest) else self.pool.unverified(item) for item in asked
        ]
        for verdict in verdicts:
            known_value = verdict.scores[0]["value"] is not None
            self.meters.rows.labels("verified" if known_value else "unverified").inc()
        return verdicts


def rubric_version(rewards: Rewards, served: str = "") -> str:
    """16 hexadecimal digits that change with any setting of any part, with this package, and with what is `served`."""
    return content_hash(json.dumps([__version__, RubricConfig.of(rewards).to_table(), served]))


async def _unless_gone(work: Awaitable[T], request: Request) -> T:
    """The work's result; it is cancelled when the client goes away.

    Raises:
        HTTPException: 499, which nobody reads.
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise HTTPException(499, "the client went away")
        return doing.result()
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def create_app(
    rewards: Rewards,
    *,
    limits: Limits | None = None,
    token: str | None = None,
    num_workers: int = 1,
    row_timeout_s: float = 30.0,
    served: str = "",
) -> Gate:
    """The whole server as an ASGI application.

    Args:
        rewards: the parts, or with how they become one reward.
        limits: how much one client may use.
        token: asked of everybody, except for /health; None: nobody is asked.
        num_workers: processes for the verifiers.
        row_timeout_s: how long one row may take before its worker is killed.
        served: what the settings do not say, such as the content hash of a model; a part of the version.
    """
    limits = limits or Limits()
    service = RewardService(
        rewards, limits=limits, num_workers=num_workers, row_timeout_s=row_timeout_s, served=served
    )

    @contextlib.asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.pool.check)
        service.batcher.start()
        try:
            yield
        finally:
            await service.batcher.stop()

    app = FastAPI(title="Guerdon", lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    gate = Gate(app, limits, token)
    service.meters.watch(gate, service.batcher)
    _add_routes(app, service, gate)
    return gate


def _add_routes(app: FastAPI, service: RewardService, gate: Gate) -> None:
    timed = Depends(_timer(service.meters))

    @app.post("/score", dependencies=[timed])
    async def score(body: ScoreBody, request: Request) -> Response:
        return _json(await service.score(body, request), service.version)

    @app.post("/get_reward", dependencies=[timed])
    async def get_reward(body: dict[str, Any], request: Request) -> Response:
        return _json(await service.get_reward(body, request), service.version)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {
            "status": "ok",
            "parts": service.names,
            "pending_requests": gate.pending,
            "version": service.version,
        }

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(service.meters.registry), media_type=CONTENT_TYPE_LATEST)


def _json(value: dict[str, Any], version: str) -> Response:
    # ASCII: a quotation from an answer may hold half a character, which UTF-8 cannot say.
    return Response(json.dumps(value), media_type="application/json", headers={HEADER: version})


def _timer(meters: Meters) -> Any:
    async def timer(request: Request) -> AsyncIterator[None]:
        route, started = request.url.path, time.perf_counter()
        status = 500
        try:
            yield
            status = 200
        except (HTTPException, Refused) as error:
            status = error.status_code if isinstance(error, HTTPException) else error.status
            raise
        except RequestValidationError:
            status = 422
            raise
        finally:
            meters.requests.labels(route, status).inc()
            meters.seconds.labels(route).observe(time.perf_counter() - started)

    return timer
