from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

from guerdon.interop.server import rubric_version  # noqa: E402
from guerdon.interop.server_gate import Limits  # noqa: E402
from guerdon.rewards.config import parse_rewards  # noqa: E402
from obeying import install  # noqa: E402
from serving import serving  # noqa: E402

pytestmark = pytest.mark.slow


def client(port: int, *, host: str = "127.0.0.1", **options: Any) -> Any:
    """Of a host of its own: all of 127.0.0.0/8 is this machine."""
    transport = httpx.HTTPTransport(local_address=host)
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=20, **options)


@pytest.fixture
def obeying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    limits = Limits(max_body_bytes=10_000, max_rows=20, body_timeout_s=0.5, first_request_timeout_s=0.5)
    with serving({"math": {}, "format": {"weight": 0.5, "layout": "hash"}}, limits) as (port, _):
        yield port


def test_rows_are_scored_with_evidence(port: int) -> None:
    rows = [
        {"id": "a", "question": "2 + 2", "answer": "4", "completion": "is\n#### 4"},
        {"answer": "4", "completion": [{"role": "assistant", "content": "\ud800 5"}]},
        {"answer": [4], "id": "c", "completion": "4"},
        {"answer": "4"},
    ]
    with client(port) as asking:
        found = asking.post(
            "/score", content=json.dumps({"rows": rows}), headers={"content-type": "application/json"}
        )
    assert found.status_code == 200
    results = found.json()["results"]
    assert [item["id"] for item in results] == ["a", "row 1", "c", "row 3"]
    assert [item["value"] for item in results] == [1.5, 0.0, None, None]
    assert results[0]["parts"][0]["evidence"]["extracted"] == "4"
    assert "target is [4]" in results[2]["parts"][0]["evidence"]["note"]
    assert "no text" in results[3]["parts"][0]["evidence"]["note"]


def test_rows_of_one_prompt_are_one_group(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def size(prompts, completions, **columns): return [float(len(completions))] * len(completions)\n"
    )
    parts = {
        "honesty": {"verifier": {"kind": "math"}},
        "size": {"kind": "function", "path": f"{tmp_path}/mine.py:size", "weight": 0.0},
    }
    texts = ["It is 4.", "I don't know.", "It is 5."]
    rows: list[dict[str, Any]] = [
        {"id": f"r{index}", "question": "2 + 2?", "answer": "4", "completion": text}
        for index, text in enumerate(texts)
    ]
    rows.insert(1, {"id": "other", "question": "2 + 3?", "answer": "5", "completion": "I don't know."})
    query = {
        "query": [f"2 + 2? {text}" for text in texts],
        "prompts": ["2 + 2?"] * 3,
        "labels": ["4"] * 3,
    }
    with serving(parts) as (port, _), client(port) as asking:
        results = asking.post("/score", json={"rows": rows}).json()["results"]
        rewards = asking.post("/get_reward", json=query).json()["rewards"]
        batches = metric(asking, "guerdon_batch_rows_sum")
    assert [item["id"] for item in results] == ["r0", "other", "r1", "r2"]
    # A sibling knew it, so not to say it costs something; where all abstain, nothing does.
    assert [item["value"] for item in results] == [1.0, 0.0, -0.2, -1.0]
    assert [item["parts"][1]["value"] for item in results] == [3.0, 1.0, 3.0, 3.0]
    assert rewards == [1.0, -0.2, -1.0]
    assert batches == 7.0  # of rows, not of groups


def test_openrlhf_is_answered_in_its_form(port: int) -> None:
    body = {
        "query": ["q: 2 + 2 a: 4</s>", "q: 2 + 2 a: 5</s>"],
        "prompts": ["q: 2 + 2 a:"] * 2,
        "labels": ["4", "4"],
    }
    with client(port) as asking:
        found = asking.post("/get_reward", json=body)
        assert found.json() == {
            "rewards": [1.0, 0.0],
            "scores": [1.0, 0.0],
            "extra_logs": {"verified": [1.0, 1.0], "math": [1.0, 0.0], "format": [0.0, 0.0]},
        }
        assert asking.post("/get_reward", json={"query": "x"}).status_code == 422


