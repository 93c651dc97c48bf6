"""A realistic run folder, made in a moment: Parquet by the run's own writer, deterministic numbers."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guerdon.core.types import (
    CreditedGroup,
    Evidence,
    Failure,
    Message,
    Part,
    Problem,
    Rollout,
    RolloutGroup,
    Score,
    ScoredGroup,
    StopReason,
    Turn,
)
from guerdon.run.completions import credited_entries, evaluated_entries, write_groups

HOSTILE = (
    "<script>window.hacked = true</script></style></textarea><!-- \" ' & <img src=x onerror=window.hacked=1>"
    "\u2028line\u202eoverride\u2066isolate\x00nul\r\U000e0041tag 🦙"
)
LABELS = ("before", "after sft", "after grpo")
SKILL = {"before": 0.28, "after sft": 0.46, "after grpo": 0.68}
NUM_PROBLEMS = 200


def answer_text(first: int, second: int, answer: int | None) -> str:
    """In the layout that the format reward demands, or a ramble without an answer."""
    if answer is None:
        return f"For {first} + {second} we add the tens of {first} first, then those of"
    tens = first // 10 * 10 + second // 10 * 10
    return (
        f"<think>{first} + {second}: tens {tens}, ones {first % 10 + second % 10}, "
        f"together {answer}.</think>\n"
        f"<answer>{answer}</answer>"
    )


def scored_rollout(problem: Problem, index: int, text: str) -> tuple[Rollout, Score]:
    """Scored as the maths and format rewards would."""
    start, end = text.rfind("<answer>") + 8, text.rfind("</answer>")
    found = text[start:end] if end > 0 else None
    evidence = Evidence(note="no answer found")
    if found is not None:
        right = found == problem.target
        note = f"{found} equals the target" if right else f"{found} is not {problem.target}"
        evidence = Evidence(note=note, span=(start, end), extracted=found)
    value = float(found == problem.target)
    layout = Evidence(note="layout ok" if found is not None else "no <answer> block")
    parts = (
        Part(name="math", value=value, weight=1.0, evidence=evidence),
        Part(name="format", value=float(found is not None), weight=0.2, evidence=layout),
    )
    num_tokens = max(4, len(text) // 3)
    turn = Turn(
        prompt_ids=(1, 2, 3),
        completion_ids=tuple(range(num_tokens)),
        behavior_logprobs=(-0.5,) * num_tokens,
        text=text,
    )
    stop = StopReason.EOS if found is not None else StopReason.LENGTH
    rollout = Rollout(problem_id=problem.id, index=index, turns=(turn,), stop=stop)
    return rollout, Score(value=value + 0.2 * float(found is not None), parts=parts)


def sums(number: int) -> tuple[Problem, int, int]:
    """The `number`-th problem and its operands."""
    first, second = 12 + number * 7 % 83, 15 + number * 11 % 79
    prompt = f"Calculate {first} + {second}. Think in <think> tags, then answer in <answer> tags."
    problem = Problem(
        id=f"sum-{number:04d}", messages=(Message(role="user", content=prompt),), target=str(first + second)
    )
    return problem, first, second


def group_of(number: int, skill: float, size: int, draw: random.Random) -> ScoredGroup:
    """`size` rollouts of one problem by a policy of the given skill."""
    problem, first, second = sums(number)
    pairs = []
    for index in range(size):
        luck = draw.random()
        answer = first + second if luck < skill else first + second + draw.choice((-10, 1, 10))
        unfinished = luck > 0.5 + skill
        pairs.append(
            scored_rollout(problem, index, answer_text(first, second, None if unfinished else answer))
        )
    failures = (Failure(stage="rollout", kind="TimeoutError", message="slow"),) if number == 9 else ()
    return ScoredGroup(
        group=RolloutGroup(problem=problem, rollouts=tuple(pair[0] for pair in pairs), failures=failures),
        scores=tuple(pair[1] for pair in pairs),
    )


def hostile_group(size: int = 1) -> ScoredGroup:
    """Everything in it tries to break the page."""
    problem = Problem(
        id="sum-</script>", messages=(Message(role="user", content=HOSTILE + "?"),), target='"><b>&'
    )
    text = HOSTILE + "<answer>12</answer>"
    pairs = [scored_rollout(problem, index, text) for index in range(size)]
    return ScoredGroup(
        group=RolloutGroup(problem=problem, rollouts=tuple(pair[0] for pair in pairs)),
        scores=tuple(pair[1] for pair in pairs),
    )


def credited(scored: ScoredGroup) -> CreditedGroup:
    """With group z-scores."""
    values = [score.value or 0.0 for score in scored.scores]
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)) or 1.0
    return CreditedGroup(
        scored=scored,
        advantages_G_T=tuple(
            ((value - mean) / spread,) * rollout.num_tokens
            for value, rollout in zip(values, scored.group.rollouts, strict=True)
        ),
    )


def metrics_at(stage: str, step: int, last: int) -> dict[str, float]:
    """Plausible numbers of one step."""
    draw = random.Random(f"{stage} {step}")
    share = step / last
    noise = draw.gauss(0.0, 1.0)
    common = {
        "grad_norm": 0.9 - 0.4 * share + 0.08 * abs(noise),
        "entropy": 1.1 - 0.6 * share + 0.03 * noise,
        "learning_rate": 2e-5 * (1 - share),
        "num_tokens": 5000.0 * step,
        "memory/peak_rss_gb": 2.1 + 0.4 * min(1.0, 6 * share),
        "timing_s/forward": 0.9 + 0.05 * draw.random(),
        "timing_s/backward": 1.3 + 0.1 * draw.random(),
        "timing_s/update": 0.25,
    }
    if stage == "sft":
        loss = 0.4 + 1.6 * math.exp(-4 * share) + 0.05 * noise
        return common | {"loss": loss, "step_time": 2.5, "reward": 1.0, "signal/groups_unverifiable": 16.0}
    accuracy = min(1.0, max(0.0, 0.44 + 0.26 * (1 - math.exp(-3 * share)) + 0.05 * noise))
    layout = min(1.0, 0.72 + 0.25 * share + 0.02 * noise)
    dull = max(0.0, round(2 + noise))
    lost = float(draw.random() < 0.7 - 0.5 * share)
    return common | {
        "loss": 0.0,
        "reward": accuracy + 0.2 * layout,
        "reward_std": 0.4,
        "rewards/math/mean": accuracy,
        "rewards/math/std": 0.45,
        "rewards/format/mean": layout,
        "completions/mean_length": 46 - 9 * share + 2 * noise,
        "completions/clipped_ratio": max(0.0, 0.2 - 0.18 * share + 0.02 * noise),
        "kl": 0.02 * share + 0.001 * abs(noise),
        "signal/effective_samples": 8 * (8 - dull - lost),
        "signal/groups_learning": 8 - dull - lost,
        "signal/groups_all_right": dull,
        "signal/groups_all_wrong": lost,
        "signal/groups_truncated": 0.0,
        "timing_s/rollout": 5.2 - 1.1 * share + 0.3 * abs(noise),
        "timing_s/score": 0.06,
        "timing_s/logprobs": 0.7,
        "step_time": 8.4 - 1.1 * share,
        "cost/tokens_per_s": 560.0 + 20 * noise,
    }


def write_metrics(folder: Path, stages: Mapping[str, int]) -> None:
    """metrics.jsonl with so many steps per stage."""
    moment = 1_750_000_000.0
    with (folder / "metrics.jsonl").open("w", encoding="utf-8") as file:
        for stage, last in stages.items():
            for step in range(1, last + 1):
                metrics = metrics_at(stage, step, last)
                moment += metrics["step_time"]
                line = {"stage": stage, "step": step, "time": moment, "metrics": metrics}
                file.write(json.dumps(line) + "\n")


def write_config(folder: Path, **changes: Any) -> None:
    """config.json as a run writes it."""
    config = {
        "name": "quickstart",
        "seed": 0,
        "stages": ["sft", "grpo"],
        "model": {"source": "pypi:smollm2-135m", "dtype": "auto", "device": "auto", "lora": None},
        "data": {"train": {"kind": "arith", "num_problems": 2000, "operators": "+-"}, "eval_fraction": 0.2},
        "rollout": {"num_generations": 8, "temperature": 1.0, "max_completion_length": 96},
        "rewards": {"math": {"kind": "math", "weight": 1.0}, "format": {"kind": "format", "weight": 0.2}},
        "algorithm": {"name": "grpo", "beta": 0.02},
        "train": {"learning_rate": 2e-5, "max_steps": 90},
        "sft": {"learning_rate": 5e-5, "max_steps": 60, "batch_size": 16},
        "eval": {"num_problems": NUM_PROBLEMS, "num_samples": 8, "accuracy": "math", "format": "format"},
    }
    provenance = {
        "guerdon": "0.1.0",
        "git_commit": "0f3c2a",
        "python": "3.11.9",
        "packages": {"guerdon": "0.1.0", "pyarrow": "24.0.0", "torch": "2.13.0"},
        "machine": {"system": "Linux 6.1", "cpu": "x86-64", "num_cores": 2, "memory_gb": 8.2},
        "started": "2026-03-01T09:00:00+00:00",
    }
    folder.mkdir(parents=True, exist_ok=True)
    record = {"config": config | changes, "provenance": provenance}
    (folder / "config.json").write_text(json.dumps(record), encoding="utf-8")


def interval(values: Sequence[float]) -> dict[str, float]:
    """Mean and a normal 95 % interval."""
    mean = sum(values) / len(values)
    error = math.sqrt(sum((value - mean) ** 2 for value in values)) / len(values)
    return {"value": mean, "low": mean - 1.96 * error, "high": mean + 1.96 * error}


def write_evals(folder: Path, labels: Sequence[str] = LABELS) -> None:
    """evals.jsonl and evals/*.parquet, numbers and rollouts agreeing."""
    (folder / "evals").mkdir(exist_ok=True)
    earlier: dict[str, list[float]] | None = None
    for label in labels:
        draw = random.Random(label)
        greedy = [group_of(number, SKILL[label] + 0.06, 1, draw) for number in range(NUM_PROBLEMS)]
        greedy.insert(2, hostile_group())
        right = [float((group.scores[0].value or 0.0) >= 1.0) for group in greedy[:2] + greedy[3:]]
        sampled = [sum(draw.random() < SKILL[label] for _ in range(8)) / 8 for _ in range(NUM_PROBLEMS)]
        found = {
            "greedy_accuracy": right,
            "sampled_accuracy": sampled,
            "pass@8": [float(value > 0) for value in sampled],
            "format_rate": [min(1.0, value + 0.3) for value in sampled],
            "mean_length": [60 - 20 * value for value in sampled],
        }
        stage = label.removeprefix("after ") if label != "before" else "start"
        line: dict[str, Any] = {
            "label": label,
            "stage": stage,
            "step": {"start": 0, "sft": 60, "grpo": 90}[stage],
            "num_problems": NUM_PROBLEMS,
            "time": 41.0,
            "metrics": {name: interval(values) for name, values in found.items()},
            "per_problem": found,
        }
        if earlier is not None:
            line["changes"] = {
                name: interval([b - a for a, b in zip(earlier[name], values, strict=True)])
                for name, values in found.items()
            }
        earlier = found
        with (folder / "evals.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        path = folder / "evals" / f"{label.replace(' ', '_')}.parquet"
        write_groups(path, line["step"], evaluated_entries([("greedy", greedy)]))


def add_sets(folder: Path, sets: Sequence[str]) -> None:
    """The metrics of several sets beside those of all, as in the recipe `mixed`; some values are below 0."""
    earlier: dict[str, list[float]] = {}
    lines = [json.loads(line) for line in (folder / "evals.jsonl").read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines):
        draw = random.Random(number)
        skill = 0.3 * number
        found = {}
        for name in sets:
            for metric in ("greedy_accuracy", "sampled_accuracy", "pass@4"):
                found[f"{metric}/{name}"] = [float(draw.random() < skill) for _ in range(100)]
            found[f"sampled_value/{name}"] = [skill - 0.9 + draw.gauss(0, 0.2) for _ in range(100)]
        line["metrics"] |= {name: interval(values) for name, values in found.items()}
        if earlier:
            line["changes"] |= {
                name: interval([b - a for a, b in zip(earlier[name], values, strict=True)])
                for name, values in found.items()
            }
        earlier = found
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "evals.jsonl").write_text(text, encoding="utf-8")


def write_completions(folder: Path, steps: Sequence[int]) -> None:
    """completions/*.parquet of the GRPO stage, eight groups of eight."""
    (folder / "completions").mkdir(exist_ok=True)
    for step in steps:
        draw = random.Random(step)
        groups = [group_of(step * 8 + number, 0.45 + step / 400, 8, draw) for number in range(7)]
        path = folder / "completions" / f"completions_grpo_{step:05d}.parquet"
        write_groups(path, step, credited_entries([credited(group) for group in [*groups, hostile_group(3)]]))
