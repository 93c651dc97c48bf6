"""The results of grpo_step.py as Markdown. It only formats: every figure stands in grpo_step.json."""

from __future__ import annotations

from typing import Any

STATIONS = {
    "generate": "generate, s",
    "reward": "reward, s",
    "logprobs": "old and reference log-probs, s",
    "forward_backward": "forward + backward, s",
    "optimizer": "clip + optimiser, s",
    "other": "everything else, s",
    "seconds": "**seconds per step**",
    "cpu_seconds": "CPU seconds per step",
    "ms_per_token": "milliseconds per completion token",
    "peak_gb": "**peak memory, GB**",
}
"""Key of a summary -> row of the table; for all of them less is better."""


def markdown(found: dict[str, Any]) -> str:
    """The whole page."""
    machine, settings = found["machine"], found["settings"]
    versions = found["results"][0]["versions"]
    out = [
        "# One GRPO step: Guerdon and TRL",
        "",
        f"`{found['command']}`",
        "",
        f"- Machine: {machine['cpu']}, {machine['cores']} cores, {settings['threads']} torch threads, "
        f"{machine['system']}; load {machine['load_before']:.1f} before the start.",
        *(f"- {name}: {_versions(found)}" for name, found in versions.items()),
        f"- Task: SmolLM2-135M-Instruct, {settings['num_problems']} problems x {settings['num_generations']} "
        f"answers, at most {settings['max_completion_length']} new tokens, temperature 1, no truncation, one "
        f"on-policy update, AdamW at {settings['learning_rate']:g}, beta 0, loss of the GRPO paper, a coin as reward.",
        f"- TRL: {_trl(settings)}.",
        f"- Guerdon: bfloat16 trunk, float32 master weights and gradients, {settings['micro_tokens']} tokens a "
        "micro-batch.",
        f"- Medians of {settings['steps'] - 1} steps after a warm-up, the two in turn, each in its own process.",
        "",
    ]
    for result in found["results"]:
        out += _table(result)
    return "\n".join(out) + "\n"


def _versions(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _trl(settings: dict[str, Any]) -> str:
    count = settings["num_problems"] * settings["num_generations"]
    return ", ".join(
        (
            "float32 weights under bfloat16 autocast"
            if settings["trl_mixed"]
            else "bfloat16 weights, gradients and moments",
            f"per_device_train_batch_size {settings['trl_batch_size']} x gradient_accumulation_steps "
            f"{count // settings['trl_batch_size']}",
            f"gradient checkpointing {'on' if settings['trl_checkpointing'] else 'off'}",
            "sdpa, transformers generation",
        )
    )


def _table(result: dict[str, Any]) -> list[str]:
    ours, theirs = result["summary"]["guerdon"], result["summary"]["trl"]
    title = (
        "Forced length: every answer has the maximal length"
        if result["mode"] == "forced"
        else "Natural stops"
    )
    out = [f"## {title}", "", "| | Guerdon | TRL | TRL / Guerdon |", "|---|---:|---:|---:|"]
    for key, name in STATIONS.items():
        a, b = ours[key], theirs[key]
        ratio = f"{b / a:.2f}" if a > 0.005 and b > 0.005 else ""
        out.append(f"| {name} | {a:.2f} | {b:.2f} | {ratio} |")
    out.append(f"| completion tokens per step | {ours['tokens']:.0f} | {theirs['tokens']:.0f} | |")
    faster = ours["tokens_per_s"] / theirs["tokens_per_s"]
    out.append(
        f"| completion tokens per second | {ours['tokens_per_s']:.1f} | {theirs['tokens_per_s']:.1f} | |"
    )
    smaller = ours["peak_gb"] / theirs["peak_gb"]
    out += [
        "",
        f"Guerdon makes {faster:.2f} times TRL's tokens per second, with {smaller:.2f} times its peak memory.",
        "",
    ]
    if ours["rows_without_signal"]:
        out += [
            f"The coin left {ours['rows_without_signal']} of Guerdon's rows without a signal over all timed steps; "
            "it skips those, TRL computes them.",
            "",
        ]
    return out
