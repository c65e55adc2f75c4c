"""The progress bar of range tests in torch."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from typing import Any

import numpy as np
import pytest

from lrsched.range_test.running import monitor as _monitor
from lrsched.range_test.running.progress_bar import ProgressBar
from tests.optional import needs
from tests.torch.range_test_task import Task, Valley


class Shown(ProgressBar):
    """A bar that notes each part: its name, its total, and the updates that it counted."""

    def __init__(self, shown: bool, unit: str = "update") -> None:
        super().__init__(False)
        self.parts: list[list[Any]] = []
        bars.append(self)

    @property
    def is_shown(self) -> bool:
        return True

    def begin(self, name: str, total: int) -> None:
        self.parts.append([name, total, 0])

    def advance(self, updates: int) -> None:
        self.parts[-1][2] += updates

    def fill(self) -> None:
        self.parts[-1][1] = self.parts[-1][2]


bars: list[Shown] = []


def test_the_bar_shows_each_part_of_a_test_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is full in the end, also where it stopped early."""
    monkeypatch.setattr(_monitor, "ProgressBar", Shown)
    found = Valley().run(None, 60, high=0.01, max_steps=200, refine=True, probe_steps=10)
    assert found.earlier is not None
    assert found.probe is not None
    (first, further, *trainings) = bars.pop().parts
    assert first == ["range test", 60, 60]
    assert further == ["further rates", len(found.losses), len(found.losses)]
    made = np.isfinite(found.probe.losses).sum(axis=-1).ravel()
    names = [f"training at {rate:.2g}" for rate in found.probe.learning_rates]
    assert sorted(total for _, total, _ in trainings) == sorted(made[made > 0])
    assert {name for name, _, _ in trainings} == set(names)
    assert all(total == count for _, total, count in trainings)


def test_it_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    Task().run(progress=True)
    assert capfd.readouterr() == ("", "")


BAR = """
import sys
import torch, lrsched, lrsched_torch
weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([weight], lr=0.1)

def step(batch):
    loss = (weight ** 2).sum()
    loss.backward()
    return loss

ramp = lrsched.exponential_ramp(1e-3, 100.0, 49)
found = lrsched_torch.range_test(step, optimizer, [0], ramp, 50)
assert found.stopped == "diverged"
"""


def test_a_terminal_shows_a_bar_that_is_taken_away() -> None:
    needs("tqdm")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen([sys.executable, "-c", BAR], stdout=theirs, stderr=theirs)
    os.close(theirs)
    content = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        content += part
    os.close(ours)
    text = content.decode()
    assert process.wait() == 0, text
    assert "range test" in text
    shown = re.findall(r"(\d+)/(\d+)", text)
    assert shown[-1][0] == shown[-1][1] != "50"  # full, at the update where it stopped
    assert "\n" not in text


class Terminal(io.StringIO):
    """A terminal in memory."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("case", ["shown", "quiet", "without tqdm"])
def test_a_bar_only_where_it_is_wanted_and_possible(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("tqdm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    if case == "without tqdm":
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    Task().run(progress=case != "quiet")
    assert bool(terminal.getvalue()) == (case == "shown")