def test_every_reply_says_which_version_of_the_rubric_that_was(port: int) -> None:
    row = {"answer": "4", "completion": "4"}
    with client(port) as asking:
        scored = asking.post("/score", json={"rows": [row]})
        rewarded = asking.post("/get_reward", json={"query": ["4"], "labels": ["4"]})
        health = asking.get("/health")
    versions = {scored.json()["version"], health.json()["version"]}
    versions |= {reply.headers["x-guerdon-version"] for reply in (scored, rewarded)}
    assert versions == {
        rubric_version(parse_rewards({"math": {}, "format": {"weight": 0.5, "layout": "hash"}}))
    }


def test_health_and_metrics(port: int) -> None:
    with client(port) as asking:
        asking.post("/score", json={"rows": [{"answer": "4", "completion": "4"}]})
        assert asking.get("/health").json()["status"] == "ok"
        text = asking.get("/metrics").text
    assert 'guerdon_requests_total{route="/score",status="200"}' in text
    assert 'guerdon_rows_total{verdict="verified"}' in text
    assert "guerdon_pending_requests 1.0" in text  # this one


def test_what_is_no_request_is_refused_in_one_line(port: int) -> None:
    with client(port) as asking:
        assert asking.post("/score", content=b"{}").status_code == 415
        assert asking.post("/score", json={"row": []}).status_code == 422
        assert asking.post("/score", json={"rows": []}).status_code == 422
        deep = b'{"rows": ' + b"[" * 4000 + b"]" * 4000 + b"}"
        assert asking.post(
            "/score", content=deep, headers={"content-type": "application/json"}
        ).status_code in (400, 422)
        many = asking.post("/score", json={"rows": [{"answer": "4", "completion": "4"}] * 21})
        assert (many.status_code, many.json()["detail"]) == (413, "21 rows; at most 20 in one request")
        assert asking.get("/nothing").status_code == 404


def test_a_long_body_is_refused_by_its_header_and_by_its_length(port: int) -> None:
    headers = {"content-type": "application/json"}
    with client(port) as asking:
        assert asking.post("/score", content=b"x" * 10_001, headers=headers).status_code == 413
        pieces = (b"x" * 1000 for _ in range(20))  # chunked: the length is not told
        assert asking.post("/score", content=pieces, headers=headers).status_code == 413
        assert asking.get("/health").json()["pending_requests"] == 1


