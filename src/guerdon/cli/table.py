"""Aligned tables on stdout, through rich. Cells are plain text: nothing in them is markup."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TextIO

from guerdon.core.types import Json

PIPED_WIDTH = 1000
"""Columns where stdout is no terminal: wide enough that `grep` finds a row on one line."""


def write_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, file: TextIO | None = None) -> None:
    """Write rows under headers to stdout or `file`; on a terminal long cells wrap."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    file = file or sys.stdout
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=PIPED_WIDTH)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # Rich would answer a closed pipe by an exit of its own; main.py has the one answer.
    with console.capture() as captured:
        console.print(table)
    file.write(captured.get())


def write_line(text: str = "") -> None:
    """One line on stdout."""
    sys.stdout.write(f"{text}\n")


def write_json(value: Json) -> None:
    """Indented JSON on stdout, for programs."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
