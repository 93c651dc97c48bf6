"""The system on one screen.

    problems --source--> scored groups --credit--> advantages --pack--> batch --learner--> weights --record--> run folder

A `Stage` holds the stations of one stage, built by `build.py`. Supervised fine-tuning, GRPO on fresh rollouts and
training from recorded rollouts differ only in their source and objective: there is no second loop.
"""

from __future__ import annotations

import time

from guerdon.run.stage import Stage
from guerdon.train.credit import credit


async def train(stage: Stage) -> None:
    """Run one stage from where it stands to its last step."""
    for step, problems in stage.batches():
        started = time.perf_counter()
        scored = await stage.source.scored(
            step, problems
        )  # rollout -> score, refilled where groups carry no signal
        credited = credit(stage.objective.advantage, scored)  # advantages per completion token
        report = stage.learner.step(stage.pack(credited))  # log-probs, loss, backward, update: version + 1
        stage.record(step, credited, report, started=started)  # metrics, transcripts, checkpoint
