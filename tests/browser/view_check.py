"""The view of the curves: overlaid, zoomed, in links, by keyboard, and on other screens."""

from __future__ import annotations

import re

import pytest

import lrsched
from tests.browser.conftest import Explorer
from tests.browser.curves import DECAY, UNITS, units_apart


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
