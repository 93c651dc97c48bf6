"""Rollouts as Parquet: one row a completion, TRL's columns first, then all that rebuilds the objects exactly.

    step prompt completion <part>... advantage | problem_id ... evidence | messages info ... token_values
    '---- as TRL writes and tools expect ----'   '-- per token, why --'   '-- what replay needs besides --'

Open it with pandas, DuckDB or `datasets`; nothing is pickled. Structured leftovers (`evidence`, `info`,
`turns`, `weights`, `failures`) are JSON text. The token lists run over all turns of a rollout; `turns` says
how many belong to each. A group of which no rollout is left has no row: it stands in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from guerdon.core.types import (
    CreditedGroup,
    Message,
    Part,
    Rollout,
    RolloutGroup,
    Score,
    ScoredGroup,
    Turn,
    to_json,
)
from guerdon.run.durable import TEMPORARY, place_file

METADATA = b"guerdon"
_IDS = pa.list_(pa.int32())
_FLOATS = pa.list_(pa.float64())  # behavior log-probs are replayed bit for bit: no float32
_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_HEAD = {"step": pa.int64(), "prompt": pa.string(), "completion": pa.string()}
_CREDIT = {"advantage": pa.float64(), "advantages": _FLOATS}
_BODY = {
    "problem_id": pa.string(),
    "index": pa.int64(),
    "target": pa.string(),
    "stop": pa.string(),
    "version": pa.int64(),
    "reward": pa.float64(),
    "prompt_ids": _IDS,
    "completion_ids": _IDS,
    "behavior_logprobs": _FLOATS,
    "evidence": pa.string(),
    "messages": _MESSAGES,
    "info": pa.string(),
    "group": pa.int64(),
    "failures": pa.string(),
    "weights": pa.string(),
    "turns": pa.string(),
    "kept": pa.list_(_IDS),
    "token_values": _FLOATS,
}
RESERVED = frozenset({*_HEAD, *_CREDIT, *_BODY, "mode"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One group as it goes into a file."""

    scored: ScoredGroup
    advantages_G_T: tuple[tuple[float, ...], ...] | None = None
    """None in an evaluation, which credits nothing."""
    mode: str | None = None
    """greedy or sampled, in an evaluation."""


def write_groups(path: Path, step: int, entries: Sequence[Entry]) -> None:
    """Write one file, atomically.

    Raises:
        OSError: nothing was written.
    """
    rows = [row for number, entry in enumerate(entries) for row in _rows(step, number, entry)]
    table = pa.Table.from_pylist(rows, schema=_schema(entries))
    partial = path.with_name(TEMPORARY + path.name)
    try:
        pq.write_table(table, partial, compression="zstd")
        place_file(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def credited_entries(credited: Sequence[CreditedGroup]) -> list[Entry]:
    """The groups of one training step."""
    return [Entry(group.scored, group.advantages_G_T) for group in credited]


def evaluated_entries(groups: Sequence[tuple[str, Sequence[ScoredGroup]]]) -> list[Entry]:
    """The groups of one evaluation, by mode."""
    return [Entry(scored, mode=mode) for mode, several in groups for scored in several]


def part_column(name: str) -> str:
    """The column of a reward part: its own name, unless that is taken by one of ours.

    >>> part_column("math"), part_column("reward")
    ('math', 'rewards/reward')
    """
    return f"rewards/{name}" if name in RESERVED else name


def prompt_text(messages: Sequence[Message]) -> str:
    r"""What was asked, for reading: a lone user message as it is, a conversation with its roles.

    >>> prompt_text([Message(role="system", content="Be brief."), Message(role="user", content="1+1?")])
    'system: Be brief.\n\nuser: 1+1?'
    """
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)


