"""A range test in a notebook shows a figure of its losses, which disappears at the end."""

import sys
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from tests.optional import needs

needs("matplotlib")
needs("IPython")
needs("nbclient")
needs("ipykernel")

import IPython.display
import nbclient
import nbformat
import pytest

from lrsched.range_test.running import live_figure
from lrsched.range_test.running.live_figure import LiveFigure, can_draw
from lrsched.range_test.running.monitor import Monitor
from tests.processes import FOLDERS

RATES = [1e-3, 1e-2, 0.1]
LOSSES = [2.0, 1.5, float("nan")]


class Shown(list[Any]):
    """What was displayed, as the handle that `display` returns."""

    def update(self, data: Any, raw: bool) -> None:
        assert raw
        self.append(data)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    found = Shown()

    def display(data: Any, *, raw: bool, display_id: bool) -> Shown:
        assert raw
        assert display_id
        found.append(data)
        return found

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(live_figure, "INTERVAL", 0.0)
    monkeypatch.setattr(live_figure, "MOST", 1e9)
    return found


def test_it_draws_the_losses_that_were_read(shown: Shown) -> None:
    figure = LiveFigure()
    figure.begin("range test", 3)
    figure.read(RATES[:2], LOSSES[:2])
    figure.read(RATES[2:], LOSSES[2:])
    assert [each["text/plain"] for each in shown] == [
        "range test, update 2 of 3",
        "range test, update 3 of 3",
    ]
    for each in shown:
        assert ElementTree.fromstring(each["image/svg+xml"]).tag.endswith("svg")
    figure.close()
    figure.close()
    assert shown[2:] == [{"text/plain": ""}]


def test_it_takes_little_of_the_time(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next drawing waits for ten times what the last one took."""
    clock = iter([0.0, 0.0, 3.0, 32.9, 33.1, 33.2])
    monkeypatch.setattr(live_figure, "MOST", 0.1)
    monkeypatch.setattr(live_figure, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    figure = LiveFigure()
    figure.begin("range test", 3)
    for rate, loss in zip(RATES, LOSSES, strict=True):
        figure.read([rate], [loss])
    assert [each["text/plain"] for each in shown] == [
        "range test, update 1 of 3",
        "range test, update 3 of 3",
    ]


def test_only_a_kernel_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not can_draw()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: object())
    assert not can_draw()  # an interactive shell in a terminal
    monkeypatch.setattr(
        sys.modules["IPython"], "get_ipython", lambda: type("Shell", (), {"kernel": 1})()
    )
    assert can_draw()
    assert Monitor(True)._figure is not None
    assert Monitor(False)._figure is None


CODE = f"""
import sys, time
sys.path[:0] = {FOLDERS.split(":")!r}
from lrsched.range_test.running import live_figure
from lrsched.range_test.running.monitor import Monitor
live_figure.INTERVAL = 0.0

draws = []
original = live_figure.LiveFigure._draw
live_figure.LiveFigure._draw = lambda self: (draws.append(len(self._losses)), original(self))

with Monitor(True) as monitor:
    monitor.begin("range test", 2)
    monitor.read(0, [0.1], [2.0])
    time.sleep(0.01)
print(draws)
"""


def test_in_a_real_notebook() -> None:
    """Its output has nothing left of the figure, and no warning."""
    v4: Any = nbformat.v4
    cell = v4.new_code_cell(CODE)
    notebook = v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    first, *rest = cell.outputs
    assert (first.output_type, dict(first.data)) == ("display_data", {"text/plain": ""})
    assert [each.get("text") for each in rest] == ["[1]\n"]
