"""Schedules with controllers in them: their states, and what they are with a state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self, cast

from lrsched._core.controller import Controller, controllers_in
from lrsched._core.definition import REGISTRY
from lrsched._core.recipe import Recipe

States = tuple[Any, ...]


class Feedback:
    """What a schedule does with the controllers in it."""

    __slots__ = ()

    @property
    def controllers(self) -> tuple[Controller, ...]:
        """The controllers in this schedule, in the order of its `repr`; most have none.

        A schedule with controllers follows a metric. Its value after n updates is
        `schedule.with_state(state)(n)`, where the state begins as `schedule.init_state()` and
        becomes `schedule.observe(state, metric)` with each metric.

        >>> from lrsched import cosine_decay, reduce_on_plateau
        >>> (cosine_decay(0.1, 8) * reduce_on_plateau(patience=3)).controllers
        (reduce_on_plateau(patience=3),)
        """
        recipe = cast(Recipe, self)
        return tuple(controllers_in(recipe)) if recipe._controlled else ()

    def init_state(self, like: Any = None) -> States:
        """The states of the controllers before the first observation, one for each.

        Args:
            like: as for `Controller.init`.
        """
        return tuple(each.init(like) for each in self.controllers)

    def observe(self, state: States, metric: Any) -> States:
        """The states after one more metric, which each controller observes.

        Args:
            state: the states before, of `init_state` or `observe`.
            metric: as for `Controller.update`.

        Raises:
            TypeError: `metric` is not a number or an array of numbers.
            ValueError: `state` is not as long as `controllers`.
        """
        pairs = zip(self.controllers, self._states(state), strict=True)
        return tuple(each.update(before, metric) for each, before in pairs)

    def with_state(self, state: States) -> Self:
        """The schedule as it is while the controllers keep their states.

        Each controller becomes the `constant` of its state's value, which may be an array.

        Args:
            state: the states of the controllers, of `init_state` or `observe`.

        Raises:
            ValueError: `state` is not as long as `controllers`.

        >>> from lrsched import cosine_decay, reduce_on_plateau
        >>> rate = cosine_decay(0.1, 8) * reduce_on_plateau(decay_rate=0.5, patience=0)
        >>> state = rate.init_state()
        >>> for metric in (3.0, 2.0, 2.0):
        ...     state = rate.observe(state, metric)
        >>> rate.with_state(state)
        product(first=cosine_decay(init_value=0.1, decay_steps=8), second=constant(value=0.5))
        >>> rate.with_state(state)(0)
        0.05
        """
        values = iter([each.value for each in self._states(state)])
        return cast(Self, _with_values(cast(Recipe, self), values))

    def _states(self, state: States) -> States:
        if not isinstance(state, tuple) or len(state) != len(self.controllers):
            number = len(self.controllers)
            expected = f"a tuple of {number}, one for each controller, of init_state() or observe()"
            cast(Recipe, self)._definition.refuse("state", expected, state)
        return state


def _with_values(recipe: Recipe, values: Iterator[Any]) -> Any:
    """A recipe with a constant in the place of each controller."""
    if not recipe._controlled:
        return recipe
    changed = {name: _of_member(recipe, x, values) for name, x in recipe.params.items()}
    return recipe.replace(**changed)


def _of_member(owner: Recipe, member: Any, values: Iterator[Any]) -> Any:
    if type(member) is tuple:
        return tuple(_of_member(owner, each, values) for each in member)
    if isinstance(member, Controller):
        # It is not checked: a check would take only numbers, and read arrays from their device.
        return type(owner)(REGISTRY["constant"], (next(values),))
    return _with_values(member, values) if isinstance(member, Recipe) else member
