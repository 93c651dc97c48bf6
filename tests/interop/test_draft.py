import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.interop.draft import Draft, Fate, Kind, Unreadable, to_toml

names = st.text(min_size=1, max_size=8)
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
tables = st.dictionaries(
    names,
    st.recursive(
        scalars | st.lists(scalars, max_size=3), lambda inner: st.dictionaries(names, inner, max_size=3)
    ),
)


@settings(max_examples=50, deadline=None)
@given(tables, st.text(max_size=40))
def test_what_is_written_is_read_back_the_same(recipe: dict[str, Any], header: str) -> None:
    assert tomllib.loads(to_toml(recipe, header)) == recipe


def test_every_key_gets_one_fate() -> None:
    draft = Draft({"lr": "1e-6", "fast": True, "odd": 1, "quant": 4, "off": 0, "code": Unreadable("f(x)")})
    draft.same({"lr": ("train.learning_rate", Kind.NUMBER), "code": ("seed", Kind.WHOLE)})
    draft.unused({"fa*": "always"})
    draft.missing({"quant": (0, "not here"), "off": (0, "not here")})
    draft.finish()
    assert {line.theirs: line.fate for line in draft.lines} == {
        "lr": Fate.MAPPED,
        "code": Fate.BY_HAND,
        "fast": Fate.UNUSED,
        "quant": Fate.MISSING,
        "off": Fate.UNUSED,
        "odd": Fate.MISSING,
    }
    assert draft.recipe == {"train": {"learning_rate": 1e-6}}


def test_a_value_of_the_wrong_kind_is_set_by_hand() -> None:
    draft = Draft({"steps": "many"})
    draft.same({"steps": ("train.max_steps", Kind.WHOLE)})
    assert draft.recipe == {}
    assert draft.lines[0].fate is Fate.BY_HAND
    assert draft.lines[0].note == "expected a whole number; got many"
