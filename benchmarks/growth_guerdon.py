"""The worker of growth.py: GRPO steps of a given size on one model, by the stations of grpo_step_guerdon.py."""

from __future__ import annotations

import json
import sys

import torch
import transformers
from grpo_step_gauge import Pipe, peak_gb
from grpo_step_guerdon import Side

from guerdon import __version__
from guerdon.rollout.config import SamplingConfig


def main() -> None:
    pipe, settings = Pipe(), json.loads(sys.argv[1])
    side = Side(settings)
    model = side.policy.causal_lm
    config = model.config
    head = model.get_output_embeddings().weight
    total = sum(weight.numel() for weight in model.parameters())
    pipe.send(
        {
            "versions": f"guerdon {__version__}, torch {torch.__version__}, transformers {transformers.__version__}",
            "parameters": total,
            "trunk": total - head.numel() * (1 if config.tie_word_embeddings else 2),
            "head": head.numel(),
            "layers": config.num_hidden_layers,
            "width": config.num_attention_heads * model.base_model.layers[0].self_attn.head_dim,
            "prompt": len(side.policy.render(side.problems(0)[0].messages)),
        }
    )
    number = 0
    while line := sys.stdin.readline():
        asked = json.loads(line)
        side.settings.update({key: asked[key] for key in ("num_problems", "num_generations")})
        side.sampling = SamplingConfig(max_completion_length=asked["length"])
        number = (number + 1) % (len(settings["problems"]) // asked["num_problems"])
        found = side.step(number)
        found.pop("lengths")
        pipe.send({**found, "peak_gb": peak_gb()})


if __name__ == "__main__":
    main()
