"""Scales that make parts comparable: fitted once on reference rollouts, then numbers in a file.

Plain Python twins of `zscore` and `rank_scale` in functional/calibrate.py, which need torch; only that these never make
a scale of float residue.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guerdon.core.errors import ConfigError, UserError
from guerdon.core.types import Json

FORMAT = 1
RESIDUE = 1e-5
"""Values within this share of max(1, their size) are equal: one text's float32 score differs by as much between batches."""


@dataclass(frozen=True, slots=True)
class ZScore:
    """Standard deviations above the mean of the reference."""

    mean: float
    deviation: float
    count: int
    kind: str = "zscore"

    @classmethod
    def fit(cls, reference: Sequence[float]) -> ZScore:
        """Of reference values.

        Raises:
            ValueError: they are all equal, float residue aside.
        """
        _refuse_constant(reference)
        mean = math.fsum(reference) / len(reference)
        variance = math.fsum((value - mean) ** 2 for value in reference) / len(reference)
        return cls(mean, math.sqrt(variance), len(reference))

    def __call__(self, value: float) -> float:
        """The z-score.

        >>> ZScore.fit([0.0, 2.0])(3.0)
        2.0
        """
        return (value - self.mean) / self.deviation

    def to_json(self) -> dict[str, Json]:
        """Its numbers."""
        return {"kind": self.kind, "mean": self.mean, "deviation": self.deviation, "count": self.count}


@dataclass(frozen=True, slots=True)
class Rank:
    """Share of the reference below minus share above, in [-1, 1]."""

    reference: tuple[float, ...]
    """Sorted."""
    kind: str = "rank"

    @classmethod
    def fit(cls, reference: Sequence[float]) -> Rank:
        """Of reference values.

        Raises:
            ValueError: they are all equal, float residue aside.
        """
        _refuse_constant(reference)
        return cls(tuple(sorted(reference)))

    @property
    def count(self) -> int:
        """Reference values."""
        return len(self.reference)

    def __call__(self, value: float) -> float:
        """The rank; ties count half, and float residue is a tie.

        >>> Rank.fit([2.0, 0.0, 1.0])(1.0)
        0.0
        """
        residue = RESIDUE * max(1.0, abs(value))
        below = bisect.bisect_left(self.reference, value - residue)
        upto = bisect.bisect_right(self.reference, value + residue)
        return (below + upto) / len(self.reference) - 1.0

    def to_json(self) -> dict[str, Json]:
        """Its numbers."""
        return {"kind": self.kind, "reference": list(self.reference)}


Scale = ZScore | Rank


@dataclass(frozen=True, slots=True)
class Calibration:
    """The scales of a rubric, by part."""

    scales: Mapping[str, Scale]

    def to_json(self) -> Json:
        """JSON that `from_json` reads."""
        return {"format": FORMAT, "scales": {name: scale.to_json() for name, scale in self.scales.items()}}

    @classmethod
    def from_json(cls, data: Any) -> Calibration:
        """The inverse of `to_json`.

        Raises:
            ValueError: not such JSON, or of another format.
        """
        if (
            not isinstance(data, dict)
            or data.get("format") != FORMAT
            or not isinstance(data.get("scales"), dict)
        ):
            raise ValueError(f"not a calibration of format {FORMAT}")
        return cls({name: _scale(name, numbers) for name, numbers in data["scales"].items()})

    @classmethod
    def load(cls, path: str | Path, kinds: Mapping[str, str]) -> Calibration:
        """From a file, for these parts and kinds; scales of parts that were left out are, too.

        Raises:
            ConfigError: no such file, no calibration, or not of all these parts.
        """
        place = Path(path).expanduser()
        try:
            found = cls.from_json(json.loads(place.read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigError(f"reward.calibration: {place}: cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise ConfigError(f"reward.calibration: {place}: {error}") from None
        held = {name: scale.kind for name, scale in found.scales.items()}
        if any(held.get(name) != kind for name, kind in kinds.items()):
            raise ConfigError(
                f"reward.calibration: {place} holds {_listed(held)}; the recipe calibrates {_listed(kinds)}"
            )
        return cls({name: found.scales[name] for name in kinds})


def fit_scale(name: str, kind: str, values: Sequence[float | None]) -> Scale:
    """The scale of one part, from its values on the reference rollouts.

    Raises:
        UserError: they are too few or too equal to tell anything.
    """
    known = [value for value in values if value is not None]
    where = f"reward.calibrate.{name}"
    if not values:
        raise UserError(
            f"{where}: no route leads a training problem to {name}; remove the key, or give such problems"
        )
    if len(known) < 2:
        raise UserError(
            f"{where}: {name} has a value on {len(known)} of {len(values)} reference rollouts; needs two"
        )
    try:
        return Rank.fit(known) if kind == "rank" else ZScore.fit(known)
    except ValueError as error:
        raise UserError(
            f"{where}: {len(known)} reference rollouts: {name} {error}; take more rollouts, or remove the key"
        ) from None


def _scale(name: str, numbers: Any) -> Scale:
    try:
        if numbers["kind"] == "rank":
            reference = [_number(value) for value in numbers["reference"]]
            if reference:
                return Rank.fit(reference)
        elif numbers["kind"] == "zscore" and _number(numbers["deviation"]) > 0.0:
            return ZScore(_number(numbers["mean"]), _number(numbers["deviation"]), int(numbers["count"]))
    except (KeyError, TypeError):
        pass
    except ValueError as error:
        raise ValueError(
            f"the scale of {name!r} is none: {name} {error}; make it from other rollouts"
        ) from None
    raise ValueError(f"the scale of {name!r} is damaged")


def _refuse_constant(reference: Sequence[float]) -> None:
    if max(reference) - min(reference) <= RESIDUE * max(1.0, *map(abs, reference)):
        raise ValueError(f"is {reference[0]:.4g} on all of them, so there is no scale in it")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _listed(kinds: Mapping[str, str]) -> str:
    return ", ".join(f"{name} by {kind}" for name, kind in sorted(kinds.items())) or "nothing"
