"""`guerdon prefs make`: models answer, a reward labels, answers become pairs, pairs become a file.

    problems --each model: K answers--> candidates --rubric--> labels --pairing--> pairs.jsonl

A file grows by whole batches of problems. Beside it stands FILE.state.json: what it was made from and how far it has
come; after a kill the same command goes on at the last whole batch and ends with the same bytes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guerdon.core.errors import UserError
from guerdon.core.seeds import content_hash, derive_seed
from guerdon.core.types import Json, Part, Preference, Problem, ScoredGroup, to_json
from guerdon.data.preferences.pairing import SCORE, VERDICT, Answer, Candidates, pairs_of
from guerdon.data.split import load_problems
from guerdon.models.loading import load_policy
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.durable import write_file
from guerdon.run.progress import Display
from guerdon.run.provenance import provenance
from guerdon.run.stage import InterruptedRunError

BATCH = 32
"""Problems between two states on disk."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a run of `prefs make` made."""

    path: Path
    num_pairs: int
    num_problems: int
    left_out: Counter[str]
    """What no pair was made of, by reason."""


def make_preferences(config: PreferencesRunConfig, output: Path) -> Made:
    """Make the pairs of a recipe, or go on making them.

    Args:
        config: the recipe.
        output: a JSON Lines file; it and FILE.state.json are written.

    Raises:
        UserError: the file is another recipe's, or data, model or a part of the reward cannot be used.
    """
    with Display() as display:
        return asyncio.run(add_preferences(config, output, display))


