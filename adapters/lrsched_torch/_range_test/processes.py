"""Keep the processes of a distributed range test in agreement."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable
from typing import Any, Protocol

import torch
import torch.distributed as dist

from lrsched._core import Refusal
from lrsched_torch._range_test.batches import Batch, Batches

_refuse = Refusal("range_test")


class Processes(Protocol):
    """The processes of one test. Each of them calls the same methods in the same order."""

    is_main: bool  # whether this process shows the progress bar

    def batches(self, source: Batches, count: int) -> Generator[Iterable[Batch]]:
        """Yield the batches of each update; the processes agree on `count` updates at a time."""

    def mean(self, values: list[float]) -> list[float]:
        """The mean of each value over the processes."""

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process."""


class SingleProcess:
    """A test in one process: there is nothing to agree on."""

    is_main = True

    def batches(self, source: Batches, count: int) -> Generator[Iterable[Batch]]:
        """Yield the batches of each update."""
        return source.updates()

    def mean(self, values: list[float]) -> list[float]:
        """The values themselves."""
        return values

    def any(self, flag: bool) -> bool:
        """The flag itself."""
        return flag


class ProcessGroup:
    """A test in the processes of a torch.distributed group."""

    def __init__(self, group: dist.ProcessGroup | None, device: torch.device) -> None:
        self._group = group
        # The numbers are on the host, where gloo takes them; other backends need the device.
        self._device = device if dist.get_backend(group) != "gloo" else torch.device("cpu")
        self.is_main = dist.get_rank(group) == 0

    def batches(self, source: Batches, count: int) -> Generator[Iterable[Batch]]:
        """Yield the batches of each update while every process has some.

        If one process cannot draw its batches, every process raises.
        """
        updates = source.updates()
        while True:
            drawn: list[Iterable[Batch]] = []
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
        """Whether the flag is true in any process."""
        return bool(self._reduce([flag], dist.ReduceOp.MAX)[0])

    def _reduce(self, values: list[Any], operation: Any) -> list[float]:
        reduced = torch.tensor(values, dtype=torch.float64, device=self._device)
        dist.all_reduce(reduced, operation, group=self._group)
        result: list[float] = reduced.tolist()
        return result


def processes_of(distributed: bool | dist.ProcessGroup | None, device: torch.device) -> Processes:
    """The processes of the test: those of a group, by default all of the run."""
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
