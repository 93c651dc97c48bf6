"""TRL's GRPO configuration to a recipe: a YAML file, a shell command line, or a Python script.

The other way round, our rubric in its trainer, is `as_trl_rubric`.

Names and defaults as in TRL 1.x (`trl/trainer/grpo_config.py`). Two things count differently: TRL's batch
sizes count completions per device and micro-step, ours completions per step; TRL's `max_steps` counts
optimiser updates, ours steps.
"""

from __future__ import annotations

import math
from typing import Any

from guerdon.interop.draft import Draft, Fate, Unreadable, number, truth, whole
from guerdon.interop.rewards import as_trl_reward
from guerdon.interop.rubrics import as_trl_rubric
from guerdon.interop.sources import Call
from guerdon.interop.trl_keys import (
    ADVANTAGES,
    AGGREGATES,
    FACTORIES,
    MISSING,
    REWARDS,
    SAME,
    SCHEDULES,
    SINKS,
    SURROGATES,
    UNUSED,
)

__all__ = ["as_trl_reward", "as_trl_rubric", "translate"]


def translate(theirs: dict[str, Any]) -> Draft:
    """Their flat keys to a draft recipe, every key accounted for."""
    draft = Draft(theirs)
    draft.recipe["stages"] = ["grpo"]
    _model(draft)
    _data(draft)
    _rewards(draft)
    _batch(draft)
    _objective(draft)
    _lora(draft)
    _schedule(draft)
    length = whole(draft.take("max_completion_length"))
    draft.put(
        "rollout.max_completion_length",
        length or 512,
        "max_completion_length",
        "" if length else "TRL's default",
    )
    draft.same(SAME)
    _reference(draft)
    draft.missing(MISSING)
    draft.unused(UNUSED)
    draft.finish()
    return draft


def _model(draft: Draft) -> None:
    name = draft.take("model")
    if isinstance(name, str):
        draft.put("model.source", name, "model")
    elif isinstance(name, Call):
        source = name.get("0", name.get("pretrained_model_name_or_path"))
        draft.put("model.source", str(source), "model")
    if "model_name_or_path" not in draft.theirs and "model" not in draft.recipe:
        draft.line(Fate.BY_HAND, "model", "model.source", "which model? The recipe keeps guerdon's default")
    init = draft.take("model_init_kwargs")
    init = init if isinstance(init, dict) else {}
    dtype = draft.take("dtype") or draft.take("torch_dtype") or init.get("dtype") or init.get("torch_dtype")
    if truth(draft.take("bf16")):
        draft.put("model.dtype", "bfloat16", "bf16", "weights are kept in float32 besides")
    elif dtype is not None:
        word = str(dtype).removeprefix("torch.")
        known = word in ("float32", "bfloat16", "auto")
        draft.put(
            "model.dtype", word if known else "auto", "dtype", "" if known else f"{word} is not trained in"
        )
    if truth(draft.take("use_cpu")):
        draft.put("model.device", "cpu", "use_cpu")


def _data(draft: Draft) -> None:
    name = draft.take("dataset_name")
    if not isinstance(name, str):
        draft.put("data.train", {"kind": "jsonl", "path": "CHANGE-ME.jsonl"}, "dataset_name", "which data?")
        draft.lines[-1] = draft.lines[-1]._replace(fate=Fate.BY_HAND)
        return
    config, split = draft.take("dataset_config"), draft.take("dataset_train_split")
    test = draft.take("dataset_test_split")
    draft.put("data.train", dataset(name, config, split), "dataset_name")
    for key in ("dataset_config", "dataset_train_split"):
        if key in draft.theirs:
            draft.line(Fate.MAPPED, key, "data.train", "part of it")
    if isinstance(test, str):
        draft.put("data.eval", dataset(name, config, test), "dataset_test_split")


def dataset(name: str, config: Any, split: Any) -> dict[str, Any]:
    """Our dataset table for a file or a hub name."""
    for suffix, kind in (
        (".jsonl", "jsonl"),
        (".jsonl.gz", "jsonl"),
        (".json", "jsonl"),
        (".parquet", "parquet"),
    ):
        if name.endswith(suffix):
            return {"kind": kind, "path": name}
    found: dict[str, Any] = {"kind": "hub", "path": name}
    if isinstance(config, str):
        found["name"] = config
    if isinstance(split, str):
        found["split"] = split
    return found


def _rewards(draft: Draft) -> None:
    funcs = draft.take("reward_funcs")
    listed = funcs if isinstance(funcs, list) else [] if funcs is None else [funcs]
    weights = draft.take("reward_weights")
    weights = weights if isinstance(weights, list) else [] if weights is None else [weights]
    for position, func in enumerate(listed):
        weight = number(weights[position]) if position < len(weights) else None
        _reward(draft, func, weight)
    if weights and draft.recipe.get("rewards"):
        draft.line(Fate.MAPPED, "reward_weights", "rewards.*.weight", "in the order of reward_funcs")
    if not draft.recipe.get("rewards"):
        draft.recipe["rewards"] = {"math": {}}
        draft.line(
            Fate.BY_HAND, "reward_funcs", "rewards.math", "a recipe needs a reward; this one is a guess"
        )
    names = list(draft.recipe["rewards"])
    if "math" not in names:
        draft.recipe["eval"] = {"accuracy": names[0]}


