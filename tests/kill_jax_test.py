"""Training in JAX that is killed again and again uses the learning rates of one that is not."""

import itertools
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.jax_killed import SCHEDULE
from tests.jax_range_test_devices_test import start

KILLS = 20
STEPS = 240  # more than are made until the last kill
EVERY = 3
SECONDS = 120  # of patience with a process


def lines(folder: Path) -> list[str]:
    """The complete lines of the log."""
    log = folder / "log"
    return log.read_text().split("\n")[:-1] if log.exists() else []


def killed(folder: Path, draw: random.Random) -> "subprocess.Popen[str]":
    """A training that was killed that often, and is on its way again."""
    process = start("jax_killed.py", folder, STEPS, EVERY)
    for _ in range(KILLS):
        assert process.stdout is not None
        training = int(process.stdout.readline())
        # A checkpoint is complete before the next one begins.
        enough = len(lines(folder)) + draw.randint(0, 4 * EVERY)
        deadline = time.monotonic() + SECONDS
        while len(lines(folder)) < enough and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.02))  # in the midst of a step, or of a checkpoint
        os.kill(training, signal.SIGKILL)
    return process


def finished(process: "subprocess.Popen[str]", folder: Path) -> dict[int, list[float]]:
    """What each step had in the end, after all the rest was done."""
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    rows = [line.split() for line in lines(folder)]
    return {int(step): [float(x) for x in numbers] for step, *numbers in rows}


def test_twenty_kills_leave_no_trace(tmp_path: Path) -> None:
    draw = random.Random(0)
    folders = [tmp_path / name for name in ("killed", "whole")]
    for folder in folders:
        folder.mkdir()
    processes: list[Any] = [start("jax_killed.py", folders[1], STEPS, STEPS)]
    try:
        processes.insert(0, killed(folders[0], draw))
        found, whole = map(finished, processes, folders)
    finally:
        for process in processes:
            process.kill()
    assert list(whole) == list(range(STEPS)) == sorted(found)
    assert found == whole  # the rates, found and applied, and the losses, to the last bit
    made = [int(line.split()[0]) for line in lines(folders[0])]
    resumed = {step for before, step in itertools.pairwise(made) if step <= before}
    assert len(resumed) >= 3  # after steps that were lost, and at checkpoints
    assert all(step % EVERY == 0 for step in resumed)
    found_rates, applied, _ = np.transpose([whole[step] for step in range(STEPS)])
    np.testing.assert_allclose(found_rates, SCHEDULE(np.arange(STEPS)), rtol=1e-6)
    np.testing.assert_allclose(applied, found_rates, rtol=1e-6)
