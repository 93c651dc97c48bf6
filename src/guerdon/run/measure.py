"""One evaluation without training: any model on the held-out problems of a recipe. Writes no run folder."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from guerdon.core.errors import ConfigError
from guerdon.core.types import Json
from guerdon.data.split import load_problems
from guerdon.models.loading import load_policy
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.config import RunConfig
from guerdon.run.config_rm import own_judges
from guerdon.run.evaluate import Evaluator
from guerdon.run.progress import Display


def evaluate_recipe(config: RunConfig, *, model: str | None = None) -> Mapping[str, Json]:
    """Measure a model as a run of this recipe would: same problems, same random numbers.

    Args:
        config: the recipe.
        model: a model source in place of the recipe's own, for example a run's exported model.

    Returns:
        A line of evals.jsonl, labelled with the model's source.

    Raises:
        UserError: the data, the model or a plug-in cannot be used, or the recipe turns evaluation off.
    """
    source = model or config.model.source
    # An adapter of the recipe's own would be a fresh one: it is merged into an exported model already.
    changes = {"source": source, "lora": None, "revision": None if model else config.model.revision}
    chosen = config.model.model_copy(update=changes)
    if not config.eval.num_problems:
        raise ConfigError("eval.num_problems: 0 turns evaluation off; try --set eval.num_problems=200")
    split = load_problems(config.data, config.seed)
    built = Rubric.from_config(config.rubric)
    rubric = built.without(own_judges(config.rewards))
    with Display() as display:
        try:
            rubric.check()
            policy = load_policy(chosen, seed=config.seed)
            rollouter = Rollouter(policy, LocalEngine(policy, max_batch_rows=config.rollout.max_batch_rows))
            evaluator = Evaluator(
                rollouter, rubric, config.eval, config.rollout, problems=split.eval, seed=config.seed
            )
            display.begin(f"evaluating {source}", evaluator.num_ticks)
            found = asyncio.run(evaluator.evaluate(source, "eval", 0, tick=display.advance))
        finally:
            built.close()
    return found.record(None, config.seed)