def _reward(draft: Draft, func: Any, weight: float | None) -> None:
    extra = {} if weight is None else {"weight": weight}
    text = func["()"] if isinstance(func, Call) else str(func)
    name = text.rpartition(":")[2].rpartition(".")[2]
    if isinstance(func, Call) and name == "get_soft_overlong_punishment":
        length = whole(func.get("max_completion_len", func.get("0"))) or 512
        cache = whole(func.get("soft_punish_cache", func.get("1"))) or 64
        draft.put("rewards.overlong", {"max_length": length, "cache": cache, **extra}, "reward_funcs")
    elif name in REWARDS:
        note = f"{name}: ours has its own rules, see `guerdon list verifiers`"
        draft.put(f"rewards.{REWARDS[name]}", extra, "reward_funcs", note)
    elif isinstance(func, Call) or name in FACTORIES or _is_model(text):
        draft.line(Fate.MISSING, "reward_funcs", "", f"{text}: write it as a plain function reward")
    else:
        draft.put(f"rewards.{name}", {"kind": "function", "path": _place(text), **extra}, "reward_funcs")


def _is_model(text: str) -> bool:
    """A hub name such as `org/model`: TRL takes a classifier in place of a function."""
    return "/" in text and ":" not in text


def _place(text: str) -> str:
    """`module:function` of a function; one without a module is looked for in rewards.py."""
    if ":" in text:
        return text
    return ":".join(text.rsplit(".", 1)) if "." in text else f"rewards.py:{text}"


