"""What Python in the browser computes, and what it survives."""

from __future__ import annotations

from typing import Any

import pytest

import lrsched
from lrsched._arrays.scalars import SCALARS
from lrsched.cli.explorer_page import page_folder
from lrsched.explorer.examples import EXAMPLES
from tests.browser.conftest import Explorer
from tests.browser.curves import DECAY, UNITS, WARM, same, units_apart
from tests.explorer.hostile import HOSTILE

FIRST_CURVE = 60.0  # seconds; under 8 on two cores that are idle


def test_the_first_curve(explorer: Explorer) -> None:
    print(f"\nfirst curve after {explorer.first_curve:.1f} s")
    assert explorer.first_curve < FIRST_CURVE
    assert same(explorer, DECAY)
    assert {100, 1000} <= set(explorer.counts())


def test_nothing_is_fetched_from_elsewhere(explorer: Explorer) -> None:
    allowed = (explorer.address, "blob:", "data:")
    assert explorer.requests
    assert [url for url in explorer.requests if not url.startswith(allowed)] == []


def test_values_are_those_of_cpython(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal in every bit; after sin, exp, log or a power, which another C library computes, near.

    At 400 counts of the whole gallery.
    """
    views = [(0, 1200, 400), (2**31 - 2, 2**31 - 1, 2)]
    script = """([recipes, views]) => Promise.all(recipes.flatMap((recipe) =>
        views.map(([low, high, points]) => explorer.python.ask(
            "draw", { recipes: [recipe], lengths: {}, low, high, points }, Symbol()))))"""
    drawn = iter(explorer.page.evaluate(script, [list(map(repr, EXAMPLES)), views]))
    inexact = elementary(monkeypatch)
    farthest = 0.0
    for schedule in EXAMPLES:
        for found in (next(drawn), next(drawn)):
            ours = [schedule(count) for count in found["counts"]]
            theirs = list(map(float, found["values"][0]))
            if schedule.name in inexact:
                apart = max(map(units_apart, ours, theirs))
                assert apart <= UNITS, schedule.name
                farthest = max(apart, farthest)
            else:
                assert [value.hex() for value in theirs] == [value.hex() for value in ours]
    exact = len(EXAMPLES) - len(inexact)
    print(f"\n{exact} schedules equal in every bit, {len(inexact)} within {farthest} units")


def elementary(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The schedules of the gallery that use what Python takes from its C library."""
    found = {"inverse_power", "power_law"}  # with the operator **
    called: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("exp", "expm1", "log", "log1p", "log2", "sin", "cos", "tan", "tanh", "pow"):
            patch.setattr(SCALARS, name, spied(getattr(SCALARS, name), called))
        for schedule in EXAMPLES:
            for count in (1, 100, 333, 555, 801, 1100):
                called.clear()
                lrsched.from_repr(repr(schedule))(count)  # the first call runs the formula itself
                found |= {schedule.name} if called else set()
    return found


def spied(compute: Any, called: list[str]) -> Any:
    """A function that notes when it is called."""

    def spy(*values: float) -> float:
        called.append("")
        return float(compute(*values))

    return spy


def test_hostile_texts_do_not_end_python(explorer: Explorer) -> None:
    script = """texts => Promise.all(texts.map((text) =>
        explorer.python.ask("describe", { text }, Symbol())
            .then(() => "accepted", (error) => error.message)))"""
    messages = explorer.page.evaluate(script, HOSTILE)
    assert [message for message in messages if "too large to be read" in message] == []
    assert "accepted" not in messages
    assert explorer.ask("describe", text=WARM)["name"] == "warmup"


def test_a_recipe_that_python_does_not_survive(explorer: Explorer) -> None:
    """Whatever ends the worker, the page goes on with a new one."""
    script = """() => explorer.python.ask("draw", { recipes: "x", lengths: 0 }, Symbol())
        .then(() => "answered", error => error.message)"""
    assert explorer.page.evaluate(script) == "This recipe is too large to be read here."
    explorer.after(lambda: explorer.recipe().fill("linear(1, 0, 9)"))
    assert explorer.values()[0][0] == 1.0


def test_the_page_opens_as_a_file(browser: Any) -> None:
    address = (page_folder() / "index.html").as_uri()
    explorer = Explorer(browser, f"{address}#recipe={WARM}&log=1")
    assert same(explorer, DECAY)
    gallery = explorer.page.get_by_label("Add from the gallery")
    explorer.after(lambda: gallery.select_option(label="rex"))
    explorer.page.wait_for_url("**rex**")
    assert explorer.errors == []
    assert all(url.startswith(("file:", "blob:", "data:")) for url in explorer.requests)
    explorer.context.close()
