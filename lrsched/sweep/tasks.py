"""Run independent tasks, in this process or on an executor."""

from __future__ import annotations

import importlib.util
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from lrsched._core.checks import Refusal
from lrsched.range_test.running.progress_bar import ProgressBar
from lrsched.sweep.failure import Failure, dumps, said
from lrsched.sweep.pools import Pool
from lrsched.sweep.worker import attempt, call

SHORTEST, LONGEST = 0.001, 0.1  # seconds between two looks at futures that cannot be waited for

Tasks = Sequence[tuple[Any, ...]]


def run_tasks(
    refuse: Refusal,
    function: Callable[..., Any],
    tasks: Tasks,
    executor: Any = None,
    progress: bool = False,
    name: str = "sweep",
    given: tuple[str, Any] | None = None,
) -> list[Any | Failure]:
    """Call a function with the arguments of each task, and return the results in their order.

    A function that raises gives a `Failure` in the place of its result. On an executor a task whose
    worker was lost is tried once more. A `ProcessPoolExecutor` that lost a worker is broken; a new
    one like it takes its place until the end, and the tasks that were running are then tried one at
    a time: so a task that is lost twice was lost alone. The user's executor is not shut down.

    Args:
        refuse: refuses arguments in the name of the user's function.
        function: what is called. An executor gets it pickled.
        tasks: the arguments of each call.
        executor: an object with `submit(function, *arguments)`, which returns one with `done()` and
            `result()`; or None for this process.
        progress: whether to show a progress bar of tasks.
        name: what the bar is called.
        given: the name and value of the argument to refuse if function cannot be pickled.

    Returns:
        For each task what the function returned, or a `Failure`.

    Raises:
        TypeError: executor is no executor, or something cannot be pickled. Nothing has run.
        KeyboardInterrupt: tasks that wait were cancelled, and those in pools of processes ended.

    >>> from lrsched._core import Refusal
    >>> quotient, failure = run_tasks(Refusal("sweep"), divmod, [(7, 2), (7, 0)])
    >>> quotient, failure.text
    ((3, 1), 'ZeroDivisionError: integer division or modulo by zero')
    """
    if not (executor is None or callable(getattr(executor, "submit", None))):
        expected = "one with submit(function, *arguments), as in concurrent.futures, or None"
        refuse("executor", expected, executor, TypeError)
    calls = []
    if executor is not None:
        pickled = _pickled(refuse, function, *(given or ("function", function)))
        calls = [(pickled, _pickled(refuse, each, f"task {n}")) for n, each in enumerate(tasks)]
    bar = ProgressBar(progress, unit="training")
    bar.begin(name, len(tasks))
    try:
        if executor is None:
            return [_counted(bar, attempt(function, task)) for task in tasks]
        return _Run(refuse, Pool(executor), calls, bar).results()
    finally:
        bar.close()


class _Run:
    """The calls of pickled functions on an executor."""

    def __init__(
        self, refuse: Refusal, pool: Pool, calls: Sequence[tuple[bytes, bytes]], bar: ProgressBar
    ) -> None:
        self._refuse = refuse
        self._pool = pool
        self._calls = calls
        self._bar = bar
        self._found: dict[int, Any] = {}
        self._running: dict[int, Any] = {}  # the future of each task

    def results(self) -> list[Any]:
        """The result of each call, or its failure."""
        pool = self._pool
        try:
            lost = self._round(range(len(self._calls)), pool.workers)
            if lost and pool.is_of_processes:
                pool.replace(max_workers=1)  # of which no other worker can be lost
            lost = self._round(sorted(lost), 1 if pool.is_of_processes else pool.workers)
        except BaseException:
            pool.interrupt(list(self._running.values()))
            raise
        finally:
            pool.close()
        for task, reason in lost.items():
            self._found[task] = _counted(
                self._bar, Failure(f"its worker was lost twice ({reason})")
            )
        return [self._found[task] for task in range(len(self._calls))]

    def _round(self, tasks: Iterable[int], most: int | None) -> dict[int, str]:
        """Run tasks, so many at once; say of each that was lost what the executor said."""
        waiting, lost = deque(tasks), {}
        while waiting or self._running:
            while waiting and (most is None or len(self._running) < most):
                task = waiting.popleft()
                try:
                    self._running[task] = self._pool.submit(call, *self._calls[task])
                except Exception as error:
                    lost[task] = said(error)
                else:
                    self._check(self._running[task])
            for task in self._ended():
                future = self._running.pop(task)
                try:  # what the task itself raises is among its results
                    self._found[task] = _counted(self._bar, future.result())
                except Exception as error:
                    lost[task] = said(error)
        return lost

    def _check(self, future: Any) -> None:
        if not all(callable(getattr(future, name, None)) for name in ("done", "result")):
            expected = "one whose submit returns what has done() and result()"
            self._refuse("executor", expected, future, TypeError)

    def _ended(self) -> list[int]:
        """The tasks that have ended, once there are some; none where none run."""
        futures, pause = self._running, SHORTEST
        while futures:
            if ended := [task for task, future in futures.items() if future.done()]:
                return ended
            if all(isinstance(future, Future) for future in futures.values()):
                wait(futures.values(), timeout=1.0, return_when=FIRST_COMPLETED)
            else:
                time.sleep(pause)
                pause = min(2.0 * pause, LONGEST)
        return []


def _pickled(refuse: Refusal, value: Any, name: str, got: Any = None) -> bytes:
    try:
        return dumps(value)
    except Exception as error:
        has_cloudpickle = importlib.util.find_spec("cloudpickle") is not None
        hint = "" if has_cloudpickle else "; cloudpickle, once installed, takes local functions too"
        reason = said(error)
    expected = f"one that pickles for an executor ({reason}{hint})"
    return refuse(name, expected, value if got is None else got, TypeError)


def _counted(bar: ProgressBar, result: Any) -> Any:
    bar.advance(1)
    return result
