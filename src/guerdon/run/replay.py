"""Rollouts read back from a run folder, equal to the objects that were written.

`read_rollouts` feeds `guerdon train --replay-rollouts RUN`: training from recordings, without generating.
`read_evaluation` gives back the answers of one evaluation. Files are checked, never trusted.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from guerdon.core.errors import DataError
from guerdon.core.types import (
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
    from_json,
)
from guerdon.run.completions import METADATA, part_column
from guerdon.run.folder import COMPLETIONS, completions_file, evaluation_file

_NEEDED = frozenset(
    {"problem_id", "index", "target", "stop", "reward", "prompt_ids", "completion_ids", "behavior_logprobs"}
    | {"completion", "evidence", "messages", "info", "group", "failures", "weights", "turns"}
)


def read_rollouts(run_folder: Path, stage: str = "grpo") -> Iterator[tuple[int, list[ScoredGroup]]]:
    """The scored groups of every step of `stage`, in order, one file at a time.

    Raises:
        DataError: nothing recorded, a step is missing, a file is damaged, or log-probs were not recorded.
    """
    steps = _recorded_steps(run_folder, stage)
    if not steps:
        raise DataError(
            f"{run_folder / COMPLETIONS}: no rollouts of stage {stage!r} to replay; "
            "was the run made with log_completions=false?"
        )
    for expected, step in enumerate(steps, start=1):
        if step != expected:
            raise DataError(
                f"{completions_file(run_folder, stage, expected)}: missing, but step {step} is there; "
                "a replay needs every step from 1 on"
            )
        yield step, read_groups(completions_file(run_folder, stage, step))


def read_evaluation(run_folder: Path, label: str) -> dict[str, list[ScoredGroup]]:
    """The scored groups of the evaluation called `label`, by mode (greedy, sampled).

    Raises:
        DataError: there is none, or its file is damaged.
    """
    found: dict[str, list[ScoredGroup]] = {}
    for mode, scored in _read_groups(evaluation_file(run_folder, label)):
        found.setdefault(mode or "sampled", []).append(scored)
    return found


def read_groups(path: Path) -> list[ScoredGroup]:
    """The scored groups of one file, in order.

    Raises:
        DataError: it is damaged, or log-probs were not recorded.
    """
    groups = [scored for _, scored in _read_groups(path)]
    _require_logprobs(path, groups)
    return groups


def _recorded_steps(run_folder: Path, stage: str) -> list[int]:
    pattern = re.compile(rf"completions_{re.escape(stage)}_(\d+)\.parquet")
    names = (pattern.fullmatch(path.name) for path in (run_folder / COMPLETIONS).glob("*.parquet"))
    return sorted(int(match[1]) for match in names if match)


def _require_logprobs(path: Path, groups: Sequence[ScoredGroup]) -> None:
    for scored in groups:
        for rollout in scored.group.rollouts:
            if any(len(turn.behavior_logprobs) != len(turn.completion_ids) for turn in rollout.turns):
                raise DataError(
                    f"{path}: problem {rollout.problem_id!r}, rollout {rollout.index}: behavior_logprobs are "
                    "missing; without the probabilities sampled from, training on them would be biased"
                )


def _read_groups(path: Path) -> list[tuple[str | None, ScoredGroup]]:
    """(mode, group) in the order written."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    missing = sorted(_NEEDED - set(table.column_names))
    if missing:
        raise DataError(f"{path}: no column {missing[0]!r}; was this file written by guerdon train?")
    try:
        found = _empty_groups(table)
        rows = table.to_pylist()
        for number, group_rows in itertools.groupby(rows, key=lambda row: row["group"]):
            several = list(group_rows)
            found[number] = (several[0].get("mode"), _group(several))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"{path}: a row cannot be read back: {type(error).__name__}: {error}") from None
    return [found[number] for number in sorted(found)]


