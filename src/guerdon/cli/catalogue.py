"""`guerdon list`: what a recipe can name. Reads config classes only; torch is never imported."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from guerdon.cli.command import Command
from guerdon.core.types import Json, to_json

if TYPE_CHECKING:
    from guerdon.core.registry import Registry
    from guerdon.train.table import Row


class Entry(NamedTuple):
    """One thing a recipe can name."""

    name: str
    help: str
    """One line."""
    defaults: dict[str, Json]
    """What its own fields are where the recipe leaves them out."""
    required: tuple[str, ...] = ()
    """Fields without a default."""
    note: str = ""
    """Where it is, or what it lacks."""

    @property
    def settings(self) -> str:
        """Required fields as `field=?`, then the others with their defaults, then the note."""
        shown = [f"{field}=?" for field in self.required]
        shown += [f"{field}={_toml(value)}" for field, value in self.defaults.items()]
        return " ".join(part for part in (*shown, self.note) if part)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=sorted(KINDS), metavar="WHAT", help=", ".join(KINDS))
    parser.add_argument("--json", action="store_true", help="for programs")


def _run(args: argparse.Namespace) -> int:
    from guerdon.cli.table import write_json, write_table

    entries = KINDS[args.what]()
    if args.json:
        write_json([to_json(entry._asdict()) for entry in entries])
    else:
        rows = [(entry.name, entry.help, entry.settings) for entry in entries]
        write_table(["name", "what it is", "defaults"], rows)
    return 0


def verifiers() -> list[Entry]:
    """Signals that can stand in `[rewards.*]`."""
    from guerdon.rewards.config import VERIFIERS

    return _configs(VERIFIERS, hidden={"kind", "name"})


def nodes() -> list[Entry]:
    """Kinds of `[reward.*]`."""
    from guerdon.rewards.spec import NODES

    return _configs(NODES, hidden={"kind", "name"})


def datasets() -> list[Entry]:
    """Kinds of `[data.train]` and `[data.eval]`."""
    from guerdon.data.config import DATASETS

    return _configs(DATASETS, hidden={"kind"})


def preferences() -> list[Entry]:
    """Kinds of sets of preferences."""
    from guerdon.data.preferences.config import PREFERENCES

    return _configs(PREFERENCES, hidden={"kind"})


def engines() -> list[Entry]:
    """Values of `rollout.engine`."""
    from guerdon.rollout.config import ENGINES

    return _configs(ENGINES, hidden={"engine"})


def algorithms() -> list[Entry]:
    """Values of `algorithm.name`."""
    from guerdon.train.table import ROWS

    return [Entry(name, f"{row.help} ({row.paper})", _row_defaults(row)) for name, row in ROWS.items()]


def losses() -> list[Entry]:
    """Losses of `[loss]` of a reward model's recipe."""
    from guerdon.train.config import RewardLossConfig
    from guerdon.train.losses import LOSSES

    found = []
    for name, row in LOSSES.items():
        keys = [key for key in (row.key, *row.reads) if key]
        defaults = {key: to_json(RewardLossConfig.model_fields[key].default) for key in keys}
        if row.ranking:
            defaults["ranking"] = row.ranking
        paper = "" if row.paper == "-" else f" ({row.paper})"
        note = ", ".join(filter(None, (f"needs {row.needs}", row.where and f"{row.where} heads", row.only)))
        found.append(Entry(name, f"{row.help}{paper}", defaults, note=note))
    return found


def sinks() -> list[Entry]:
    """Values of `report_to`."""
    from guerdon.run.sinks import describe_sinks

    found = []
    for sink in describe_sinks():
        lacking = "" if sink.installed else f"not installed: pip install 'guerdon[{sink.extra}]'"
        found.append(Entry(sink.name, sink.help, {}, note=lacking))
    return found


def recipes() -> list[Entry]:
    """Names that the commands know without a path, each with its command, those for one command together."""
    from guerdon.run.recipe import COMMANDS, kind_of_recipe, recipe_summary, shipped_recipes

    found = {name: (kind_of_recipe(path), path) for name, path in shipped_recipes().items()}
    order = list(COMMANDS)
    return [
        Entry(name, recipe_summary(path), {}, note=f"{COMMANDS[kind]} {name}  {path}")
        for name, (kind, path) in sorted(found.items(), key=lambda item: order.index(item[1][0]))
    ]


KINDS: dict[str, Callable[[], list[Entry]]] = {
    "verifiers": verifiers,
    "nodes": nodes,
    "engines": engines,
    "algorithms": algorithms,
    "losses": losses,
    "datasets": datasets,
    "preferences": preferences,
    "sinks": sinks,
    "recipes": recipes,
}


def _configs(registry: Registry, *, hidden: set[str]) -> list[Entry]:
    return [_config_entry(name, registry.get(name), hidden) for name in registry.table()]


def _config_entry(name: str, cls: type[Any], hidden: set[str]) -> Entry:

    fields = {field: info for field, info in cls.model_fields.items() if field not in hidden}
    defaults = {
        field: _default(info.get_default(call_default_factory=True))
        for field, info in fields.items()
        if not info.is_required()
    }
    required = tuple(field for field, info in fields.items() if info.is_required())
    return Entry(name, (cls.__doc__ or "").strip().split("\n")[0], defaults, required)


def _default(value: Any) -> Json:
    """A table of its own stands with what it does not leave to its own defaults."""
    is_table = hasattr(value, "model_dump")
    return to_json(value.model_dump(mode="json", exclude_defaults=True) if is_table else value)


def _row_defaults(row: Row) -> dict[str, Json]:
    skipped = ("help", "paper")
    return {key: item for key, item in row._asdict().items() if key not in skipped and item is not None}


def _toml(value: object) -> str:
    """A default as a recipe would write it; what TOML cannot write is `unset`.

    >>> _toml(True), _toml(("a",)), _toml(None), _toml("x")
    ('true', '["a"]', 'unset', '"x"')
    """
    import json

    return "unset" if value is None else json.dumps(value, ensure_ascii=False)


COMMAND = Command(
    summary="what a recipe can name: verifiers, engines, algorithms, losses, datasets, ...",
    examples=(
        ("guerdon list verifiers", "what can pay a reward, and with which settings"),
        ("guerdon list algorithms", "every row of the algorithm table"),
        ("guerdon list losses", "what a reward model can learn from, and which data each loss needs"),
        ("guerdon list recipes --json", "for programs"),
    ),
    configure=_configure,
    run=_run,
)
