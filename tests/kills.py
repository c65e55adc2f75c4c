"""Kills trainings at random, and reads what they logged."""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.processes import start
from tests.scripts.killed import BEGUN

SECONDS = 60  # of patience with a process


class Logged(NamedTuple):
    """The numbers of each step, and the steps at which the processes began."""

    found: dict[int, list[float]]
    whole: dict[int, list[float]]
    begun: list[int]


@contextlib.contextmanager
def running(script: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A script that calls `killed.go_on`, to its end."""
    with start(script, *arguments) as process:
        try:
            yield process
            _, err = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, err
        finally:
            process.kill()


def kill(process: "subprocess.Popen[str]", folder: Path, kills: int, between: range) -> None:
    """Kill a training that often, each time after as many more steps, drawn from `between`."""
    draw = random.Random(0)
    log = folder / "killed"
    for _ in range(kills):
        training = _next(process)
        require_losses = len(_lines(log)) + draw.choice(between)
        deadline = time.monotonic() + SECONDS
        while len(_lines(log)) < require_losses and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.02))  # in the midst of a step, or of a checkpoint
        os.kill(training, signal.SIGKILL)
    _next(process)


def logged(folder: Path) -> Logged:
    """What each step had in the end, after all the rest was done."""
    log = itertools.pairwise(_lines(folder / "killed"))
    begun = [int(row.split()[0]) for line, row in log if line == BEGUN != row]
    return Logged(_rows(folder / "killed"), _rows(folder / "whole"), begun)


def _next(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return int(line)


def _lines(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().split("\n")[:-1] if log.exists() else []  # the complete ones


def _rows(folder: Path) -> dict[int, list[float]]:
    made = [line.split() for line in _lines(folder) if line != BEGUN]
    return {int(step): [float(x) for x in numbers] for step, *numbers in made}