def _schema(entries: Sequence[Entry]) -> pa.Schema:
    names = dict.fromkeys(
        part.name for entry in entries for score in entry.scored.scores for part in score.parts
    )
    columns = {**_HEAD, **{part_column(name): pa.float64() for name in names}}
    evaluation = any(entry.mode is not None for entry in entries)
    columns |= {"mode": pa.string()} if evaluation else _CREDIT
    empty = [
        {
            "group": number,
            "mode": entry.mode,
            "problem": to_json(entry.scored.group.problem),
            "failures": to_json(entry.scored.group.failures),
        }
        for number, entry in enumerate(entries)
        if not entry.scored.group.rollouts
    ]
    return pa.schema(columns | _BODY, metadata={METADATA: json.dumps({"format": 1, "empty_groups": empty})})


def _rows(step: int, number: int, entry: Entry) -> Iterator[dict[str, Any]]:
    group = entry.scored.group
    shared = {"step": step, "mode": entry.mode, "group": number, **_problem_columns(group)}
    for position, (rollout, score) in enumerate(zip(group.rollouts, entry.scored.scores, strict=True)):
        row = {**shared, **_rollout_columns(rollout), **_score_columns(score)}
        if entry.advantages_G_T is not None:
            advantages = entry.advantages_G_T[position]
            row["advantages"] = advantages
            row["advantage"] = sum(advantages) / len(advantages) if advantages else 0.0
        yield row


def _problem_columns(group: RolloutGroup) -> dict[str, Any]:
    problem = group.problem
    return {
        "prompt": _text(prompt_text(problem.messages)),
        "problem_id": _text(problem.id),
        "target": None if problem.target is None else _text(problem.target),
        "messages": [{"role": item.role, "content": _text(item.content)} for item in problem.messages],
        "info": _json(problem.info),
        "failures": _json(group.failures),
    }


def _rollout_columns(rollout: Rollout) -> dict[str, Any]:
    turns = rollout.turns
    complete = all(len(turn.behavior_logprobs) == len(turn.completion_ids) for turn in turns)
    return {
        "completion": _text(rollout.text),
        "index": rollout.index,
        "stop": rollout.stop.value,
        "version": turns[-1].version if turns else None,
        "prompt_ids": [token for turn in turns for token in turn.prompt_ids],
        "completion_ids": [token for turn in turns for token in turn.completion_ids],
        "behavior_logprobs": [value for turn in turns for value in turn.behavior_logprobs]
        if complete
        else None,
        "kept": _kept(turns),
        "turns": _json(
            [
                {
                    "num_prompt_ids": len(turn.prompt_ids),
                    "num_completion_ids": len(turn.completion_ids),
                    "num_characters": len(turn.text),
                    "kept": turn.kept is not None,
                    "agent": turn.agent,
                    "version": turn.version,
                    "replies": turn.replies,
                    "facts": turn.facts,
                }
                for turn in turns
            ]
        ),
    }


def _kept(turns: Sequence[Turn]) -> list[tuple[int, ...]] | None:
    if all(turn.kept is None for turn in turns):
        return None
    return [
        ids
        for turn in turns
        for ids in (((),) * len(turn.completion_ids) if turn.kept is None else turn.kept)
    ]


def _score_columns(score: Score) -> dict[str, Any]:
    tokens = score.token_values
    return {
        "reward": score.value,
        **{part_column(part.name): part.value for part in score.parts},
        "weights": _json({part.name: part.weight for part in score.parts}),
        "evidence": _json({part.name: _evidence(part) for part in score.parts}),
        "token_values": None if tokens is None else [value for turn in tokens for value in turn],
    }


def _evidence(part: Part) -> dict[str, Any]:
    return {"note": part.evidence.note, "span": part.evidence.span, "extracted": part.evidence.extracted}


def _json(value: object) -> str:
    text = json.dumps(to_json(value), ensure_ascii=False)
    return text if _encodable(text) else json.dumps(to_json(value))


def _text(text: str) -> str:
    """Parquet holds UTF-8: half a surrogate pair, which JSON input can smuggle in, becomes "?"."""
    return text if _encodable(text) else text.encode("utf-8", "replace").decode("utf-8")


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
