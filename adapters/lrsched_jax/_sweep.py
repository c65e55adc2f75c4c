"""Train copies of one model together, each under its own learning-rate schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import optax
from jax.sharding import Mesh

from lrsched import Schedule
from lrsched._core import Real, Refusal
from lrsched.range_test.options import checked_options
from lrsched.sweep import Sweep, schedules_of
from lrsched_jax._batches import Batches
from lrsched_jax._cache import training_of
from lrsched_jax._checks import check_functions, rates_array
from lrsched_jax._model import is_initialiser, models_of
from lrsched_jax._types import Batch, Key, Optimizer, PyTree
from lrsched_jax._vmapped import train, whole

REFUSE = Refusal("sweep")


def sweep(
    loss_fn: Callable[..., Any],
    params: PyTree | Callable[[Key], PyTree],
    batches: Iterable[Batch],
    schedules: Iterable[Schedule | Real],
    optimizer: Optimizer = optax.sgd,
    steps: int = 200,
    *,
    has_aux: bool = False,
    model_state: PyTree = None,
    key: Key = None,
    keep_params: bool = False,
    mesh: Mesh | None = None,
) -> Sweep:
    """Train one copy of a model under each of many schedules, in one compiled program.

    The program is one update of all copies, batched by `jax.vmap` over a table of their learning
    rates; so the schedules may be of different kinds. All copies get the same batches and the same
    random keys, and each trains as it would alone. A copy whose loss is not finite goes on, and
    affects no other. The function is pure: it changes none of its arguments.

    Args:
        loss_fn: the loss function, as for `range_test`: `loss_fn(params, batch)`, with a model
            state after the parameters and a key as the last argument, if they are given.
        params: the initial parameters of all copies: any pytree, a Flax NNX module or a Linen
            `TrainState`, as for `range_test`, which says what of it is trained. Or a function of a
            key that returns one of these: copy n starts with `params(jax.random.key(n))`.
        batches: the batches, one for each update: any iterable of pytrees of arrays. It is
            restarted when it runs out; an iterator, which cannot be restarted, ends the sweep.
        schedules: the schedule of each copy; a number is a constant learning rate.
        optimizer: a function from a schedule to a gradient transformation, such as `optax.adam`. It
            is called in each update, with a constant schedule of that update's rate; or with the
            rate, where it takes only a number, as `optax.sm3` does.
        steps: the number of updates.
        has_aux: whether `loss_fn` returns `(loss, aux)`. If aux is a mapping, its scalars are
            recorded as metrics.
        model_state: a pytree of other values that change from update to update, such as batch
            statistics.
        key: a random key, for example for dropout: update k of every copy gets `fold_in(key, k)`.
        keep_params: whether to return the parameters and model states after the last update. All
            arrays get a first axis for the copies, and what is no array stays as it is.
        mesh: a mesh with one axis, over whose devices the copies are distributed. If their number
            is not a multiple of the number of devices, the last copy is trained several times, and
            returned once.

    Returns:
        The schedules, the learning rates as they were used, the losses, and on request the metrics
        and parameters.

    Raises:
        TypeError, ValueError: an argument is wrong. Nothing has run.

    Notes:
        The parameters and the optimizer state are in memory once for each schedule. Compiled code
        is kept for the last few pairs of `loss_fn` and `optimizer`, and serves every sweep with the
        same numbers of copies and steps.

    >>> from jax import numpy as jnp
    >>> def loss_fn(weight, batch):
    ...     return jnp.mean((batch @ weight - 1) ** 2)
    >>> batches = np.random.default_rng(0).normal(size=(20, 32, 2))
    >>> found = sweep(loss_fn, jnp.ones(2), batches, [0.01, 0.1, 3.0], steps=30)
    >>> found.losses.shape, found.losses[:, -1].argmin()
    ((3, 30), np.int64(1))
    """
    (steps,) = checked_options(REFUSE, steps=steps)
    check_functions(REFUSE, loss_fn, optimizer)
    copies = schedules_of(REFUSE, schedules)
    table = [rates_array(REFUSE, f"schedules[{n}]", each, steps) for n, each in enumerate(copies)]
    _check_mesh(mesh)
    number = len(copies) if is_initialiser(params) else 1
    models = list(models_of(loss_fn, params, number, model_state, has_aux, key is not None, REFUSE))
    training = training_of(models[0].loss, optimizer)

    source = Batches(batches, REFUSE)
    after, records, names = train(training, models, np.stack(table), key, source, mesh)
    loss, *numbers = np.moveaxis(records, 2, 0)
    rates = np.stack(table)[:, : loss.shape[1]].astype(float)
    result = Sweep(copies, rates, loss, dict(zip(names, numbers, strict=True)))
    if keep_params:
        trained = whole(models, after.params, len(copies))
        result = replace(result, params=trained, model_state=after.model_state)
    return result


def _check_mesh(mesh: Any) -> None:
    if not (mesh is None or isinstance(mesh, Mesh)):
        REFUSE("mesh", "a jax.sharding.Mesh, or None", mesh, TypeError)
    if mesh is not None and len(mesh.axis_names) != 1:
        REFUSE("mesh", "one of a single axis", mesh)
