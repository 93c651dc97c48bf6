from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from guerdon.explain.charts import HEIGHT, WIDTH, Axes, Series, Whisker, areas, bars, lines, nice_ticks
from guerdon.explain.curves import Curve, CurveBuilder


def curve(*values: float) -> Curve:
    builder = CurveBuilder()
    for step, value in enumerate(values, start=1):
        builder.add(step, value)
    return builder.curve()


def text_of(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (-3.2, 0.4), (5.0, 5.0), (0.0, 0.0), (1e-7, 3e-7), (0.0, 4e9), (-1e-300, 0.0)],
)
def test_ticks_enclose_the_data_and_are_few(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low + 1e-12
    assert ticks[-1] >= high - 1e-12
    assert 2 <= len(ticks) <= 5
    assert list(ticks) == sorted(set(ticks))


def test_a_share_is_ticked_in_percent() -> None:
    assert text_of(lines([Series("a", curve(0.0, 0.5, 1.0))], Axes("a", "%")).svg)[:5] == [
        "0",
        "25",
        "50",
        "75",
        "100",
    ]


def test_nothing_at_all_lies_on_the_bottom_line() -> None:
    assert text_of(lines([Series("a", curve(0.0, 0.0))], Axes("a")).svg)[:2] == ["0", "0.25"]


def test_ticks_of_a_narrow_range_can_be_told_apart() -> None:
    shown = text_of(lines([Series("a", curve(4.5712, 4.5748))], Axes("a")).svg)[:5]
    assert shown == ["4.571", "4.572", "4.573", "4.574", "4.575"]


def test_the_highest_value_is_drawn_at_the_top() -> None:
    drawing = lines([Series("a", curve(0.0, 1.0))], Axes("a"))
    path = ElementTree.fromstring(drawing.svg).find("path[@class='line c1']")
    assert path is not None
    points = [tuple(map(float, point.split())) for point in path.attrib["d"][1:].split("L")]
    # the plot spans x 42..372 and y 172 (value 0) .. 10 (value 1)
    assert points == [(42.0, 172.0), (372.0, 10.0)]
    assert drawing.data["t"] == [1, 2]


def test_negative_layers_are_stacked_below_zero() -> None:
    layers = [Series("a", curve(2.0, 2.0), "c1"), Series("b", curve(-1.0, -1.0), "c2")]
    drawing = areas(layers, Axes("sum"), Series("total", curve(1.0, 1.0), "ink"))
    found = re.findall(r'class="area (c\d)" d="M([^Z]*)Z"', drawing.svg)
    heights = {colour: [float(point.split()[1]) for point in path.split("L")] for colour, path in found}
    zero = max(heights["c1"])
    assert min(heights["c2"]) == zero  # b hangs from the zero line
    assert max(heights["c2"]) > zero


def test_everything_stays_inside_the_drawing() -> None:
    shown = [
        lines([Series("a", curve(1e9, -1e9, 5.0))], Axes("a"), [Whisker(0, 0.0, -2e9, 2e9)]),
        bars([Series("a", curve(1.0)), Series("b", curve(0.0))], Axes("b")),
        lines([Series("a", curve(0.0))], Axes("c")),
    ]
    for drawing in shown:
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", drawing.svg):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT


def test_names_cannot_break_out_of_the_label() -> None:
    svg = lines([Series("a", curve(1.0))], Axes('x" onload="alert(1)')).svg
    assert ElementTree.fromstring(svg).attrib["aria-label"] == 'x" onload="alert(1)'
