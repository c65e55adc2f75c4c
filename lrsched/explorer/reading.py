"""Recipes and lengths read from what a user writes, with limits on what is read."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from lrsched._core.checks import Refusal
from lrsched._core.durations import UNITS, unit_sizes
from lrsched._core.recipe import Recipe
from lrsched._core.schedule import Schedule
from lrsched.configs.entries import as_number
from lrsched.formats.parse import RECIPE, read

MAX_TEXT = 4000  # characters of a recipe
MAX_LEVELS = 100  # of brackets; recipes are nested 64 deep at most
MAX_OPERATORS = 200  # which nest a text as brackets do

_OPERATOR = re.compile(
    r"[-+*/%~@|&^<>!:]|(?<![\d\s])\.|\b(?:and|await|for|if|in|is|lambda|not|or|yield)\b"
)

Lengths = Mapping[str, str]  # the fields of the page, by the argument of `Schedule.resolve`

_refuse = Refusal("recipe")


@functools.lru_cache(256)
def read_recipe(text: str) -> Any:
    """The schedule or the controller of a text, which is parsed and never evaluated.

    Args:
        text: the recipe, as `lrsched.from_repr` takes it.

    Raises:
        TypeError, ValueError: the text is too long or nested too deeply, or `lrsched.from_repr`
            refuses it.

    >>> read_recipe("warmup(cosine_decay(0.1, 900), 100)").name
    'warmup'
    """
    check_size(text)
    return read("recipe", text, RECIPE)


def check_size(text: str) -> None:
    """Refuse a text that is longer, or nested deeper, than a person writes it."""
    if len(text) > MAX_TEXT:
        _refuse("the text", f"at most {MAX_TEXT} characters", f"{text[:60]}...")
    level = 0
    for character in text:
        level += (character in "([{") - (character in ")]}")
        if level > MAX_LEVELS:
            raise ValueError("recipe: the recipe must not be nested this deeply")
    if len(_OPERATOR.findall(text)) > MAX_OPERATORS:
        _refuse("the text", f"one with at most {MAX_OPERATORS} operators", f"{text[:60]}...")


def read_lengths(lengths: Lengths) -> dict[str, Any]:
    """The arguments of `Schedule.resolve`; a field that is empty gives none.

    Raises:
        TypeError, ValueError: a field is not a number, or `Schedule.resolve` refuses it.

    >>> read_lengths({"total_steps": "1e6", "steps_per_epoch": ""})
    {'total_steps': 1000000}
    """
    given: dict[str, Any] = dict.fromkeys(unit.argument for unit in UNITS.values())
    for unit in UNITS.values():
        text = lengths.get(unit.argument, "").strip()
        if text:
            number = as_number(text, unit.kind.item_type)
            given[unit.argument] = number
    sizes = unit_sizes(Refusal("resolve"), given)
    return {unit.argument: _short(sizes[name]) for name, unit in UNITS.items() if name in sizes}


def resolved(recipe: Recipe, given: Mapping[str, Any]) -> Any:
    """A schedule with its durations in steps as far as the lengths are given."""
    return recipe.resolve(**given) if isinstance(recipe, Schedule) and given else recipe


def _short(size: float) -> float:
    return int(size) if size == int(size) else size
