"""Which pictures a summary of a reward model gets, and their words. What was not measured has none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from guerdon.explain.charts import Axes
from guerdon.explain.escape import number
from guerdon.explain.panels import Entry, Panel
from guerdon.explain.plots import Across, Column, Trace, categories, columns, traces
from guerdon.explain.read import Interval
from guerdon.explain.reward_model.measures import Histogram
from guerdon.explain.reward_model.summary import IN_CHARACTERS, IN_TOKENS, Summary
from guerdon.explain.words import amount, plain

_SIDES = {"chosen": "c1", "rejected": "c2", "open-ended": "c3", "closed": "c1"}
_MAX_BUCKETS = 8


def pictures(summary: Summary) -> list[Panel]:
    """The pictures in the order of the page."""
    found = [
        _by_length(summary),
        _reliability(summary),
        _margins(summary),
        _sides(summary),
        _endings(summary),
        _length_curve(summary),
        _best_of_gold(summary),
        _best_of_proxy(summary),
        _scaling(summary),
    ]
    return [panel for panel in found if panel is not None]


def _by_length(summary: Summary) -> Panel | None:
    kind = IN_TOKENS if IN_TOKENS in summary.slices else IN_CHARACTERS
    table, unit = summary.slices.get(kind, {}), kind.rpartition(" ")[2]
    known = [(name, item.share, item.num_decided) for name, item in table.items() if item.share][
        :_MAX_BUCKETS
    ]
    if len(known) < 2:
        return None
    shares = [share for _, share, _ in known if share]
    return Panel(
        title="Accuracy by length",
        meaning="Pairs in buckets of about equal size, by the length of the longer answer; Wilson intervals. "
        "The dashed line is chance.",
        unit="%",
        summary=f"{amount(shares[0].value, '%')} → {amount(shares[-1].value, '%')}",
        legend=(Entry("held", "accuracy, with 95 % interval"),),
        drawing=traces(
            [_level(0.5, -0.5, len(known) - 0.5), _whiskered("accuracy", list(enumerate(shares)))],
            Axes(f"Accuracy by length of the longer answer, {len(known)} buckets", "%", "always"),
            categories([name for name, _, _ in known], f"{unit} of the longer answer"),
            tips=[f"{name} {unit}, {count:,} pairs" for name, _, count in known],
        ),
    )


def _reliability(summary: Summary) -> Panel | None:
    found = summary.calibration
    if found is None:
        return None
    points = [(item.confidence, item.share) for item in found.bins]
    return Panel(
        title="Reliability",
        meaning="Stated confidence, the sigmoid of the difference, against the share of right verdicts in each bin, "
        "with Wilson intervals. On the dashed line the model is as sure as it should be; below it, too sure.",
        unit="%",
        summary=f"error {amount(found.error, '%')}",
        legend=(Entry("held", "right verdicts, with 95 % interval"),),
        drawing=traces(
            [Trace("", ((0.5, 0.5), (1.0, 1.0)), "ideal"), _whiskered("right", points)],
            Axes("Share of right verdicts against stated confidence", "%", "always"),
            Across("stated confidence", 0.5, 1.0, tuple((at / 10, f"{10 * at} %") for at in range(5, 11))),
            tips=[f"confidence {amount(item.confidence, '%')}, {item.count:,} pairs" for item in found.bins],
        ),
    )


def _margins(summary: Summary) -> Panel | None:
    found = summary.margins
    if found is None:
        return None
    middles = [(left + right) / 2 for left, right in pairwise(found.edges)]
    decided = found.counts["decided"]
    rows = [
        Column(
            "wrong", tuple(float(n) if at < 0 else 0.0 for n, at in zip(decided, middles, strict=True)), "c6"
        ),
        Column(
            "right", tuple(float(n) if at > 0 else 0.0 for n, at in zip(decided, middles, strict=True)), "c1"
        ),
    ]
    legend = [Entry("c1", "right"), Entry("c6", "wrong")]
    if "tied" in found.counts:
        rows.append(Column("ties by label", tuple(map(float, found.counts["tied"])), "c5"))
        legend.append(Entry("c5", "ties by label"))
    outside = (
        f" {found.clipped:,} lie further out and are in the columns at the ends." if found.clipped else ""
    )
    return Panel(
        title="Margins",
        meaning=f"Number of pairs by the difference in u, chosen less rejected.{outside}",
        unit="pairs",
        summary="",
        legend=tuple(legend),
        drawing=columns(
            rows,
            found.edges,
            Axes("Histogram of the differences between chosen and rejected", "", "always"),
            Across("u, chosen − rejected", found.edges[0], found.edges[-1]),
        ),
    )


def _sides(summary: Summary) -> Panel | None:
    if summary.scores is None:
        return None
    kinds = summary.scores.kinds
    gap = ""
    if "chosen" in kinds and "rejected" in kinds:
        gap = f"means {number(kinds['chosen'].mean)} and {number(kinds['rejected'].mean)}"
    return _shares("Scores", "Share of the answers of each side by score.", summary.scores.sides, gap)


def _endings(summary: Summary) -> Panel | None:
    scores = summary.scores
    if scores is None or scores.endings is None:
        return None
    distance = scores.open_closed_distance
    return _shares(
        "Scores by prompt kind",
        "Share of the answers by score, on prompts with many good answers and with one. A model that gives both the "
        "same shape has stopped to tell them apart.",
        scores.endings,
        f"distance {number(distance)}" if distance is not None else "",
    )


def _shares(title: str, meaning: str, found: Histogram, summary: str) -> Panel | None:
    rows = []
    for name, counts in found.counts.items():
        if total := sum(counts):
            rows.append(Column(name, tuple(count / total for count in counts), _SIDES[name]))
    if not rows:
        return None
    return Panel(
        title=title,
        meaning=meaning,
        unit="%",
        summary=summary,
        legend=tuple(Entry(row.colour, row.name) for row in rows),
        drawing=columns(
            rows, found.edges, Axes(title, "%", "always"), Across("score", found.edges[0], found.edges[-1])
        ),
    )


def _length_curve(summary: Summary) -> Panel | None:
    found = summary.length
    if found is None or len(found.curve) < 2:
        return None
    shown = sorted(length for length, _ in found.sample)
    reach = shown[math.ceil(0.97 * len(shown)) - 1]  # a few very long answers would squeeze all others
    curve = tuple(point for point in found.curve if point[0] <= reach)
    if len(curve) < 2:
        return None
    return Panel(
        title="Value against length",
        meaning="Dots: single answers (a sample, without the longest). Line: LOWESS, what length alone explains; it is "
        "subtracted in the corrected accuracy.",
        unit="",
        summary=f"correlation {number(found.spearman)}" if found.spearman is not None else "",
        legend=(Entry("c3", "answers"), Entry("c1", "LOWESS")),
        drawing=traces(
            [
                Trace(
                    "answer", tuple(point for point in found.sample if point[0] <= reach), "c3", is_line=False
                ),
                Trace("explained by length", curve, "c1"),
            ],
            Axes("Value of an answer against its length"),
            Across(found.unit, min(shown[0], curve[0][0]), reach),
            tips=[f"{length:,.0f} {found.unit}" for length, _ in curve],
        ),
    )


def _best_of_gold(summary: Summary) -> Panel | None:
    found = summary.best_of
    if found is None:
        return None
    worth = " A benchmark’s right answers are worth 1, the wrong ones 0." if summary.benches else ""
    numbers = range(1, len(found.gold) + 1)
    best = tuple((float(n), value) for n, value in enumerate(found.oracle, start=1))
    chance = found.gold[0].value
    return Panel(
        title="Best of n: worth",
        meaning=f"Mean worth of the answer that the model picks out of n, over {found.num_prompts:,} prompts, exact over "
        f"all subsets, with bootstrap intervals; and of the best one there is. Dashed: picking at random.{worth}",
        unit="",
        summary=f"{number(chance)} → {number(found.gold[-1].value)}",
        legend=(Entry("c1", "picked"), Entry("c3", "best there is")),
        drawing=traces(
            [
                _level(chance, 1.0, float(len(found.gold))),
                Trace("best there is", best, "c3"),
                _joined("picked", [(float(n), item) for n, item in zip(numbers, found.gold, strict=True)]),
            ],
            Axes("Worth of the picked answer against the number of answers"),
            _counting(len(found.gold)),
            tips=[f"best of {n}, KL up to {number(kl)}" for n, kl in zip(numbers, found.kl, strict=True)],
        ),
    )  # fmt: skip


def _best_of_proxy(summary: Summary) -> Panel | None:
    found = summary.best_of
    if found is None:
        return None
    points = tuple((float(n), value) for n, value in enumerate(found.proxy, start=1))
    return Panel(
        title="Best of n: u",
        meaning="Mean u of the answer that the model picks. Where it climbs and the worth does not, the model is being "
        "exploited.",
        unit="",
        summary=f"{number(found.proxy[0])} → {number(found.proxy[-1])}",
        legend=(),
        drawing=traces(
            [Trace("u", points, "c2")],
            Axes("Value u of the picked answer against the number of answers"),
            _counting(len(found.proxy)),
            tips=[f"best of {n}" for n in range(1, len(points) + 1)],
        ),
    )


def _scaling(summary: Summary) -> Panel | None:
    found = summary.scaling
    if found is None or len(found.means) < 2:
        return None
    numbers = [count for count, _ in found.means]
    low, high = math.log2(numbers[0]), math.log2(numbers[-1])
    room = 0.06 * (high - low)
    points = [(math.log2(point.num_pairs), point.share) for point in found.points]
    return Panel(
        title="Accuracy by pairs seen",
        meaning="One model as it grows: accuracy on the held-out pairs by the number of different training pairs it has "
        "seen (a list of answers counts as one); the last point is after all passes over them. Wilson intervals. The "
        "horizontal axis is logarithmic.",
        unit="%",
        summary=f"{plain(found.means[0][1], '%')} → {amount(found.means[-1][1], '%')}",
        legend=(Entry("held", "evaluation, with 95 % interval"),),
        drawing=traces(
            [
                Trace("mean", tuple((math.log2(n), mean) for n, mean in found.means), "c1"),
                _whiskered("accuracy", points),
            ],
            Axes("Accuracy against the number of training pairs seen", "%"),
            Across("training pairs seen", low - room, high + room, _sparse(numbers)),
            tips=[f"{count:,} training pairs seen" for count in numbers],
        ),
    )


def _sparse(numbers: Sequence[int]) -> tuple[tuple[float, str], ...]:
    """Ticks at the numbers themselves, leaving out those that would touch."""
    reach = math.log2(numbers[-1] / numbers[0]) or 1.0
    kept: list[int] = []
    for count in numbers:
        if not kept or math.log2(count / kept[-1]) > 0.12 * reach:
            kept.append(count)
    return tuple((math.log2(count), f"{count:,}") for count in kept)


def _counting(last: int) -> Across:
    step = max(1, math.ceil(last / 8))
    ticks = tuple((float(n), str(n)) for n in range(1, last + 1, step))
    return Across("answers to choose from (n)", 1.0, float(last), ticks)


def _level(value: float, low: float, high: float) -> Trace:
    return Trace("", ((low, value), (high, value)), "ideal")


def _whiskered(name: str, points: Sequence[tuple[float, Interval]]) -> Trace:
    """Single points with their intervals."""
    return Trace(name, _places(points), "ink", _ends(points), is_line=False)


def _joined(name: str, points: Sequence[tuple[float, Interval]]) -> Trace:
    return Trace(name, _places(points), "c1", _ends(points) if len(points) <= 16 else ())


def _places(points: Sequence[tuple[float, Interval]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(at), item.value) for at, item in points)


def _ends(points: Sequence[tuple[float, Interval]]) -> tuple[tuple[float, float], ...]:
    known = [(item.low, item.high) for _, item in points]
    return tuple(
        (low if low is not None else item.value, high if high is not None else item.value)
        for (low, high), (_, item) in zip(known, points, strict=True)
    )
