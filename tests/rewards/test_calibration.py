"""Scales: the same numbers as the tensors' versions, and files that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.core.errors import ConfigError, UserError
from guerdon.functional.calibrate import rank_scale, zscore
from guerdon.rewards.calibration import Calibration, Rank, ZScore, fit_scale

eighths = st.integers(-80, 80).map(lambda n: n / 8)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(eighths, min_size=2, max_size=30).filter(lambda r: len(set(r)) > 1),
    st.lists(eighths, min_size=1),
)
def test_they_equal_the_tensors_versions(reference: list[float], values: list[float]) -> None:
    tensors = torch.tensor(values), torch.tensor(reference)
    assert [ZScore.fit(reference)(v) for v in values] == pytest.approx(
        zscore(*tensors).tolist(), abs=1e-4, rel=1e-4
    )
    assert [Rank.fit(reference)(v) for v in values] == pytest.approx(rank_scale(*tensors).tolist(), abs=1e-6)


def test_rank_by_hand() -> None:
    scale = Rank.fit([0.0, 0.0, 0.0, 1.0])
    assert [scale(v) for v in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [-1.0, -0.25, 0.5, 0.75, 1.0]


def test_a_file_and_back(tmp_path: Path) -> None:
    made = Calibration({"rm": Rank.fit([0.1, 0.7, 1 / 3]), "len": ZScore.fit([1.0, 2.0, 4.0])})
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(made.to_json()))
    assert Calibration.load(path, {"len": "zscore", "rm": "rank"}) == made
    assert Calibration.load(path, {"rm": "rank"}) == Calibration({"rm": made.scales["rm"]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "Expecting"),
        ("[]", "not a calibration of format 1"),
        ('{"format": 2, "scales": {}}', "not a calibration of format 1"),
        ('{"format": 1, "scales": {"rm": {"kind": "rank", "reference": []}}}', "the scale of 'rm' is damaged"),
        ('{"format": 1, "scales": {"rm": {"kind": "rank", "reference": [NaN]}}}', "the scale of 'rm' is damaged"),
        ('{"format": 1, "scales": {"rm": {"kind": "zscore", "mean": 0, "deviation": 0, "count": 3}}}', "damaged"),
        ('{"format": 1, "scales": {"rm": 3}}', "damaged"),
        ('{"format": 1, "scales": {"rm": {"kind": "rank", "reference": [0.5, 0.5]}}}', "rm is 0.5 on all of them"),
        ('{"format": 1, "scales": {}}', "holds nothing; the recipe calibrates rm by rank"),
        ('{"format": 1, "scales": {"rm": {"kind": "zscore", "mean": 0, "deviation": 1, "count": 3}}}',
         "holds rm by zscore; the recipe calibrates rm by rank"),
    ],
)  # fmt: skip
def test_files_that_are_refused(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected) as caught:
        Calibration.load(path, {"rm": "rank"})
    assert str(path) in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        Calibration.load(tmp_path / "no.json", {})


@pytest.mark.parametrize("kind", ["zscore", "rank"])
@pytest.mark.parametrize("reference", [[0.3, 0.1 + 0.2], [0.25, 0.25 + 1e-6, 0.25 - 4e-7, 0.25 + 7e-7]])
def test_a_reference_that_is_constant_but_for_float_residue_is_refused(
    kind: str, reference: list[float]
) -> None:
    with pytest.raises(UserError, match=r"reward\.calibrate\.rm: .* on all of them, so there is no scale"):
        fit_scale("rm", kind, list(reference))


def test_float_residue_is_a_tie() -> None:
    scale = Rank.fit([0.25, 0.25 + 4e-7, 0.25 - 4e-7, 1.0])
    assert {scale(0.25 + 4e-7), scale(0.25 - 4e-7), scale(0.25)} == {-0.25}
