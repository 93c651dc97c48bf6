"""What benchmarks compute from their figures, and the table that README and the documentation show."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def test_an_exponent_is_that_of_the_power(module) -> None:
    figures = module("figures")
    assert figures.exponent([(x, 7 * x**1.5) for x in (1, 2, 8, 64)]) == pytest.approx(1.5)
    assert figures.slope([(0, 5), (10, 5), (20, 5)]) == 0.0
    with pytest.raises(ValueError, match="two different places"):
        figures.slope([(1, 2), (1, 3)])


def test_pictures_are_well_formed_and_have_every_name(module) -> None:
    figures = module("figures")
    bars = figures.bars(
        [figures.Bar("a < b", 0.5, 1.0, "half"), figures.Bar("c", 3.0, 1.0, "thrice")], "title"
    )
    lines = {"one": [(1, 2), (10, 20)], "two": [(1, 3), (10, 300)]}
    panels = figures.panels([figures.Panel("p", "x", lines, {"law": [(1, 1), (10, 10)]})], "title")
    flat = figures.panels([figures.Panel("p", "x", {"one": [(0, 5), (1000, 5)]}, log=False)], "title")
    for drawn in (bars, panels, flat):
        ElementTree.fromstring(drawn)
    assert all(f">{word}<" in panels for word in ("one", "two"))
    crowded = figures.panels([figures.Panel("p", "x", {"one": [(10, 1), (10.1, 2), (500, 3)]})], "title")
    assert (">10<" in crowded, ">10.1<" in crowded, ">500<" in crowded) == (True, False, True)
    assert bars.count("<rect") == 2
    assert 'class="w"' in bars  # the one below its target


def times(grown: float) -> dict[str, object]:
    """One model whose seconds grow with the batch to that power, and whose work is linear."""
    batch = [
        {"num_problems": n, "num_generations": 4, "length": 32, "seconds": n**grown, "work": 5.0 * n}
        for n in (1, 2, 4, 8)
    ]
    return {"m": {"shape": {"parameters": 100}, "sweeps": {"batch": batch, "size": batch[:1]}}}


@pytest.mark.parametrize(("grown", "holds"), [(0.9, True), (1.05, True), (1.3, False)])
def test_growth_is_held_against_theory(module, grown: float, holds: bool) -> None:
    growth = module("growth")
    both = {**times(grown), "n": {"shape": {"parameters": 1000}, "sweeps": {"size": [{"seconds": 2.0}]}}}
    batch, size = growth.fits(both)
    assert (batch["theory"], batch["measured"]) == (pytest.approx(1.0), pytest.approx(grown))
    assert batch["holds"] is holds
    assert size["measured"] == pytest.approx(math.log10(2.0))


def test_the_work_of_a_step(module) -> None:
    growth = module("growth")
    shape = {"trunk": 10, "head": 3, "layers": 2, "width": 5, "prompt": 4}
    at = {"num_problems": 1, "num_generations": 2, "length": 3}
    # fed: 4 + 2 * 2; sampled: 6; pairs of tokens: 4 * 4 / 2 + 2 * (3 * 4 + 3 * 3 / 2)
    assert growth.work(shape, at) == 8 * (10 * 8 + 3 * 6) + 16 * 5 * 2 * (8 + 2 * (12 + 4.5))


def test_imports_are_added_up_by_package(module) -> None:
    start = module("start")
    listing = "import time: self [us] | cumulative | imported package\n" + "".join(
        f"import time: {own:9} | {own:10} | {name}\n"
        for own, name in ((200, "torch"), (50, "os"), (800, "  torch.nn"))
    )
    assert start.packages(f"{listing}grpo: 0/1\n") == [("torch", 0.001), ("os", 5e-05)]


def test_the_workloads_have_their_lengths(module) -> None:
    rows_of, mixes = module("learner_rows").rows_of, module("learner_rows").MIXES
    for name, low, high in (("uniform", 256, 256), ("mixed", 32, 512), ("mixed alone", 32, 512)):
        lengths = [len(row["completion"]) for row in rows_of(mixes[name], 2, 1000)]
        assert (len(lengths), min(lengths), max(lengths)) == (16, low, high)
    tail = [len(row["completion"]) for row in rows_of(mixes["long tail"], 2, 1000)]
    assert sorted(tail)[-2:] == [1024, 1024]
    assert sorted(tail)[-3] <= 128
    prompts = {tuple(row["prompt"]) for row in rows_of(mixes["mixed"], 2, 1000)}
    alone = {tuple(row["prompt"]) for row in rows_of(mixes["mixed alone"], 2, 1000)}
    assert (len(prompts), len(alone)) == (2, 16)


def test_rows_are_read_from_what_a_benchmark_wrote(module) -> None:
    bench = module("bench")
    seconds = [{"seconds": 2.0}], [{"seconds": 8.0}], [{"seconds": 1.0}]
    found = {
        "new_tokens": 4,
        "rows": {
            size: dict(zip(("guerdon", "generate", "vllm"), seconds, strict=True)) for size in ("8", "64")
        },
    }
    rows = {row.label: row for row in bench.sampling(found)}
    assert rows["Sampling, batch 64 / generate"].value == 4.0
    assert rows["Sampling, batch 8 / vLLM"].value == 0.5
    assert rows["Sampling, batch 64 / generate"].reached is True
    assert rows["Sampling, batch 8 / vLLM"].reached is False
    arms = {
        "synchronous": {"0": {"seconds": 6.0}},
        "a": {"0": {"seconds": 5.0}},
        "b": {"0": {"seconds": 3.0}},
    }
    assert next(bench.overlap({"results": arms})) == bench.Row(
        "Overlap / synchronous loop", 2.0, 1.3, note="b"
    )
    assert bench.Row("peak", 0.3, 0.4, at_most=True).reached is True
    assert bench.Row("peak", 0.5, 0.4, at_most=True).reached is False


def test_a_benchmark_that_fails_or_lasts_too_long_says_so(module, tmp_path: Path) -> None:
    bench = module("bench")
    python = ["/bin/sh", "-c"]
    assert bench.ended([*python, "exit 0"], tmp_path, 10.0) is None
    assert "exit code 3: no data" in bench.ended([*python, "echo no data; exit 3"], tmp_path, 10.0)
    assert "not done after 0" in bench.ended([*python, "sleep 30"], tmp_path, 0.2)


def measured(module) -> dict[str, object]:
    bench = module("bench")
    rows = [bench.Row("speed", 6.0, 5.0), bench.Row("vLLM", None, note="vllm is missing")]
    about = {"cpu": "c", "features": "f", "cores": 2, "system": "s", "load_before": 0.0}
    one = {"command": "x", "seconds": 1.0, "rows": [row._asdict() for row in rows]}
    return {"machine": about, "minutes": 3.0, "benchmarks": {"grpo_step": one}}


def test_a_missing_peer_stands_in_the_table(module) -> None:
    bench = module("bench")
    shown = bench.table(measured(module), "bench.svg")
    assert "| speed | 6 | at least 5 | yes |" in shown
    assert "| vLLM (vllm is missing) | not measured |  |  |" in shown
    assert bench.picture(measured(module)).count("<rect") == 1


def test_the_table_is_published_between_the_marks(module, tmp_path: Path) -> None:
    bench = module("bench")
    (tmp_path / "docs" / "assets").mkdir(parents=True)
    for name in bench.PAGES:
        (tmp_path / name).write_text((ROOT / name).read_text())
    for _ in range(2):  # twice is once
        bench.publish(measured(module), tmp_path)
    for name in bench.PAGES:
        page = (tmp_path / name).read_text()
        assert page.count("| speed | 6 |") == 1
        assert page.count("<!-- bench:start -->") == page.count("<!-- bench:end -->") == 1
    assert (tmp_path / "docs" / "assets" / "bench.svg").exists()


def test_what_is_published_is_what_was_measured(module) -> None:
    bench = module("bench")
    results = BENCHMARKS / "results" / "bench.json"
    if not results.exists():
        for name in bench.PAGES:
            assert "No short run is committed yet" in (ROOT / name).read_text()
        return
    for name, picture_at in bench.PAGES.items():
        assert bench.table(json.loads(results.read_text()), picture_at) in (ROOT / name).read_text()


def test_the_log_takes_a_table(module, tmp_path: Path) -> None:
    log = tmp_path / "LOG.md"
    log.write_text((BENCHMARKS / "LOG.md").read_text())
    module("peers").put_between(log, "floor", "a table\n")
    assert "<!-- floor:start -->\na table\n<!-- floor:end -->" in log.read_text()
    with pytest.raises(SystemExit, match="<!-- other:start -->"):
        module("peers").put_between(log, "other", "")
