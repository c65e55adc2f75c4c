"""What the processes of a distributed run agree on."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import Any

import torch
import torch.distributed as dist

from lrsched._core import Refusal
from lrsched_torch._range_test.batches import Feed

_refuse = Refusal("range_test")


class Alone:
    """A run of one process, which agrees with itself."""

    shows = True

    def draws(self, feed: Feed, count: int) -> Generator[list[Any]]:
        """The batches of each update; processes together agree on `count` of them at a time."""
        return feed.updates()

    def mean(self, values: list[float]) -> list[float]:
        """The mean of each value over the processes."""
        return values

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return flag


class Together(Alone):
    """The processes of a group, each of which calls the same methods in the same order."""

    def __init__(self, group: dist.ProcessGroup | None, device: torch.device) -> None:
        self._group = group
        # Only a CUDA backend needs tensors on the device; the numbers are on the host.
        self._device = device if dist.get_backend(group) != "gloo" else torch.device("cpu")
        self.shows = dist.get_rank(group) == 0

    def draws(self, feed: Feed, count: int) -> Generator[list[Any]]:
        """The batches of each update, while every process has some.

        An exception in drawing them ends the test in every process.
        """
        updates = feed.updates()
        while True:
            drawn: list[list[Any]] = []
            failed: BaseException | None = None
            try:
                drawn.extend(itertools.islice(updates, count))
            except Exception as error:
                failed = error
            least, whole = self._reduce([len(drawn), failed is None], dist.ReduceOp.MIN)
            if failed is not None:
                raise failed
            if not whole:
                raise RuntimeError("range_test: another process could not draw its batches")
            yield from drawn[: int(least)]
            if least < count:
                return

    def mean(self, values: list[float]) -> list[float]:
        """The mean of each value over the processes."""
        size = dist.get_world_size(self._group)
        return [total / size for total in self._reduce(values, dist.ReduceOp.SUM)]

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return bool(self._reduce([flag], dist.ReduceOp.MAX)[0])

    def _reduce(self, values: list[Any], operation: Any) -> list[float]:
        reduced = torch.tensor(values, dtype=torch.float64, device=self._device)
        dist.all_reduce(reduced, operation, group=self._group)
        found: list[float] = reduced.tolist()
        return found


def ranks(distributed: bool | dist.ProcessGroup | None, device: torch.device) -> Alone:
    """The processes that test together: those of a group, by default of the run."""
    running = dist.is_available() and dist.is_initialized()
    if distributed is None or distributed is True:
        if distributed and not running:
            _refuse("distributed", "None or False where torch.distributed is not initialised", True)
        return Together(None, device) if running and dist.get_world_size() > 1 else Alone()
    if distributed is False:
        return Alone()
    if not running or not isinstance(distributed, dist.ProcessGroup):
        wanted = "True, False, None or a process group"
        _refuse("distributed", wanted, distributed, TypeError)
    return Together(distributed, device)
