"""The judge of overlap.py: an HTTP server with OpenRLHF's protocol, exact, and as slow as a model that writes its verdicts.

    python benchmarks/overlap_judge.py [--port 0]

How long a verdict takes is drawn from prompt and answer (log-normal: most are short, a few are long), whatever a policy
has learned to say; the verdicts on all answers are written side by side, as an inference server's continuous batching
does. It sleeps meanwhile: the model that it stands for computes on another machine. Prints its address as the first
line. No torch here.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI

from guerdon.cli.serve import listen

LETTERS = "abcdefghijkl"
MEDIAN_S, SPREAD, MAX_S = 0.1, 1.0, 2.0
"""Of the seconds of one verdict: median, deviation of the logarithm, and where the judge stops writing."""


def is_right(text: str) -> bool:
    """Six different letters at least, and none of them twice.

    >>> is_right("abcdef"), is_right("abcdefa"), is_right("abc")
    (True, False, False)
    """
    return len(set(text) & set(LETTERS)) >= 6 and len(set(text)) == len(text)


def seconds(query: str) -> float:
    """Of the verdict on this prompt and answer."""
    return min(MAX_S, MEDIAN_S * math.exp(SPREAD * random.Random(f"verdict/{query}").gauss(0.0, 1.0)))


def create_app() -> FastAPI:
    """The app: `POST /get_reward`."""
    app = FastAPI()

    @app.post("/get_reward")
    async def judge(payload: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        pairs = zip(payload["query"], payload["prompts"], strict=True)
        texts = [query[len(prompt) :] for query, prompt in pairs]
        await asyncio.sleep(max(map(seconds, payload["query"])))
        return {"rewards": [float(is_right(text)) for text in texts]}

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    with listen("127.0.0.1", args.port) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/get_reward", flush=True)
        server = uvicorn.Server(uvicorn.Config(create_app(), log_level="error", ws="none"))
        server.run(sockets=[listening])


if __name__ == "__main__":
    main()
