"""A real HTTP server in a thread, for the tests of judges: it can be late, fail, answer nonsense, change its version."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Asked(NamedTuple):
    path: str
    body: Any
    headers: dict[str, str]


class Reply(NamedTuple):
    body: Any
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never written to
    delay_s: float = 0.0


class Server:
    """Answers by `answer`, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self.answer = answer
        self.url = ""
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.now = self.most = 0

    def posts(self) -> list[Any]:
        return [asked.body for asked in self.asked if asked.body is not None]

    def paths(self) -> Counter[str]:
        return Counter(asked.path for asked in self.asked)

    def __call__(self, asked: Asked) -> Reply:
        with self.lock:
            self.asked.append(asked)
            if asked.body is not None:
                self.now += 1
                self.most = max(self.most, self.now)
        try:
            reply = self.answer(asked)
            time.sleep(reply.delay_s)
            return reply
        finally:
            with self.lock:
                self.now -= asked.body is not None


@contextlib.contextmanager
def judging(answer: Callable[[Asked], Reply]) -> Iterator[Server]:
    server = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a client that gave up
                super().handle()

        def do_GET(self) -> None:
            self.respond(None)

        def do_POST(self) -> None:
            self.respond(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def respond(self, body: Any) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server(Asked(self.path, body, headers))
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            with contextlib.suppress(ConnectionError):
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        server.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
