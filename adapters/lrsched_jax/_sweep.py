"""Train copies of one model together, each under its own learning-rate schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import optax
from jax.sharding import Mesh

from lrsched import Schedule
from lrsched._core import Real, Refusal
from lrsched.range_test.running.options import checked_options
from lrsched.sweep import Sweep, schedules_of
from lrsched.sweep.result import Index
from lrsched_jax._checks import check_functions, rates_array
from lrsched_jax._chunks import train_in_chunks
from lrsched_jax._copies import Setting, train_copies
from lrsched_jax._types import Batch, Key, Optimizer, PyTree

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
    executor: Any = None,
    chunksize: int = 8,
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
        executor: what has `submit(function, *arguments)`, and returns from it what has `done()` and
            `result()`, such as a `ProcessPoolExecutor` or Dask's `client.get_executor()`: the
            copies are trained on its workers. It is not shut down. None trains in this process.
        chunksize: the number of copies of each task of the executor, which are trained in one
            program.
        mesh: a mesh with one axis, over whose devices the copies are distributed. If their number
            is not a multiple of the number of devices, the last copy is trained several times, and
            returned once.

    Returns:
        The schedules, the learning rates as they were used, the losses, and on request the metrics
        and parameters.

    Raises:
        TypeError, ValueError: an argument is wrong. Nothing has run.
        Exception: what the first task raised, where all failed. If only some fail, the others are
            returned, the losses and parameters of the failures are NaN, `Sweep.failures` says what
            happened, and a UserWarning names them.

    Notes:
        The parameters and the optimizer state are in memory once for each schedule. Compiled code
        is kept for the last few pairs of `loss_fn` and `optimizer`, and serves every sweep with the
        same numbers of copies and steps.

        An executor gets the arguments pickled: by cloudpickle where it is installed, so that they
        may be functions of a notebook or local ones; else they are functions of modules. (Those of
        JAX itself, such as `jax.nn.relu` in an Equinox module, need cloudpickle; the class of an
        Equinox module is one that can be imported, in any case.) Each task gets as
        many of the batches as the sweep uses, and computes in float64 if this process does. Its
        losses are those of one program up to rounding: XLA sums in another order for another
        number of copies. A worker compiles functions of modules once, and others for each task.
        Start processes by "spawn", as JAX does not survive a fork:
        `ProcessPoolExecutor(4, multiprocessing.get_context("spawn"))`. Several on one GPU share its
        memory if XLA_PYTHON_CLIENT_PREALLOCATE is false in their environment.

    Elsewhere: `jax.vmap` over a training loop, or `equinox.filter_vmap`; `lrsched_torch.sweep`
    trains the copies one after the other, or over an executor.

    >>> from jax import numpy as jnp
    >>> def loss_fn(weight, batch):
    ...     return jnp.mean((batch @ weight - 1) ** 2)
    >>> batches = np.random.default_rng(0).normal(size=(20, 32, 2))
    >>> found = sweep(loss_fn, jnp.ones(2), batches, [0.01, 0.1, 3.0], steps=30)
    >>> found.losses.shape, found.losses[:, -1].argmin()
    ((3, 30), np.int64(1))
    """
    steps, chunksize = checked_options(REFUSE, steps=steps, chunksize=chunksize)
    check_functions(REFUSE, loss_fn, optimizer)
    copies = schedules_of(REFUSE, schedules)
    table = [rates_array(REFUSE, f"schedules[{n}]", each, steps) for n, each in enumerate(copies)]
    _check_mesh(mesh, executor)
    setting = Setting(loss_fn, params, optimizer, has_aux, model_state, key)
    given = setting, np.stack(table)
    failures: dict[Index, str] = {}
    if executor is None:
        found = train_copies(*given, 0, batches, keep_params, mesh, REFUSE)
    else:
        found, failures = train_in_chunks(*given, batches, keep_params, executor, chunksize, REFUSE)
    loss, *numbers = np.moveaxis(found.records, 2, 0)
    rates = np.stack(table)[:, : loss.shape[1]].astype(float)
    metrics = dict(zip(found.names, numbers, strict=True))
    params, model_state = found.params_and_state()
    return Sweep(copies, rates, loss, metrics, params, model_state, failures)


def _check_mesh(mesh: Any, executor: Any) -> None:
    if not (mesh is None or isinstance(mesh, Mesh)):
        REFUSE("mesh", "a jax.sharding.Mesh, or None", mesh, TypeError)
    if mesh is not None and len(mesh.axis_names) != 1:
        REFUSE("mesh", "one of a single axis", mesh)
    if mesh is not None and executor is not None:
        REFUSE("executor", "None with a mesh, over whose devices the copies are", executor)
