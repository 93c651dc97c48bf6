"""The rule that trains a generative reward model (SPCT, arXiv:2504.02495, eq. 4): did its scores find the best response?"""

from __future__ import annotations

from dataclasses import dataclass

from guerdon.core.critique import read_scores
from guerdon.core.types import Evidence, Part, Problem, Rollout
from guerdon.rewards.config import SpctVerifierConfig


@dataclass(frozen=True, slots=True)
class SpctVerifier:
    """Of several responses the best must get strictly the highest score; of one, the score must be its label.

    There is no reward for form: scores that cannot be read are wrong. A problem without a label cannot be verified.
    """

    config: SpctVerifierConfig

    def __call__(self, problem: Problem, rollout: Rollout) -> Part:
        """Score one critique."""
        count, best, label = (problem.info.get(key) for key in ("num_responses", "best", "label"))
        if not isinstance(count, int) or not isinstance(best if count > 1 else label, int):
            return self._part(
                None, "the problem has no label; make problems with data.train.kind = 'critiques'"
            )
        scores = read_scores(rollout.text, count)
        if scores is None:
            return self._part(-1.0, f"the last line is not `Scores: ` with {count} numbers from 1 to 10")
        said = ", ".join(map(str, scores))
        if count == 1:
            return self._part(1.0 if scores[0] == label else -1.0, f"scored {said}, labelled {label}", said)
        assert isinstance(best, int)
        others = [score for place, score in enumerate(scores, start=1) if place != best]
        right = scores[best - 1] > max(others)
        return self._part(1.0 if right else -1.0, f"scored {said}; response {best} is the best", said)

    def _part(self, value: float | None, note: str, extracted: str | None = None) -> Part:
        return Part(name=self.config.name, value=value, evidence=Evidence(note=note, extracted=extracted))
