"""The composition root: a `RunConfig` to a finished run. Everything that is wired to something else is wired here."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guerdon.core.errors import CheckpointError, ConfigError, DataError
from guerdon.core.seeds import derive_seed
from guerdon.core.types import CreditedGroup, Json, Sink
from guerdon.data.feed import Feed
from guerdon.data.split import Split, load_problems
from guerdon.models.loading import load_policy
from guerdon.models.policy import Policy
from guerdon.rewards.calibration import Calibration
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.background import Background
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.checkpoint import Checkpoint, CheckpointStore
from guerdon.run.config import RunConfig, RunOptions
from guerdon.run.config_rm import REWARD_MODEL, own_judges, own_parts
from guerdon.run.evaluate import Evaluator
from guerdon.run.folder import CALIBRATION, REFERENCES, RunFolder
from guerdon.run.guard import Guard
from guerdon.run.keeper import Keeper
from guerdon.run.loop import train
from guerdon.run.opening import interrupts, open_folder, unsolved
from guerdon.run.own_reward import train_own_reward_model
from guerdon.run.pipeline import pipelined
from guerdon.run.progress import Display
from guerdon.run.references import References, shaped_judges
from guerdon.run.replay import read_rollouts
from guerdon.run.reward_setup import stage_problems
from guerdon.run.sinks import open_sinks
from guerdon.run.source import DemonstrationSource, More, ReplaySource, RolloutSource, Source, streams
from guerdon.run.stage import Stage, StageSettings, policy_packer
from guerdon.train import algorithms
from guerdon.train.config import AlgorithmConfig, OptimConfig
from guerdon.train.learner import PolicyLearner


@dataclass(frozen=True, slots=True)
class RunResult:
    """Where a finished run left its things."""

    folder: Path
    model: Path
    """The trained model, a plain Hugging Face folder."""
    evals: tuple[Mapping[str, Json], ...]


def run_recipe(config: RunConfig, options: RunOptions | None = None) -> RunResult:
    """Run every stage of a recipe, with evaluations before, between and after.

    Raises:
        UserError: the recipe, its data, its model or its plug-ins cannot be used.
        InterruptedRunError: the user pressed Ctrl-C; the step in progress was finished and saved.
    """
    options = options or RunOptions()
    with ExitStack() as stack:
        display = stack.enter_context(Display())
        run = stack.enter_context(_open(config, options, display))
        for remark in config.remarks():
            display.say(remark)
        return asyncio.run(_stages(run, config, options))


@dataclass(slots=True)
class _Run:
    """What all stages share."""

    folder: RunFolder
    keeper: Keeper
    sinks: list[Sink]
    display: Display
    policy: Policy
    rollouter: Rollouter
    rubric: Rubric
    split: Split
    evaluator: Evaluator
    background: Background
    """Samples where groups are scored as they end."""
    interrupted: Callable[[], bool]
    resumed: Checkpoint | None
    evals: list[Mapping[str, Any]] = field(default_factory=list)


@contextmanager
def _open(config: RunConfig, options: RunOptions, display: Display) -> Iterator[_Run]:
    split = load_problems(config.data, config.seed)
    if options.resume is None and (problems := stage_problems(config)):
        raise ConfigError(problems)
    if options.resume is None and (why := unsolved(config, split.train)):
        raise DataError(why)
    with ExitStack() as stack:
        rubric = Rubric.from_config(config.rubric)
        stack.callback(rubric.close)
        own = own_judges(config.rewards)  # not trained yet
        rubric.without(own).check()
        if REWARD_MODEL in config.stages:
            for one in config.rm.more.values():  # refused now, not when their stage begins
                one.build(config.seed)
        evaluated = rubric.without({*own, *shaped_judges(rubric)})  # references belong to training prompts
        folder = stack.enter_context(open_folder(config, options.resume))
        for name, judge in own_parts(config.rewards, folder.path).items():
            rubric.verifiers[name] = judge, judge.build()
        store = CheckpointStore(folder.checkpoints, keep=config.save_total_limit, notify=display.say)
        resumed = store.latest() if options.resume else None
        folder.rewind(_reached(config, resumed))
        restore_calibration(rubric, folder, resumed)
        keep_versions(rubric.without(own), folder, is_resumed=options.resume is not None)
        sinks = open_sinks(folder, config, display.say)
        for sink in sinks:
            stack.callback(sink.close)
        policy = _policy(config, display)
        engine = LocalEngine(policy, max_batch_rows=config.rollout.max_batch_rows)
        background = Background(stop=engine.stop)
        stack.callback(background.close)
        rollouter = Rollouter(policy, engine)
        yield _Run(
            folder=folder,
            keeper=Keeper(store, policy),
            sinks=sinks,
            display=display,
            policy=policy,
            rollouter=rollouter,
            rubric=rubric,
            split=split,
            evaluator=Evaluator(
                rollouter, evaluated, config.eval, config.rollout, problems=split.eval, seed=config.seed
            ),
            background=background,
            interrupted=stack.enter_context(interrupts(display)),
            resumed=resumed,
            evals=folder.read_evals(),
        )


def _references(run: _Run, config: RunConfig) -> References | None:
    """For reward models that are compared with what the policy said before it learned."""
    if not shaped_judges(run.rubric):
        return None
    references = References(
        run.folder.path / REFERENCES,
        run.rollouter,
        run.rubric,
        config=config.rollout,
        problems=run.split.train,
        seed=config.seed,
    )
    references.begin(has_learned=bool(run.resumed and run.resumed.state["stage"] == "grpo"))
    return references


def _policy(config: RunConfig, display: Display) -> Policy:
    started: list[int] = []

    def download(done: int, total: int) -> None:
        if not started:
            display.begin("downloading the model", total // (1 << 20))
            started.append(0)
        while started[0] < done >> 20:
            started[0] += 1
            display.advance()

    policy = load_policy(config.model, seed=config.seed, progress=download)
    display.end()
    number = sum(weight.numel() for weight in policy.model.parameters())
    trained = sum(weight.numel() for weight in policy.trainable().values())
    dtype = str(policy.dtype).removeprefix("torch.")
    display.say(
        f"model {config.model.source}: {number / 1e6:.1f}M parameters, {trained / 1e6:.1f}M trained, "
        f"{dtype} on {policy.device}"
    )
    return policy


def _reached(config: RunConfig, checkpoint: Checkpoint | None) -> dict[str, int]:
    """Stage to the last step whose records are kept; stages not named lose all records."""
    if checkpoint is None:
        return {}
    stage = str(checkpoint.state["stage"])
    names: tuple[str, ...] = config.stages
    reached = {
        name: (config.sft if name == "sft" else config.train).max_steps
        for name in names[: names.index(stage)]
    }
    return {**reached, stage: int(str(checkpoint.state["step"]))}


async def _stages(run: _Run, config: RunConfig, options: RunOptions) -> RunResult:
    at = str(run.resumed.state["stage"]) if run.resumed else None
    names: tuple[str, ...] = config.stages
    names = names[names.index(at) :] if at else names
    if at is None and config.eval.before:
        await _evaluate(run, config, "before", "start", 0)
    for name in names:
        if name == REWARD_MODEL:
            await _train_reward_model(run, config, options)
            continue
        step = await _train(run, config, options, name)
        await _evaluate(run, config, f"after {name}", name, step)
    assert run.keeper.newest is not None
    return RunResult(folder=run.folder.path, model=run.keeper.newest, evals=tuple(run.evals))


async def _train(run: _Run, config: RunConfig, options: RunOptions, name: str) -> int:
    """Train one stage and return its last step; its optimiser is gone before the evaluation needs the memory."""
    stage = _stage(run, config, options, name)
    if run.resumed and run.resumed.state["stage"] == name:
        run.keeper.restore(stage, run.resumed)
    run.display.begin(name, stage.settings.max_steps, done=stage.progress.step)
    try:
        await train(stage)
    finally:
        if stage.pipeline:
            stage.pipeline.close()
    if lost := stage.nothing_learned():
        _teller(run, name)(stage.progress.step, "nothing_learned", lost)
    stage.learner.close()
    return stage.progress.step


async def _train_reward_model(run: _Run, config: RunConfig, options: RunOptions) -> None:
    if options.replay:  # recorded rollouts have their scores
        return
    await train_own_reward_model(
        config, run.folder.path, run.keeper.newest, run.display, interrupted=run.interrupted
    )
    gc.collect()  # its optimiser and graph, before the next stage needs the memory


async def _evaluate(run: _Run, config: RunConfig, label: str, stage: str, step: int) -> None:
    if not config.eval.num_problems or any(line["label"] == label for line in run.evals):
        return
    run.display.begin(f"evaluating {label}", run.evaluator.num_ticks)
    found = await run.evaluator.evaluate(label, stage, step, tick=run.display.advance)
    previous = run.evals[-1]["per_problem"] if run.evals else None
    line = found.record(previous, config.seed)
    run.folder.write_eval_completions(label, [("greedy", found.greedy), ("sampled", found.sampled)])
    run.folder.append_eval(line)
    run.evals.append(line)


def restore_calibration(rubric: Rubric, folder: RunFolder, resumed: Checkpoint | None) -> None:
    """Give the rubric the scales that this run has made, or was given.

    Raises:
        UserError: the run has trained on scales that are gone; new ones would change what its rewards mean.
    """
    if rubric.tree.calibration:
        folder.write_calibration(rubric.tree.calibration)
    if not rubric.tree.needs_fit:
        return
    path = folder.path / CALIBRATION
    if path.exists():
        rubric.tree.calibration = Calibration.load(path, rubric.tree.config.calibrate)
    elif resumed and resumed.state["stage"] != "sft":
        raise CheckpointError(
            f"{path}: missing, and this run's rewards stand on it; restore it, or start a new run"
        )


def keep_versions(rubric: Rubric, folder: RunFolder, *, is_resumed: bool) -> None:
    """Record which models judge in this run; one that goes on must be judged by the same.

    Raises:
        CheckpointError: a model was changed under the run, and its scores do not compare with those it has learned from.
    """
    now = rubric.versions()
    before = folder.read_versions() if is_resumed else {}
    for name in sorted(before.keys() & now.keys()):
        config, _ = rubric.verifiers[name]
        if before[name] != now[name] and getattr(config, "on_version_change", "refuse") == "refuse":
            place = getattr(config, "path", "") or getattr(config, "url", "")
            raise CheckpointError(
                f"rewards.{name}: {place}: this run was judged by version {before[name]} of the model, and now it is "
                f"version {now[name]}; scores of two versions do not compare: put the first one back, or start a new run"
            )
    if {**before, **now}:
        folder.write_versions({**before, **now})


def _stage(run: _Run, config: RunConfig, options: RunOptions, name: str) -> Stage:
    feed = Feed(run.split.train, seed=derive_seed(config.seed, name), shuffle=config.data.shuffle)
    if name == "sft":
        objective = algorithms.resolve(AlgorithmConfig(name="sft"))
        optim: OptimConfig = config.sft
        source: Source = DemonstrationSource(run.policy)
    else:
        objective = algorithms.resolve(config.algorithm)
        optim = config.train
        source = _rl_source(run, config, options, feed)
    learner = PolicyLearner(
        run.policy, objective, optim, temperature=1.0 if name == "sft" else config.rollout.temperature
    )
    settings = dataclasses.replace(_settings(config, name), self_test=options.replay is None)
    guard = None
    if name != "sft" and config.train.monitor and options.replay is None:
        guard = Guard(config.train.monitor, learner, _teller(run, name))
    return Stage(
        settings=settings,
        objective=objective,
        source=source,
        learner=learner,
        pack=policy_packer(settings, objective, run.policy.device),
        feed=feed,
        write=_writer(run, config),
        save=run.keeper.save,
        interrupted=run.interrupted,
        guard=guard,
        why=run.rubric.why,
        wrongs=run.rubric.tree.config.wrongs,
    )


def _teller(run: _Run, stage: str) -> Callable[[int, str, str], None]:
    def tell(step: int, kind: str, message: str) -> None:
        run.folder.append_event(stage, step, kind, message)
        run.display.say(f"{stage} step {step}: {message}")

    return tell


def _rl_source(run: _Run, config: RunConfig, options: RunOptions, feed: Feed) -> Source:
    if options.replay:
        return ReplaySource(dict(read_rollouts(options.replay)))
    run.rubric.check()
    keep_versions(run.rubric, run.folder, is_resumed=True)  # by now the run's own reward model is there too
    by_part = algorithms.resolve(config.algorithm).by_part
    references = _references(run, config)

    def source(rollouter: Rollouter, background: Background | None, more: More) -> RolloutSource:
        return RolloutSource(
            rollouter,
            run.rubric,
            config.rollout,
            seed=derive_seed(config.seed, "grpo"),
            more=more,
            pool=feed.problems,
            keep=run.folder.write_calibration,
            by_part=by_part,
            references=references,
            background=background,
        )

    if config.rollout.staleness:
        return pipelined(run.policy, run.rubric, source, config=config, feed=feed)
    return source(run.rollouter, run.background if streams(run.rubric) else None, feed.take)


def _settings(config: RunConfig, name: str) -> StageSettings:
    if name == "sft":
        return StageSettings(
            name=name,
            problems_per_step=config.sft.batch_size,
            max_steps=config.sft.max_steps,
            max_tokens_per_microbatch=config.sft.max_tokens_per_microbatch,
            max_completion_length=config.rollout.max_completion_length,
            save_steps=config.save_steps,
            max_failed_steps=config.max_failed_steps,
            on_policy=False,
        )
    return StageSettings(
        name=name,
        problems_per_step=config.rollout.num_problems,
        max_steps=config.train.max_steps,
        max_tokens_per_microbatch=config.train.max_tokens_per_microbatch,
        max_completion_length=config.rollout.max_completion_length,
        num_iterations=config.train.num_iterations,
        minibatches=config.train.steps_per_generation,
        mask_truncated=config.algorithm.mask_truncated_completions,
        ref_sync_steps=config.algorithm.ref_model_sync_steps if config.algorithm.sync_ref_model else None,
        ref_mixup=config.algorithm.ref_model_mixup_alpha,
        save_steps=config.save_steps,
        max_failed_steps=config.max_failed_steps,
    )


def _writer(
    run: _Run, config: RunConfig
) -> Callable[[str, int, dict[str, float], Sequence[CreditedGroup], str], None]:
    told: set[str] = set()

    def write(
        stage: str, step: int, metrics: dict[str, float], credited: Sequence[CreditedGroup], line: str
    ) -> None:
        if config.log_completions and stage != "sft":
            run.folder.write_completions(stage, step, credited)
        for sink in run.sinks:
            sink.write(stage, step, metrics)
        for failure in {
            item.message: item for group in credited for item in group.scored.group.failures
        }.values():
            if failure.kind not in told:
                told.add(failure.kind)
                run.display.say(
                    f"{stage} step {step}: {failure.message} (counted under signal/failures from here on)"
                )
        if "reward" not in metrics and stage != "sft" and "reward" not in told:
            told.add("reward")
            why = run.rubric.why([group.scored for group in credited])
            run.display.say(f"{stage} step {step}: no rollout could be scored: {why}")
        note = f"loss {metrics.get('loss', 0.0):.3f}"
        if stage != "sft":
            known = f"reward {metrics['reward']:.2f}" if "reward" in metrics else "no reward"
            note = f"{known}  {line}"
        run.display.advance(note)

    return write
