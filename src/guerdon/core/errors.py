"""The errors of the house.

GuerdonError
├── UserError (ValueError)            exit code 2, no traceback; says what, where, got, expected, what to do
│   ├── ConfigError                   a recipe or an override; carries *all* problems at once
│   ├── DataError                     a dataset file or one of its rows
│   ├── ModelError                    a model folder, file or name
│   ├── PluginError                   somebody's reward function, verifier or sink misbehaved
│   ├── MissingExtraError (ImportError)   an optional dependency; says the line that installs it
│   └── CheckpointError               nothing usable to resume from
└── RolloutFailure (RuntimeError)     caught at the boundary, recorded as a `Failure` on its group

Every class is also a standard-library class and survives pickling. To add one: derive from the nearest class
above, keep the constructor's arguments in `args`, add it to this drawing. `assert` is for our own invariants.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class GuerdonError(Exception):
    """The root: `except GuerdonError` catches all that this package raises on purpose."""


class UserError(GuerdonError, ValueError):
    """Something a person can repair; its text is the whole message."""


class ConfigError(UserError):
    """One or more problems of a recipe, all at once."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class DataError(UserError):
    """A dataset that is missing, truncated, or holds a row that cannot be used."""


class ModelError(UserError):
    """A model that cannot be found, verified or loaded."""


class PluginError(UserError):
    """A plug-in that returned what it must not: named, with what came back."""


class CheckpointError(UserError):
    """No usable checkpoint where one was asked for."""


class MissingExtraError(UserError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.what, self.extra = what, extra
        super().__init__(what, extra)

    def __str__(self) -> str:
        return f"{self.what} needs an extra that is not installed; run: pip install 'guerdon[{self.extra}]'"


class RolloutFailure(GuerdonError, RuntimeError):  # noqa: N818 - a failure is data, an error is not
    """One rollout broke; its group records it and goes on."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint such as ` (did you mean 'epsilon'?)`, or the known words, or nothing.

    >>> did_you_mean("epsillon", ["epsilon", "beta"])
    " (did you mean 'epsilon'?)"
    """
    import difflib

    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (known: {', '.join(names)})" if names else ""
