from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from guerdon.core.errors import UserError
from guerdon.core.types import ScoredGroup
from guerdon.explain.examples import BUDGET
from guerdon.explain.report import report_html, write_report
from guerdon.run.completions import credited_entries, write_groups
from run_folders import HOSTILE, credited, hostile_group, metrics_at, write_config

VOID = {"meta", "input", "br", "img", "link", "hr"}


class Outline(HTMLParser):
    """Tags in order, whether they nest, and the text of every script."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and tag not in {"path", "line", "circle"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.words.append(data)

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


@pytest.fixture(scope="module")
def html(finished_run: Path) -> str:
    return report_html(finished_run)


def test_the_page_is_well_formed_and_whole(html: str) -> None:
    outline = Outline(html)
    assert outline.open == []
    ids = outline.attributes("id")
    assert len(ids) == len(set(ids))
    assert set(outline.attributes("aria-labelledby")) <= set(ids)
    words = " ".join(outline.words)
    headings = ["Held-out results", "SFT curves", "GRPO curves", "The same problem, before and after"]
    places = [words.index(heading) for heading in [*headings, "Training rollouts", "Resolved recipe"]]
    assert places == sorted(places)
    assert "Sampled accuracy rose from" in words
    assert all(title in words for title in ("Reward", "Accuracy", "KL", "Entropy", "Time by station"))


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    outline = Outline(html)
    assert "://" not in html.replace("file://", "")
    for name in ("src", "href", "action", "srcset"):
        assert outline.attributes(name) == []
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_hostile_text_stays_text(html: str) -> None:
    outline = Outline(html)
    assert [tag for tag, _ in outline.tags].count("script") == 2  # the chart data and our own
    assert not [name for _, attrs in outline.tags for name in attrs if name.startswith("on")]
    assert "img" not in {tag for tag, _ in outline.tags}
    assert "<script>window.hacked" in "".join(outline.words)  # it is there, to be read
    assert not set(html) & set("\x00\r\u2028\u202e\u2066\U000e0041")


def test_hostile_names_everywhere_stay_text(fresh_run: Path) -> None:
    name = HOSTILE + "\ud800"
    write_config(
        fresh_run,
        name=name,
        rewards={name: {"weight": 1.0}, "math": {name: name}},
        model={"source": name},
        algorithm=[name],
        train={name: {name: [name]}},
    )
    metrics = {"reward": 1.0, f"rewards/{name}/mean": 1.0, f"timing_s/{name}": 1.0, f"signal/{name}": 1.0}
    lines = [
        json.dumps({"stage": stage, "step": 1, "time": 1.0, "metrics": metrics}) for stage in (name, "grpo")
    ]
    (fresh_run / "metrics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    line = {"label": name, "stage": name, "metrics": {name: {"value": 1, "low": 0, "high": 2}}}
    (fresh_run / "evals.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    text = write_report(fresh_run).read_text(encoding="utf-8")
    outline = Outline(text)
    assert outline.open == []
    assert [tag for tag, _ in outline.tags].count("script") == 2
    assert not set(text) & set("\x00\u2028\u202e\u2066")
    json.loads(outline.scripts[0])


def test_the_numbers_behind_the_charts_are_there(html: str) -> None:
    data: dict[str, Any] = json.loads(Outline(html).scripts[0])
    ids = set(Outline(html).attributes("id"))
    assert set(data) <= ids
    rewards = [chart for chart in data.values() if [row["n"] for row in chart["s"]][-1:] == ["reward"]]
    (reward,) = rewards
    assert [row["n"] for row in reward["s"]] == ["math × 1", "format × 0.2", "reward"]
    assert reward["t"] == list(range(1, 91))
    maths, layout, total = (row["v"] for row in reward["s"])
    assert [m + f for m, f in zip(maths, layout, strict=True)] == pytest.approx(total, abs=1e-3)


def test_supervised_steps_show_no_reward(html: str) -> None:
    # metrics.jsonl holds a constant reward of 1 for them: worked solutions are not rewarded
    start, end = html.index('id="stage-0"'), html.index('id="stage-1"')
    charts = re.findall(r'<figure.*?class="term"[^>]*>([^<]+)<', html[start:end])
    assert charts == ["Loss", "Entropy", "Learning rate", "Gradient norm", "Time by station", "Peak memory"]


def test_the_evidence_is_highlighted_with_its_reason(html: str) -> None:
    assert re.search(
        r'&lt;answer&gt;<mark title="math: (\d+) equals the target">\1</mark>&lt;/answer&gt;', html
    )


def test_a_run_that_has_just_begun_has_a_page(fresh_run: Path) -> None:
    text = report_html(fresh_run)
    assert Outline(text).open == []
    assert "No step has been recorded yet." in text
    assert "This run is not finished: no step is recorded." in text


def test_an_unfinished_run_says_how_far_it_got(fresh_run: Path) -> None:
    record = {"stage": "grpo", "step": 12, "time": 5.0, "metrics": metrics_at("grpo", 12, 90)}
    text = json.dumps(record) + "\n" + '{"stage": "grpo", "st'
    (fresh_run / "metrics.jsonl").write_text(text, encoding="utf-8")
    html = report_html(fresh_run)
    assert "This run is not finished: GRPO step 12 of 90." in html
    assert "half-written" in html
    assert Outline(html).open == []


def test_a_finished_run_has_no_notices(html: str) -> None:
    assert 'class="notices"' not in html


def test_writing_replaces_in_one_step(fresh_run: Path) -> None:
    (fresh_run / "report.html").write_text("old", encoding="utf-8")
    path = write_report(fresh_run)
    assert path == fresh_run / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(item.name for item in fresh_run.iterdir()) == ["config.json", "report.html"]


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    fresh_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fresh_run / "report.html").write_text("old", encoding="utf-8")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_report(fresh_run)
    assert (fresh_run / "report.html").read_text(encoding="utf-8") == "old"
    assert not list(fresh_run.glob(".partial-*"))


def test_no_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        write_report(tmp_path / "nowhere")


def test_huge_hostile_rollouts_keep_the_page_small(fresh_run: Path) -> None:
    (fresh_run / "completions").mkdir()
    group: ScoredGroup = hostile_group(8)
    for step in (1, 2, 3):
        path = fresh_run / "completions" / f"completions_grpo_{step:05d}.parquet"
        write_groups(path, step, credited_entries([credited(group)] * 8))
        swell(path, "\u202e" * 20_000)
    assert len(report_html(fresh_run)) < BUDGET + 400_000


def swell(path: Path, text: str) -> None:
    """Put `text` into every completion."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    column = pa.array([text] * table.num_rows)
    pq.write_table(table.set_column(table.schema.get_field_index("completion"), "completion", column), path)


@pytest.mark.slow
def test_fifty_thousand_steps_fit_into_three_megabytes(fresh_run: Path) -> None:
    metrics = metrics_at("grpo", 5, 90)
    with (fresh_run / "metrics.jsonl").open("w", encoding="utf-8") as file:
        for step in range(1, 50_001):
            varied = {name: value * (1 + (step * 7919 % 997) / 997) for name, value in metrics.items()}
            record = {"stage": "grpo", "step": step, "time": float(step), "metrics": varied}
            file.write(json.dumps(record) + "\n")
    path = write_report(fresh_run)
    assert path.stat().st_size < 3_000_000
