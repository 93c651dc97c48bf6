"""Reading other people's configurations: YAML, shell command lines, Python scripts. Nothing is ever executed.

Each reader returns their flat keys. What is not a plain value (an expression, a variable that the file does
not set) becomes `Unreadable`, so that the table can show it.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from guerdon.core.errors import ConfigError
from guerdon.interop.draft import Unreadable

MAX_BYTES = 1 << 20
"""A configuration is a small text file."""
MAX_DEPTH = 8
"""Names followed one after another; `x = f(x)` would go on for ever."""


def read_text(path: Path) -> str:
    """The file's text.

    Raises:
        ConfigError: no such file, no text, or far too long for a configuration.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: {path.stat().st_size} bytes; expected a configuration file")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path}: not UTF-8 text; expected YAML, a shell script or a Python script"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def read_yaml(text: str, where: str) -> dict[str, Any]:
    """A YAML mapping (plain data only).

    Raises:
        ConfigError: not YAML, or not a mapping.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{where}{line}: not YAML: {getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise ConfigError(f"{where}: not YAML: nested too deeply") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{where}: expected keys and values; got {type(found).__name__}")
    return {str(key): value for key, value in found.items()}


def scalar(text: str) -> Any:
    """A command-line value as YAML reads it; what YAML cannot read stays text.

    >>> scalar("8"), scalar("1e-6"), scalar("true"), scalar("[a, b]"), scalar("x: y:")
    (8, 1e-06, True, ['a', 'b'], 'x: y:')
    """
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", text):  # YAML 1.1 wants a dot in 1e-6
        return float(text)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return text


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys; `${a.b}` becomes the value of `a.b` where the same tree has it."""
    flat = _flatten(tree, prefix)
    for key, value in flat.items():
        if isinstance(value, str) and "${" in value:
            whole_value = re.fullmatch(r"\$\{([\w.]+)\}", value)
            target = flat.get(whole_value[1]) if whole_value else None
            flat[key] = Unreadable(value) if target is None or "${" in str(target) else target
    return flat


def _flatten(tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat.update(_flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat


def shell_words(text: str) -> list[str | Unreadable]:
    """The words of a shell script's commands, with the variables that the script itself sets put in.

    Line continuations are joined, comments dropped; a word with any other expansion is `Unreadable`.
    """
    variables: dict[str, str] = {}
    words: list[str | Unreadable] = []
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        try:
            parts = shlex.split(line, comments=True)
        except ValueError:  # a quote that never closes: not a line we need
            continue
        if parts and parts[0] == "export":
            parts = parts[1:]
        if parts and all(re.fullmatch(r"[A-Za-z_]\w*=.*", part, re.DOTALL) for part in parts):
            for part in parts:
                name, _, value = part.partition("=")
                variables[name] = str(_expand(value, variables))
            continue
        words += [_expand(part, variables) for part in parts]
    return words


_VARIABLE = re.compile(r"\$(?:(\w+|@)|\{(\w+)(?::?-([^}]*))?\})")


def _expand(word: str, variables: Mapping[str, str]) -> str | Unreadable:
    def value(found: re.Match[str]) -> str:
        name, default = found[1] or found[2], found[3]
        return variables.get(name, default if default is not None else found[0])

    expanded = _VARIABLE.sub(value, word)
    return Unreadable(expanded) if "$" in expanded or "`" in expanded else expanded


def flags(words: Sequence[str | Unreadable]) -> dict[str, Any]:
    """`--key value`, `--key a b`, `--key=value` and bare `--switch` as keys.

    >>> flags(["trl", "grpo", "--beta", "0.1", "--funcs", "a", "b", "--use-peft"])
    {'beta': 0.1, 'funcs': ['a', 'b'], 'use_peft': True}
    """
    found: dict[str, list[Any]] = {}
    current: list[Any] | None = None
    for word in words:
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            current = found[name.replace("-", "_")] = []
            if equals:
                current.append(_typed(word, value))
        elif current is not None:
            current.append(_typed(word, word))
    return {
        name: True if not items else items[0] if len(items) == 1 else items for name, items in found.items()
    }


def assignments(words: Sequence[str | Unreadable]) -> dict[str, Any]:
    """Hydra's `a.b=value` (also `+a.b=value`, `++a.b=value`) as keys; other words are passed over."""
    found: dict[str, Any] = {}
    for word in words:
        match = re.fullmatch(r"\+{0,2}([A-Za-z_][\w]*(?:\.[\w]+)+)=(.*)", word, re.DOTALL)
        if match:
            found[match[1]] = _typed(word, match[2])
    return found


def _typed(word: str | Unreadable, value: str) -> Any:
    return Unreadable(value) if isinstance(word, Unreadable) and "$" in value else scalar(value.rstrip(","))


class Call(dict[str, Any]):
    """The arguments of one call: keywords by name, positional ones by index, its own name under `()`."""

    def __str__(self) -> str:
        return f"{self['()']}(...)"


class Script(NamedTuple):
    """What a Python script says, read from its syntax tree."""

    calls: dict[str, list[Call]]
    """Function name to the arguments of each of its calls, in the order of the file."""
    functions: frozenset[str]
    """Functions and classes that the script defines."""
    imports: dict[str, str]
    """Name to `module:name` for `from module import name`."""


def read_script(text: str, where: str) -> Script:
    """The calls of a script; names that it assigns are followed to their last value.

    Raises:
        ConfigError: not Python.
    """
    try:
        tree = ast.parse(text, filename=where)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise ConfigError(f"{where}{f':{line}' if line else ''}: not Python: {error}") from None
    names: dict[str, ast.expr] = {}
    imports: dict[str, str] = {}
    functions: set[str] = set()
    found: list[ast.Call] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = node.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            functions.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports.update({item.asname or item.name: f"{node.module}:{item.name}" for item in node.names})
        elif isinstance(node, ast.Call):
            found.append(node)
    calls: dict[str, list[Call]] = {}
    for call in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
        calls.setdefault(_called(call), []).append(_arguments(call, names, 0))
    return Script(calls, frozenset(functions), imports)


def _arguments(call: ast.Call, names: Mapping[str, ast.expr], depth: int) -> Call:
    """The arguments of a call as plain values, and its own name under `()`."""
    found = Call({str(number): _value(item, names, depth) for number, item in enumerate(call.args)})
    found.update({word.arg: _value(word.value, names, depth) for word in call.keywords if word.arg})
    found["()"] = _called(call)
    return found


def _value(node: ast.expr, names: Mapping[str, ast.expr], depth: int) -> Any:
    """A literal, a followed name, a `Call`, or the expression's text; nothing is run."""
    if depth > MAX_DEPTH:
        return Unreadable(ast.unparse(node))
    if isinstance(node, ast.Name) and node.id in names:
        return _value(names[node.id], names, depth + 1)
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, names, depth + 1) for item in node.elts]
    if isinstance(node, ast.Call) and _plain_call(node):
        return _arguments(node, names, depth + 1)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return Unreadable(ast.unparse(node))


def _plain_call(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name | ast.Attribute) and bool(_called(node))


def _called(node: ast.Call) -> str:
    func = node.func
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""
