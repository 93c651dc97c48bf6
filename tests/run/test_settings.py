from __future__ import annotations

import pytest

from guerdon.core.config import parse_config
from guerdon.core.errors import UserError
from guerdon.run.settings import RunSettings


def test_an_unknown_sink_is_told_from_the_known_ones() -> None:
    assert parse_config(RunSettings, {"report_to": ["tensorboard"]}).report_to == ("tensorboard",)
    with pytest.raises(UserError, match=r"tensorbord.*did you mean 'tensorboard'"):
        parse_config(RunSettings, {"report_to": ["tensorbord"]})


def test_a_run_keeps_at_least_one_checkpoint() -> None:
    with pytest.raises(UserError, match="save_total_limit"):
        parse_config(RunSettings, {"save_total_limit": 0})
