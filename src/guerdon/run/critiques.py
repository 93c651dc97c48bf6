"""Critiques of a reward model that writes before it scores, sampled from its own trunk.

    prompt, response, <critique> --LocalEngine--> text up to </critique>      once for each vote

Random numbers come from what is judged: a response gets the same critiques in whatever company it comes.
"""

from __future__ import annotations

from collections.abc import Sequence

from guerdon.core.seeds import derive_seed
from guerdon.models.config import CritiqueConfig
from guerdon.models.reward import RewardModel, Shown
from guerdon.models.reward_input import CLOSE
from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.engine import Request
from guerdon.rollout.local import LocalEngine


class CritiqueWriter:
    """The `Writer` of one reward model."""

    def __init__(self, model: RewardModel, config: CritiqueConfig, *, seed: int = 0) -> None:
        self.model = model
        self.config = config
        self.seed = seed
        self.engine = LocalEngine(model.trunk)
        self.sampling = SamplingConfig(
            temperature=config.temperature if config.votes > 1 else 0.0,
            max_completion_length=config.max_length,
            stop=(CLOSE,),
        )

    def __call__(self, items: Sequence[Shown]) -> list[list[list[str]]]:
        """Critiques of each response of each item; none of a response that leaves no room for one."""
        asked = [self._requests(item) for item in items]
        flat = [request for item in asked for requests in item for request in requests]
        written = iter(self.engine.generate(flat))
        read = self.model.reader.read_critique
        return [[[read(next(written).text) for _ in requests] for requests in item] for item in asked]

    def _requests(self, item: Shown) -> list[list[Request]]:
        """One for each vote on each response."""
        room = self.config.max_length
        opened = self.model.reader.openings(item.problem, item.responses, item.verdicts, room)
        said = [message.content for message in item.problem.messages]
        return [
            []
            if ids is None
            else [
                Request(
                    prompt_ids=ids,
                    sampling=self.sampling,
                    seed=derive_seed(self.seed, "critique", *said, text, vote),
                )
                for vote in range(self.config.votes)
            ]
            for text, ids in zip(item.responses, opened, strict=True)
        ]


def with_writer(model: RewardModel, *, votes: int | None = None, seed: int = 0) -> RewardModel:
    """The model, able to write its critiques if it is one that does.

    Args:
        model: any reward model.
        votes: critiques of one response; None: as its folder says.
        seed: of the sampling of several votes.
    """
    config = model.reader.config.critique
    if config is not None:
        model.writer = CritiqueWriter(
            model, config if votes is None else config.model_copy(update={"votes": votes}), seed=seed
        )
    return model
