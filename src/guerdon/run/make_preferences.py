"""`guerdon prefs make`: models answer, a reward labels, answers become pairs, pairs become a file.

    problems --each model: K answers--> candidates --rubric--> labels --pairing--> pairs.jsonl
                                                   --no [rewards]--> lists.jsonl --people--> guerdon prefs pair

A file grows by whole batches of problems (made_file.py); after a kill the same command goes on at the last whole batch
and ends with the same bytes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guerdon.core.errors import ConfigError, UserError
from guerdon.core.seeds import content_hash, derive_seed
from guerdon.core.types import Json, Preference, Problem, RolloutGroup, Score, ScoredGroup, to_json
from guerdon.data.preferences.pairing import ALIKE, SCORE, VERDICT, Answer, Candidates, pairs_of
from guerdon.data.split import load_problems
from guerdon.models.fetch import why_missing
from guerdon.models.loading import load_policy, policy_version
from guerdon.rewards.rubric import Rubric
from guerdon.rollout.local import LocalEngine
from guerdon.rollout.rollouter import Rollouter
from guerdon.run.config_preferences import PreferencesRunConfig
from guerdon.run.made_file import Made, MadeFile, Versions
from guerdon.run.progress import Display
from guerdon.run.stage import InterruptedRunError

BATCH = 32
"""Problems between two states on disk."""
CUT_OFF, EMPTY, REPEATED = "answers cut off", "empty answers", "repeated answers"
UNANSWERED, UNLABELLED = "prompts that could not be answered", "answers without a rating"
CLOSE, LONG = "pairs closer than min_gap", "pairs beyond max_length_ratio"
OF_ANSWERS = (CUT_OFF, EMPTY, UNANSWERED, UNLABELLED, REPEATED, "repeated answers with another rating")
"""Why fewer than two answers of a problem can be compared."""
LISTS = "lists"
"""Stands in for pairs where people label later."""


def make_preferences(config: PreferencesRunConfig, output: Path) -> Made:
    """Make the pairs of a recipe, or go on making them; without rewards, lists of responses that wait for labels.

    Args:
        config: the recipe.
        output: a JSON Lines file; it and FILE.state.json are written.

    Raises:
        UserError: the file is another recipe's, or data, model or a part of the reward cannot be used.
    """
    with Display() as display:
        return asyncio.run(add_preferences(config, output, display))


async def add_preferences(
    config: PreferencesRunConfig,
    output: Path,
    display: Display,
    *,
    interrupted: Callable[[], bool] | None = None,
) -> Made:
    """As `make_preferences`, within a run that has a display and minds Ctrl-C itself.

    Raises:
        UserError: as there.
        InterruptedRunError: the user asked to stop; all batches so far are saved.
    """
    problems = load_problems(config.data, config.seed).train[: config.num_problems]
    made = MadeFile(output, config)
    if made.done >= len(problems):
        return made.made()
    for remark in config.remarks():
        display.say(remark)
    maker = _Maker.open(config)
    try:
        made.begin(maker.versions)
        display.begin("preferences", -(-len(problems) // BATCH), done=made.done // BATCH)
        for start in range(made.done, len(problems), BATCH):
            if interrupted and interrupted():
                raise InterruptedRunError(f"stopped with {made.num_pairs} preferences; they are saved")
            batch = problems[start : start + BATCH]
            made.add(await maker.rows(batch, made), len(batch))
            display.advance(f"{made.num_pairs} {'pairs' if maker.labels else LISTS}")
    finally:
        maker.rubric.close()
    return made.made()


def why_no_pair(
    made: Made, *, sampling: str = "sampling", pairing: str = "pairing", generations: str = "sampling"
) -> str:
    """Why no pair came out, and what to do about it.

    Args:
        made: what was made.
        sampling: the recipe's table with temperature and lengths.
        pairing: the one with the pairing.
        generations: the one with `num_generations`.
    """
    more = f"raise {sampling}.temperature or {generations}.num_generations"
    known = {
        CUT_OFF: f"the answers were cut off; raise {sampling}.max_completion_length, or take a model that ends its answers",
        EMPTY: "the answers are empty; take another model, or give it its chat template",
        UNANSWERED: "the prompts do not fit: a prompt and max_completion_length must fit into the model's context",
        UNLABELLED: f"the answers could not be labelled: {made.unlabelled}",
        REPEATED: f"the answers all say the same; {more}",
        ALIKE: f"the answers are labelled alike; {more}",
        CLOSE: f"the labels are closer than {pairing}.min_gap; lower it",
        LONG: f"the answers differ too much in length; raise {pairing}.max_length_ratio",
    }
    if not made.no_pair:
        return "no problem to answer"
    reason, count = made.no_pair.most_common(1)[0]
    key = REPEATED if reason.startswith(REPEATED) else reason
    return f"{count} of {made.num_problems} problems: {known.get(key, reason)}"


@dataclass(slots=True)
class _Answered:
    """One problem's answers so far."""

    answers: list[Answer] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Models that answer, and what labels."""

    config: PreferencesRunConfig
    rollouters: dict[str, Rollouter]
    rubric: Rubric
    versions: Versions

    @classmethod
    def open(cls, config: PreferencesRunConfig) -> _Maker:
        """Load everything.

        Raises:
            UserError: a model or a part of the reward cannot be used; every such line at once.
        """
        problems = [f"{key}: {why}" for key, source in config.sources() if (why := why_missing(source))]
        rubric = Rubric.from_config(config.rubric)
        try:
            try:
                rubric.check()
                rubric.check_calibrated()
            except UserError as error:
                problems += str(error).splitlines()
            if problems:
                raise ConfigError(problems)
            rollouters, models = {}, {}
            for source in dict.fromkeys((config.model.source, *config.models)):
                chosen = config.model.model_copy(update={"source": source, "lora": None})
                policy = load_policy(chosen, seed=config.seed)
                models[source] = policy_version(chosen, policy)
                engine = LocalEngine(policy, max_batch_rows=config.sampling.max_batch_rows)
                rollouters[source] = Rollouter(policy, engine)
            versions = {"models": models, "rewards": rubric.versions()}
            return cls(config, rollouters, rubric, versions)
        except BaseException:
            rubric.close()
            raise

    @property
    def labels(self) -> bool:
        """Whether the reward labels; else people do, later."""
        return self.config.rewards is not None

    async def rows(self, problems: Sequence[Problem], made: MadeFile) -> list[Json]:
        """The rows of one batch; what became of the rest is counted in `made`."""
        found = {problem.id: _Answered() for problem in problems}
        config = self.config
        for number, (source, rollouter) in enumerate(self.rollouters.items()):
            groups = rollouter.rollout(
                problems,
                config.sampling,
                num_generations=config.sampling.num_generations,
                # not by source: a folder may stand elsewhere
                seed=derive_seed(config.seed, "preferences", number),
            )
            scored = await self._scored(groups)
            made.unlabelled = made.unlabelled or self.rubric.why(scored)
            for group in scored:
                self._take(group, source, found[group.group.problem.id])
        rows: list[Json] = []
        for problem in problems:
            one = found[problem.id]
            new = self._paired(problem, one) if self.labels else self._listed(problem, one)
            if not new:
                made.no_pair[_reason(one)] += 1
            made.left_out.update(one.lost)
            rows += new
        return rows

    async def _scored(self, groups: Sequence[RolloutGroup]) -> list[ScoredGroup]:
        if self.labels:
            return await self.rubric.score(groups)
        nobody = Score(value=None, parts=())
        return [ScoredGroup(group=group, scores=(nobody,) * len(group.rollouts)) for group in groups]

    def _take(self, scored: ScoredGroup, source: str, found: _Answered) -> None:
        """Whole answers with their labels; a cut-off one would teach that stopping anywhere is fine."""
        if not scored.group.rollouts:
            found.lost[UNANSWERED] += 1
        for rollout, score in zip(scored.group.rollouts, scored.scores, strict=True):
            if rollout.truncated or not rollout.text.strip():
                found.lost[CUT_OFF if rollout.truncated else EMPTY] += 1
                continue
            place = f"{source}#{rollout.index}"
            found.answers.append(
                Answer(text=rollout.text, score=score.value, ratings=self._ratings(score), place=place)
            )

    def _ratings(self, score: Score) -> dict[str, float]:
        """Every part, the label, and the verdict of the rule that the recipe names."""
        ratings = {part.name: part.value for part in score.parts if part.value is not None}
        if score.value is not None:
            ratings[SCORE] = score.value
        if self.config.verdict is not None:
            rule = score.part(self.config.verdict)
            if rule is not None and rule.value is not None:
                ratings[VERDICT] = float(rule.value >= 1.0)
        return ratings

    def _paired(self, problem: Problem, found: _Answered) -> list[Json]:
        candidates = Candidates(
            problem=self._told(problem, found.answers),
            answers=tuple(found.answers),
            source=self.config.judged_by,
            no_tie=ALIKE,
        )
        pairs: list[Preference] = list(
            pairs_of(candidates, self.config.pairing, seed=self.config.seed, left_out=found.lost)
        )
        return [to_json(pair) for pair in pairs]

    def _listed(self, problem: Problem, found: _Answered) -> list[Json]:
        """The different answers, in an order that says nothing of who wrote them, with a place for each label."""
        texts = {answer.text.strip(): answer.text for answer in reversed(found.answers)}
        if repeated := len(found.answers) - len(texts):
            found.lost[REPEATED] += repeated
        if len(texts) < 2:
            return []
        shown = sorted(texts.values())
        random.Random(derive_seed(self.config.seed, "shown", problem.id)).shuffle(shown)
        responses: list[Json] = [{"id": content_hash(text), "text": text, "score": None} for text in shown]
        told = to_json(self._told(problem, found.answers))
        return [{"problem": told, "responses": responses, "preference": None, "annotator": None}]

    def _told(self, problem: Problem, answers: Sequence[Answer]) -> Problem:
        """The problem with where its answers come from; text by hash, so that a pair says who wrote which side."""
        made: dict[str, Json] = {
            "seed": self.config.seed,
            "temperature": self.config.sampling.temperature,
            "answers": {content_hash(answer.text): answer.place for answer in answers},
            "models": dict(self.versions["models"]),
            "rewards": dict(self.versions["rewards"]),
        }
        kept = {key: value for key, value in problem.info.items() if key != "solution"}
        return dataclasses.replace(problem, info={**kept, "made": made})


def _reason(found: _Answered) -> str:
    """What a problem without a pair is for want of: two answers to compare, or a difference between them."""
    known = {answer.text.strip() for answer in found.answers if answer.score is not None}
    filtered = {name: found.lost[name] for name in (CLOSE, LONG) if found.lost[name]}
    if len(known) > 1:
        return max(filtered, key=lambda name: filtered[name], default=ALIKE)
    reason = max(OF_ANSWERS, key=lambda name: found.lost[name])
    return reason if found.lost[reason] else REPEATED
