import pytest

from guerdon.interop import trl_keys, verl_keys
from guerdon.interop.draft import Kind
from guerdon.run.config import RunConfig

SAME = {**trl_keys.SAME, **verl_keys.SAME}
ANNOTATIONS = {Kind.WHOLE: int, Kind.NUMBER: float, Kind.SWITCH: bool, Kind.TEXT: str}


@pytest.mark.parametrize("theirs", sorted(SAME))
def test_every_counterpart_is_a_field_of_the_same_kind(theirs: str) -> None:
    path, kind = SAME[theirs]
    *tables, last = path.split(".")
    owner: type = RunConfig
    for table in tables:
        owner = owner.model_fields[table].annotation
    annotation = str(owner.model_fields[last].annotation)
    assert ANNOTATIONS[kind].__name__ in annotation, (path, annotation)


@pytest.mark.parametrize("keys", [trl_keys, verl_keys], ids=["trl", "verl"])
def test_a_key_stands_in_one_table_only(keys: object) -> None:
    same, unused, missing = (set(getattr(keys, name)) for name in ("SAME", "UNUSED", "MISSING"))
    assert not same & unused
    assert not same & missing
    assert not unused & missing
