"""How a run begins and is interrupted, whatever it trains: its folder, and Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from guerdon.core.errors import ConfigError
from guerdon.run.folder import RunFolder, read_config_of
from guerdon.run.progress import Display
from guerdon.run.settings import RunSettings


@contextmanager
def open_folder(config: RunSettings, resume: Path | None) -> Iterator[RunFolder]:
    """A new run's folder, or the one to go on with.

    Raises:
        UserError: no such run, in use, or of another recipe.
    """
    if resume:
        check_compatible(config, read_config_of(type(config), resume))
        with RunFolder.open(resume) as folder:
            yield folder
        return
    path = Path(config.output_dir) / config.name
    number = 1
    while path.exists():  # a second run of a recipe never touches the first
        number += 1
        path = Path(config.output_dir) / f"{config.name}-{number}"
    with RunFolder.create(path) as folder:
        folder.write_config(config)
        yield folder


@contextmanager
def interrupts(display: Display) -> Iterator[Callable[[], bool]]:
    """Ctrl-C once: finish the step and save. Twice: stop at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def on_sigint(_number: int, _frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        display.say("Ctrl-C: finishing this step and saving; press again to stop at once")

    before = signal.signal(signal.SIGINT, on_sigint)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def check_compatible(config: RunSettings, saved: RunSettings) -> None:
    """Refuse to resume under another recipe.

    Raises:
        ConfigError: the two differ in more than where and how long.
    """
    free = {"output_dir", "report_to", "save_steps", "save_total_limit", "log_completions"}
    ours, theirs = (item.model_dump(exclude=free) for item in (config, saved))
    changed = [key for key in ours if ours[key] != theirs[key]]
    if changed:
        raise ConfigError(
            f"--resume: the recipe differs from the run's own in {', '.join(changed)}; "
            "resume without changes, or start a new run"
        )
