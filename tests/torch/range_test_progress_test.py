"""The progress bar of range tests in torch."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from typing import Any

import pytest

from lrsched.range_test.probe import MAX_RATES
from lrsched.range_test.progress_bar import ProgressBar
from tests.optional import needs
from tests.torch.range_test_task import Task


def test_the_bar_knows_how_many_updates_a_probe_may_make(monkeypatch: pytest.MonkeyPatch) -> None:
    totals: list[tuple[str, int]] = []

    def begin(bar: Any, label: str, total: int) -> None:
        totals.append((label, total))

    monkeypatch.setattr(ProgressBar, "begin", begin)
    Task().run(refine=True, probe_steps=5, probe_repeats=3)
    assert totals[1:] == [("probe", MAX_RATES * 5 * 3)]


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
