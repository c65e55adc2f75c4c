"""Call a task in a worker, and interrupt it from outside."""

from __future__ import annotations

import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from lrsched.sweep.failure import Failure

# Interrupts the task of a worker process. The system ignores it in one that runs no task of ours.
INTERRUPT = getattr(signal, "SIGURG", None)  # None on Windows


def attempt(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What a function returns, or the failure if it raises."""
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        return Failure.of(error)


def call(function: bytes, arguments: bytes) -> Any:
    """What a pickled function returns for pickled arguments, or the failure if it raises."""
    with _interruptible():
        result = attempt(_unpickled_call, (function, arguments))
    return result.packed() if isinstance(result, Failure) else result


def _unpickled_call(function: bytes, arguments: bytes) -> Any:
    return pickle.loads(function)(*pickle.loads(arguments))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let `INTERRUPT` raise KeyboardInterrupt inside the block, in the main thread of a process."""
    if INTERRUPT is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(INTERRUPT, _interrupt)
    try:
        yield
    finally:
        signal.signal(INTERRUPT, before)


def _interrupt(number: int, frame: Any) -> NoReturn:
    """Raise once: what the task then restores is not to be interrupted again."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
