"""The run report: one self-contained HTML file from what a run folder says.

    read_run() -> verdict, results, curves per stage, rollouts, recipe -> page() -> report.html

It may be written at any time, also while the run goes on. Its size does not depend on the run's length.
"""

from __future__ import annotations

from pathlib import Path

from guerdon.core.types import Json
from guerdon.explain.escape import number, visible
from guerdon.explain.examples import comparisons, training_rollouts
from guerdon.explain.figure import figure
from guerdon.explain.page import folded, heading, page, section
from guerdon.explain.panels import panels
from guerdon.explain.read import REWARD_MODEL, Run, Stage, read_run
from guerdon.explain.rollouts import compare, training_steps
from guerdon.explain.tables import metric_numbers, provenance, recipe, results
from guerdon.explain.words import (
    duration,
    first_and_last,
    label_name,
    run_is_finished,
    stage_name,
    verdict,
)
from guerdon.explain.write import replace_file

REPORT = "report.html"


def write_report(run_folder: Path) -> Path:
    """Write `report.html` into a run folder, replacing an older one in one step.

    Returns:
        The path of the report.

    Raises:
        UserError: not a run folder, or the report cannot be written.
    """
    return replace_file(run_folder / REPORT, report_html(run_folder))


def report_html(run_folder: Path) -> str:
    """The report as text.

    Raises:
        UserError: not a run folder.
    """
    run = read_run(run_folder)
    notices = list(run.notices)
    charts: dict[str, Json] = {}
    examples = comparisons(compare(run, notices), run.accuracy_part)
    steps = training_steps(run, notices)
    rollouts = training_rollouts(steps, run.accuracy_part)
    name = str(run.setting("name") or run_folder.name)
    said = verdict(run)
    body = [
        heading(name, said),
        _notices(run, notices),
        "<main>",
        _facts(run),
        section("results", "Held-out results", results(run.evals)),
        _reward_model(run),
        *(_stage_section(run, index, charts) for index in range(len(run.stages))),
        section("examples", "The same problem, before and after", examples),
        section("rollouts", "Training rollouts", (_filter() if steps else "") + rollouts),
        section("recipe", "Recipe", _recipe(run)),
        "</main>",
        '<div id="tooltip" role="status" aria-live="polite" hidden></div>',
    ]
    return page(title=f"{name}: run report", description=said, body="".join(body), charts=charts)


def _notices(run: Run, notices: list[str]) -> str:
    sentences = list(dict.fromkeys(notices))[:20]
    if not run_is_finished(run):
        progress = [_progress(stage) for stage in run.stages] or ["no step is recorded"]
        sentences.insert(0, f"This run is not finished: {', '.join(progress)}.")
    items = "".join(f"<p>{visible(text)}</p>" for text in sentences)
    return f'<aside class="notices" aria-label="Notices">{items}</aside>' if items else ""


def _progress(stage: Stage) -> str:
    planned = f" of {stage.planned_steps:,}" if stage.planned_steps else ""
    return f"{label_name(stage.name)} step {stage.last_step:,}{planned}"


def _facts(run: Run) -> str:
    train = run.setting("data", "train")
    kind = train.get("kind") if isinstance(train, dict) else None
    machine = run.provenance.get("machine")
    cores = machine.get("num_cores") if isinstance(machine, dict) else None
    stages = ", ".join(f"{stage_name(stage.name)} {stage.last_step:,} steps" for stage in run.stages)
    parts = ", ".join(f"{name} × {number(weight)}" for name, weight in run.weights.items() if weight)
    facts = {
        "Model": run.setting("model", "source"),
        "Data": kind,
        "Algorithm": run.setting("algorithm", "name"),
        "Rewards": parts,
        "Training": stages,
        "Time in training": duration(sum(stage.seconds for stage in run.stages)) if run.stages else None,
        "Machine": f"{cores} cores" if cores else None,
        "Started": str(run.provenance.get("started") or "")[:16].replace("T", " "),
    }
    rows = "".join(
        f"<div><dt>{label}</dt><dd>{visible(str(value)[:160])}</dd></div>"
        for label, value in facts.items()
        if value
    )
    return f'<dl class="facts-strip">{rows}</dl>'


def _stage_section(run: Run, number: int, charts: dict[str, Json]) -> str:
    stage = run.stages[number]
    figures = []
    for index, panel in enumerate(panels(run, stage)):
        anchor = f"chart-{number}-{index}"
        charts[anchor] = panel.drawing.data
        figures.append(figure(anchor, panel))
    lead = (
        f'<p class="lead">{stage.last_step:,} steps in {duration(stage.seconds)}. '
        "Dots: single steps; lines: moving averages. Horizontal axis: step.</p>"
    )
    numbers = folded("All metrics as numbers", metric_numbers(stage))
    title = f"{visible(stage_name(stage.name))} curves"
    return section(f"stage-{number}", title, f'{lead}<div class="charts">{"".join(figures)}</div>{numbers}')


def _reward_model(run: Run) -> str:
    """What the reward model that the run trained for itself is worth."""
    if not run.reward_evals:
        return ""
    link = (
        f'<p class="lead">Trained on pairs of this run\'s own answers; <a href="{REWARD_MODEL}/{REPORT}">its own report'
        "</a> has the pictures.</p>"
    )
    shown = first_and_last(run.reward_evals)
    table = results(shown, over="held-out pairs", intervals="Wilson")
    return section("reward-model", "Reward model", link + table)


def _filter() -> str:
    options = (
        ("all", "all", "true"),
        ("right", "right", "false"),
        ("wrong", "wrong", "false"),
        ("length", "cut off", "false"),
        ("unverified", "not verified", "false"),
    )
    buttons = "".join(
        f'<button type="button" data-show="{value}" aria-pressed="{pressed}">{label}</button>'
        for value, label, pressed in options
    )
    return (
        '<p class="lead">First, middle and last recorded step. Colour and number at the left: the advantage, '
        "what each rollout taught; highlighted: the text a verdict rests on.</p>"
        f'<div class="filter" role="group" aria-label="Show rollouts" hidden>{buttons}</div>'
    )


def _recipe(run: Run) -> str:
    return folded("Resolved recipe", recipe(run)) + folded(
        "Where it ran: code, packages, machine", provenance(run)
    )
