"""A proxy reward against reference responses to the same prompt: what makes hacking it pay less. Torch-free.

    value --contrast | par--> --length--> --clip--> what enters the reward          in the order that the recipe says

Each step moves the references along with the response, so a later step compares like with like. Plain Python twins of
`contrast`, `preference_as_reward` and `smoothed` in functional/calibrate.py, which need torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Literal, NamedTuple

from guerdon.core.errors import UserError

ShapingName = Literal["contrast", "par", "length", "clip"]


class Sample(NamedTuple):
    """A response as the proxy sees it."""

    value: float
    length: int
    """Tokens."""


Step = Callable[[Sample, Sequence[Sample]], float]
"""A response and the references to its prompt, to the response's new value."""


def contrast(sample: Sample, references: Sequence[Sample]) -> float:
    """Above the mean reference (arXiv:2403.07708).

    >>> contrast(Sample(2.0, 1), [Sample(0.0, 1), Sample(1.0, 1)])
    1.5
    """
    return sample.value - math.fsum(item.value for item in references) / len(references)


def par(sample: Sample, references: Sequence[Sample]) -> float:
    """Preference as reward (arXiv:2502.18770), in [-1, 1]: chance to beat a reference minus chance to lose.

    >>> par(Sample(1.0, 1), [Sample(1.0, 1)])
    0.0
    """
    chances = (_sigmoid(sample.value - item.value) for item in references)
    return 2.0 * math.fsum(chances) / len(references) - 1.0


class Clip:
    """Within [-bound, bound]."""

    def __init__(self, bound: float) -> None:
        self.bound = bound

    def __call__(self, sample: Sample, references: Sequence[Sample]) -> float:
        """As `Step`."""
        return min(self.bound, max(-self.bound, sample.value))


class _At(NamedTuple):
    """What the samples of one length weigh together."""

    number: int
    """Of those that weigh anything."""
    weight: float
    value: float
    """Sum of their values, each times its weight."""


class LengthCurve:
    """What length alone explains in the references of many prompts, by LOWESS; taken off the value."""

    def __init__(self, samples: Sequence[Sample], *, span: float = 0.5, num_robust: int = 3) -> None:
        """Fit the curve.

        Args:
            samples: the references.
            span: share of the samples near each length that its line is fitted to.
            num_robust: how often it is fitted again, with less weight on samples that lie far off.
        """
        self._near = min(len(samples), max(2, int(span * len(samples) + 1e-10)))
        self._values: dict[int, list[float]] = {}
        for sample in sorted(samples, key=lambda sample: sample.length):
            self._values.setdefault(sample.length, []).append(sample.value)
        self._at = {length: _At(len(row), len(row), math.fsum(row)) for length, row in self._values.items()}
        self._curve = {length: at.value / at.weight for length, at in self._at.items()}
        self._refit()
        for _ in range(num_robust):
            self._at = self._robust()
            self._refit()

    def __call__(self, sample: Sample, references: Sequence[Sample]) -> float:
        """As `Step`."""
        return sample.value - self.expected(sample.length)

    def expected(self, length: int) -> float:
        """The curve. A length that no reference had is none that they say anything about: the nearest end's value.

        >>> LengthCurve([Sample(0.1 * n, n) for n in range(5)], span=1.0).expected(9)
        0.4
        """
        inside = min(max(length, min(self._values)), max(self._values))
        if inside not in self._curve:
            nearest = min(self._values, key=lambda other: abs(other - inside))
            self._curve[inside] = self._line(inside, self._curve[nearest])
        return round(self._curve[inside], 12)

    def _refit(self) -> None:
        self._curve = {length: self._line(length, before) for length, before in self._curve.items()}

    def _robust(self) -> dict[int, _At]:
        """Samples by the bisquare of how far off the curve they are, in sixths of the median."""
        off = {length: [abs(v - self._curve[length]) for v in row] for length, row in self._values.items()}
        scale = 6 * median(one for row in off.values() for one in row)
        found = {}
        for length, row in off.items():
            trust = [(1 - min(1.0, one / scale) ** 2) ** 2 if scale else float(one == 0) for one in row]
            value = math.fsum(w * v for w, v in zip(trust, self._values[length], strict=True))
            found[length] = _At(sum(weight > 1e-12 for weight in trust), math.fsum(trust), value)
        return found

    def _line(self, length: int, before: float) -> float:
        """The local line at a length; `before` where fewer than two samples near it weigh anything."""
        weighed = [
            (other, weight, self._at[other]) for other, weight in self._tricube(length) if weight > 1e-12
        ]
        if sum(at.number for _, _, at in weighed) < 2:
            return before
        total = math.fsum(weight * at.weight for _, weight, at in weighed)
        x = math.fsum(weight * at.weight * other for other, weight, at in weighed) / total
        y = math.fsum(weight * at.value for _, weight, at in weighed) / total
        spread = math.fsum(weight * at.weight * (other - x) ** 2 for other, weight, at in weighed)
        if spread <= 1e-12 * total:
            return y
        rise = math.fsum(weight * (other - x) * (at.value - y * at.weight) for other, weight, at in weighed)
        return y + rise / spread * (length - x)

    def _tricube(self, length: int) -> list[tuple[int, float]]:
        """Lengths and their weights by how near they are; 0 beyond the nearest samples."""
        apart = sorted((abs(other - length), other) for other in self._values)
        reach, seen = 0.0, 0
        for distance, other in apart:
            seen += len(self._values[other])
            if seen >= self._near:
                reach = distance * (1 + 1e-9)
                break
        if reach == 0.0:  # so many of this length that there is no line, only their mean
            return [(length, 1.0)]
        return [(other, (1.0 - min(1.0, distance / reach) ** 3) ** 3) for distance, other in apart]


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(min(-value, 700.0)))


class Chain:
    """The steps of one reward model's part."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)

    @classmethod
    def fit(cls, names: Iterable[ShapingName], rows: Sequence[Sequence[Sample]], *, clip: float) -> Chain:
        """Build the steps; those that need statistics take them from the references of many prompts.

        Args:
            names: the steps in order.
            rows: the references of each prompt.
            clip: bound of the step `clip`.

        Raises:
            UserError: no references.
        """
        if not rows or not all(rows):
            raise UserError("shaping: no reference responses to compare with; expected at least one a prompt")
        now = [tuple(row) for row in rows]
        steps: list[Step] = []
        for name in names:
            step: Step
            match name:
                case "contrast":
                    step = contrast
                case "par":
                    step = par
                case "length":
                    step = LengthCurve([sample for row in now for sample in row])
                case "clip":
                    step = Clip(clip)
            steps.append(step)
            now = [_moved(step, row) for row in now]
        return cls(steps)

    def __call__(self, sample: Sample, references: Sequence[Sample]) -> float:
        """The shaped value of a response, given the references to its prompt."""
        around = tuple(references)
        for step in self.steps:
            sample = sample._replace(value=step(sample, around))
            around = _moved(step, around)
        return sample.value


def _moved(step: Step, references: tuple[Sample, ...]) -> tuple[Sample, ...]:
    return tuple(item._replace(value=step(item, references)) for item in references)
