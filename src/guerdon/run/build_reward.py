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

from guerdon.core.errors import DataError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import CreditedGroup, Json, Sink
from guerdon.data.feed import Feed
from guerdon.data.preferences.judged import Judged
from guerdon.data.preferences.split import PreferenceSplit
from guerdon.models.reward import RewardModel, Shown
from guerdon.models.reward_loading import load_reward_model
from guerdon.run.checkpoint import Checkpoint, CheckpointStore
from guerdon.run.config import RunOptions
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.critiques import with_writer
from guerdon.run.durable import write_file
from guerdon.run.folder import EVALUATIONS, LEFT_OUT, METRICS, RunFolder, read_records
from guerdon.run.keeper import Keeper
from guerdon.run.loop import train
from guerdon.run.opening import interrupts, open_folder
from guerdon.run.progress import Display
from guerdon.run.reward_eval import RewardEvaluation, RewardEvaluator
from guerdon.run.reward_health import ADVICE, CollapseError, CollapseGuard
from guerdon.run.reward_samples import can_write, named_samples, open_samples
from guerdon.run.reward_setup import (
    left_out,
    left_out_lines,
    load_reward_data,
    settle,
    taken_over,
    told,
    verdict_told,
)
from guerdon.run.reward_source import PreferenceSource, asked_of
from guerdon.run.sinks import open_sinks
from guerdon.run.stage import Stage, StageSettings
from guerdon.train import algorithms
from guerdon.train.config import AlgorithmConfig
from guerdon.train.reward import RewardBatch, RewardLearner, pack_rewards

STAGE = "rm"
NUM_REFERENCE = 64
"""Training prompts whose responses set level and scale of the scores, in every evaluation and in what is saved."""


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
    config = settle(config)
    with _open(config, options, display) as run:
        return await _train(run, config)


@dataclass(slots=True)
class _Run:
    folder: RunFolder
    keeper: Keeper
    sinks: list[Sink]
    display: Display
    model: RewardModel
    source: PreferenceSource
    reference: list[Shown]
    evaluator: RewardEvaluator
    guard: CollapseGuard
    interrupted: Callable[[], bool]
    resumed: Checkpoint | None
    evals: list[Mapping[str, Any]] = field(default_factory=list)
    num_seen: Callable[[int], int] = lambda _step: 0
    """How many different pairs the model has learned from by the end of a step."""


@contextmanager
def _open(config: RewardRunConfig, options: RunOptions, display: Display) -> Iterator[_Run]:
    # Nothing is written before data and model are known to be of use.
    split = load_reward_data(config)
    model = with_writer(
        load_reward_model(config.model, config.head, config.input, seed=config.seed), seed=config.seed
    )
    _announce(display, config, model, split)
    _check_fit(model, split.train[:NUM_REFERENCE])
    source = PreferenceSource(split.train, model, too_long=config.train.too_long)
    if options.resume is None:  # a run that goes on has its own copy
        named_samples(config.eval)
    # A model that writes critiques is used with its own, so level and scale are set with its own.
    reference = [asked_of(item) for item in split.train[:NUM_REFERENCE]]
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder(config, options.resume))
        if record := left_out(split):
            write_file(
                folder.path / LEFT_OUT, json.dumps(record, indent=2, ensure_ascii=False).encode() + b"\n"
            )
        store = CheckpointStore(folder.checkpoints, keep=config.save_total_limit, notify=display.say)
        resumed = store.latest() if options.resume else None
        folder.rewind({} if resumed is None else {STAGE: int(str(resumed.state["step"]))})
        sinks = open_sinks(folder, config, display.say)
        for sink in sinks:
            stack.callback(sink.close)
        held = split.eval[: config.eval.num_pairs]
        # Before a checkpoint is restored: the backbone as it was is the reference policy.
        asks = bool(config.eval.samples or config.eval.num_sample_prompts)
        if asks:
            display.begin("samples of the policy", 1)
        samples = open_samples(config.eval, folder.path, model, held, seed=config.seed)
        if asks:
            display.advance(f"{sum(len(one.texts) for one in samples)} answers")
        if held and config.eval.num_sample_prompts and not samples and not can_write(model):
            display.say(
                "samples of the policy: none, for this backbone does not write; eval.samples names a file of some"
            )
        yield _Run(
            folder=folder,
            keeper=Keeper(store, _Settled(model, reference, config.eval.max_tokens)),
            sinks=sinks,
            display=display,
            model=model,
            source=source,
            reference=reference,
            evaluator=RewardEvaluator(model, held, max_tokens=config.eval.max_tokens, samples=samples),
            guard=CollapseGuard(config.train.collapse, _teller(folder, display), has_bias=config.head.bias),
            interrupted=stack.enter_context(interrupts(display)),
            resumed=resumed,
            evals=folder.read_evals(),
        )


def _announce(display: Display, config: RewardRunConfig, model: RewardModel, split: PreferenceSplit) -> None:
    trained = sum(weight.numel() for weight in model.trainable().values())
    dtype = str(model.trunk.dtype).removeprefix("torch.")
    display.say(
        f"reward model on {config.model.source}: {trained / 1e6:.1f}M parameters trained, {config.head.kind} head, "
        f"{dtype} on {model.trunk.device}; {told(split.train)}, {len(split.eval):,} held out"
    )
    for line in [*taken_over(config), *left_out_lines(split)]:
        display.say(line)
    if not split.eval:
        seen = (
            "the scores are seen on eval.samples alone" if config.eval.samples else "there is no evaluation"
        )
        display.say(f"nothing is held out, for no answer has a partner: {seen}")
    if shown := verdict_told(config, split.train):
        display.say(f"verdict: {shown}")
    if split.noise is not None:
        display.say(f"audit: {split.noise}")


