"""A sweep of trainings without end, which `tests/sweep` interrupts.

Its argument says where they run: in "this" process, in a "pool" of the user's, in a pool that took
the place of a "broken" one, or in "threads". Each training prints its process.
"""

import itertools
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from lrsched._core import Refusal
from lrsched.sweep import run_tasks


def train(deadly: bool, seconds: float) -> None:
    if deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    os.write(1, f"training {os.getpid()}\n".encode())  # at once, beside the other
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


def main(where: str) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
    tasks: list[Any] = [(False, 100.0)] * 6
    refuse, context = Refusal("sweep"), multiprocessing.get_context("fork")
    if where == "this":
        run_tasks(refuse, train, tasks)
    elif where == "threads":
        with ThreadPoolExecutor(2) as threads:
            run_tasks(refuse, train, [(False, 1.0)] * 600, threads)
    else:
        deadly = [(True, 0.0)] if where == "broken" else []
        with ProcessPoolExecutor(2, context) as pool:
            run_tasks(refuse, train, list(itertools.chain(deadly, tasks)), pool)


if __name__ == "__main__":
    main(sys.argv[1])
