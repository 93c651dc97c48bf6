"""An evaluation of reward models without training: a run's held-out pairs, any preferences, or a public benchmark.

model --loaded once--> files --scored--> pairs, lists, items --> one Summary for each model and file
several models: each summary also compares with the others on the same pairs
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guerdon.core.errors import UserError
from guerdon.core.types import Json, Problem
from guerdon.data.preferences.pairing import Candidates
from guerdon.data.preferences.split import load_preferences
from guerdon.explain.reward_model.agreement import AgreementMatrix, agreement_matrix
from guerdon.explain.reward_model.benches import BenchResult, bench, pairs_of
from guerdon.explain.reward_model.rows import ScoredList, ScoredPair, pair_from
from guerdon.explain.reward_model.summary import Summary, summarise
from guerdon.models.config import ModelConfig
from guerdon.models.reward import RewardModel, Shown
from guerdon.models.reward_loading import load_reward_model
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.critiques import with_writer
from guerdon.run.durable import write_file
from guerdon.run.folder import CONFIG, newest_model, read_config_of
from guerdon.run.progress import Display
from guerdon.run.reward_eval import RewardEvaluator
from guerdon.run.reward_files import AUTO, EvalFile, read_eval_file
from guerdon.run.reward_report import accuracy_by_pairs_seen

MAX_TOKENS = 4096
"""Token budget of one forward pass."""
CHUNK_ITEMS = 8
"""Prompts between two ticks of the progress bar, where each has several answers."""
HELD_OUT = "held out"


@dataclass(frozen=True, slots=True)
class _Measured:
    """One model on one file."""

    pairs: list[ScoredPair]
    lists: list[ScoredList]
    benches: tuple[BenchResult, ...]
    version: str
    records: list[dict[str, Json]] = field(default_factory=list)
    """Rows for `output`."""


def measure_reward_models(
    sources: Sequence[str],
    *,
    data: Sequence[str] = (),
    layout: str = AUTO,
    limit: int | None = None,
    output: Path | None = None,
) -> list[Summary]:
    """Score every answer with every model and say who wins.

    Args:
        sources: reward models' folders or hub names, or run folders of `guerdon rm train`.
        data: files of preferences or of a benchmark; none: the first run's held-out pairs.
        layout: of the files; `auto` goes by their columns.
        limit: at most so many rows of each.
        output: where the scored pairs go, as JSON Lines.

    Returns:
        What was measured, file by file, and of each file model by model in the order given.

    Raises:
        UserError: no such model or run, one named twice, or data that cannot be used.
    """
    twice = next((source for source in sources if sources.count(source) > 1), None)
    if twice is not None:
        raise UserError(f"guerdon rm eval: {twice} is named twice; expected each model once")
    files = [read_eval_file(path, layout=layout, limit=limit) for path in data] or [
        _held_out(sources[0], limit)
    ]
    found: dict[tuple[str, str], _Measured] = {}
    with Display() as display:
        for source in sources:  # one model in memory at a time
            model = with_writer(load_reward_model(ModelConfig(source=str(_model_of(source)))))
            for file in files:
                found[source, file.label] = _measure(model, source, file, display)
    if output is not None:
        rows = [json.dumps(record) for item in found.values() for record in item.records]
        write_file(output, "".join(f"{row}\n" for row in rows).encode())
    summaries = []
    for file in files:
        matrix = agreement_matrix({source: found[source, file.label].pairs for source in sources})
        for source in sources:
            summary = _summary(source, file, sources, found, with_runs=not data)
            summaries.append(dataclasses.replace(summary, matrix=matrix))
    return summaries


def matrices_of(summaries: Sequence[Summary]) -> Iterator[tuple[str, AgreementMatrix]]:
    """(file, how far the models agree on it), once for each file."""
    seen = set()
    for summary in summaries:
        label = summary.name.rpartition(" on ")[2]
        if summary.matrix is not None and label not in seen:
            seen.add(label)
            yield label, summary.matrix


def _summary(
    source: str,
    file: EvalFile,
    sources: Sequence[str],
    found: dict[tuple[str, str], _Measured],
    *,
    with_runs: bool,
) -> Summary:
    here = found[source, file.label]
    others = {other: found[other, file.label].pairs for other in sources if other != source}
    config = _run_config(source) if with_runs else None
    runs = accuracy_by_pairs_seen(Path(source).expanduser(), config) if config else []
    summary = summarise(
        here.pairs,
        name=f"{source} on {file.label}",
        version=here.version,
        lists=here.lists,
        others=others,
        runs=runs if len(runs) > 1 else (),
    )
    return dataclasses.replace(summary, benches=here.benches)


def _run_config(source: str) -> RewardRunConfig | None:
    folder = Path(source).expanduser()
    is_run = (folder / CONFIG).is_file() and (folder / "checkpoints").is_dir()
    return read_config_of(RewardRunConfig, folder) if is_run else None


def _model_of(source: str) -> Path | str:
    return newest_model(Path(source).expanduser()) if _run_config(source) else source


def _held_out(source: str, limit: int | None) -> EvalFile:
    config = _run_config(source)
    if config is None:
        raise UserError(
            f"guerdon rm eval: {source} is no run folder, so it has no held-out pairs; name some with --data FILE"
        )
    return EvalFile(label=HELD_OUT, pairs=load_preferences(config.data, config.seed).eval[:limit])


def _measure(model: RewardModel, source: str, file: EvalFile, display: Display) -> _Measured:
    if file.bench:
        return _measure_bench(model, source, file, display)
    evaluator = RewardEvaluator(model, file.pairs, max_tokens=MAX_TOKENS)
    display.begin(f"evaluating {file.label}", evaluator.num_ticks)
    judged = evaluator.evaluate(file.label, 0, tick=display.advance).judged
    records = [{**item.record(), "data": file.label, "model": source} for item in judged]
    pairs = [
        pair_from(record, f"{file.label}, pair {number}") for number, record in enumerate(records, start=1)
    ]
    asked = [(one.problem, tuple(answer.text for answer in one.answers)) for one in file.lists]
    scores = _scores(model, asked, f"best of n on {file.label}", display)
    lists = [_list(one, [u for _, u in row]) for one, row in zip(file.lists, scores, strict=True)]
    return _Measured(_told_apart(pairs), lists, (), model.version, records)


def _measure_bench(model: RewardModel, source: str, file: EvalFile, display: Display) -> _Measured:
    asked = [
        (Problem(id=f"{number}/{item.id}", messages=item.messages), item.answers)
        for number, item in enumerate(file.items)
    ]
    scores = _scores(model, asked, f"evaluating {file.label}", display)
    # Unsquashed: tanh makes large ones equal, and equal scores lose.
    values = [[u for _, u in row] for row in scores]
    squashed = pairs_of(file.items, [[score for score, _ in row] for row in scores], name=file.bench)
    pairs = [
        dataclasses.replace(pair, chosen_u=row[0], rejected_u=row[item.num_correct])
        for pair, item, row in zip(squashed, file.items, values, strict=True)
    ]
    records: list[dict[str, Json]] = [
        {**pair.record(), "scores": list(row), "data": file.label, "model": source}
        for pair, row in zip(pairs, values, strict=True)
    ]
    result = bench(file.bench).score(file.items, values)
    return _Measured(_told_apart(pairs), [], (result,), model.version, records)


def _scores(
    model: RewardModel, asked: Sequence[tuple[Problem, tuple[str, ...]]], label: str, display: Display
) -> list[list[tuple[float | None, float | None]]]:
    """(score, u) of each answer to each problem; None where it is too long to be read."""
    found: list[list[tuple[float | None, float | None]]] = []
    if asked:
        display.begin(label, -(-len(asked) // CHUNK_ITEMS))
    for start in range(0, len(asked), CHUNK_ITEMS):
        items = [Shown(problem, answers) for problem, answers in asked[start : start + CHUNK_ITEMS]]
        for scores in model.score(items, max_tokens=MAX_TOKENS):
            both = zip(scores.score_B.tolist(), scores.u_B.tolist(), strict=True)
            found.append([(_known(score), _known(u)) for score, u in both])
        display.advance()
    return found


def _list(one: Candidates, values: Sequence[float | None]) -> ScoredList:
    return ScoredList(
        id=one.problem.id,
        scores=tuple(values),
        gold=tuple(answer.score for answer in one.answers),
        source=one.source,
        prompt="\n".join(message.content for message in one.problem.messages),
    )


def _told_apart(pairs: Sequence[ScoredPair]) -> list[ScoredPair]:
    """The pairs under names of their own, as comparing models needs: many data sets name prompts, not pairs."""
    seen: dict[str, int] = {}
    found = []
    for pair in pairs:
        count = seen[pair.id] = seen.get(pair.id, 0) + 1
        found.append(pair if count == 1 else dataclasses.replace(pair, id=f"{pair.id} #{count}"))
    return found


def _known(value: float) -> float | None:
    return None if value != value else value
