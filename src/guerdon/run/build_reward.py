"""The composition root of a reward model: a `RewardRunConfig` to a trained model, its evaluations and its records.

preferences --source--> judged groups --pack--> passes --RewardLearner--> weights     the same loop, run/loop.py
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guerdon.core.errors import DataError, UserError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import CreditedGroup, Json, Preference, Sink
from guerdon.data.feed import Feed
from guerdon.data.preferences.split import PreferenceSplit, load_preferences
from guerdon.models.reward import RewardModel, Shown
from guerdon.models.reward_loading import load_reward_model
from guerdon.run.checkpoint import Checkpoint, CheckpointStore
from guerdon.run.config import RunOptions
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.critiques import with_writer
from guerdon.run.durable import write_file
from guerdon.run.folder import EVALUATIONS, RunFolder
from guerdon.run.keeper import Keeper
from guerdon.run.loop import train
from guerdon.run.opening import interrupts, open_folder
from guerdon.run.progress import Display
from guerdon.run.reward_eval import RewardEvaluation, RewardEvaluator
from guerdon.run.reward_source import PreferenceSource, shown_pair
from guerdon.run.sinks import open_sinks
from guerdon.run.stage import Stage, StageSettings
from guerdon.train import algorithms
from guerdon.train.config import AlgorithmConfig
from guerdon.train.reward import RewardBatch, RewardLearner, pack_rewards

STAGE = "rm"
NUM_REFERENCE = 64
"""Training pairs whose responses set level and scale of the scores, in every evaluation and in what is saved."""


@dataclass(frozen=True, slots=True)
class RewardRunResult:
    """Where a finished run left its things."""

    folder: Path
    model: Path
    """The trained reward model."""
    evals: tuple[Mapping[str, Json], ...]


@dataclass(frozen=True, slots=True)
class _Settled:
    """A reward model that is written with level and scale as they are on reference responses."""

    model: RewardModel
    reference: Sequence[Shown]
    max_tokens: int

    def save(self, folder: Path) -> None:
        """As `RewardModel.save`."""
        with self.model.settled(self.reference, max_tokens=self.max_tokens):
            self.model.save(folder)


class CollapseError(UserError):
    """The scores say nothing any more, and the recipe asked to stop then."""


def run_reward_recipe(config: RewardRunConfig, options: RunOptions | None = None) -> RewardRunResult:
    """Train a reward model, with evaluations before, on the way and after.

    Raises:
        UserError: the recipe, its data or its backbone cannot be used, or the scores collapsed and it asked to stop.
        InterruptedRunError: the user pressed Ctrl-C; the step in progress was finished and saved.
    """
    with Display() as display:
        return asyncio.run(train_reward_model(config, options or RunOptions(), display))


async def train_reward_model(
    config: RewardRunConfig, options: RunOptions, display: Display
) -> RewardRunResult:
    """As `run_reward_recipe`, within a run that has a display.

    Raises:
        UserError: as there.
        InterruptedRunError: as there.
    """
    with _open(config, options, display) as run:
        return await _train(run, config)


@dataclass(slots=True)
class _Run:
    folder: RunFolder
    keeper: Keeper
    sinks: list[Sink]
    display: Display
    model: RewardModel
    split: PreferenceSplit
    reference: list[Shown]
    evaluator: RewardEvaluator
    interrupted: Callable[[], bool]
    resumed: Checkpoint | None
    evals: list[Mapping[str, Any]] = field(default_factory=list)
    num_seen: Callable[[int], int] = lambda _step: 0
    """How many different pairs the model has learned from by the end of a step."""


@contextmanager
def _open(config: RewardRunConfig, options: RunOptions, display: Display) -> Iterator[_Run]:
    split = load_preferences(config.data, config.seed)
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder(config, options.resume))
        store = CheckpointStore(folder.checkpoints, keep=config.save_total_limit, notify=display.say)
        resumed = store.latest() if options.resume else None
        folder.rewind({} if resumed is None else {STAGE: int(str(resumed.state["step"]))})
        sinks = open_sinks(folder, config, display.say)
        for sink in sinks:
            stack.callback(sink.close)
        model = with_writer(
            load_reward_model(config.model, config.head, config.input, seed=config.seed), seed=config.seed
        )
        _announce(display, config, model, split)
        held = split.eval[: config.eval.num_pairs]
        # A model that writes critiques is used with its own, so level and scale are set with its own.
        reference = [shown_pair(pair)._replace(critiques=None) for pair in split.train[:NUM_REFERENCE]]
        _check_fit(model, split.train[:64])
        yield _Run(
            folder=folder,
            keeper=Keeper(store, _Settled(model, reference, config.eval.max_tokens)),
            sinks=sinks,
            display=display,
            model=model,
            split=split,
            reference=reference,
            evaluator=RewardEvaluator(model, held, max_tokens=config.eval.max_tokens),
            interrupted=stack.enter_context(interrupts(display)),
            resumed=resumed,
            evals=folder.read_evals(),
        )


def _announce(display: Display, config: RewardRunConfig, model: RewardModel, split: PreferenceSplit) -> None:
    trained = sum(weight.numel() for weight in model.trainable().values())
    dtype = str(model.trunk.dtype).removeprefix("torch.")
    display.say(
        f"reward model on {config.model.source}: {trained / 1e6:.1f}M parameters trained, {config.head.kind} head, "
        f"{dtype} on {model.trunk.device}; {len(split.train):,} pairs, {len(split.eval):,} held out"
    )
    if split.noise is not None:
        display.say(f"audit: {split.noise}")


def _check_fit(model: RewardModel, pairs: Sequence[Preference]) -> None:
    """Refuse before training what would leave out everything."""
    if pairs and all(
        None in model.encode(pair.problem, (pair.chosen, pair.rejected)).responses for pair in pairs
    ):
        raise DataError(
            f"data: no response of the first {len(pairs)} pairs fits into {model.reader.max_length} tokens; raise "
            "input.max_length, or choose a backbone with a longer context"
        )


async def _train(run: _Run, config: RewardRunConfig) -> RewardRunResult:
    stage = _stage(run, config)
    if run.resumed:
        run.keeper.restore(stage, run.resumed)
    elif config.eval.before:
        _evaluate(run, config, "before", 0)
    run.display.begin(STAGE, stage.settings.max_steps, done=stage.progress.step)
    await train(stage)
    found = _evaluate(run, config, "after rm", stage.progress.step)
    stage.learner.close()
    assert run.keeper.newest is not None
    write_results(run.keeper.newest, found)
    return RewardRunResult(folder=run.folder.path, model=run.keeper.newest, evals=tuple(run.evals))


def write_results(model: Path, line: Mapping[str, Json] | None) -> None:
    """The held-out results beside the model: whoever uses it can see what it is worth."""
    if line is not None:
        data = json.dumps({key: line[key] for key in ("num_problems", "metrics")}, indent=2)
        write_file(model / "results.json", data.encode() + b"\n")


def _stage(run: _Run, config: RewardRunConfig) -> Stage:
    source = PreferenceSource(run.split.train, run.model, too_long=config.train.too_long)
    feed = Feed(source.problems, seed=derive_seed(config.seed, STAGE), shuffle=True)
    size = min(config.train.batch_size, len(run.split.train))
    run.num_seen = lambda step: source.num_different(
        problem.id
        for problem in Feed(feed.problems, seed=feed.seed, shuffle=True).take(
            min(step * size, len(feed.problems))
        )
    )
    steps = config.train.max_steps
    if config.train.num_train_epochs is not None:
        steps = max(1, math.ceil(config.train.num_train_epochs * len(run.split.train) / size))
    optim = config.train.model_copy(update={"max_steps": steps})
    budget = config.train.max_tokens_per_microbatch

    def pack_step(credited: Sequence[CreditedGroup]) -> list[RewardBatch]:
        # Where no pair of a step fits there is nothing to learn; the stage counts such steps.
        return [pack_rewards(credited, model=run.model, max_tokens=budget)] if credited else []

    settings = StageSettings(
        name=STAGE,
        problems_per_step=size,
        max_steps=steps,
        max_tokens_per_microbatch=budget,
        max_completion_length=0,
        save_steps=config.save_steps,
        on_policy=False,
    )
    return Stage(
        settings=settings,
        objective=algorithms.resolve(AlgorithmConfig(name="sft")),
        source=source,
        learner=RewardLearner(run.model, config.loss, optim),
        pack=pack_step,
        feed=feed,
        write=_writer(run, config, steps),
        save=run.keeper.save,
        interrupted=run.interrupted,
    )


def _writer(
    run: _Run, config: RewardRunConfig, steps: int
) -> Callable[[str, int, dict[str, float], Sequence[CreditedGroup], str], None]:
    def write(
        stage: str, step: int, metrics: dict[str, float], _credited: Sequence[CreditedGroup], _line: str
    ) -> None:
        for sink in run.sinks:
            sink.write(stage, step, metrics)
        accuracy = metrics.get("accuracy", float("nan"))
        run.display.advance(f"loss {metrics.get('loss', 0.0):.3f}  accuracy {100 * accuracy:.0f} %")
        every = config.eval.eval_steps
        if every and step % every == 0 and step < steps:
            _evaluate(run, config, f"step {step}", step)
            run.display.begin(STAGE, steps, done=step)

    return write


def _evaluate(run: _Run, config: RewardRunConfig, label: str, step: int) -> Mapping[str, Json] | None:
    if not run.evaluator.pairs or any(line["label"] == label for line in run.evals):
        return next((line for line in run.evals if line["label"] == label), None)
    run.display.begin(f"evaluating {label}", run.evaluator.num_ticks)
    with run.model.settled(run.reference, max_tokens=config.eval.max_tokens):
        found = run.evaluator.evaluate(label, step, tick=run.display.advance)
    line = {**found.record(), "pairs_seen": run.num_seen(step)}
    rows = "".join(json.dumps(item.record()) + "\n" for item in found.judged)
    write_file(pairs_file(run.folder.path, label), rows.encode())
    run.folder.append_eval(line)
    run.evals.append(line)
    _mind_collapse(run, config, found, step)
    return line


def pairs_file(run_folder: Path, label: str) -> Path:
    """The scored pairs of one evaluation."""
    return run_folder / EVALUATIONS / f"{label.replace(' ', '_')}.jsonl"


def _mind_collapse(run: _Run, config: RewardRunConfig, found: RewardEvaluation, step: int) -> None:
    wrong = found.collapse()
    if wrong is None or step == 0:
        return
    advice = (
        "raise loss.variance_floor or loss.centering, lower train.learning_rate, or keep head.bias = true"
    )
    if config.train.collapse == "stop":
        raise CollapseError(f"rm step {step}: collapsed: {wrong}; {advice}")
    run.display.say(f"rm step {step}: collapsed: {wrong}; {advice}")
