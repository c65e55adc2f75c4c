"""The explorer in a browser, as a user has it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

import lrsched
from lrsched._arrays.scalars import SCALARS
from lrsched.cli.explorer_page import page_folder
from lrsched.explorer.examples import EXAMPLES
from tests.browser.conftest import Explorer
from tests.explorer.hostile import HOSTILE

WARM = "warmup(cosine_decay(0.1,900),100)"
DECAY = lrsched.warmup(lrsched.cosine_decay(0.1, 900), 100)
FIRST_CURVE = 60.0  # seconds; under 8 on two cores that are idle
REDRAWN = 1500.0  # milliseconds; under 100
UNITS = 8  # in the last place, by which the C libraries of two Pythons may differ


def error(explorer: Explorer) -> Any:
    return explorer.page.locator("#curves .error").first


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


def units_apart(first: float, second: float) -> float:
    """The distance of two values in units in the last place of the larger."""
    return abs(first - second) / math.ulp(max(abs(first), abs(second)))


def same(explorer: Explorer, schedule: Any) -> bool:
    """Whether the one curve that is drawn is that of a schedule."""
    (values,) = explorer.values()
    pairs = zip(map(schedule, explorer.counts()), map(float, values), strict=True)
    return all(units_apart(*pair) <= UNITS for pair in pairs)


def test_a_recipe_is_typed(explorer: Explorer) -> None:
    explorer.after(lambda: explorer.recipe().fill("linear(1, 0, 50)"))
    assert explorer.values()[0][0] == 1.0
    assert "linear(1,%200,%2050)" in explorer.page.url
    assert explorer.page.get_by_label("end_value", exact=True).input_value() == "0.0"


def test_a_refused_text_has_the_message_of_the_library(explorer: Explorer) -> None:
    before = explorer.values()
    explorer.recipe().fill("warmup(cosin_decay(0.1, 900), 100)")
    error(explorer).filter(has_text="did you mean 'cosine_decay'?").wait_for()
    assert explorer.recipe().get_attribute("aria-invalid") == "true"
    assert explorer.values() == before
    explorer.page.get_by_role("button", name="Go there").click()
    assert explorer.page.evaluate("() => document.activeElement.selectionStart") == 7
    explorer.after(lambda: explorer.recipe().fill("cosine_decay(0.1, 900)"))
    assert error(explorer).inner_text() == ""


def test_a_text_is_never_html(explorer: Explorer) -> None:
    text = "<img src=x onerror=alert(1)>"
    explorer.recipe().fill(text)
    error(explorer).filter(has_text="recipe: column").wait_for()
    name = explorer.page.get_by_label("Name of recipe 1")
    name.fill(text)
    explorer.after(lambda: name.press("Tab"))
    assert explorer.page.locator("img").count() == 0
    assert text in explorer.page.locator("#readout").inner_text()


def test_names_are_completed(explorer: Explorer) -> None:
    field = explorer.recipe()
    field.fill("")
    field.press_sequentially("warmup(cosine_d")
    options = explorer.page.locator(".completions [role=option]")
    option = options.first
    option.filter(has_text="cosine_decay(").wait_for()
    field.press("ArrowDown")
    assert option.get_attribute("aria-selected") == "true"
    field.press("Enter")
    assert field.input_value() == "warmup(cosine_decay("
    field.press_sequentially("0.1, 9), 5, shape='q")
    options.filter(has_text=re.compile(r"^'quarter-cosine'")).click()
    explorer.after(lambda: field.press_sequentially(")"))
    assert field.input_value() == "warmup(cosine_decay(0.1, 9), 5, shape='quarter-cosine')"


def test_a_slider_rewrites_the_recipe(explorer: Explorer) -> None:
    slider = explorer.page.get_by_role("slider", name="warmup_steps, slider")
    times = []
    for _ in range(8):
        explorer.after(lambda: slider.press("ArrowRight"))
        times.append(explorer.page.evaluate("() => explorer.redrawn"))
    print(f"\nredrawn after {sorted(times)[len(times) // 2]:.0f} ms")
    assert min(times) < REDRAWN
    assert explorer.recipes() == ["warmup(cosine_decay(0.1,900),108)"]
    slider = explorer.page.get_by_role("slider", name="init_value, slider").first
    explorer.after(lambda: slider.press("End"))
    assert explorer.recipes() == ["warmup(cosine_decay(1.0,900),108)"]
    assert max(explorer.values()[0]) == 1.0


def test_a_refused_value_leaves_the_curve(explorer: Explorer) -> None:
    before = explorer.values(), explorer.recipes()
    field = explorer.page.get_by_label("decay_steps", exact=True)
    field.fill("0")
    field.press("Enter")
    explorer.page.locator("#form .error", has_text="decay_steps must be a number >= 1").wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    assert (explorer.values(), explorer.recipes()) == before


def test_a_long_nested_recipe_is_redrawn_at_once(explorer: Explorer) -> None:
    text = (
        "warmup(cosine_restarts(0.1, 900, period_mult=2), 100) * cyclic(0.5, 1.0, 5000)"
        " + noise(linear(0.01, 0, 10000), 0.2, every=50)"
    )
    explorer.after(lambda: explorer.recipe().fill(text))
    times = []
    for steps in (9000, 9500, 10000):
        changed = text.replace("10000", str(steps))
        explorer.after(lambda changed=changed: explorer.recipe().fill(changed))
        times.append(explorer.page.evaluate("() => explorer.redrawn"))
    print(f"\na nested recipe redrawn after {min(times):.0f} ms, {len(explorer.counts())} points")
    assert min(times) < REDRAWN


def test_recipes_are_overlaid_and_compared(explorer: Explorer) -> None:
    gallery = explorer.page.get_by_label("Add from the gallery")
    explorer.after(lambda: gallery.select_option(label="cosine_decay"))
    assert len(explorer.values()) == 2
    found = explorer.page.locator("#found")
    found.filter(has_text="First at step").wait_for()
    expected = lrsched.diff(DECAY, lrsched.cosine_decay(0.1, 1000), 1000)
    assert expected.first == 0
    assert "0, with 0 and 0.1" in found.inner_text()
    hide = explorer.page.get_by_role("button", name="Hide recipe 1")
    explorer.after(hide.click)
    assert len(explorer.values()) == 1
    assert "hidden=0" in explorer.page.url
    explorer.after(explorer.page.get_by_role("button", name="Remove recipe 1").click)
    assert explorer.recipes() == ["cosine_decay(init_value=0.1, decay_steps=1000)"]
    explorer.page.locator("#difference").wait_for(state="hidden")


def test_what_to_write_is_copied(explorer: Explorer) -> None:
    for tab, expected in (
        ("optax", "optimizer = optax.sgd(schedule"),
        ("torch", "lrsched_torch.lambda_lr(optimizer, schedule)"),
        ("Keras", "lrsched_keras.KerasSchedule(schedule)"),
        ("Shell", "lrsched values 'warmup("),
    ):
        explorer.page.get_by_role("tab", name=tab).click()
        assert expected in explorer.page.locator("#text").inner_text()
    explorer.page.get_by_role("tab", name="JSON").click()
    explorer.page.get_by_role("button", name="Copy").click()
    explorer.page.get_by_role("button", name="Copied").wait_for()
    copied = explorer.page.evaluate("() => navigator.clipboard.readText()")
    assert lrsched.from_json(copied) == DECAY


def test_a_file_is_dropped(explorer: Explorer) -> None:
    scheduler = {"type": "WarmupDecayLR", "params": {"total_num_steps": "auto"}}
    config = {"scheduler": scheduler}
    drop = """text => {
        const data = new DataTransfer();
        data.items.add(new File([text], "ds_config.json", { type: "application/json" }));
        dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
    }"""
    explorer.page.evaluate(drop, json.dumps(config))
    field = explorer.page.locator("#missing-total_steps")
    field.fill("2000")
    explorer.after(lambda: field.press("Enter"))
    expected = lrsched.from_config(config, total_steps=2000)
    assert explorer.recipes()[1] == repr(expected)
    assert "total_steps=2000" in explorer.page.url
    explorer.page.evaluate(drop, "{")
    explorer.page.get_by_role("alert").filter(has_text="ds_config.json is no JSON").wait_for()


def test_a_file_is_opened(explorer: Explorer, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    lrsched.rex(0.1, 500).save(path)
    explorer.after(lambda: explorer.page.set_input_files("#file", path))
    assert explorer.recipes()[1] == repr(lrsched.rex(0.1, 500))


def test_back_and_forward(explorer: Explorer) -> None:
    explorer.after(lambda: explorer.page.get_by_role("button", name="Log").click())
    explorer.page.wait_for_url("**log=1")
    explorer.after(lambda: explorer.page.get_by_label("over").select_option("steps"))
    gallery = explorer.page.get_by_label("Add from the gallery")
    explorer.after(lambda: gallery.select_option(label="rex"))
    explorer.page.wait_for_url("**rex**")
    explorer.after(explorer.page.go_back)
    assert len(explorer.recipes()) == 1
    assert "log=1" in explorer.page.url
    explorer.after(explorer.page.go_back)
    assert "log=1" not in explorer.page.url
    explorer.after(explorer.page.go_forward)
    explorer.after(explorer.page.go_forward)
    assert len(explorer.recipes()) == 2


DAMAGED = ["recipe=warmup(cosine_de", "%E0%A4%A", "recipe=constant(1)&log=9", "recipe=" + "(" * 999]


@pytest.mark.parametrize("fragment", DAMAGED)
def test_a_damaged_link_gives_a_message(explorer: Explorer, fragment: str) -> None:
    explorer.go(fragment)
    alert = explorer.page.get_by_role("alert")
    assert alert.inner_text().startswith("This link is damaged: ")
    assert explorer.recipes() == []
    explorer.after(explorer.page.get_by_role("button", name="Add a recipe").click)
    assert explorer.recipes() == ["constant(0.1)"]


def test_the_view_is_zoomed_by_dragging(explorer: Explorer) -> None:
    box = explorer.page.locator(".u-over").bounding_box()
    middle = box["y"] + box["height"] / 2

    def drag() -> None:
        mouse = explorer.page.mouse
        mouse.move(box["x"] + box["width"] / 4, middle)
        mouse.down()
        mouse.move(box["x"] + box["width"] / 2, middle, steps=4)
        mouse.up()

    whole = explorer.counts()
    explorer.after(drag)
    counts = explorer.counts()
    assert whole[-1] / 5 < counts[0] < counts[-1] < 0.6 * whole[-1]
    assert counts == list(range(int(counts[0]), int(counts[-1]) + 1))
    assert "from=" in explorer.page.url
    explorer.after(explorer.page.get_by_role("button", name="Whole run").click)
    assert explorer.counts() == whole


def test_values_at_a_place(explorer: Explorer) -> None:
    explorer.page.get_by_label("Read at").fill("500")
    explorer.page.get_by_label("Read at").press("Enter")
    cell = explorer.page.locator("#readout tbody td").first
    cell.filter(has_text=re.compile(r"0\.0\d+")).wait_for()
    assert units_apart(float(cell.get_attribute("title")), DECAY(500)) <= UNITS


def test_the_axis_in_other_units(explorer: Explorer) -> None:
    axis = explorer.page.get_by_label("over")
    assert axis.locator("option[value=epochs]").is_disabled()
    field = explorer.page.get_by_label("steps per epoch")
    field.fill("50")
    explorer.after(lambda: field.press("Enter"))
    explorer.after(lambda: axis.select_option("epochs"))
    assert explorer.counts()[-1] == pytest.approx(1150 / 50, rel=0.1)
    field.fill("-1")
    field.press("Enter")
    explorer.page.locator("#run-error", has_text="steps_per_epoch must be").wait_for()


def test_the_keyboard_alone(explorer: Explorer) -> None:
    page = explorer.page
    page.locator("#theme").focus()
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const it = document.activeElement, style = getComputedStyle(it);
                return [it.id || it.dataset.key || it.tagName, style.outlineStyle];
            }"""
        )
        if focused[0] == "BODY":
            break
        reached.append(focused)
    names = [name for name, _ in reached]
    expected = ["recipe-0", "hide-0", "add", "gallery", "open", "axis", "chart"]
    expected += ["slider-warmup_steps", "parameter-schedule-init_value", "copy"]
    assert set(expected) <= set(names)
    assert all(outline != "none" for _, outline in reached), reached
    page.locator("#chart").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert "at the pointer" not in page.locator("#readout thead").inner_text()
    assert "warmup 0" in page.locator("#heard").inner_text()
    page.keyboard.press("Home")
    whole = explorer.counts()[-1]
    explorer.after(lambda: page.keyboard.press("+"))
    assert explorer.counts()[-1] < whole
    explorer.after(lambda: page.keyboard.press("0"))
    assert explorer.counts()[-1] == whole


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


def test_a_small_screen(explorer: Explorer) -> None:
    explorer.page.set_viewport_size({"width": 360, "height": 740})
    explorer.page.wait_for_timeout(150)
    wide = explorer.page.evaluate("() => document.documentElement.scrollWidth")
    explorer.page.set_viewport_size({"width": 1360, "height": 900})
    assert wide == 360


def test_the_dark(explorer: Explorer) -> None:
    script = "() => getComputedStyle(document.documentElement).backgroundColor"
    light = explorer.page.evaluate(script)
    explorer.page.emulate_media(color_scheme="dark")
    assert explorer.page.evaluate(script) != light
    explorer.page.emulate_media(color_scheme="light")
    button = explorer.page.locator("#theme")
    for expected in ("Theme: light", "Theme: dark"):
        button.click()
        assert button.inner_text() == expected
    assert explorer.page.evaluate(script) != light
    button.click()
    assert explorer.page.evaluate(script) == light


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
