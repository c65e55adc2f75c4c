"""The state of the explorer as the fragment of an address, which a link shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from lrsched._core.checks import Refusal
from lrsched._core.durations import UNITS
from lrsched.explorer.reading import check_size, read_recipe

MAX_FRAGMENT = 60_000  # characters
MAX_CURVES = 8
MAX_NAME = 60
AXES = ("step", *UNITS)
LENGTHS = tuple(unit.argument for unit in UNITS.values())
KEYS = ("recipe", "name", "colour", "hidden", *LENGTHS, "axis", "log", "from", "to", "against")
_refuse = Refusal("explore")

START = "warmup(cosine_decay(0.1, 900), 100)"  # what a page without a state shows


def read_state(fragment: str) -> dict[str, Any]:
    """The state of a fragment. An empty one gives the state that a page begins with.

    Args:
        fragment: what follows the "#" of an address.

    Returns:
        The "curves", each with "recipe", "name", "colour" (a place in the palette) and "hidden";
        "lengths" by the argument of `Schedule.resolve`, as text; the "axis", whether the values are
        on a "log" axis, the places "from" and "to" which are shown, or None, and the places of the
        two curves that are compared "against" each other.

    Raises:
        ValueError: the fragment is damaged.

    >>> state = read_state("recipe=constant(0.1)&log=1")
    >>> state["curves"][0]["recipe"], state["log"]
    ('constant(0.1)', True)
    """
    if not fragment:
        fragment = write_recipes([START])
    try:
        return _state(fragment)
    except (TypeError, ValueError) as error:
        raise ValueError(f"This link is damaged: {error}") from None


def write_recipes(recipes: list[str]) -> str:
    """The fragment that shows recipes.

    Raises:
        ValueError: there are more than the page shows, or one is longer than it takes.

    >>> write_recipes(["constant(0.1)"])
    'recipe=constant(0.1)'
    """
    if len(recipes) > MAX_CURVES:
        _refuse("recipes", f"at most {MAX_CURVES}", len(recipes))
    for recipe in recipes:
        check_size(recipe)
    return _encoded([("recipe", recipe) for recipe in recipes])


def write_state(state: Mapping[str, Any]) -> str:
    """The fragment of a state, as `read_state` gives it."""
    pairs: list[tuple[str, str]] = []
    for place, curve in enumerate(state["curves"]):
        pairs.append(("recipe", curve["recipe"]))
        if curve["name"]:
            pairs.append(("name", f"{place} {curve['name']}"))
        if curve["colour"] != place:
            pairs.append(("colour", f"{place} {curve['colour']}"))
        if curve["hidden"]:
            pairs.append(("hidden", str(place)))
    pairs += [(name, text) for name, text in state["lengths"].items() if text]
    if state["axis"] != "step":
        pairs.append(("axis", state["axis"]))
    if state["log"]:
        pairs.append(("log", "1"))
    for side in ("from", "to"):
        if state[side] is not None:
            pairs.append((side, repr(state[side])))
    if list(state["against"]) != [0, 1]:
        pairs.append(("against", " ".join(map(str, state["against"]))))
    return _encoded(pairs)


def _encoded(pairs: list[tuple[str, str]]) -> str:
    return urlencode(pairs, safe="(),=/*'", quote_via=quote)


def _state(fragment: str) -> dict[str, Any]:
    if len(fragment) > MAX_FRAGMENT:
        raise ValueError("it is too long")
    pairs = parse_qsl(
        fragment, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=60
    )
    for key, _ in pairs:
        if key not in KEYS:
            raise ValueError(f"it has the unknown part {key[:40]!r}")
    recipes = [text for key, text in pairs if key == "recipe"]
    if len(recipes) > MAX_CURVES:
        raise ValueError(f"it has more than {MAX_CURVES} recipes")
    for text in recipes:
        read_recipe(text)
    curves: list[dict[str, Any]] = [
        {"recipe": text, "name": "", "colour": place, "hidden": False}
        for place, text in enumerate(recipes)
    ]
    for key, text in pairs:
        if key in ("name", "colour", "hidden"):
            _set(curves, key, text)
    single = {key: text for key, text in pairs if key not in ("recipe", "name", "colour", "hidden")}
    begin, end = (_number(single[key]) if key in single else None for key in ("from", "to"))
    if begin is not None and end is not None and not 0 <= begin < end:
        raise ValueError("its view has no width")
    return {
        "curves": curves,
        "lengths": {name: single.get(name, "")[:40] for name in LENGTHS},
        "axis": _one_of(single.get("axis", "step"), AXES),
        "log": _one_of(single.get("log", "0"), ("0", "1")) == "1",
        "from": begin,
        "to": end,
        "against": _pair(single.get("against", "0 1")),
    }


def _set(curves: list[dict[str, Any]], key: str, text: str) -> None:
    """Set what a fragment says of one curve: its place, and what follows."""
    place, _, value = text.partition(" ")
    curve = curves[_place(place, len(curves))]
    if key == "name":
        curve["name"] = value[:MAX_NAME]
    elif key == "colour":
        curve["colour"] = _place(value, MAX_CURVES)
    else:
        curve["hidden"] = True


def _place(text: str, number: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < number):
        raise ValueError(f"{text[:40]!r} is none of its {number} curves or colours")
    return int(text)


def _pair(text: str) -> list[int]:
    first, _, second = text.partition(" ")
    return [_place(first, MAX_CURVES), _place(second, MAX_CURVES)]


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]!r} is no finite number")
    return number


def _one_of(text: str, options: tuple[str, ...]) -> str:
    if text not in options:
        raise ValueError(f"{text[:40]!r} is none of {', '.join(options)}")
    return text