def _check_fit(model: RewardModel, judged: Sequence[Judged]) -> None:
    """Refuse before training what would leave out everything."""
    if judged and all(None in model.encode(*asked_of(item)).responses for item in judged):
        raise DataError(
            f"data: no response of the first {len(judged)} pairs fits into {model.reader.max_length} tokens; raise "
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
    if stage.guard and stage.guard.stops:
        raise CollapseError(f"{STAGE} step {stage.progress.step}: {run.guard.message}")
    _tell_length(run, stage.progress.step * stage.settings.problems_per_step)
    if lost := stage.nothing_learned():
        run.display.say(f"{STAGE}: {lost}")
    found = _evaluate(run, config, "after rm", stage.progress.step)
    stage.learner.close()
    assert run.keeper.newest is not None
    write_results(run.keeper.newest, found)
    return RewardRunResult(folder=run.folder.path, model=run.keeper.newest, evals=tuple(run.evals))


def _tell_length(run: _Run, count: int) -> None:
    """What did not fit in the whole run, however often it was resumed."""
    lines = [record["metrics"] for record in read_records(run.folder.path / METRICS)]
    cut, dropped = (
        round(sum(metrics.get(name) or 0.0 for metrics in lines))
        for name in ("signal/prompts_cut", "signal/pairs_too_long")
    )
    if cut or dropped:
        run.display.say(
            f"length: of {count:,} prompts {cut:,} lost their beginning and {dropped:,} were left out for a response that "
            f"does not fit into {run.model.reader.max_length:,} tokens (input.max_length)"
        )


def write_results(model: Path, line: Mapping[str, Json] | None) -> None:
    """The held-out results beside the model: whoever uses it can see what it is worth."""
    if line is not None:
        data = json.dumps({key: line[key] for key in ("num_problems", "metrics")}, indent=2)
        write_file(model / "results.json", data.encode() + b"\n")


def _stage(run: _Run, config: RewardRunConfig) -> Stage:
    problems = run.source.problems
    feed = Feed(problems, seed=derive_seed(config.seed, STAGE), shuffle=True)
    size = min(config.train.batch_size, len(problems))
    run.num_seen = lambda step: run.source.num_different(
        problem.id
        for problem in Feed(problems, seed=feed.seed, shuffle=True).take(min(step * size, len(problems)))
    )
    steps = config.train.max_steps
    if config.train.num_train_epochs is not None:
        steps = max(1, math.ceil(config.train.num_train_epochs * len(problems) / size))
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
        source=run.source,
        learner=RewardLearner(run.model, config.loss, optim, seed=derive_seed(config.seed, STAGE)),
        pack=pack_step,
        feed=feed,
        write=_writer(run, config, steps),
        save=run.keeper.save,
        interrupted=run.interrupted,
        guard=run.guard,
    )


def _writer(
    run: _Run, config: RewardRunConfig, steps: int
) -> Callable[[str, int, dict[str, float], Sequence[CreditedGroup], str], None]:
    def write(
        stage: str, step: int, metrics: dict[str, float], _credited: Sequence[CreditedGroup], _line: str
    ) -> None:
        for sink in run.sinks:
            sink.write(stage, step, metrics)
        accuracy = f"  accuracy {100 * metrics['accuracy']:.0f} %" if "accuracy" in metrics else ""
        run.display.advance(f"loss {metrics.get('loss', 0.0):.3f}{accuracy}")
        every = config.eval.eval_steps
        if every and step % every == 0 and step < steps:
            _evaluate(run, config, f"step {step}", step)
            run.display.begin(STAGE, steps, done=step)

    return write


def _evaluate(run: _Run, config: RewardRunConfig, label: str, step: int) -> Mapping[str, Json] | None:
    if not run.evaluator.num_ticks or any(line["label"] == label for line in run.evals):
        return next((line for line in run.evals if line["label"] == label), None)
    run.display.begin(f"evaluating {label}", run.evaluator.num_ticks)
    with run.model.settled(run.reference, max_tokens=config.eval.max_tokens):
        found = run.evaluator.evaluate(label, step, tick=run.display.advance)
    line = {**found.record(), "pairs_seen": run.num_seen(step)}
    rows = "".join(json.dumps(item.record()) + "\n" for item in found.judged)
    write_file(pairs_file(run.folder.path, label), rows.encode())
    if found.samples:
        rows = "".join(json.dumps(item.record()) + "\n" for item in found.samples)
        write_file(pairs_file(run.folder.path, f"{label} samples"), rows.encode())
    run.folder.append_eval(line)
    run.evals.append(line)
    _mind_collapse(run, config, found, step)
    return line


def pairs_file(run_folder: Path, label: str) -> Path:
    """The scored pairs of one evaluation."""
    return run_folder / EVALUATIONS / f"{label.replace(' ', '_')}.jsonl"


def _teller(folder: RunFolder, display: Display) -> Callable[[int, str, str], None]:
    def tell(step: int, kind: str, message: str) -> None:
        folder.append_event(STAGE, step, kind, message)
        display.say(f"{STAGE} step {step}: {message}")

    return tell


def _mind_collapse(run: _Run, config: RewardRunConfig, found: RewardEvaluation, step: int) -> None:
    first = run.evals[0] if run.evals and run.evals[0]["step"] < step else None
    wrong = found.collapse(first) if step else []
    if not wrong:
        return
    message = f"collapsed: {'; '.join(wrong)}; {ADVICE}"
    if config.train.collapse == "stop":
        run.folder.append_event(STAGE, step, "collapse_stop", message)
        raise CollapseError(f"{STAGE} step {step}: {message}")
    run.guard.tell(step, "collapse_alarm", message)
