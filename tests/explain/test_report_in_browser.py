"""The report in a real Chromium: `pytest -m ui`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guerdon.explain.report import write_report
from run_folders import add_sets, write_config, write_evals, write_metrics

pytestmark = pytest.mark.ui

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Visit:
    """One page, and all that went wrong or out while it was open."""

    def __init__(self, browser: Any, report: Path, width: int, scheme: str) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(report.as_uri())

    def background(self) -> str:
        found: str = self.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return found


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
def report(finished_run: Path) -> Path:
    return write_report(finished_run)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "mixed"
    write_config(folder)
    write_metrics(folder, {"sft": 5, "grpo": 5})
    write_evals(folder)
    add_sets(folder, ("sums", "lists", "a-set-with-a-longer-name"))
    return write_report(folder)


@pytest.mark.parametrize("width", [390, 761, 1021, 1200])
def test_the_results_of_several_sets_stay_on_the_page(browser: Any, mixed: Path, width: int) -> None:
    page = Visit(browser, mixed, width, "light").page
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    # Bars of negative values stand left of their mark at 0, and not all at one end.
    offsets = """items => items.map((one) =>
        one.getBoundingClientRect().left - one.parentElement.getBoundingClientRect().left)"""
    bars = page.locator("tr", has_text="Value, lists").locator(".ibar")
    dots, zeros = (bars.locator(tag).evaluate_all(offsets) for tag in ("b", "u"))
    assert len(dots) == len(zeros) == 3
    assert dots[0] < dots[1] < dots[2] < min(zeros)


@pytest.mark.parametrize("width", [390, 760, 1400])
def test_opens_without_complaint_request_or_overflow(browser: Any, report: Path, width: int) -> None:
    visit = Visit(browser, report, width, "light")
    visit.page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert visit.page.evaluate(overflow) == 0
    assert visit.problems == []
    assert visit.requests == [report.as_uri()]


def test_script_in_model_text_does_not_run(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, 1400, "light")
    visit.page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
    assert visit.page.evaluate("window.hacked") is None
    assert visit.page.locator("text=<script>window.hacked = true").count() > 0
    # even a tag that slipped through the escaping is stopped by the content security policy
    slipped = (
        "document.body.append(document.createRange().createContextualFragment('<script>hacked = 1</script>'))"
    )
    visit.page.evaluate(slipped)
    assert visit.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in visit.problems)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_follows_the_system_and_the_button(browser: Any, report: Path, scheme: str) -> None:
    visit = Visit(browser, report, 1400, scheme)
    light, dark = "rgb(252, 251, 248)", "rgb(21, 24, 27)"
    assert visit.background() == (light if scheme == "light" else dark)
    visit.page.focus("#theme")
    visit.page.keyboard.press("Enter")
    assert visit.background() == (dark if scheme == "light" else light)
    visit.page.reload()
    assert visit.background() == (dark if scheme == "light" else light)  # remembered
    assert visit.problems == []


def test_text_has_contrast_in_both_themes(browser: Any, report: Path) -> None:
    script = """() => {
        const luminance = (rgb) => rgb.map((v) => v / 255)
            .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
        const selector = "h1,p,small,td,th,dt,dd,summary,mark,.verdict,.badge,.muted,.prompt";
        const low = [];
        for (const element of document.querySelectorAll(selector)) {
            if (!element.offsetParent || !element.textContent.trim()) continue;
            let ground = element;
            while (rgb(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
            const colours = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
            const pair = colours.map((colour) => luminance(rgb(colour).slice(0, 3)));
            const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
            if (ratio < 4.5) low.push([element.className || element.tagName, ratio]);
        }
        return low;
    }"""
    for scheme in ("light", "dark"):
        assert Visit(browser, report, 1400, scheme).page.evaluate(script) == []


def test_charts_answer_to_pointer_and_keyboard(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, 1400, "light")
    chart, tooltip = visit.page.locator("#chart-1-0 svg"), visit.page.locator("#tooltip")
    assert tooltip.is_hidden()
    chart.scroll_into_view_if_needed()
    visit.page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"
    )  # scrolling hides
    chart.hover()
    assert tooltip.is_visible()
    assert "math × 1" in tooltip.inner_text()
    visit.page.mouse.move(0, 0)
    assert tooltip.is_hidden()
    chart.focus()
    visit.page.keyboard.press("Home")
    assert "step 1\n" in tooltip.inner_text() + "\n"
    visit.page.keyboard.press("ArrowRight")
    assert "step 2\n" in tooltip.inner_text() + "\n"
    visit.page.keyboard.press("Escape")
    assert tooltip.is_hidden()


def test_terms_explain_themselves_to_the_keyboard(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, 390, "light")
    term = visit.page.locator(".results .term").first
    tip = term.locator("[role=tooltip]")
    assert tip.is_hidden()
    term.focus()
    assert tip.is_visible()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390


def test_rollouts_can_be_filtered(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, 1400, "light")
    visible = "[...document.querySelectorAll('.rollout:not([hidden])')].map((item) => item.dataset.verdict)"
    everything = visit.page.evaluate(visible)
    visit.page.click("[data-show=wrong]")
    assert visit.page.evaluate(visible) == [verdict for verdict in everything if verdict == "wrong"]
    visit.page.click("[data-show=all]")
    assert visit.page.evaluate(visible) == everything


def test_everything_can_be_read_without_script(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("h1").inner_text() == "quickstart"
    assert page.locator("svg.chart path.line").count() > 10
    assert page.locator(".filter").is_hidden()
    assert page.locator("#theme").is_hidden()
    context.close()