def _batch(draft: Draft) -> None:
    """Completions of one step, and optimiser updates of one step."""
    per_device = whole(draft.take("per_device_train_batch_size")) or 8
    accumulation = whole(draft.take("gradient_accumulation_steps")) or 1
    processes = whole(draft.take("num_processes")) or 1
    micro_steps = whole(draft.take("steps_per_generation"))
    total = whole(draft.take("generation_batch_size"))
    if total is not None:
        micro_steps = max(1, total // (per_device * processes))
    micro_steps = micro_steps or accumulation
    total = total or per_device * processes * micro_steps
    generations = whole(draft.theirs.get("num_generations")) or 8
    updates = max(1, micro_steps // accumulation)
    note = (
        f"{per_device} completions x {processes} devices x {micro_steps} micro-steps = {total} completions "
        f"= {total // generations} prompts x {generations}"
    )
    draft.put(
        "rollout.generation_batch_size", total, "per_device_train_batch_size x steps_per_generation", note
    )
    if updates > 1:
        draft.put("train.steps_per_generation", updates, "steps_per_generation / gradient_accumulation_steps")
    iterations = whole(draft.theirs.get("num_iterations")) or 1
    steps = whole(draft.take("max_steps"))
    if steps and steps > 0:
        each = updates * iterations
        why = (
            f"they count updates, {each} of one generation; here a step is one generation" if each > 1 else ""
        )
        draft.put("train.max_steps", math.ceil(steps / each), "max_steps", why)
    else:
        epochs = draft.take("num_train_epochs", 3.0)
        note = f"{epochs} epochs x problems / {max(1, total // generations)} problems a step; until set, 100"
        draft.line(Fate.BY_HAND, "num_train_epochs", "train.max_steps", note)


def _objective(draft: Draft) -> None:
    loss = str(draft.take("loss_type", "dapo"))
    said = "" if "loss_type" in draft.theirs else "TRL's default"
    draft.put("algorithm.name", "grpo", "loss_type", said)
    if loss in AGGREGATES:
        note = "per step here, per micro-batch there" if loss == "bnpo" else said
        draft.put("algorithm.aggregate", AGGREGATES[loss], "loss_type", note)
    else:
        draft.line(Fate.MISSING, "loss_type", "", f"{loss}: no such objective; plain GRPO is used")
    if loss in SURROGATES:
        draft.put("algorithm.surrogate", SURROGATES[loss], "loss_type")
    _bounds(draft, loss)
    scale = str(draft.take("scale_rewards", "group")).lower()
    if draft.take("multi_objective_aggregation", "sum_then_normalize") == "normalize_then_sum":
        draft.put("algorithm.advantage", "gdpo", "multi_objective_aggregation")
        draft.line(Fate.UNUSED, "scale_rewards", "", "gdpo normalises each part in its group, then the batch")
    else:
        said = "" if "scale_rewards" in draft.theirs else "TRL's default"
        draft.put("algorithm.advantage", ADVANTAGES.get(scale, "group_zscore"), "scale_rewards", said)
    level = draft.take("importance_sampling_level")
    if level in ("token", "sequence"):
        draft.put("algorithm.ratio", level, "importance_sampling_level")
    elif level is not None:
        draft.line(Fate.MISSING, "importance_sampling_level", "", "token or sequence")
    if truth(draft.take("use_bias_correction_kl")):
        draft.put("algorithm.kl", "k3_unbiased", "use_bias_correction_kl")


def _bounds(draft: Draft, loss: str) -> None:
    """The clip bounds under the names of the surrogate that reads them."""
    low, high = number(draft.take("epsilon")), number(draft.take("epsilon_high"))
    if loss == "sapo":
        for theirs, ours, default in (
            ("sapo_temperature_neg", "epsilon", 1.05),
            ("sapo_temperature_pos", "epsilon_high", 1.0),
        ):
            draft.put(
                f"algorithm.{ours}",
                number(draft.take(theirs)) or default,
                theirs,
                "sapo's temperatures stand there",
            )
        for key in ("epsilon", "epsilon_high"):
            if key in draft.theirs:
                draft.line(Fate.UNUSED, key, "", "sapo has no clip bounds")
        return
    draft.unused({"sapo_temperature_*": "only for loss_type sapo"})
    if loss == "cispo":
        draft.put(
            "algorithm.epsilon_high",
            high or low or 0.2,
            "epsilon_high",
            "the cap of the ratio itself, as in TRL",
        )
        if "epsilon" in draft.theirs:
            draft.line(Fate.UNUSED, "epsilon", "", "cispo has no lower bound")
        return
    if low is not None:
        draft.put("algorithm.epsilon", low, "epsilon")
    if low is not None or high is not None:
        draft.put(
            "algorithm.epsilon_high",
            high if high is not None else low,
            "epsilon_high",
            "" if high else "epsilon, as in TRL",
        )


def _reference(draft: Draft) -> None:
    """Without a KL term there is no reference policy to refresh, and no estimator to choose."""
    algorithm = draft.recipe["algorithm"]
    keys = {"sync_ref_model", "ref_model_sync_steps", "ref_model_mixup_alpha"}
    note = "the reference is not refreshed"
    if not algorithm.get("beta"):
        keys |= {"kl"}
        note = "beta is 0: no KL term and no reference policy"
    elif algorithm.get("sync_ref_model"):
        return
    unused = {f"algorithm.{key}" for key in keys & algorithm.keys()}
    for key in keys & algorithm.keys():
        del algorithm[key]
    draft.lines = [
        line._replace(fate=Fate.UNUSED, ours="", note=note) if line.ours.partition(" ")[0] in unused else line
        for line in draft.lines
    ]


def _lora(draft: Draft) -> None:
    wanted = truth(draft.take("use_peft")) or isinstance(draft.take("peft_config"), Call | Unreadable)
    table: dict[str, Any] = {}
    for key, ours in (("lora_r", "r"), ("lora_alpha", "alpha")):
        value = number(draft.take(key))
        if value is not None:
            table[ours] = int(value)
    modules = draft.take("lora_target_modules")
    if modules not in (None, "all-linear") and wanted:
        table["target_modules"] = modules if isinstance(modules, list) else [str(modules)]
    keys = [
        key
        for key in ("use_peft", "lora_r", "lora_alpha", "lora_target_modules", "peft_config")
        if key in draft.theirs
    ]
    if wanted:
        draft.missing({"lora_dropout": (0, "a policy has none: its sampler and its learner must agree")})
        draft.recipe.setdefault("model", {})["lora"] = table
    else:
        draft.unused({"lora_dropout": "without use_peft"})
    for key in keys:
        draft.line(
            Fate.MAPPED if wanted else Fate.UNUSED,
            key,
            "model.lora" if wanted else "",
            "" if wanted else "without use_peft",
        )


def _schedule(draft: Draft) -> None:
    kind = str(draft.take("lr_scheduler_type", "linear"))
    if kind in SCHEDULES:
        draft.put(
            "train.lr_scheduler_type",
            SCHEDULES[kind],
            "lr_scheduler_type",
            "" if "lr_scheduler_type" in draft.theirs else "TRL's default",
        )
    else:
        draft.line(
            Fate.MISSING, "lr_scheduler_type", "", f"{kind}: constant, linear or cosine; linear is used"
        )
    share = number(draft.take("warmup_ratio"))
    if share:
        steps = draft.recipe.get("train", {}).get("max_steps", 100)
        draft.put("train.warmup_steps", math.ceil(share * steps), "warmup_ratio", f"{share} of {steps} steps")
    optim = draft.take("optim")
    if optim is not None:
        same = str(optim).startswith(("adamw_torch", "adamw_hf"))
        draft.line(Fate.UNUSED if same else Fate.MISSING, "optim", "", "AdamW" if same else "AdamW is used")
    sinks = draft.take("report_to")
    if sinks is not None:
        listed = sinks if isinstance(sinks, list) else [sinks]
        known = [name for name in listed if name in SINKS]
        other = [str(name) for name in listed if name not in (*SINKS, "none")]
        draft.put("report_to", known, "report_to", f"no sink for {', '.join(other)}" if other else "")