def _empty_groups(table: pa.Table) -> dict[int, tuple[str | None, ScoredGroup]]:
    """Groups without a rollout, from the file's metadata; a file edited elsewhere may have lost it."""
    text = (table.schema.metadata or {}).get(METADATA)
    found = {}
    for item in json.loads(text)["empty_groups"] if text else ():
        failures = tuple(from_json(Failure, failure) for failure in item["failures"])
        group = RolloutGroup(problem=from_json(Problem, item["problem"]), rollouts=(), failures=failures)
        found[item["group"]] = (item["mode"], ScoredGroup(group=group, scores=()))
    return found


def _group(rows: list[dict[str, Any]]) -> ScoredGroup:
    first = rows[0]
    problem = Problem(
        id=first["problem_id"],
        messages=tuple(Message(**message) for message in first["messages"]),
        target=first["target"],
        info=json.loads(first["info"]),
    )
    failures = tuple(from_json(Failure, failure) for failure in json.loads(first["failures"]))
    turns = [_turns(row) for row in rows]
    rollouts = tuple(
        Rollout(problem_id=problem.id, index=row["index"], turns=those, stop=StopReason(row["stop"]))
        for row, those in zip(rows, turns, strict=True)
    )
    scores = tuple(_score(row, those) for row, those in zip(rows, turns, strict=True))
    return ScoredGroup(
        group=RolloutGroup(problem=problem, rollouts=rollouts, failures=failures), scores=scores
    )


@dataclass(slots=True)
class _Cursor:
    """Cuts one flat sequence into consecutive pieces; all of it must be used."""

    items: Sequence[Any]
    position: int = 0

    def take(self, count: int) -> Any:
        start, self.position = self.position, self.position + count
        if self.position > len(self.items):
            raise ValueError(f"{len(self.items)} items, but the turns count at least {self.position}")
        return self.items[start : self.position]

    def done(self) -> None:
        if self.position != len(self.items):
            raise ValueError(f"{len(self.items)} items, but the turns count {self.position}")


def _turns(row: dict[str, Any]) -> tuple[Turn, ...]:
    prompt, completion = _Cursor(tuple(row["prompt_ids"])), _Cursor(tuple(row["completion_ids"]))
    recorded = row["behavior_logprobs"] is not None
    logprobs = _Cursor(tuple(row["behavior_logprobs"] or ()))
    kept = _Cursor(tuple(tuple(ids) for ids in row.get("kept") or ()))
    truncated = row.get("kept") is not None
    text = _Cursor(row["completion"])
    turns = []
    for item in json.loads(row["turns"]):
        count = item["num_completion_ids"]
        left = kept.take(count) if truncated else ()
        turns.append(
            Turn(
                prompt_ids=prompt.take(item["num_prompt_ids"]),
                completion_ids=completion.take(count),
                behavior_logprobs=logprobs.take(count if recorded else 0),
                text=text.take(item["num_characters"]),
                kept=left if item["kept"] else None,
                agent=item["agent"],
                replies=tuple(Message(**reply) for reply in item["replies"]),
                facts=item["facts"],
                version=item["version"],
            )
        )
    for cursor in (prompt, completion, logprobs, kept, text):
        cursor.done()
    return tuple(turns)


def _score(row: dict[str, Any], turns: tuple[Turn, ...]) -> Score:
    evidence = json.loads(row["evidence"])
    parts = tuple(
        Part(
            name=name,
            value=row[part_column(name)],
            weight=weight,
            evidence=from_json(Evidence, evidence[name]),
        )
        for name, weight in json.loads(row["weights"]).items()
    )
    flat = row.get("token_values")
    if flat is None:
        return Score(value=row["reward"], parts=parts)
    values = _Cursor(tuple(flat))
    per_turn = tuple(values.take(len(turn.completion_ids)) for turn in turns)
    values.done()
    return Score(value=row["reward"], parts=parts, token_values=per_turn)
