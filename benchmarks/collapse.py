"""Do the scores of a reward model collapse? Learned bias, centring and prompt-aware utility against their ablation.

    python benchmarks/collapse.py [--seeds 4] [--epochs 4]

Closed-ended prompts (arithmetic, one right answer) and open-ended ones (lists that are better the more they hold) train one
`builtin:tiny` several times over. Measured on held-out responses (algorithms of arXiv:2305.17608 and 2312.09244):

    |mean score| <= 0.05     std >= 0.3     saturated (beyond 0.98) <= 10 %     KS distance of open and closed >= 0.25

The ablation has no bias (tau = 1), no centring, no variance floor and one utility for all prompts. It should violate two
of the four. Results: benchmarks/results/collapse.{json,md}.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
from pathlib import Path
from typing import Any

from guerdon.core.types import CreditedGroup, Message, Preference, Problem
from guerdon.data.preferences.config import ArithPreferencesConfig
from guerdon.explain.reward_model.measures import distribution, ks_distance, scores_of
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.models.reward import RewardModel, Shown
from guerdon.models.reward_loading import load_reward_model
from guerdon.run.reward_eval import RewardEvaluation, RewardEvaluator
from guerdon.run.reward_source import PreferenceSource
from guerdon.train.config import OptimConfig, RewardLossConfig
from guerdon.train.reward import RewardLearner, pack_rewards

RESULTS = Path(__file__).parent / "results"
WORDS = ("ant", "bee", "cat", "cow", "dog", "elk", "fox", "hen", "owl", "pig", "rat", "yak")
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "with bias, centring, prompt-aware utility": (
        {},
        {"ranking": "prompt_aware", "centering": 0.1, "bias": 1.0},
    ),
    "ablation: none of them": (
        {"bias": False},
        {"ranking": "bradley_terry", "centering": 0.0, "bias": 0.0, "variance_floor": 0.0},
    ),
}
"""What differs: (head, loss)."""
LIMITS = {"mean": 0.05, "std": 0.3, "saturated": 0.1, "distance": 0.25}


def open_ended(count: int, seed: int) -> list[Preference]:
    """Lists of animals: each more is better, and there is no best one. Four answers to a prompt, all pairs."""
    draw = random.Random(seed)
    pairs = []
    for index in range(count):
        letter = draw.choice("abcdefghij")
        asked = Message(role="user", content=f"{letter}{index}: name animals.")
        problem = Problem(id=f"open/{seed}/{index}", messages=(asked,))
        answers = [" ".join(draw.sample(WORDS, size)) for size in draw.sample(range(1, 9), 4)]
        ranked = sorted(answers, key=lambda text: -len(text.split()))
        pairs += [
            Preference(problem=problem, chosen=a, rejected=b) for a, b in itertools.combinations(ranked, 2)
        ]
    return pairs


def closed(count: int, seed: int) -> list[Preference]:
    """Right answers against wrong ones."""
    config = ArithPreferencesConfig(num_pairs=count, faults=("answer",), max_digits=1, max_operands=3)
    return list(config.build(seed).pairs)


def train(kind: str, seed: int, epochs: int) -> RewardModel:
    head, loss = KINDS[kind]
    model = load_reward_model(
        ModelConfig(source="builtin:tiny"),
        HeadConfig.model_validate(head),
        InputConfig(max_length=256),
        seed=seed,
    )
    pairs = open_ended(80, seed) + closed(480, seed)
    source = PreferenceSource(pairs, model, too_long="refuse")
    problems = source.problems
    steps = epochs * len(problems) // 16
    learner = RewardLearner(
        model,
        RewardLossConfig.model_validate(loss),
        OptimConfig(learning_rate=1e-3, max_steps=steps, warmup_steps=5),
    )
    order: list[int] = []
    for step in range(steps):
        if len(order) < 16:
            order = random.Random(f"{seed}/{step}").sample(range(len(problems)), len(problems))
        part, order = [problems[index] for index in order[:16]], order[16:]
        groups = asyncio.run(source.scored(step, part))
        credited = [CreditedGroup(scored=group, advantages_G_T=((), ())) for group in groups]
        learner.step([pack_rewards(credited, model=model, max_tokens=4096)])
    return model


def measure(model: RewardModel, seed: int) -> dict[str, float]:
    """On responses to prompts that neither training nor the setting of level and scale has seen."""
    held = open_ended(50, seed + 1000) + closed(300, seed + 1000)
    settled = open_ended(30, seed + 500) + closed(180, seed + 500)
    reference = [Shown(pair.problem, (pair.chosen, pair.rejected)) for pair in settled]
    with model.settled(reference, max_tokens=4096):
        found: RewardEvaluation = RewardEvaluator(model, held, max_tokens=4096).evaluate("after", 0)
    pairs = found.pairs
    scores = distribution(scores_of(pairs))
    assert scores is not None
    of = {kind: scores_of(pairs, open_ended=kind) for kind in (True, False)}
    hits = {
        name: [pair.hit for pair in pairs if pair.open_ended is flag and pair.hit is not None]
        for name, flag in (("open", True), ("closed", False))
    }
    return {
        "mean": scores.mean, "std": scores.std, "saturated": scores.saturated,
        "distance": ks_distance(of[True], of[False]) or 0.0,
        **{f"accuracy, {name}": sum(items) / len(items) for name, items in hits.items()},
    }  # fmt: skip


def violations(found: dict[str, float]) -> list[str]:
    broken = [name for name in ("std", "distance") if found[name] < LIMITS[name]]
    broken += [name for name in ("mean", "saturated") if abs(found[name]) > LIMITS[name]]
    return broken


def markdown(results: dict[str, list[dict[str, float]]], args: argparse.Namespace) -> str:
    names = ["mean", "std", "saturated", "distance", "accuracy, open", "accuracy, closed"]
    lines = [
        "# Do the scores of a reward model collapse?",
        "",
        f"`python benchmarks/collapse.py --seeds {args.seeds} --epochs {args.epochs}`: `builtin:tiny`, 480 closed-ended "
        "and 480 open-ended pairs, held-out responses. A row a seed; in bold what violates |mean| <= 0.05, std >= 0.3, "
        "saturated <= 10 %, distance (Kolmogorov-Smirnov, open against closed prompts) >= 0.25.",
        "",
        f"| model | seed | {' | '.join(names)} | violated |",
        f"|---|---|{'---:|' * len(names)}---:|",
    ]
    for kind, runs in results.items():
        for seed, found in enumerate(runs):
            broken = violations(found)
            cells = [f"**{found[name]:.2f}**" if name in broken else f"{found[name]:.2f}" for name in names]
            lines.append(f"| {kind} | {seed} | {' | '.join(cells)} | {len(broken)} |")
    for kind, runs in results.items():
        mean = statistics.mean(len(violations(found)) for found in runs)
        lines.append(f"\nViolations on average, {kind}: {mean:.1f} of 4.")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {}
    for kind in KINDS:
        for seed in range(args.seeds):
            model = train(kind, seed, args.epochs)
            results.setdefault(kind, []).append(measure(model, seed))
            print(
                kind, seed, {name: round(value, 3) for name, value in results[kind][-1].items()}, flush=True
            )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "collapse.json").write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / "collapse.md").write_text(markdown(results, args))
    print(markdown(results, args))


if __name__ == "__main__":
    main()
