"""The page on a reward model in a real Chromium: `pytest -m ui`."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guerdon.explain.reward_model.page import write_page
from guerdon.explain.reward_model.summary import summarise
from scored_rows import many_lists, many_pairs, rm_bench

pytestmark = pytest.mark.ui

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGS = ["--no-sandbox", "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
OPEN_ALL = "document.querySelectorAll('details').forEach((item) => { item.open = true; })"
SETTLED = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"
LOW_CONTRAST = """() => {
    const luminance = (rgb) => rgb.map((v) => v / 255)
        .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const rgb = (text) => {  // color-mix() comes as color(srgb ...), from 0 to 1
        const found = text.match(/[\\d.]+/g).map(Number);
        return text.startsWith('color') ? [...found.slice(0, 3).map((v) => 255 * v), found[3] ?? 1] : found;
    };
    const over = (top, below) => top.slice(0, 3).map((v, i) => (top[3] ?? 1) * v + (1 - (top[3] ?? 1)) * below[i]);
    const low = [];
    const selector = "h1,p,small,td,th,dt,dd,summary,.share b,.badge,.muted,.prompt,.text";
    for (const element of document.querySelectorAll(selector)) {
        if (!element.offsetParent || !element.textContent.trim()) continue;
        const layers = [];
        for (let ground = element; ; ground = ground.parentElement) {
            layers.push(rgb(getComputedStyle(ground).backgroundColor));
            if ((layers.at(-1)[3] ?? 1) === 1) break;
        }
        const ground = layers.reduceRight((below, top) => over(top, below));
        const pair = [rgb(getComputedStyle(element).color), ground].map((colour) => luminance(colour.slice(0, 3)));
        const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        if (ratio < 4.5) low.push([element.className || element.tagName, ratio]);
    }
    return low;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = many_pairs()
    summary = summarise(
        rows,
        name="a reward model",
        lists=many_lists(),
        others={"other": many_pairs(seed=3)},
        runs=[(9, rows), (90, rows)],
    )
    return write_page(
        tmp_path_factory.mktemp("page") / "rm.html", dataclasses.replace(summary, benches=(rm_bench(),))
    )


def visit(browser: Any, report: Path, width: int, scheme: str) -> tuple[Any, list[str]]:
    """The open page, and what it complained about or asked for."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request", lambda request: problems.append(request.url) if request.url != report.as_uri() else None
    )
    page.goto(report.as_uri())
    return page, problems


@pytest.mark.parametrize("width", [390, 760, 1021, 1200, 1400])
def test_opens_without_complaint_request_or_overflow(browser: Any, report: Path, width: int) -> None:
    page, problems = visit(browser, report, width, "light")
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert problems == []
    assert page.evaluate("window.hacked") is None
    assert page.locator("text=<script>window.hacked = true").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser: Any, report: Path, scheme: str) -> None:
    page, _ = visit(browser, report, 1400, scheme)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_drawn_has_a_colour_and_stays_inside(browser: Any, report: Path, scheme: str) -> None:
    page, _ = visit(browser, report, 1400, scheme)
    assert page.locator("svg.chart").count() == 9
    unseen = """[...document.querySelectorAll('svg.chart path')].filter((item) => {
        const style = getComputedStyle(item);
        return style.stroke === 'none' && style.fill === 'none';
    }).map((item) => item.getAttribute('class'))"""
    assert page.evaluate(unseen) == []
    outside = """[...document.querySelectorAll('svg.chart')].flatMap((chart) => {
        const box = chart.getBoundingClientRect();
        return [...chart.querySelectorAll('text')].filter((word) => {
            const at = word.getBoundingClientRect();
            return at.left < box.left - 1 || at.right > box.right + 8 || at.bottom > box.bottom + 1;
        }).map((word) => word.textContent);
    })"""
    assert page.evaluate(outside) == []


def test_tick_labels_do_not_touch(browser: Any, report: Path) -> None:
    page, _ = visit(browser, report, 1400, "light")
    touching = """[...document.querySelectorAll('svg.chart')].flatMap((chart) => {
        const words = [...chart.querySelectorAll('text')].map((word) => [word.textContent, word.getBoundingClientRect()]);
        return words.flatMap(([one, a], i) => words.slice(i + 1)
            .filter(([, b]) => a.left < b.right - 0.5 && b.left < a.right - 0.5)
            .filter(([, b]) => a.top < b.bottom - 2 && b.top < a.bottom - 2)
            .map(([two]) => one + ' | ' + two));
    })"""
    assert page.evaluate(touching) == []


def test_charts_tell_their_numbers_to_pointer_and_keyboard(browser: Any, report: Path) -> None:
    page, problems = visit(browser, report, 1400, "light")
    tooltip = page.locator("#tooltip")
    for index in range(9):
        chart = page.locator(f"#chart-{index} svg")
        chart.scroll_into_view_if_needed()
        chart.focus()
        page.evaluate(SETTLED)  # scrolling hides the tooltip
        page.keyboard.press("Home")
        assert tooltip.is_visible()
        assert "step" not in tooltip.inner_text()
        page.keyboard.press("Escape")
        assert tooltip.is_hidden()
    page.locator("#chart-1 svg").focus()
    page.evaluate(SETTLED)
    page.keyboard.press("End")
    assert "confidence" in tooltip.inner_text()
    assert "NaN" not in tooltip.inner_text()
    assert problems == []
