"""A verifier inside another one: what is right, for a part that pays for how it is said."""

from __future__ import annotations

import inspect
from typing import Any

from guerdon.core.errors import PluginError
from guerdon.core.types import Part, RolloutGroup
from guerdon.rewards.config import VerifierConfig


class Inner:
    """Asks a verifier or a judge about a whole group."""

    def __init__(self, config: VerifierConfig) -> None:
        if config.reads:
            raise PluginError(
                f"{', '.join(config.reads)}: belongs to a part of the rubric itself; inside another part nobody computes "
                "what it names: remove the key, or make this a part of its own"
            )
        self._verifier: Any = config.build()

    async def verdicts(self, group: RolloutGroup) -> list[Part]:
        """One part for each rollout."""
        if hasattr(self._verifier, "score"):
            found = self._verifier.score(group)
            return list(await found if inspect.isawaitable(found) else found)
        return [self._verifier(group.problem, rollout) for rollout in group.rollouts]

    def check(self) -> None:
        """As the verifier's own."""
        if hasattr(self._verifier, "check"):
            self._verifier.check()

    def close(self) -> None:
        """Release what it holds."""
        if hasattr(self._verifier, "close"):
            self._verifier.close()