async def add_preferences(
    config: PreferencesRunConfig,
    output: Path,
    display: Display,
    *,
    interrupted: Callable[[], bool] | None = None,
) -> Made:
    """As `make_preferences`, within a run that has a display and minds Ctrl-C itself.

    Raises:
        UserError: as there.
        InterruptedRunError: the user asked to stop; all batches so far are saved.
    """
    problems = load_problems(config.data, config.seed).train[: config.num_problems]
    made = _State.open(output, config)
    if made.done >= len(problems):
        return made.made()
    rubric = Rubric.from_config(config.rubric)
    try:
        rubric.check()
        rollouters = _rollouters(config)
        display.begin("preferences", -(-len(problems) // BATCH), done=made.done // BATCH)
        for start in range(made.done, len(problems), BATCH):
            if interrupted and interrupted():
                raise InterruptedRunError(f"stopped with {made.num_pairs} preferences; they are saved")
            batch = problems[start : start + BATCH]
            made.add(await _pairs(config, rollouters, rubric, batch, made.left_out), len(batch))
            display.advance(f"{made.num_pairs} pairs")
    finally:
        rubric.close()
    return made.made()


def _rollouters(config: PreferencesRunConfig) -> dict[str, Rollouter]:
    found = {}
    for source in dict.fromkeys((config.model.source, *config.models)):
        chosen = config.model.model_copy(update={"source": source, "lora": None})
        policy = load_policy(chosen, seed=config.seed)
        found[source] = Rollouter(policy, LocalEngine(policy, max_batch_rows=config.sampling.max_batch_rows))
    return found


async def _pairs(
    config: PreferencesRunConfig,
    rollouters: dict[str, Rollouter],
    rubric: Rubric,
    problems: Sequence[Problem],
    left_out: Counter[str],
) -> list[Preference]:
    answers: dict[str, list[Answer]] = {problem.id: [] for problem in problems}
    for number, (source, rollouter) in enumerate(rollouters.items()):
        groups = rollouter.rollout(
            problems,
            config.sampling,
            num_generations=config.sampling.num_generations,
            seed=derive_seed(
                config.seed, "preferences", number
            ),  # not by source: a folder may stand elsewhere
        )
        for scored in await rubric.score(groups):
            answers[scored.group.problem.id] += _answers(scored, source, left_out)
    pairs: list[Preference] = []
    for problem in problems:
        candidates = Candidates(
            problem=_told(problem, config, answers[problem.id]),
            answers=tuple(answers[problem.id]),
            source=config.source,
            has_ties=False,  # two answers with one label: nobody compared them
        )
        pairs += pairs_of(candidates, config.pairing, seed=config.seed, left_out=left_out)
    return pairs


def _answers(scored: ScoredGroup, source: str, left_out: Counter[str]) -> Iterator[Answer]:
    """Whole answers with their labels; a cut-off one would teach that stopping anywhere is fine."""
    for rollout, score in zip(scored.group.rollouts, scored.scores, strict=True):
        if rollout.truncated or not rollout.text.strip():
            left_out["answers cut off" if rollout.truncated else "empty answers"] += 1
            continue
        ratings = {part.name: part.value for part in score.parts if part.value is not None}
        if score.value is not None:
            ratings |= {SCORE: score.value, VERDICT: float(score.value >= max(1.0, _best(score.parts)))}
        yield Answer(
            text=rollout.text,
            score=score.value,
            ratings=ratings,
            annotator=None,
            place=f"{source}#{rollout.index}",
        )


def _best(parts: Sequence[Part]) -> float:
    """The full reward of these parts."""
    return math.fsum(max(0.0, part.weight) for part in parts)


def _told(problem: Problem, config: PreferencesRunConfig, answers: Sequence[Answer]) -> Problem:
    """The problem with where its answers come from; text by hash, so that a pair says who wrote which side."""
    made: dict[str, Json] = {
        "seed": config.seed,
        "temperature": config.sampling.temperature,
        "answers": {content_hash(answer.text): answer.place for answer in answers},
    }
    kept = {key: value for key, value in problem.info.items() if key != "solution"}
    return dataclasses.replace(problem, info={**kept, "made": made})


class _State:
    """How far a file has come; the bytes beyond that are of a batch that a kill cut off."""

    def __init__(self, output: Path, digest: str) -> None:
        self.output, self.digest = output, digest
        self.done = self.num_pairs = self.size = 0
        self.left_out: Counter[str] = Counter()

    @property
    def path(self) -> Path:
        return self.output.with_name(self.output.name + ".state.json")

    @classmethod
    def open(cls, output: Path, config: PreferencesRunConfig) -> _State:
        """A new state, or that of an earlier command.

        Raises:
            UserError: the file is not this recipe's.
        """
        output.parent.mkdir(parents=True, exist_ok=True)
        state = cls(output, content_hash(config.model_dump_json()))
        if not state.path.exists():
            if output.exists():
                raise UserError(
                    f"{output}: exists, and guerdon prefs make did not begin it; choose another --output"
                )
            record = {"config": config.model_dump(mode="json"), "provenance": provenance()}
            write_file(output, b"")
            state._write(record)
            return state
        saved = json.loads(state.path.read_text(encoding="utf-8"))
        if saved["digest"] != state.digest:
            raise UserError(
                f"{output}: was begun by another recipe or with other settings; choose another --output, or delete it "
                f"and {state.path.name}"
            )
        state.done, state.num_pairs, state.size = saved["done"], saved["num_pairs"], saved["size"]
        state.left_out = Counter(saved["left_out"])
        with output.open("r+b") as file:
            file.truncate(state.size)
        return state

    def made(self) -> Made:
        """What has been made so far."""
        return Made(self.output, self.num_pairs, self.done, self.left_out)

    def add(self, pairs: Sequence[Preference], num_problems: int) -> None:
        """Append one batch, then the state: in this order, so that a state never promises what is not there."""
        data = "".join(json.dumps(to_json(pair), ensure_ascii=False) + "\n" for pair in pairs).encode()
        with self.output.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self.done += num_problems
        self.num_pairs += len(pairs)
        self.size += len(data)
        self._write({key: self._saved()[key] for key in ("config", "provenance")})

    def _saved(self) -> dict[str, Any]:
        saved: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return saved

    def _write(self, record: dict[str, Any]) -> None:
        state = {
            "digest": self.digest,
            "done": self.done,
            "num_pairs": self.num_pairs,
            "size": self.size,
            "left_out": dict(self.left_out),
        }
        write_file(self.path, (json.dumps({**state, **record}, indent=2) + "\n").encode())
