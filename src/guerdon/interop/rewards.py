"""Our verifiers as TRL reward functions, and verl's `compute_score` as one. Needs neither library.

trl.GRPOTrainer(..., reward_funcs=[as_trl_reward(MathVerifierConfig())])
reward = from_verl(compute_score)          # in a file that a recipe names: path = "file.py:reward"
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from guerdon.core.errors import PluginError
from guerdon.core.types import Message, Problem, Rollout, StopReason, Turn, Verifier
from guerdon.rewards.config import VerifierConfig

TrlReward = Callable[..., list[float | None]]
"""`(prompts, completions, **columns) -> list[float | None]`; None: no verdict on that row."""


def as_trl_reward(config: VerifierConfig, *, target: str | None = "answer") -> TrlReward:
    """A verifier as a TRL reward function.

    Args:
        config: of any verifier, for example `MathVerifierConfig()`.
        target: the dataset column with the gold answer; None for a verifier that needs none.

    Returns:
        A function named after the verifier (TRL's metric is `rewards/<name>/mean`). It gives the part's own
        value; weights belong into TRL's `reward_weights`.

    Raises:
        PluginError: the config is a judge's, which is a function of TRL's already; or, when called, the
            column is missing, or the columns differ in length.
    """
    verifier = config.build()
    name = config.name or config.kind
    if hasattr(verifier, "score"):
        raise PluginError(f"verifier {name!r} judges whole groups; give its own function to TRL")
    judge: Verifier = verifier

    def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        golds = _column(name, columns, target, len(completions))
        ids = _column(
            name, columns, "completion_ids" if "completion_ids" in columns else None, len(completions)
        )
        if config.kind == "overlong" and "completion_ids" not in columns:
            raise PluginError(f"reward {name!r} counts tokens and needs the column 'completion_ids'")
        values = []
        for index, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
            gold = golds[index]
            problem = Problem(
                id=str(index), messages=_messages(prompt), target=None if gold is None else str(gold)
            )
            values.append(judge(problem, _rollout(index, _text(completion), ids[index])).value)
        return values

    reward.__name__ = reward.__qualname__ = name
    return reward


def from_verl(compute_score: Callable[..., Any]) -> TrlReward:
    """A function of verl, `(data_source, solution_str, ground_truth, extra_info)`, as a TRL reward function.

    It may return a number or a dict with `score`; a row without a column gets None for that argument. Gold
    answers are read from the columns `reward_model` (its `ground_truth`), `ground_truth` or `answer`.

    Raises:
        PluginError: when called, if it returns anything else.
    """
    name = getattr(compute_score, "__name__", "compute_score")

    def reward(  # TRL passes prompts; verl's function never sees them
        prompts: Sequence[Any],  # noqa: ARG001
        completions: Sequence[Any],
        **columns: Any,
    ) -> list[float | None]:
        values: list[float | None] = []
        for index in range(len(completions)):
            row = {
                key: column[index] for key, column in columns.items() if _is_column(column, len(completions))
            }
            found = compute_score(
                data_source=row.get("data_source"),
                solution_str=_text(completions[index]),
                ground_truth=_ground_truth(row),
                extra_info=row.get("extra_info"),
            )
            values.append(_score(name, found))
        return values

    reward.__name__ = reward.__qualname__ = name
    return reward


def _score(name: str, found: Any) -> float | None:
    if inspect.isawaitable(found):
        if inspect.iscoroutine(found):
            found.close()
        raise PluginError(
            f"{name}: an async compute_score cannot be called here; wrap it in a plain function"
        )
    value = found.get("score") if isinstance(found, Mapping) else found
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return float(value)
    raise PluginError(f"{name}: expected a number or a dict with 'score'; got {type(found).__name__}")


def _ground_truth(row: Mapping[str, Any]) -> Any:
    model = row.get("reward_model")
    if isinstance(model, Mapping) and "ground_truth" in model:
        return model["ground_truth"]
    return row.get("ground_truth", row.get("answer"))


def _column(name: str, columns: Mapping[str, Any], wanted: str | None, count: int) -> Sequence[Any]:
    if wanted is None:
        return [None] * count
    if wanted not in columns:
        have = ", ".join(sorted(columns)) or "none"
        raise PluginError(f"reward {name!r}: no column {wanted!r}; the dataset's columns are {have}")
    if not _is_column(columns[wanted], count):
        raise PluginError(f"reward {name!r}: column {wanted!r} must hold {count} values, one a completion")
    return cast(Sequence[Any], columns[wanted])


def _is_column(column: Any, count: int) -> bool:
    return isinstance(column, list | tuple) and len(column) == count


def _messages(prompt: Any) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message(role="user", content=prompt),)
    return tuple(Message(role=str(item["role"]), content=str(item["content"])) for item in prompt)


def _text(completion: Any) -> str:
    """A completion as TRL gives it: text, or messages of which the assistant's are meant."""
    if isinstance(completion, str):
        return completion
    return "".join(str(item.get("content") or "") for item in completion if item.get("role") == "assistant")


def _rollout(index: int, text: str, ids: Sequence[int] | None) -> Rollout:
    tokens = tuple(ids or ())
    turn = Turn(prompt_ids=(), completion_ids=tokens, behavior_logprobs=(0.0,) * len(tokens), text=text)
    return Rollout(problem_id=str(index), index=index, turns=(turn,), stop=StopReason.EOS)
