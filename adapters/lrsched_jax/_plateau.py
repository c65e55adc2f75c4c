"""An optax transformation that takes its learning rate from an lrsched plateau."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import optax

from lrsched import Plateau, PlateauState
from lrsched._core import Refusal
from lrsched_jax._scale import scaled
from lrsched_jax._types import PyTree


def scale_by_plateau_learning_rate(
    plateau: Plateau, *, flip_sign: bool = True
) -> optax.GradientTransformationExtraArgs:
    """Scale updates by the negative learning rate of a plateau.

    It takes the place of `optax.scale_by_learning_rate` at the end of a chain, and flips the sign
    as that does. Its `update` takes the metric as `value=`, like `optax.contrib.reduce_on_plateau`,
    and observes it before it scales: a metric that exhausts the patience already lowers the update
    with which it was passed. With `value=None` nothing is observed and the learning rate stays the
    same, for metrics that are not computed at every update. The state is a `PlateauState` of arrays
    without weak types; its `value` is the learning rate of the last update. Updates keep their
    types, and the rate is never rounded below float32, as in `scale_by_learning_rate`.

    Args:
        plateau: an `lrsched.reduce_on_plateau(...)`; its hyperparameters may be traced.
        flip_sign: whether to scale by the negative learning rate. Use False, with an `init_value`
            of 1.0, after an optimizer that has its own learning rate, as in
            `optax.chain(optax.adam(1e-3), optax.contrib.reduce_on_plateau())`.

    Raises:
        TypeError: plateau is not a plateau.

    >>> from lrsched.controllers import reduce_on_plateau
    >>> plateau = reduce_on_plateau(0.1, decay_rate=0.5, patience=0)
    >>> optimizer = optax.chain(optax.trace(0.0), scale_by_plateau_learning_rate(plateau))
    >>> state = optimizer.init(jnp.ones(()))
    >>> for loss in (2.0, 1.0, 1.0):
    ...     updates, state = optimizer.update(jnp.ones(()), state, value=loss)
    ...     print(updates)
    -0.1
    -0.1
    -0.05
    """
    if not isinstance(plateau, Plateau):
        refuse = Refusal("scale_by_plateau_learning_rate")
        refuse("plateau", "a reduce_on_plateau", plateau, TypeError)
    sign = -1 if flip_sign else 1

    def init(params: PyTree) -> PlateauState:
        del params
        state: PlateauState = plateau.init(jnp.zeros(()))
        return state

    def update(
        updates: PyTree,
        state: PlateauState,
        params: PyTree = None,
        *,
        value: Any,
        **extra_args: Any,
    ) -> tuple[PyTree, PlateauState]:
        del params, extra_args
        if value is not None:
            state = plateau.update(state, value)
        return scaled(sign * state.value, updates), state

    return optax.GradientTransformationExtraArgs(init, update)
