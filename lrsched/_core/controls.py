"""The controllers in the recipes that an adapter drives, and their states."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

from lrsched._core.checks import Refusal
from lrsched._core.controller import Controller
from lrsched._core.definition import REGISTRY
from lrsched._core.schedule import Schedule

Recipe = Schedule | Controller


class Controls:
    """The states of all controllers in recipes; equal controllers have one state.

    Args:
        recipes: schedules and controllers.

    Attributes:
        controllers: the controllers, each once.
        states: the state of each.
    """

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        self.controllers: list[Controller] = []
        for recipe in recipes:
            self.controllers += [x for x in _controllers(recipe) if x not in self.controllers]
        self.states: list[Any] = [each.init() for each in self.controllers]

    def observe(self, metric: float) -> bool:
        """Show the metric to each controller; whether a value has changed."""
        before = self.states
        if len(before) == 1:
            (old,) = before
            new = self.controllers[0].apply_to_number(old, metric)
            self.states = [new]
            return bool(old.value != new.value)
        pairs = zip(self.controllers, before, strict=True)
        self.states = [each.apply_to_number(state, metric) for each, state in pairs]
        return [each.value for each in before] != [each.value for each in self.states]

    def current(self, recipe: Recipe) -> Schedule:
        """A recipe as it is while the controllers keep their states."""
        states = [self.states[self.controllers.index(each)] for each in _controllers(recipe)]
        if isinstance(recipe, Controller):
            return cast(Schedule, REGISTRY["constant"].factory(states[0].value))
        return recipe.with_state(tuple(states))

    def as_data(self) -> list[Any]:
        """The states as plain data."""
        return [_as_data(state) for state in self.states]

    def read(self, refuse: Refusal, data: Any) -> list[Any]:
        """The states of plain data, as `as_data` gives them."""
        if not isinstance(data, (list, tuple)) or len(data) != len(self.controllers):
            number = len(self.controllers)
            refuse("states", f"a list of {number}, the number of controllers", data, TypeError)
        return [
            _read(refuse, f"states[{place}]", each.init(), state)
            for place, (each, state) in enumerate(zip(self.controllers, data, strict=True))
        ]


def is_plain_recipe(value: object) -> bool:
    """Whether `value` is a schedule or a controller of plain numbers."""
    return isinstance(value, (Schedule, Controller)) and value.is_plain


def _controllers(recipe: Recipe) -> Iterator[Controller]:
    yield from [recipe] if isinstance(recipe, Controller) else recipe.controllers


def _as_data(state: Any) -> Any:
    if not isinstance(state, tuple):
        return state
    names = getattr(state, "_fields", None)
    members = map(_as_data, state)
    return dict(zip(names, members, strict=True)) if names else list(members)


def _read(refuse: Refusal, path: str, template: Any, data: Any) -> Any:
    """A state of the form of a template, from data that may be wrong."""
    if isinstance(template, tuple):
        names = getattr(template, "_fields", None)
        if names and isinstance(data, dict) and data.keys() == set(names):
            members = [
                _read(refuse, f"{path}.{name}", part, data[name])
                for name, part in zip(names, template, strict=True)
            ]
            return type(template)(*members)
        if names:
            refuse(path, f"a mapping with {', '.join(names)}", data, TypeError)
        if not isinstance(data, (list, tuple)) or len(data) != len(template):
            refuse(path, f"a list of {len(template)} numbers", data, TypeError)
        return tuple(
            _read(refuse, f"{path}[{place}]", *pair)
            for place, pair in enumerate(zip(template, data, strict=True))
        )
    if path.endswith(".value"):
        if type(data) not in (int, float):
            refuse(path, "a number", data, TypeError)
        if not math.isfinite(data):
            refuse(path, "a finite number", data)
        return float(data)
    if type(template) is int:
        if type(data) is not int:
            refuse(path, "an integer", data, TypeError)
        if data < 0:
            refuse(path, "an integer >= 0", data)
        return data
    if type(data) not in (int, float):
        refuse(path, "a number", data, TypeError)
    return float(data)
