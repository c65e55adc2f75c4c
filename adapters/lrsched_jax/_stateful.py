"""Rates that follow a metric, as optax's stateful schedules."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from lrsched import Schedule
from lrsched._core import Controller, Refusal


class ControlledState(NamedTuple):
    """How many updates were made, and the states of the controllers.

    `rate` is the value of the last update, before the first one that of the next.
    """

    count: Any
    controllers: tuple[Any, ...]
    rate: Any


class ControlledSchedule:
    """A recipe that follows a metric, in the form of optax's `StatefulSchedule`.

    `stateful` makes it.

    Attributes:
        recipe: the schedule or the controller.
    """

    def __init__(self, recipe: Schedule | Controller) -> None:
        self.recipe = recipe

    def init(self) -> ControlledState:
        """The state before the first update."""
        like = jnp.zeros(())
        if isinstance(self.recipe, Controller):
            states = (self.recipe.init(like),)
        else:
            states = self.recipe.init_state(like)
        count = jnp.zeros((), jnp.int32)
        return ControlledState(count, states, self._rate(count, states))

    def update(
        self, state: ControlledState, *, value: Any = None, **extra_args: Any
    ) -> ControlledState:
        """The state after an update, and after observing a metric if there is one.

        Args:
            state: the state before.
            value: the metric, or None.
            extra_args: ignored.
        """
        del extra_args
        states = self._observed(state.controllers, value)
        rate = self._rate(state.count, states)
        return ControlledState(optax.safe_increment(state.count), states, rate)

    def __call__(self, state: ControlledState, *, value: Any = None, **extra_args: Any) -> Any:
        """The value for the next update, at which `value` is observed.

        Args:
            state: the state before the update.
            value: the metric, or None.
            extra_args: ignored.
        """
        del extra_args
        return self._rate(state.count, self._observed(state.controllers, value))

    def _observed(self, states: tuple[Any, ...], metric: Any) -> tuple[Any, ...]:
        if metric is None:
            return states
        if isinstance(self.recipe, Controller):
            return (self.recipe.update(states[0], metric),)
        return self.recipe.observe(states, metric)

    def _rate(self, count: Any, states: tuple[Any, ...]) -> Any:
        """The value, without a weak type, so that states keep their types."""
        if isinstance(self.recipe, Controller):
            return states[0].value
        rate = jnp.asarray(self.recipe.with_state(states)(count))
        return rate.astype(rate.dtype)


def stateful(recipe: Schedule | Controller) -> ControlledSchedule:
    """Make a recipe that follows a metric an `optax.schedules.StatefulSchedule`.

    `optax.inject_hyperparams` takes it for any hyperparameter. The optimizer's `update` takes the
    metric as `value=`, or None between evaluations, and observes it before the update: a metric
    that exhausts the patience already lowers the update with which it was passed.

    Args:
        recipe: a controller, or a schedule with controllers, whose hyperparameters may be traced.

    Raises:
        TypeError: recipe is neither a schedule nor a controller.
        ValueError: it has no controller, or a duration is not in steps.

    >>> import jax, lrsched
    >>> decay = stateful(lrsched.reduce_on_plateau(0.1, decay_rate=0.5, patience=0))
    >>> optimizer = optax.inject_hyperparams(optax.adamw)(1e-3, weight_decay=decay)
    >>> params = jnp.ones(3)
    >>> state = optimizer.init(params)
    >>> for loss in (2.0, None, 2.0):
    ...     _, state = optimizer.update(params, state, params, value=loss)
    ...     print(state.hyperparams["weight_decay"])
    0.1
    0.1
    0.05
    """
    return checked_stateful(Refusal("stateful"), "recipe", recipe)


def checked_stateful(refuse: Refusal, parameter: str, recipe: Any) -> ControlledSchedule:
    """A checked recipe as a stateful schedule."""
    if not isinstance(recipe, (Schedule, Controller)):
        refuse(parameter, "a controller, or a schedule with one", recipe, TypeError)
    if isinstance(recipe, Schedule):
        if not recipe.controllers:
            refuse(parameter, "one that follows a metric (optax takes any other as it is)", recipe)
        if not recipe.is_resolved:
            recipe(0)  # raises, and names what is missing
    return ControlledSchedule(recipe)


def follows_metric(recipe: object) -> bool:
    """Whether a value is a controller, or a schedule with controllers."""
    return isinstance(recipe, Controller) or (
        isinstance(recipe, Schedule) and bool(recipe.controllers)
    )
