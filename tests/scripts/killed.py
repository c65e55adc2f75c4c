"""A training that goes on after it was killed; `kills.py` kills it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

BEGUN = "begun"  # the first line of each process in the log
Train = Callable[[Path, TextIO, int, int], None]


def go_on(train: Train, folder: Path, steps: int, every: int) -> None:
    """Train in FOLDER/killed in a process of its own, in another whenever that one was killed.

    `train(folder, log, steps, every)` saves a checkpoint every so many steps, goes on from the last
    complete one, and adds a line to the log for each step: its number, and what is to be the same.
    The processes are forked from this one, which has imported all that they need, and
    it prints their ids. Another, which nobody kills, trains in FOLDER/whole.
    """
    whole = _forked(train, folder / "whole", steps, steps)
    while True:
        child = _forked(train, folder / "killed", steps, every)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            break
    _, other = os.waitpid(whole, 0)
    if status or other:
        sys.exit(1)


def _forked(train: Train, folder: Path, steps: int, every: int) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child == 0:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # which has the ids
        with (folder / "log").open("a") as log:
            print(BEGUN, file=log, flush=True)
            train(folder, log, steps, every)
        os._exit(0)  # an orderly exit takes seconds, with all that was imported
    return child
