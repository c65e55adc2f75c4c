"""What the processes of a distributed run agree on."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import Any, Protocol

import torch
import torch.distributed as dist

from lrsched._core import Refusal
from lrsched_torch._range_test.batches import Batches

_refuse = Refusal("range_test")


class Processes(Protocol):
    """The processes that test together, each of which calls the same methods in the same order."""

    is_main: bool  # whether this one shows the progress

    def batches(self, source: Batches, count: int) -> Generator[list[Any]]:
        """The batches of each update; the processes agree on `count` updates at a time."""

    def mean(self, values: list[float]) -> list[float]:
        """The mean of each value over the processes."""

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""


class SingleProcess:
    """A run of one process, which agrees with itself."""

    is_main = True

    def batches(self, source: Batches, count: int) -> Generator[list[Any]]:
        """The batches of each update."""
        return source.updates()

    def mean(self, values: list[float]) -> list[float]:
        """The values as they are."""
        return values

    def any(self, flag: bool) -> bool:
        """The flag as it is."""
        return flag


class ProcessGroup:
    """The processes of a group of torch.distributed."""

    def __init__(self, group: dist.ProcessGroup | None, device: torch.device) -> None:
        self._group = group
        # Only a CUDA backend needs tensors on the device; the numbers are on the host.
        self._device = device if dist.get_backend(group) != "gloo" else torch.device("cpu")
        self.is_main = dist.get_rank(group) == 0

    def batches(self, source: Batches, count: int) -> Generator[list[Any]]:
        """The batches of each update, while every process has some.

        An exception in drawing them ends the test in every process.
        """
        updates = source.updates()
        while True:
            drawn: list[list[Any]] = []
            failed: BaseException | None = None
            try:
                drawn.extend(itertools.islice(updates, count))
            except Exception as error:
                failed = error
            least, none_failed = self._reduce([len(drawn), failed is None], dist.ReduceOp.MIN)
            if failed is not None:
                raise failed
            if not none_failed:
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


def processes_of(distributed: bool | dist.ProcessGroup | None, device: torch.device) -> Processes:
    """The processes that test together: those of a group, by default of the run."""
    running = dist.is_available() and dist.is_initialized()
    if distributed is None or distributed is True:
        if distributed and not running:
            _refuse("distributed", "None or False where torch.distributed is not initialised", True)
        if running and dist.get_world_size() > 1:
            return ProcessGroup(None, device)
        return SingleProcess()
    if distributed is False:
        return SingleProcess()
    if not running or not isinstance(distributed, dist.ProcessGroup):
        expected = "True, False, None or a process group"
        _refuse("distributed", expected, distributed, TypeError)
    return ProcessGroup(distributed, device)
