"""What a name stands for: a schedule, or a controller such as `reduce_on_plateau`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from lrsched._core.checks import Refusal
from lrsched._core.controller import Controller
from lrsched._core.controller_definition import CONTROLLERS
from lrsched._core.definition import REGISTRY, Definition
from lrsched._core.recipe import Recipe
from lrsched._core.schedule import Schedule
from lrsched._core.synonyms import did_you_mean

T = TypeVar("T")

# By the key that has the name in plain data.
REGISTRIES: Mapping[str, Mapping[str, Definition]] = {
    "schedule": REGISTRY,
    "controller": CONTROLLERS,
}


def recipe_types() -> list[type[Recipe]]:
    """The types of recipes, each of which is a type of pytree to JAX."""
    kinds = {each.kind for each in CONTROLLERS.values()} - {Controller}
    return [Schedule, Controller, *kinds]


def known_names() -> set[str]:
    """The names of all schedules and controllers."""
    return {name for registry in REGISTRIES.values() for name in registry}


def find(name: str, besides: Iterable[str] = ()) -> Definition:
    """The definition with this name; the ValueError for an unknown name suggests the nearest one.

    It may be one of `besides`, too.
    """
    for registry in REGISTRIES.values():
        if name in registry:
            return registry[name]
    raise unknown(name, known_names(), besides)


def find_in(key: str, name: str) -> Definition:
    """The definition of this name under a key of plain data, or a ValueError."""
    registry = REGISTRIES[key]
    if name in registry:
        return registry[name]
    for other, names in REGISTRIES.items():
        if name in names:
            raise ValueError(f"{key} must be a {key}, got the {other} {name!r}")
    note = " (your own is one when the module that defines it is imported)"
    raise unknown(name, registry, parameter=key, note=note)


def unknown(
    name: str,
    known: Iterable[str],
    besides: Iterable[str] = (),
    parameter: str = "schedule",
    note: str = "",
) -> ValueError:
    """The ValueError for an unknown name: the nearest in `known` or `besides`, and all of `known`.

    The nearest name comes first, as the others fill a screen.
    """
    names = ", ".join(sorted(known))
    hint = did_you_mean(name, [*known, *besides])
    return ValueError(f"{hint}{parameter} must be one of {names}{note}, got {name!r:.80}")


def of_kind(caller: str, value: Any, kind: type[T] | None) -> T:
    """What was read, if it is of the kind that the caller asks for; None asks for none."""
    if kind is not None and not isinstance(value, kind):
        Refusal(caller)("the recipe", f"a {kind.__name__}", value, TypeError)
    found: T = value
    return found
