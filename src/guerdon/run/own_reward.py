"""The stage `rm` of a policy's run: pairs of its own answers, then a reward model trained on them.

Both are the same as those of `guerdon prefs make` and `guerdon rm train`, with recipes derived from this run's. Each
goes on where it was when the run is resumed; a stage that is done costs nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from guerdon.core.errors import DataError
from guerdon.run.build_reward import RewardRunResult, train_reward_model
from guerdon.run.config import RunConfig, RunOptions
from guerdon.run.config_rm import PAIRS, REWARD_MODEL, preferences_recipe, reward_recipe
from guerdon.run.folder import CONFIG
from guerdon.run.make_preferences import add_preferences, why_no_pair
from guerdon.run.progress import Display


async def train_own_reward_model(
    config: RunConfig,
    run_folder: Path,
    policy: Path | None,
    display: Display,
    *,
    interrupted: Callable[[], bool],
) -> RewardRunResult:
    """Run the stage, or what is left of it.

    Args:
        config: the run's recipe.
        run_folder: where PAIRS and the folder REWARD_MODEL are written.
        policy: folder of the policy as the stage before left it; None: no stage did, it is the recipe's own model.
        display: the run's.
        interrupted: whether the user asked to stop.

    Raises:
        UserError: no pairs came out of the answers, or anything that the two commands refuse.
        InterruptedRunError: the user asked to stop; everything is saved.
    """
    run_folder = run_folder.resolve()  # by whatever name the run is resumed
    model = str(policy.resolve()) if policy else config.model.source
    made = await add_preferences(
        preferences_recipe(config, model), run_folder / PAIRS, display, interrupted=interrupted
    )
    if not made.num_pairs:
        why = why_no_pair(made, sampling="rollout", pairing="rm.pairing", generations="rm")
        counts = ", ".join(f"{number} {reason}" for reason, number in made.left_out.most_common())
        raise DataError(
            f"stage rm: no pair in the answers to {made.num_problems} problems: {why} (left out: {counts or 'nothing'})"
        )
    display.say(f"rm: {made.num_pairs} pairs from the answers to {made.num_problems} problems")
    folder = run_folder / REWARD_MODEL
    begun = (folder / CONFIG).exists()
    if folder.exists() and not begun:  # a kill came before its first word
        shutil.rmtree(folder)
    options = RunOptions(resume=folder if begun else None)
    return await train_reward_model(reward_recipe(config, model, run_folder), options, display)
