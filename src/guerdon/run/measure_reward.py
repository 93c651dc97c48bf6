"""An evaluation of reward models without training: a run's held-out pairs, any preferences, or a public benchmark.

model --loaded once--> files --scored--> pairs, lists, items --> one Summary for each model and file
several models: each summary also compares with the others on the same pairs
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from guerdon.core.errors import UserError
from guerdon.core.types import Json, Problem
from guerdon.data.preferences.pairing import Candidates
from guerdon.explain.reward_model.agreement import AgreementMatrix, agreement_matrix
from guerdon.explain.reward_model.benches import BenchResult, bench, lists_of, pairs_of
from guerdon.explain.reward_model.rows import ScoredList, ScoredPair
from guerdon.explain.reward_model.summary import Summary, summarise
from guerdon.explain.write import check_place
from guerdon.models.config import ModelConfig
from guerdon.models.hub import check_hub_name
from guerdon.models.reward import RewardModel, RewardScores, Shown
from guerdon.models.reward_loading import load_reward_model
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.critiques import with_writer
from guerdon.run.durable import write_file
from guerdon.run.folder import CONFIG, newest_model, read_config_of
from guerdon.run.progress import Display
from guerdon.run.reward_eval import RewardEvaluator
from guerdon.run.reward_files import AUTO, EvalFile, read_eval_files
from guerdon.run.reward_report import accuracy_by_pairs_seen
from guerdon.run.reward_setup import load_reward_data
from guerdon.run.reward_source import asked_of

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
    tokens_per_s: float | None
    """Read while scoring; None: not counted."""
    records: list[dict[str, Json]] = field(default_factory=list)
    """Rows for `output`."""


class _Scores(NamedTuple):
    """Scores of the answers to several problems."""

    score: list[list[float | None]]
    """None where an answer is too long to be read."""
    u: list[list[float | None]]
    tokens_per_s: float | None


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
        UserError: no such model or run, one named twice, data that cannot be used, or no place for `output`.
    """
    if output is not None:
        check_place(output, "--output")
    twice = next((source for source in sources if sources.count(source) > 1), None)
    if twice is not None:
        raise UserError(f"guerdon rm eval: {twice} is named twice; expected each model once")
    for source in sources:
        _check_source(source)
    files = read_eval_files(data, layout=layout, limit=limit) or [_held_out(sources[0], limit)]
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
    found = {summary.data: summary.matrix for summary in summaries if summary.matrix is not None}
    yield from found.items()


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
    is_run = with_runs and _run_config(source) is not None
    runs = accuracy_by_pairs_seen(Path(source).expanduser()) if is_run else []
    summary = summarise(
        here.pairs,
        name=f"{source} on {file.label}",
        version=here.version,
        lists=here.lists,
        others=others,
        runs=runs if len(runs) > 1 else (),
    )
    return dataclasses.replace(summary, data=file.label, benches=here.benches, tokens_per_s=here.tokens_per_s)


def _check_source(source: str) -> None:
    """Refuse a mistyped one before the first model is loaded.

    Raises:
        ModelError: no such run, no such folder, and nothing that the hub can be asked for.
    """
    known = source.startswith(("builtin:", "pypi:")) or source.endswith(".gguf")
    if not known and not Path(source).expanduser().exists():
        check_hub_name(source)


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
    held = load_reward_data(config).eval
    if not held:
        raise UserError(f"guerdon rm eval: {source} has no held-out pairs; name some with --data FILE")
    return EvalFile(label=HELD_OUT, pairs=held[:limit])


def _measure(model: RewardModel, source: str, file: EvalFile, display: Display) -> _Measured:
    if file.bench:
        return _measure_bench(model, source, file, display)
    evaluator = RewardEvaluator(model, file.pairs, max_tokens=MAX_TOKENS)
    display.begin(f"evaluating {file.label}", evaluator.num_ticks)
    found = evaluator.evaluate(file.label, 0, tick=display.advance)
    records = [{**item.record(), "data": file.label, "model": source} for item in found.judged]
    asked = [asked_of(one) for one in file.lists]
    _tell_missing_verdicts(model, f"{source} on {file.label}", [*map(asked_of, file.pairs), *asked], display)
    scores = _scores(model, asked, f"best of n on {file.label}", display)
    lists = [_list(one, row) for one, row in zip(file.lists, scores.u, strict=True)]
    speed = _speed(found.num_tokens, found.seconds)
    return _Measured(_told_apart(found.pairs), lists, (), model.version, speed, records)


def _measure_bench(model: RewardModel, source: str, file: EvalFile, display: Display) -> _Measured:
    asked = [
        Shown(Problem(id=f"{number}/{item.id}", messages=item.messages), item.answers)
        for number, item in enumerate(file.items)
    ]
    _tell_missing_verdicts(model, f"{source} on {file.label}", asked, display)
    scores = _scores(model, asked, f"evaluating {file.label}", display)
    pairs = [
        dataclasses.replace(
            pair,
            chosen_u=row[0],
            rejected_u=row[item.num_correct],
            chosen_tokens=model.count_tokens(pair.chosen),
            rejected_tokens=model.count_tokens(pair.rejected),
        )
        for pair, item, row in zip(
            pairs_of(file.items, scores.score, name=file.bench), file.items, scores.u, strict=True
        )
    ]
    records: list[dict[str, Json]] = [
        {**pair.record(), "scores": list(row), "data": file.label, "model": source}
        for pair, row in zip(pairs, scores.u, strict=True)
    ]
    # By u: tanh makes large ones equal, and equal scores lose.
    result = bench(file.bench).score(file.items, scores.u)
    lists = lists_of(file.items, scores.u, name=file.bench)
    return _Measured(_told_apart(pairs), lists, (result,), model.version, scores.tokens_per_s, records)


def _tell_missing_verdicts(model: RewardModel, what: str, items: Sequence[Shown], display: Display) -> None:
    """A model that learned from verdicts reads "none" where there is none: its figures are then no better than that."""
    if "verdict" not in model.reader.config.fields:
        return
    verdicts = [verdict for item in items for verdict in item.verdicts or [None] * len(item.responses)]
    if missing := verdicts.count(None):
        display.say(
            f"{what}: this reward model is shown a rule's verdict, and {missing:,} of {len(verdicts):,} responses have "
            "none (rating verdict)"
        )


def _scores(model: RewardModel, asked: Sequence[Shown], label: str, display: Display) -> _Scores:
    """Of each answer to each problem."""
    started = time.perf_counter()
    scored: list[RewardScores] = []
    if asked:
        display.begin(label, -(-len(asked) // CHUNK_ITEMS))
    for start in range(0, len(asked), CHUNK_ITEMS):
        scored += model.score(asked[start : start + CHUNK_ITEMS], max_tokens=MAX_TOKENS)
        display.advance()
    speed = _speed(sum(one.num_tokens for one in scored), time.perf_counter() - started)
    return _Scores(
        [[_known(value) for value in one.score_B.tolist()] for one in scored],
        [[_known(value) for value in one.u_B.tolist()] for one in scored],
        speed,
    )


def _speed(num_tokens: int, seconds: float) -> float | None:
    return num_tokens / seconds if num_tokens and seconds > 0 else None


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
