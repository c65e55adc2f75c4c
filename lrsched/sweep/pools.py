"""What takes the tasks: the user's executor, and process pools in the place of a broken one."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from typing import Any

from lrsched.sweep.worker import INTERRUPT

PATIENCE = 5.0  # seconds that processes have to end
_ALIKE = ("max_workers", "mp_context", "initializer", "initargs", "max_tasks_per_child")


class Pool:
    """Submits tasks to an executor; a process pool that breaks is replaced by one like it.

    The user's own executor is never shut down.
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self._owned = False
        self.is_of_processes = isinstance(executor, ProcessPoolExecutor)

    @property
    def workers(self) -> int | None:
        """The number of tasks that run at once, where that is known."""
        number = getattr(self._executor, "_max_workers", None)
        return number if isinstance(number, int) and number > 0 else None

    def submit(self, *call: Any) -> Any:
        """The future of a call."""
        try:
            return self._executor.submit(*call)
        except BrokenExecutor:
            if not self.replace():
                raise
            return self._executor.submit(*call)

    def replace(self, **changed: Any) -> bool:
        """Use a new process pool like the one before; False where none can be made."""
        try:
            alike: Any = {name: getattr(self._executor, f"_{name}") for name in _ALIKE}
            pool = ProcessPoolExecutor(**alike | changed) if self.is_of_processes else None
        except (AttributeError, ValueError):  # of a class that keeps other attributes
            pool = None
        if pool is None:
            return False
        self.close()
        self._executor, self._owned = pool, True
        return True

    def interrupt(self, futures: Iterable[Any]) -> None:
        """Cancel tasks, and end those that run in a pool of processes.

        What runs in threads, or in the executor of another library that cannot cancel it, goes on.
        """
        for future in futures:
            with contextlib.suppress(Exception):  # each library has errors of its own
                future.cancel()
        if self._owned:
            self.close(kill=True)
        elif self.is_of_processes and INTERRUPT is not None:
            self._interrupt_processes(list(futures), INTERRUPT)

    def _interrupt_processes(self, futures: list[Future[Any]], number: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while not all(future.done() for future in futures) and time.monotonic() < deadline:
            for process in self._processes():  # again: one may not have begun its task before
                with contextlib.suppress(OSError):
                    os.kill(process.pid, number)
            time.sleep(0.05)

    def _processes(self) -> list[Any]:
        return list((getattr(self._executor, "_processes", None) or {}).values())

    def close(self, kill: bool = False) -> None:
        """Shut down a pool of ours; with `kill`, or if they do not end, kill its processes."""
        if not self._owned:
            return
        executor, processes = self._executor, self._processes()
        manager = getattr(executor, "_executor_manager_thread", None)
        deadline = time.monotonic() + (0.0 if kill else PATIENCE)
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:  # one waits forever for a lock if another died with it
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()
        if manager is not None:  # it is what waits for the processes
            manager.join(PATIENCE)
        self._owned = False
