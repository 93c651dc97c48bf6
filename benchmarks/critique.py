"""A reward model that writes a critique first, against a scalar one of the same backbone, pairs and steps.

    python benchmarks/critique.py [--steps 90] [--spct-steps 24] [--held 40] [--votes 4] [--seed 0]

Pairs of worked solutions of arithmetic, one with a fault put in (data kind `arith`: a wrong step under a right answer, a
wrong answer under right steps, a carried error), two to four operands in training. Held out: each fault by itself, and
each in solutions of six operands, longer than any in training. Arms, all LoRA on SmolLM2-135M-Instruct:

    scalar       `guerdon rm train`: Bradley-Terry on the pairs
    critique     `guerdon train`, stage sft: worked critiques of the same responses, as many a step, in as many steps
    + SPCT       then GRPO with the pointwise rule of DeepSeek-GRM: +1 if the score is the response's label, else -1

Every response is scored by itself, as the scalar model scores it. Measured: pairs whose better side gets the higher
score; of the critics with one vote and with several, and with the score after a critique of another response put into
the critic's mouth (the control: if that costs nothing, the critique is decoration).
Results: benchmarks/results/critique.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peers import cpu_name

from guerdon.core.config import parse_config, parse_plugin
from guerdon.core.types import Preference, Problem
from guerdon.data.preferences.config import PREFERENCES
from guerdon.models.config import ModelConfig
from guerdon.models.reward import Shown
from guerdon.models.reward_loading import load_reward_model
from guerdon.run.build import run_recipe
from guerdon.run.build_reward import run_reward_recipe
from guerdon.run.config import RunConfig
from guerdon.run.config_reward import RewardRunConfig
from guerdon.run.critic import GenerativeJudge, Vote, given_critiques
from guerdon.run.critic_config import GenerativeConfig

RESULTS = Path(__file__).parent / "results"
MODEL = {"source": "pypi:smollm2-135m", "lora": {"r": 16, "alpha": 32}}
WORLD = {"kind": "arith", "max_digits": 1, "min_operands": 2, "max_operands": 4}
LONG = {"kind": "arith", "max_digits": 1, "min_operands": 6, "max_operands": 6}
BATCH = 16
OPTIM = {"learning_rate": 1e-3, "warmup_steps": 4, "max_tokens_per_microbatch": 1024}


def held_out(args: argparse.Namespace) -> dict[str, list[Preference]]:
    """Pairs by subset, none about a problem of the training pairs."""
    seen = {pair.problem.messages for pair in pairs(WORLD, args.num_pairs, args.seed)}
    found: dict[str, list[Preference]] = {}
    for prefix, world in (("", WORLD), ("longer, ", LONG)):
        for pair in pairs(world, 40 * args.held, args.seed + 1000):
            subset = f"{prefix}{pair.problem.info['subset']}"
            if pair.problem.messages not in seen and len(found.setdefault(subset, [])) < args.held:
                found[subset].append(pair)
    return found


def pairs(world: dict[str, Any], count: int, seed: int) -> list[Preference]:
    limit = 2000 if world is LONG else 1600
    return list(parse_plugin(PREFERENCES, {**world, "num_pairs": min(count, limit)}).build(seed).pairs)


def train_scalar(args: argparse.Namespace, folder: Path) -> Path:
    recipe = {
        "name": "scalar", "output_dir": str(folder), "seed": args.seed, "model": MODEL,
        "data": {"train": {"worked": {**WORLD, "num_pairs": args.num_pairs}}},
        "train": {**OPTIM, "max_steps": args.steps, "batch_size": BATCH, "learning_rate": 5e-4},
        "eval": {"before": False, "num_pairs": 20},
    }  # fmt: skip
    return run_reward_recipe(parse_config(RewardRunConfig, recipe)).model


def train_critic(args: argparse.Namespace, folder: Path, name: str, **changes: Any) -> Path:
    recipe = {
        "name": name, "output_dir": str(folder), "seed": args.seed, "model": MODEL, "save_steps": 1000,
        "data": {
            "train": {"kind": "critiques", "responses": 1, "preferences": {**WORLD, "num_pairs": args.num_pairs}}
        },
        "rollout": {"num_generations": 8, "generation_batch_size": 64, "max_completion_length": 110},
        "rewards": {"spct": {}},
        "sft": {**OPTIM, "max_steps": args.steps, "batch_size": 2 * BATCH},
        "train": {**OPTIM, "max_steps": args.spct_steps, "learning_rate": 2e-4, "lr_scheduler_type": "constant"},
        "algorithm": {"name": "grpo", "beta": 0.01},
        "eval": {"num_problems": 0, "accuracy": "spct"},
        **changes,
    }  # fmt: skip
    return run_recipe(parse_config(RunConfig, recipe)).model


def scalar_hits(model: Path, held: dict[str, list[Preference]]) -> dict[str, list[float]]:
    judge = load_reward_model(ModelConfig(source=str(model)))
    found: dict[str, list[float]] = {}
    for subset, items in held.items():
        scores = judge.score([Shown(p.problem, [p.chosen, p.rejected]) for p in items], max_tokens=2048)
        found[subset] = [hit(float(s.u_B[0]), float(s.u_B[1])) for s in scores]
    return found


def hit(better: float | None, worse: float | None) -> float:
    """1, 0, or one half where both are equal; a side without a score is not found."""
    if better is None or worse is None:
        return 0.0
    return 0.5 if better == worse else float(better > worse)


def critic_hits(
    model: Path, held: dict[str, list[Preference]], args: argparse.Namespace
) -> dict[str, dict[str, list[float]]]:
    config = GenerativeConfig(
        path=str(model), votes=args.votes, responses=1, max_completion_length=200, seed=args.seed
    )
    judge = GenerativeJudge(config)
    found: dict[str, dict[str, list[float]]] = {"one vote": {}, "votes": {}, "own": {}, "foreign": {}}
    for subset, items in held.items():
        votes = judge.votes([(pair.problem, [pair.chosen, pair.rejected]) for pair in items])
        found["one vote"][subset] = [
            statistics.mean(hit(better, worse) for better, worse in zip(*by_side(given), strict=True))
            for given in votes
        ]
        found["votes"][subset] = [
            hit(*(judge._verdict(place, given).value for place in (0, 1))) for given in votes
        ]
        own, foreign = permuted(judge, votes, args.seed)
        found["own"][subset], found["foreign"][subset] = own, foreign
    return found


def by_side(votes: Sequence[Vote]) -> list[list[float | None]]:
    """Scores of the chosen and of the rejected response, a critique each."""
    return [
        [None if vote.scores is None else vote.scores[0] for vote in votes if vote.places == (place,)]
        for place in (0, 1)
    ]


def permuted(
    judge: GenerativeJudge, votes: Sequence[Sequence[Vote]], seed: int
) -> tuple[list[float], list[float]]:
    """Hits when each score follows the response's own first critique, and one of another pair's response.

    A critique that cannot be read keeps its place: what can be read in it is up to the scores that follow.
    """
    first = [next(vote for vote in given if vote.places == (place,)) for given in votes for place in (0, 1)]
    asked = [Problem(id=v.problem.id, messages=v.problem.messages, info={"num_responses": 1}) for v in first]
    texts = [vote.text.rsplit("\n", 1)[0] for vote in first]
    order = list(range(0, len(first), 2))
    random.Random(seed).shuffle(order)
    other = dict(zip(order, order[1:] + order[:1], strict=True))
    draw = random.Random(seed + 1)
    flips = [draw.randrange(2) for _ in votes]
    moved = [texts[other[i - i % 2] + (i + flips[i // 2]) % 2] for i in range(len(first))]
    found = []
    for critiques in (texts, moved):
        given = [
            scores[0] if scores else None for scores in given_critiques(judge.rollouter, asked, critiques)
        ]
        found.append([hit(*given[i : i + 2]) for i in range(0, len(given), 2)])
    return found[0], found[1]


def mean_interval(hits: Sequence[float]) -> str:
    if not hits:
        return "-"
    mean = statistics.mean(hits)
    half = 1.96 * (statistics.pstdev(hits) / len(hits) ** 0.5)
    return f"{100 * mean:.1f} (+- {100 * half:.1f})"


def markdown(arms: dict[str, dict[str, list[float]]], args: argparse.Namespace) -> str:
    subsets = list(next(iter(arms.values())))
    lines = [
        "# A critique before the score",
        "",
        f"`python benchmarks/critique.py --steps {args.steps} --spct-steps {args.spct_steps} --held {args.held} --votes "
        f"{args.votes} --seed {args.seed}`: SmolLM2-135M-Instruct with LoRA, {args.steps} steps of {BATCH} pairs for every "
        f"arm, {args.held} held-out pairs a subset; {cpu_name()}, {os.cpu_count()} cores, torch {torch.__version__}. "
        "Percent of pairs whose better side scores higher (95 % intervals); a critique whose scores cannot be read finds "
        "nothing, equal scores count one half.",
        "",
        f"| | {' | '.join(subsets)} | all |",
        f"|---|{'---:|' * (len(subsets) + 1)}",
    ]
    for name, hits in arms.items():
        every = [item for subset in subsets for item in hits[subset]]
        cells = [mean_interval(hits[subset]) for subset in subsets]
        lines.append(f"| {name} | {' | '.join(cells)} | {mean_interval(every)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--spct-steps", type=int, default=24)
    parser.add_argument("--held", type=int, default=40)
    parser.add_argument("--votes", type=int, default=4)
    parser.add_argument("--num-pairs", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the runs; default: one that is deleted")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="critique-"))
    held = held_out(args)
    arms: dict[str, dict[str, list[float]]] = {}

    def add(label: str, model: Path) -> None:
        found = critic_hits(model, held, args)
        arms[f"{label}, one vote"] = found["one vote"]
        arms[f"{label}, {args.votes} votes"] = found["votes"]
        arms[f"{label}, scores after its own critique"] = found["own"]
        arms[f"{label}, scores after a foreign critique"] = found["foreign"]
        write(arms, args)

    arms["scalar"] = scalar_hits(train_scalar(args, folder), held)
    write(arms, args)
    critic = train_critic(args, folder, "critic", stages=["sft"])
    add("critique", critic)
    if args.spct_steps:
        model = {**MODEL, "source": str(critic)}
        add("+ SPCT", train_critic(args, folder, "spct", stages=["grpo"], model=model))
    if args.keep is None:
        shutil.rmtree(folder)


def write(arms: dict[str, dict[str, list[float]]], args: argparse.Namespace) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "critique.json").write_text(
        json.dumps({"args": vars(args) | {"keep": None}, "arms": arms}, indent=1) + "\n"
    )
    (RESULTS / "critique.md").write_text(markdown(arms, args))
    print(markdown(arms, args), flush=True)


if __name__ == "__main__":
    main()
