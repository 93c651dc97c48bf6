"""Samples of the policy that a reward model will judge: the health of its scores is measured on them. Torch-free.

    held-out prompts --backbone, once, before it learns--> RUN/samples.jsonl     the SFT checkpoint is the reference policy
    eval.samples = FILE                                --> RUN/samples.jsonl     of another policy

The file has the columns that `guerdon score` reads, so the samples of one run can be those of another.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.core.errors import DataError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import Json, Preference, Problem, to_json
from guerdon.data.config import JsonlConfig, ParquetConfig
from guerdon.rewards.pool import Request
from guerdon.rewards.references import prompt_key
from guerdon.run.config_reward import RewardEvalConfig
from guerdon.run.durable import write_file
from guerdon.run.score_rows import read_items

if TYPE_CHECKING:
    from guerdon.models.reward import RewardModel

SAMPLES = "samples.jsonl"
"""Of a run folder."""


def read_samples(path: str) -> list[Request]:
    """Responses by prompt, in the order of the file.

    Raises:
        DataError: no such file, no row, or one that cannot be used.
    """
    config = ParquetConfig(path=path) if path.endswith(".parquet") else JsonlConfig(path=path)
    found: dict[str, Request] = {}
    for item in read_items(config, "completion"):
        if item.request is None:
            raise DataError(f"{path}: {item.note}")
        problem, texts = item.request.problem, item.request.texts
        key = prompt_key(problem)
        known = found.get(key)
        found[key] = Request(problem=problem, texts=known.texts + texts if known else texts)
    if not found:
        raise DataError(f"{path}: no rows; expected prompt and completion")
    return list(found.values())


def named_samples(config: RewardEvalConfig) -> list[Request]:
    """Those of the file that the recipe names; none where it names none.

    Raises:
        DataError: the file cannot be used.
    """
    try:
        return read_samples(config.samples) if config.samples else []
    except DataError as error:
        raise DataError(f"eval.samples: {str(error).removeprefix('data: ')}") from None


def open_samples(
    config: RewardEvalConfig, folder: Path, model: RewardModel, pairs: Sequence[Preference], *, seed: int
) -> list[Request]:
    """The samples of this run, written to its folder before the first step; none where nobody can write them.

    Args:
        config: where they come from.
        folder: of the run.
        model: before it has learned anything: its trunk is the reference policy.
        pairs: held-out preferences, whose prompts are answered.
        seed: of the sampling.

    Raises:
        DataError: the recipe's file cannot be used.
    """
    path = folder / SAMPLES
    if not path.exists():
        found = named_samples(config) or _sampled(
            config, model, prompts_of(pairs, config.num_sample_prompts), seed
        )
        write_file(path, "".join(f"{json.dumps(row)}\n" for one in found for row in _rows(one)).encode())
    return read_samples(str(path)) if path.stat().st_size else []


def prompts_of(pairs: Sequence[Preference], count: int) -> list[Problem]:
    """The first different prompts, open-ended and closed ones in turn while there are both."""
    different = {prompt_key(pair.problem): pair.problem for pair in reversed(pairs)}.values()
    kinds = [[one for one in reversed(different) if one.is_open_ended is kind] for kind in (True, False)]
    mixed = (one for both in itertools.zip_longest(*kinds) for one in both if one is not None)
    return list(itertools.islice(mixed, count))


def can_write(model: RewardModel) -> bool:
    """Whether the backbone is a policy: no encoder, and no reward model, whose words nobody trained."""
    return not model.encoder and model.version == "untrained"


def _sampled(
    config: RewardEvalConfig, model: RewardModel, problems: Sequence[Problem], seed: int
) -> list[Request]:
    from guerdon.rollout.config import SamplingConfig
    from guerdon.rollout.local import LocalEngine
    from guerdon.rollout.rollouter import Rollouter

    if not problems or not can_write(model):
        return []
    groups = Rollouter(model.trunk, LocalEngine(model.trunk)).rollout(
        problems,
        SamplingConfig(max_completion_length=config.max_completion_length),
        num_generations=config.num_generations,
        seed=derive_seed(seed, "samples"),
    )
    return [
        Request(problem=group.problem, texts=tuple(rollout.text for rollout in group.rollouts))
        for group in groups
        if group.rollouts  # a prompt may leave no room for an answer
    ]


def _rows(request: Request) -> list[dict[str, Json]]:
    problem = request.problem
    target: dict[str, Json] = {} if problem.target is None else {"target": problem.target}
    asked: dict[str, Json] = {
        "prompt": to_json(problem.messages),
        **target,
        "open_ended": problem.is_open_ended,
    }
    return [{**asked, "completion": text} for text in request.texts]
