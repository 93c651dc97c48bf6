"""A proxy reward against reference responses to the same prompt: what makes hacking it pay less. Torch-free.

    value --contrast | par--> --length--> --clip--> what enters the reward          in the order that the recipe says

Each step moves the references along with the response, so a later step compares like with like. Plain Python twins of
`contrast`, `preference_as_reward` and `smoothed` in functional/calibrate.py, which need torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
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


class LengthCurve:
    """What length alone explains in the references of many prompts, by LOWESS; taken off the value."""

    def __init__(self, samples: Sequence[Sample], *, span: float = 0.5) -> None:
        """`span`: share of the samples near each length that its line is fitted to."""
        self._samples = sorted(samples, key=lambda sample: sample.length)
        self._near = min(len(samples), max(2, round(span * len(samples))))
        self._found: dict[int, float] = {}

    def __call__(self, sample: Sample, references: Sequence[Sample]) -> float:
        """As `Step`."""
        return sample.value - self.expected(sample.length)

    def expected(self, length: int) -> float:
        """The curve. A length that no reference had is none that they say anything about: the nearest end's value.

        >>> LengthCurve([Sample(0.1 * n, n) for n in range(5)], span=1.0).expected(9)
        0.4
        """
        inside = min(max(length, self._samples[0].length), self._samples[-1].length)
        if inside not in self._found:
            self._found[inside] = round(_local_line(self._nearest(inside), inside), 12)
        return self._found[inside]

    def _nearest(self, length: int) -> list[tuple[Sample, float]]:
        """Samples and their tricube weights."""
        apart = sorted(abs(sample.length - length) for sample in self._samples)
        reach = apart[self._near - 1] * (1 + 1e-9)
        if reach == 0.0:  # so many of this length that there is no line, only their mean
            return [(sample, 1.0) for sample in self._samples if sample.length == length]
        shares = ((sample, abs(sample.length - length) / reach) for sample in self._samples)
        return [(sample, (1.0 - share**3) ** 3) for sample, share in shares if share < 1.0]


def _local_line(weighed: Sequence[tuple[Sample, float]], length: int) -> float:
    total = math.fsum(weight for _, weight in weighed)
    x = math.fsum(weight * sample.length for sample, weight in weighed) / total
    y = math.fsum(weight * sample.value for sample, weight in weighed) / total
    spread = math.fsum(weight * (sample.length - x) ** 2 for sample, weight in weighed)
    if spread <= 1e-12 * total:
        return y
    rise = math.fsum(weight * (sample.length - x) * (sample.value - y) for sample, weight in weighed)
    return y + rise / spread * (length - x)


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