def test_a_body_that_does_not_come_and_a_connection_that_says_nothing_end(port: int) -> None:
    with (
        socket.create_connection(("127.0.0.1", port)) as slow,
        socket.create_connection(("127.0.0.1", port)) as silent,
    ):
        slow.sendall(
            b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        slow.settimeout(10)
        silent.settimeout(10)
        assert b" 408 " in slow.recv(4096)
        assert silent.recv(4096) == b""


def test_a_token_is_asked_of_everybody() -> None:
    with serving({"math": {}}, token="secret") as (port, gate), client(port) as asking:
        row = {"rows": [{"answer": "4", "completion": "4"}]}
        assert asking.post("/score", json=row).status_code == 401
        assert asking.post("/score", json=row, headers={"authorization": "Bearer no"}).status_code == 401
        assert asking.get("/metrics").status_code == 401
        assert asking.get("/health").status_code == 200
        assert asking.post("/score", json=row, headers={"authorization": "Bearer secret"}).status_code == 200
        assert gate.refused[401] == 3


def test_a_row_that_hangs_or_kills_costs_one_row(obeying: Path) -> None:
    with (
        serving({"x": {"kind": "obey"}}, num_workers=2, row_timeout_s=1.0) as (port, _),
        client(port) as asking,
    ):
        bad: list[Any] = []

        def ask() -> None:
            rows = [{"completion": text} for text in ("1", "spin", "die", "nan", "2")]
            with client(port) as other:
                bad.append(other.post("/score", json={"rows": rows}).json()["results"])

        thread = threading.Thread(target=ask)
        thread.start()
        times = []
        while thread.is_alive():
            started = time.monotonic()
            found = asking.post("/score", json={"rows": [{"completion": "7"}]})
            assert found.json()["results"][0]["value"] == 7.0
            times.append(time.monotonic() - started)
            time.sleep(0.02)
        thread.join()
        assert [item["value"] for item in bad[0]] == [1.0, None, None, None, 2.0]
        assert sorted(times)[len(times) // 2] < 0.5


def test_a_client_that_leaves_takes_its_rows_along(obeying: Path) -> None:
    with serving({"x": {"kind": "wait"}}, row_timeout_s=20.0) as (port, gate), client(port) as asking:
        rows = json.dumps({"rows": [{"completion": "1"}] * 4000}).encode()  # half a minute of waiting
        head = f"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(rows)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port)) as leaving:
            leaving.sendall(head.encode() + rows)
            wait_for(lambda: metric(asking, "guerdon_waiting_rows") > 3000)
        wait_for(lambda: metric(asking, "guerdon_waiting_rows") == 0)
        wait_for(lambda: gate.pending == 0)
        started = time.monotonic()
        assert (
            asking.post("/score", json={"rows": [{"completion": "7"}]}).json()["results"][0]["value"] == 7.0
        )
        assert time.monotonic() - started < 5


def test_a_flood_from_one_host_leaves_room_for_another(obeying: Path) -> None:
    limits = Limits(max_pending=20, max_connections_per_host=60)
    with serving({"x": {"kind": "wait"}}, limits, row_timeout_s=20.0) as (port, gate):
        stop = threading.Event()
        statuses: list[int] = []

        def flood() -> None:
            with client(port, host="127.0.0.2") as asking:
                while not stop.is_set():
                    try:
                        found = asking.post("/score", json={"rows": [{"completion": "1"}] * 200})
                        statuses.append(found.status_code)
                    except httpx.TransportError:
                        pass

        threads = [threading.Thread(target=flood) for _ in range(30)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: 503 in statuses)
            with client(port) as asking:
                for index in range(5):
                    started = time.monotonic()
                    found = asking.post("/score", json={"rows": [{"completion": str(index)}]})
                    assert found.json()["results"][0]["value"] == float(index)
                    assert time.monotonic() - started < 5
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert gate.refused[503] > 0
        wait_for(lambda: gate.pending == 0)


def test_one_host_has_not_all_connections() -> None:
    limits = Limits(max_connections_per_host=5)
    with serving({"math": {}}, limits) as (port, _):
        open_ones = [
            socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.3", 0)) for _ in range(30)
        ]
        with client(port) as asking:
            assert asking.get("/health").status_code == 200
        with client(port, host="127.0.0.3") as asking, pytest.raises(httpx.TransportError):
            asking.get("/health")
        for connection in open_ones:
            connection.close()


def test_a_request_that_takes_too_long_is_ended(obeying: Path) -> None:
    limits = Limits(request_timeout_s=0.5)
    with serving({"x": {"kind": "wait"}}, limits, row_timeout_s=20.0) as (port, gate), client(port) as asking:
        found = asking.post("/score", json={"rows": [{"completion": "1"}] * 4000})
        assert (found.status_code, "0.5 s" in found.json()["detail"]) == (504, True)
        wait_for(lambda: gate.pending == 0)  # it leaves just after its answer


def metric(asking: Any, name: str) -> float:
    lines = asking.get("/metrics").text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_any_setting_and_any_model_makes_another_version() -> None:
    rewards = parse_rewards({"math": {}})
    other = parse_rewards({"math": {"tolerance": 0.01}})
    versions = [rubric_version(rewards), rubric_version(other), rubric_version(rewards, "model-2")]
    assert len(set(versions)) == 3
    assert rubric_version(parse_rewards({"math": {}})) == versions[0]
