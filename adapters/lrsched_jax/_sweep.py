"""Copies of one model trained at once, each under a learning-rate schedule of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from lrsched import Schedule, constant
from lrsched._core import Real, Refusal, number
from lrsched.range_test.options import checked_options
from lrsched_jax._batches import Batches
from lrsched_jax._cache import training_of
from lrsched_jax._checks import check_functions, rates_array
from lrsched_jax._model import is_initialiser, model_of
from lrsched_jax._sweep_result import Sweep
from lrsched_jax._vmapped import train

REFUSE = Refusal("sweep")


def sweep(
    loss_fn: Callable[..., Any],
    params: Any,
    batches: Iterable[Any],
    schedules: Iterable[Schedule | Real],
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.sgd,
    steps: int = 200,
    *,
    has_aux: bool = False,
    model_state: Any = None,
    key: Any = None,
    keep_params: bool = False,
    mesh: Mesh | None = None,
) -> Sweep:
    """Train a copy of a model under each of many schedules, all in one compiled program.

    The program is one update of all copies, batched by `jax.vmap` over a table of their rates: it
    serves schedules of any kinds together. Every copy sees the same batches and the same random
    keys, and does what it would alone; one whose loss is not finite goes on so, and changes no
    other. It is pure: nothing that is passed in changes.

    Args:
        loss_fn: the loss, as for `range_test`: `loss_fn(params, batch)`, with the model state after
            the parameters and a key last if there are any.
        params: where all copies begin: any pytree of floating-point arrays, a Flax NNX module or a
            Linen `TrainState`, as for `range_test`. Or a function of a key that makes one of these:
            copy n begins with `params(jax.random.key(n))`.
        batches: the batches, one for each update: any iterable of pytrees of arrays. It begins anew
            when it runs out; with an iterator, which cannot, the sweep ends there.
        schedules: the schedule of each copy; a number is a constant rate.
        optimizer: a function from a schedule to a gradient transformation, such as `optax.adam`. It
            is called in each update, with a constant schedule of that update's rate.
        steps: the number of updates.
        has_aux: whether `loss_fn` returns `(loss, aux)`. If aux is a mapping, its scalars are
            recorded as metrics.
        model_state: what else changes from update to update, such as batch statistics: a pytree.
        key: a random key, for dropout: update k of every copy gets `fold_in(key, k)`.
        keep_params: whether to return what the copies have become.
        mesh: a mesh of one axis, over whose devices the copies are spread. Where their number does
            not divide evenly, the last copy is trained several times, and returned once.

    Returns:
        The schedules, the rates as they were used, the losses, and what else was asked for.

    Raises:
        TypeError, ValueError: an argument is not what it has to be; before anything runs.

    Notes:
        There is a copy of the parameters and of the optimizer's state for each schedule. What is
        compiled is kept for the last few pairs of `loss_fn` and `optimizer`, and serves every
        sweep of as many copies and steps.

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
    kept = _schedules(schedules)
    table = [rates_array(REFUSE, f"schedules[{n}]", each, steps) for n, each in enumerate(kept)]
    _check_mesh(mesh)
    own = is_initialiser(params)
    made = [params(jax.random.key(copy)) for copy in range(len(kept))] if own else [params]
    has_key = key is not None
    models = [model_of(loss_fn, each, model_state, has_aux, has_key, REFUSE) for each in made]
    training = training_of(models[0].loss, optimizer)

    source = Batches(batches, REFUSE)
    after, seen, names = train(training, models, np.stack(table), key, source, mesh)
    loss, *numbers = np.moveaxis(seen, 2, 0)
    rates = np.stack(table)[:, : loss.shape[1]].astype(float)
    found = Sweep(kept, rates, loss, dict(zip(names, numbers, strict=True)))
    if keep_params:
        found = replace(found, params=after.params, model_state=after.model_state)
    return found


def _schedules(given: Any) -> tuple[Schedule, ...]:
    """The schedule of each copy."""
    wanted = "a sequence of schedules or learning rates"
    if isinstance(given, (str, bytes, Mapping, Schedule)) or not hasattr(given, "__iter__"):
        REFUSE("schedules", wanted, given, TypeError)
    rate = replace(number(), expected="a Schedule or a finite number")
    kept = tuple(
        each
        if isinstance(each, Schedule)
        else constant(REFUSE.check(f"schedules[{n}]", rate, each))
        for n, each in enumerate(given)
    )
    return kept or REFUSE("schedules", f"{wanted}, at least one", given)


def _check_mesh(mesh: Any) -> None:
    if not (mesh is None or isinstance(mesh, Mesh)):
        REFUSE("mesh", "a jax.sharding.Mesh, or None", mesh, TypeError)
    if mesh is not None and len(mesh.axis_names) != 1:
        REFUSE("mesh", "one of a single axis", mesh)
