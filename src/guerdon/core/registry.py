"""Names to plug-in configs: a literal table of built-ins, then entry points of third parties.

A plug-in *is* a `Config` class with a `kind` and a `build()`; the table maps its name to "module:Class", so
listing names imports nothing. Two plug-ins of one name are an error; an unknown name gets "did you mean".
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from guerdon.core.errors import ConfigError, PluginError, did_you_mean


@dataclass(frozen=True, slots=True)
class Registry:
    """One kind of plug-in, for example verifiers."""

    noun: str
    """Singular, for messages: "verifier"."""
    group: str
    """Entry-point group of third parties: "guerdon.verifiers"."""
    builtins: Mapping[str, str]
    """Name to "module:Class"."""

    def table(self) -> dict[str, str]:
        """Every known name, sorted, with the place of its config class."""
        table = dict(self.builtins)
        for point in entry_points(group=self.group):
            if point.name in table and table[point.name] != point.value:
                raise PluginError(
                    f"{self.noun} {point.name!r} is defined twice: {table[point.name]} and {point.value}; "
                    "uninstall one of the two packages or rename its entry point"
                )
            table[point.name] = point.value
        return dict(sorted(table.items()))

    def get(self, name: str, *, where: str = "") -> type[Any]:
        """The config class called `name`.

        Raises:
            ConfigError: unknown name, with the nearest known one.
            PluginError: the plug-in cannot be imported.
        """
        table = self.table()
        if name not in table:
            place = f"{where}: " if where else ""
            raise ConfigError(f"{place}unknown {self.noun} {name!r}{did_you_mean(name, table)}")
        module, _, attribute = table[name].partition(":")
        try:
            found: type[Any] = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise PluginError(f"{self.noun} {name!r} ({table[name]}) cannot be imported: {error}") from error
        return found
