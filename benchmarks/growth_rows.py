"""The worker of growth.py that reads a data file as a run does, and feeds its problems: resident memory at each point."""

from __future__ import annotations

import json
import sys
import time

from grpo_step_gauge import Pipe, settle

from guerdon.data.config import DataConfig
from guerdon.data.feed import Feed
from guerdon.data.split import load_problems


def main() -> None:
    pipe, settings = Pipe(), json.loads(sys.argv[1])
    pipe.send({"rss_gb": settle()})
    sys.stdin.readline()
    start = time.perf_counter()
    config = DataConfig.model_validate(
        {"train": {"kind": "jsonl", "path": settings["path"]}, "eval_fraction": 0.001}
    )
    split = load_problems(config, 0)
    feed = Feed(split.train, seed=0, shuffle=True)
    pipe.send({"rows": len(split.train), "seconds": time.perf_counter() - start, "rss_gb": settle()})
    taken = 0
    while line := sys.stdin.readline():
        upto = json.loads(line)["upto"]
        while taken < upto:
            feed.take(min(64, upto - taken))
            taken += min(64, upto - taken)
        pipe.send({"taken": taken, "rss_gb": settle()})


if __name__ == "__main__":
    main()
