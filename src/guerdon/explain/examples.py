"""HTML of rollouts: one problem before and after training, and the rollouts of three training steps.

Everything here was written by a model or comes from a dataset: it goes through escape.py, always.
"""

from __future__ import annotations

from collections.abc import Sequence

from guerdon.explain.escape import Mark, attribute, marked, number, visible
from guerdon.explain.rollouts import Answer, Comparison, Comparisons, Group, PartView, TrainingStep
from guerdon.explain.words import label_name, stage_name

BUDGET = 1_200_000
"""Bytes of training rollouts on the page; the rest is counted, not shown."""
_KINDS = {
    "gained": ("wrong → right", "good"),
    "lost": ("right → wrong", "bad"),
    "wrong": ("wrong → wrong", ""),
    "right": ("right → right", ""),
}
_STOPS = {"eos": "ended by itself", "stop_string": "stop string", "length": "cut off"}
_STRONG = 1.5
"""Advantage whose colour is the full one."""


def comparisons(found: Comparisons | None, part: str) -> str:
    """The same problems answered by each evaluated model, side by side."""
    if found is None:
        return '<p class="empty">No problem has been answered by two evaluated models yet.</p>'
    counts = found.counts
    lead = (
        f"Of {sum(counts.values()):,} held-out problems ({visible(found.mode)} answers), "
        f"{counts['gained']:,} went from wrong to right and {counts['lost']:,} from right to wrong; "
        f"{counts['right']:,} stayed right, {counts['wrong']:,} stayed wrong. Shown: the first few of each "
        "kind in file order, not picked by hand."
    )
    return f'<p class="lead">{lead}</p>' + "".join(_comparison(item, part) for item in found.shown)


def training_rollouts(steps: Sequence[TrainingStep], part: str) -> str:
    """Step by step, problem by problem; each rollout opens on demand."""
    if not steps:
        return '<p class="empty">No training rollouts were recorded.</p>'
    room = BUDGET
    blocks = []
    for position, step in enumerate(steps):
        share = room // (len(steps) - position)
        block = _step(step, part, share, "open" if position == len(steps) - 1 else "")
        room -= len(block)
        blocks.append(block)
    return "".join(blocks)


def _comparison(found: Comparison, part: str) -> str:
    label, mood = _KINDS[found.kind]
    first = found.answers[0][1]
    columns = "".join(
        f"<section><h4>{visible(stage_name(name))} {_verdict(answer, part)}</h4>"
        f"{_answer_body(answer)}</section>"
        for name, answer in found.answers
    )
    return (
        f'<article class="comparison"><header><span class="badge {mood}">{label}</span>'
        f"{_problem(first)}</header>"
        f'<div class="columns">{columns}</div></article>'
    )


def _problem(answer: Answer) -> str:
    target = (
        f'<span class="target">Answer: <b>{visible(answer.target[:200])}</b></span>' if answer.target else ""
    )
    return f'<div class="prompt" dir="auto">{marked(answer.prompt)}</div>{target}'


def _step(step: TrainingStep, part: str, room: int, state: str) -> str:
    blocks: list[str] = []
    size = 0
    for group in step.groups:
        block = _group(group, part)
        if blocks and size + len(block) > room:
            break
        blocks.append(block)
        size += len(block)
    shown = (
        f"{len(blocks)} of {step.num_groups} problems"
        if len(blocks) < step.num_groups
        else f"{step.num_groups} problems"
    )
    return (
        f'<details class="step" {state}><summary>'
        f"<b>{visible(label_name(step.stage))}, step {step.step:,}</b> "
        f'<span class="muted">{shown}</span></summary>{"".join(blocks)}</details>'
    )


def _group(group: Group, part: str) -> str:
    left = group.num_answers - len(group.answers)
    rest = (
        f'<p class="note">{left} more rollouts of this problem are in the Parquet file.</p>' if left else ""
    )
    failures = "".join(f'<p class="failure">{visible(text[:300])}</p>' for text in group.failures[:3])
    rows = "".join(_rollout(answer, part) for answer in group.answers)
    head = f"<header>{_problem(group.answers[0])}</header>"
    return f'<section class="group">{head}{failures}{rows}{rest}</section>'


def _rollout(answer: Answer, part: str) -> str:
    strength, side = _advantage_colour(answer.advantage)
    right = {True: "right", False: "wrong", None: "unverified"}[answer.is_right(part)]
    first_words = " ".join(answer.text[:160].split())[:90]
    advantage = "–" if answer.advantage is None else _signed(answer.advantage)
    return (
        f'<details class="rollout {side}" style="--strength:{strength:.0f}%" data-verdict="{right}" '
        f'data-stop="{attribute(answer.stop[:40])}"><summary>'
        f'<span class="advantage" title="advantage, mean over tokens">{advantage}</span>'
        f'{_verdict(answer, part)}<span class="words" dir="auto">{visible(first_words)}</span>'
        f'<span class="muted">{_facts(answer)}</span></summary>{_answer_body(answer)}</details>'
    )


def _verdict(answer: Answer, part: str) -> str:
    right = answer.is_right(part)
    if right is None:
        return '<span class="verdict none" title="could not be verified">?</span>'
    return '<span class="verdict yes">right</span>' if right else '<span class="verdict no">wrong</span>'


def _facts(answer: Answer) -> str:
    stop = _STOPS.get(answer.stop, answer.stop[:40])
    facts = [f"{answer.num_tokens:,} tokens" if answer.num_tokens is not None else "", stop]
    return visible(" · ".join(fact for fact in facts if fact))


def _answer_body(answer: Answer) -> str:
    marks = [Mark(*item.span, f"{item.name}: {item.note}") for item in answer.parts if item.span]
    text = marked(answer.text, marks)
    if not answer.text.strip():
        what = f"{len(answer.text):,} characters, all blank" if answer.text else "empty"
        text = f'<span class="gap">({what})</span>'
    rows = "".join(_part_row(item) for item in answer.parts)
    reward = f'<tr class="sum"><th scope="row">reward</th><td>{number(answer.reward)}</td><td></td></tr>'
    return (
        f'<div class="text" dir="auto">{text}</div>'
        f'<table class="parts"><tbody>{rows}{reward if answer.parts else ""}</tbody></table>'
        f'<p class="muted facts">{_facts(answer)}</p>'
    )


def _part_row(item: PartView) -> str:
    value = "not verified" if item.value is None else f"{number(item.value)} × {number(item.weight)}"
    note = visible(item.note[:300])
    if item.extracted is not None and item.extracted not in item.note:
        note += f' <span class="muted">read:</span> <code>{visible(item.extracted[:120])}</code>'
    return (
        f'<tr><th scope="row">{visible(item.name[:80])}</th><td>{value}</td><td dir="auto">{note}</td></tr>'
    )


def _signed(value: float) -> str:
    text = f"{value:+.2f}".replace("-", "−")
    return text[1:] if text[1:] == "0.00" else text


def _advantage_colour(advantage: float | None) -> tuple[float, str]:
    if advantage is None or advantage == 0:
        return 0.0, "zero"
    return 25 + 75 * min(1.0, abs(advantage) / _STRONG), "up" if advantage > 0 else "down"
