"""Tasks of a process pool whose workers are killed at random; `tests/sweep` reads what it prints.

Each line is JSON: what came back from one run of the tasks.
"""

import json
import multiprocessing
import os
import random
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from lrsched._core import Refusal
from lrsched.sweep import Failure, run_tasks

TASKS = 12


def square(number: int, deadly: bool = False) -> int:
    time.sleep(0.01)
    if deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def kill(delays: list[float], draw: random.Random) -> None:
    """Kill a worker, of the pool or of the one that took its place, after each delay."""
    for delay in delays:
        time.sleep(delay)
        workers = multiprocessing.active_children()
        if workers:
            os.kill(draw.choice(workers).pid or 0, signal.SIGKILL)


def outcome(tasks: list[Any], delays: list[float] = [], seed: int = 0) -> Any:  # noqa: B006
    pool = ProcessPoolExecutor(2, multiprocessing.get_context("fork"))
    pool.submit(square, 0).result()
    users = multiprocessing.active_children()
    killer = threading.Thread(target=kill, args=(delays, random.Random(seed)))
    killer.start()
    found = run_tasks(Refusal("sweep"), square, tasks, pool)
    killer.join()
    left = set(multiprocessing.active_children()) - set(users)
    for user in users:  # a pool does not always notice that a worker died while it shuts down
        user.kill()
    pool.shutdown()
    texts = [each.text if isinstance(each, Failure) else each for each in found]
    return {"found": texts, "left": len(left)}


def main() -> None:
    tasks: list[Any] = [(number,) for number in range(TASKS)]
    for seed in range(20):
        delay = random.Random(seed).uniform(0.0, 0.08)
        print(json.dumps(outcome(tasks, [delay], seed)), flush=True)
    print(json.dumps(outcome(tasks * 3, [0.03] * 20)), flush=True)
    deadly = [*tasks[:5], (5, True), *tasks[6:]]
    print(json.dumps(outcome(deadly)), flush=True)
    print(json.dumps(outcome([(number, True) for number in range(3)])), flush=True)


if __name__ == "__main__":
    main()
