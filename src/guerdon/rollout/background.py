"""Sampling in a thread of its own, so that the event loop is free meanwhile: groups are scored while later ones decode.

    thread      sample ---- group ---- group ---------- group --> done
    event loop        '-> each(...)  '-> each(...)     '-> each(...)      rewards wait for servers and sandboxes here

PyTorch and the kernels let go of the interpreter's lock while they compute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from guerdon.core.types import RolloutGroup
from guerdon.rollout.rollouter import GroupDone

Sample = Callable[[GroupDone | None], list[RolloutGroup]]
"""Samples groups, telling each as it ends."""


class Background:
    """One thread that samples; jobs of several callers go one after the other."""

    def __init__(self, *, stop: Callable[[], None], num_threads: int | None = None) -> None:
        """The thread starts with the first job.

        Args:
            stop: lets a job under way end soon, by an exception.
            num_threads: cores it computes on; None: as many as this thread.
        """
        self.stop = stop
        # Asked for here, in the caller's thread: the number is each thread's own, and a new one must not guess it.
        count = num_threads or torch.get_num_threads()
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="rollout", initializer=torch.set_num_threads, initargs=(count,)
        )

    async def rollout(self, sample: Sample, each: GroupDone | None = None) -> list[RolloutGroup]:
        """What `sample` gives; `each` is called in the event loop for every group, before this returns.

        Raises:
            Exception: whatever `sample` raises.
        """
        loop = asyncio.get_running_loop()

        def tell(place: int, group: RolloutGroup) -> None:
            if each:
                loop.call_soon_threadsafe(each, place, group)

        try:
            return await loop.run_in_executor(self._thread, sample, tell if each else None)
        except asyncio.CancelledError:  # Ctrl-C twice, or the run has failed elsewhere
            self.stop()
            raise

    def close(self) -> None:
        """End the thread; a job under way is stopped."""
        self.stop()
        self._thread.shutdown(wait=True, cancel_futures=True)
