"""Recipes written on the page: typed, by sliders, in files; and what to write for them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import lrsched
from tests.browser.conftest import Explorer
from tests.browser.curves import DECAY, REDRAWN


def error(explorer: Explorer) -> Any:
    return explorer.page.locator("#curves .error").first


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
