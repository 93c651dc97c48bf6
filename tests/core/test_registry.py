from importlib.metadata import EntryPoint

import pytest

from guerdon.core import registry
from guerdon.core.errors import ConfigError, PluginError
from guerdon.core.registry import Registry

BUILTINS = {"odd": "collections:OrderedDict", "count": "collections:Counter"}
THINGS = Registry(noun="thing", group="guerdon.things", builtins=BUILTINS)


def third_party(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    found = [EntryPoint(name, value, "guerdon.things") for name, value in points]
    monkeypatch.setattr(registry, "entry_points", lambda group: found if group == "guerdon.things" else [])


def test_the_table_is_sorted_and_names_places_only() -> None:
    assert list(THINGS.table().items()) == [
        ("count", "collections:Counter"),
        ("odd", "collections:OrderedDict"),
    ]


def test_get_imports_the_class() -> None:
    from collections import Counter

    assert THINGS.get("count") is Counter


def test_third_parties_join_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    third_party(monkeypatch, ("chain", "collections:ChainMap"))
    assert list(THINGS.table()) == ["chain", "count", "odd"]


def test_a_name_defined_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    third_party(monkeypatch, ("odd", "elsewhere:Odd"))
    with pytest.raises(
        PluginError, match=r"thing 'odd' is defined twice: collections:OrderedDict and elsewhere:Odd"
    ):
        THINGS.table()


def test_the_same_place_twice_is_no_quarrel(monkeypatch: pytest.MonkeyPatch) -> None:
    third_party(monkeypatch, ("odd", "collections:OrderedDict"))
    assert list(THINGS.table()) == ["count", "odd"]


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(ConfigError) as caught:
        THINGS.get("cuont", where="a.kind")
    assert str(caught.value) == "a.kind: unknown thing 'cuont' (did you mean 'count'?)"


@pytest.mark.parametrize("place", ["no_such_module_here:Odd", "collections:NoSuchClass"])
def test_a_plug_in_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    third_party(monkeypatch, ("broken", place))
    with pytest.raises(PluginError, match=rf"thing 'broken' \({place}\) cannot be imported: "):
        THINGS.get("broken")
