"""How a run begins and is interrupted, whatever it trains: what it cannot do without, its folder, and Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from guerdon.core.errors import ConfigError
from guerdon.core.types import Problem
from guerdon.data.critiques.problems import COUNT
from guerdon.run.config import RunConfig
from guerdon.run.folder import RunFolder, read_config_of
from guerdon.run.progress import Display
from guerdon.run.settings import RunSettings
from guerdon.train.supervised import solution_of


def unsolved(config: RunConfig, problems: Sequence[Problem]) -> str:
    """Why stage sft cannot imitate these training problems; "": it can, or there is no such stage."""
    lacking = (
        [at for at, one in enumerate(problems) if not solution_of(one)] if "sft" in config.stages else []
    )
    if not lacking:
        return ""
    first = problems[lacking[0]]
    is_critique = COUNT in first.info
    remedy = (
        "kind critiques works them out for pairs of kind arith alone; to begin with critiques of your own, train on a "
        'file of them first (data.train.kind = "jsonl", columns prompt and solution)'
        if is_critique
        else "give every row a column `solution` (or name yours: data.train.columns.solution)"
    )
    rest = ", ".join(f'"{stage}"' for stage in config.stages if stage != "sft") or '"grpo"'
    return (
        f"data.train: {len(lacking)} of {len(problems)} problems have no worked "
        f"{'critique' if is_critique else 'solution'} for stage sft to imitate (the first: {first.id}): {remedy}, or "
        f"leave the stage out: stages = [{rest}]"
    )


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
