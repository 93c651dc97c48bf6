"""vLLM's side of rollout.py: its offline engine on the CPU, prefix caching on (its default)."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from grpo_step_gauge import Pipe, peak_gb


def main() -> None:
    pipe, settings = Pipe(), json.loads(sys.argv[1])
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "4")
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", f"0-{settings['threads'] - 1}")
    import torch
    import vllm
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    engine = LLM(
        model=settings["model"], dtype="bfloat16", max_model_len=512, max_num_seqs=256, disable_log_stats=True, seed=0
    )  # fmt: skip
    length = settings["new_tokens"]
    params = SamplingParams(
        temperature=1.0, max_tokens=length, min_tokens=length, ignore_eos=True, logprobs=0
    )
    pipe.send({"versions": {"vllm": vllm.__version__, "torch": torch.__version__}})
    while line := sys.stdin.readline():
        asked: dict[str, Any] = json.loads(line)
        start = time.perf_counter()
        prompts = [TokensPrompt(prompt_token_ids=ids) for ids in asked["prompts"]]
        out = engine.generate(prompts, params, use_tqdm=False)
        seconds = time.perf_counter() - start
        lengths = [len(item.outputs[0].token_ids) for item in out]
        pipe.send({"seconds": seconds, "lengths": lengths, "peak_gb": peak_gb()})


if __name__ == "__main__":
    main()
