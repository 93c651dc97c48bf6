"""The house plan, checked: sizes, floors, words, mirrors. What a reviewer would otherwise have to count."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "guerdon"
FILES = sorted(SOURCE.rglob("*.py"))
PACKAGES = sorted(path.parent for path in SOURCE.glob("*/__init__.py"))
MAX_FILE, MAX_FUNCTION, MAX_PARAMETERS = 600, 60, 6
MAX_POSITIONAL = 5  # the tensors of one formula, in the formula's order
MAX_TABLES, MAX_KEYS = 10, 25
BANNED_MODULES = {"utils", "util", "helpers", "misc", "common", "manager", "managers"}
BANNED_PREFIXES = ("base_", "process_", "handle_")
# Signatures that somebody else fixed.
FOREIGN_SIGNATURES = {"attention", "forward", "__exit__", "__init__", "handle_starttag"}
# TRL's signature (prompts, completions, **columns), transformers' attention interface, a stand-in for any function.
FOREIGN_KEYWORDS = {"reward", "attention", "__call__"}
# A module without a test file of its own name, and where it is tested instead.
TESTED_ELSEWHERE = {
    "models/home.py",  # tests/models/test_fetch.py
    "rollout/engine.py",  # two types; tests/rollout/test_local.py
    "rewards/function_worker.py",  # the other side of tests/rewards/test_functions.py
    "run/loop.py",  # whole runs: tests/run/test_build.py
    "run/stage.py",
    "run/progress.py",
}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_sizes(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE
    for node in functions(path):
        length = (node.end_lineno or 0) - node.lineno + 1
        assert length <= MAX_FUNCTION, f"{node.name} has {length} lines"
        if node.name in FOREIGN_SIGNATURES:
            continue
        positional = [
            arg.arg for arg in (*node.args.posonlyargs, *node.args.args) if arg.arg not in ("self", "cls")
        ]
        total = len(positional) + len(node.args.kwonlyargs)
        assert total <= MAX_PARAMETERS, f"{node.name} has {total} parameters"
        assert len(positional) <= MAX_POSITIONAL, f"{node.name}: make some of {positional} keyword-only"
        defaults = [ast.unparse(item) for item in node.args.defaults]
        assert not {"True", "False"} & set(defaults), f"{node.name}: a positional flag hides at the call"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_words_and_docstrings(path: Path) -> None:
    assert path.stem not in BANNED_MODULES
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a page opens with what it is"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.name in FOREIGN_SIGNATURES or not node.name.startswith(BANNED_PREFIXES), node.name
            assert node.returns is not None, f"{node.name} has no return annotation"
            assert node.args.kwarg is None or node.name in FOREIGN_KEYWORDS, f"{node.name} passes **kwargs on"
        if isinstance(node, ast.ClassDef):
            assert not node.name.startswith("Base"), node.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_what_is_public_says_what_it_does(path: Path) -> None:
    tree = ast.parse(path.read_text())
    owners: list[ast.Module | ast.ClassDef] = [tree]
    owners += [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    for owner in owners:
        for node in owner.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_") and node.name not in FOREIGN_SIGNATURES | {"backward"}:
                assert ast.get_docstring(node), f"{node.name}, line {node.lineno}, has no docstring"


def imported_at_the_top(path: Path) -> set[str]:
    """Modules of ours that this one imports while it is imported itself."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_no_import_cycles() -> None:
    names = {
        ".".join(("guerdon", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in FILES
    }
    graph = {name: imported_at_the_top(path) & set(names) - {name} for name, path in names.items()}
    while free := [name for name, needs in graph.items() if not needs & set(graph)]:
        for name in free:
            del graph[name]
    assert not graph, f"these import each other: {sorted(graph)}"


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.name)
def test_recipes_are_sparse(path: Path) -> None:
    recipe = tomllib.loads(path.read_text())
    tables = {name: table for name, table in recipe.items() if isinstance(table, dict)}
    assert len(tables) <= MAX_TABLES
    for name, table in [("", recipe), *tables.items()]:
        assert len(table) <= MAX_KEYS, f"[{name}] has {len(table)} keys"
    assert path.read_text().startswith("#"), "a recipe opens with what it is for"


def test_no_table_of_a_recipe_has_too_many_fields() -> None:
    from guerdon.run.config import RunConfig

    tables = [
        name for name, info in RunConfig.model_fields.items() if hasattr(info.annotation, "model_fields")
    ]
    assert len(tables) + len(("data", "rewards", "reward")) - ("data" in tables) <= MAX_TABLES
    for name in tables:
        fields = RunConfig.model_fields[name].annotation.model_fields  # type: ignore[union-attr]
        assert len(fields) <= MAX_KEYS, f"[{name}] has {len(fields)} fields"
        for field, info in fields.items():
            assert info.description, f"{name}.{field} has no help"


METRIC = re.compile(
    r'"((?:signal|completions|timing_s|cost|memory|clip_ratio|sampling|off_policy)/[a-z_/]+)"'
)


def test_the_glossary_has_every_metric_and_every_axis() -> None:
    from guerdon.explain.glossary import EVALUATION, TRAINING
    from guerdon.rewards.signal import Signal

    glossary = (ROOT / "docs" / "glossary.md").read_text()
    emitted = {name for path in FILES for name in METRIC.findall(path.read_text())}
    emitted |= {*EVALUATION, *TRAINING, *(f"signal/groups_{kind}" for kind in Signal)}
    emitted.discard("signal/groups_")  # begins a name made from a Signal
    assert not [name for name in sorted(emitted) if f"`{name}`" not in glossary]
    assert not [axis for axis in "PGBTVKH" if f"| `{axis}` |" not in glossary]


def test_packages_say_what_they_are() -> None:
    for package in PACKAGES:
        module = importlib.import_module(f"guerdon.{package.name}")
        assert module.__doc__
        assert "TODO" not in module.__doc__
        exported = list(getattr(module, "__all__", []))
        assert exported == sorted(exported)
        for name in exported:
            assert hasattr(module, name), f"{package.name}.{name}"


def test_model_text_is_never_evaluated_or_unpickled() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "print"}, f"{path}:{node.lineno}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
                unsafe = names & {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
                assert not unsafe, f"{path}:{node.lineno}"


def test_every_module_has_a_test_of_its_own() -> None:
    missing = []
    for path in FILES:
        place = path.relative_to(SOURCE)
        if place.name in ("__init__.py", "__main__.py", "config.py") or str(place) in TESTED_ELSEWHERE:
            continue
        if not (ROOT / "tests" / place.parent / f"test_{place.name}").exists():
            missing.append(str(place))
    assert not missing


def test_what_a_person_writes_never_needs_torch() -> None:
    light = [
        path
        for path in FILES
        if path.relative_to(SOURCE).parts[0] in ("core", "data", "rewards") or path.name == "config.py"
    ]
    names = [".".join(("guerdon", *path.relative_to(SOURCE).with_suffix("").parts)) for path in light]
    modules = [name.removesuffix(".__init__") for name in names]
    assert len(modules) > 20
    code = f"import sys, {', '.join(modules)}; print(sorted({{'torch', 'transformers', 'vllm', 'ray'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_imports_nothing() -> None:
    code = "import sys; before = set(sys.modules); import guerdon; print(len(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r}); {code}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert int(done.stdout) <= 3


def test_imports_go_down_only() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
