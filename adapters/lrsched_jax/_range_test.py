"""A learning-rate range test of a JAX loss function."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import optax

from lrsched import Schedule
from lrsched._core import Real, Refusal
from lrsched.range_test import DIVERGENCE, PROBE_REPEATS, RangeTest
from lrsched.range_test.running.continuation import continued, limits_of
from lrsched.range_test.running.monitor import Log, Monitor, check_log
from lrsched.range_test.running.options import check_metrics, checked_options
from lrsched.range_test.running.rates import ramp_between
from lrsched.range_test.running.runs import Run, range_test_of
from lrsched_jax._batches import Batches
from lrsched_jax._cache import training_of
from lrsched_jax._checks import (
    check_functions,
    check_mode,
    check_repeats,
    is_function,
    rates_array,
)
from lrsched_jax._model import Model, models_of
from lrsched_jax._restarts import Restarts
from lrsched_jax._runs import Plan, Start, run_compiled, run_stepwise, run_vmapped
from lrsched_jax._types import Batch, Key, Optimizer, PyTree

REFUSE = Refusal("range_test")


def range_test(
    loss_fn: Callable[..., Any],
    params: PyTree | Callable[[Key], PyTree],
    batches: Iterable[Batch] | Callable[[int], Iterable[Batch]],
    optimizer: Optimizer = optax.sgd,
    schedule: Schedule | None = None,
    steps: int = 200,
    *,
    low: float | None = None,
    high: float | None = None,
    max_steps: int | None = None,
    has_aux: bool = False,
    model_state: PyTree = None,
    key: Key = None,
    metrics: Callable[..., Mapping[str, Real]] | None = None,
    every: int = 10,
    divergence: float | None = DIVERGENCE,
    look_every: int = 10,
    compiled: bool = False,
    repeats: int = 1,
    vmap: bool | None = None,
    refine: bool = False,
    probe_steps: int | None = None,
    probe_repeats: int = PROBE_REPEATS,
    log: Log | None = None,
    progress: bool = True,
    label: str = "JAX",
) -> RangeTest:
    """Train with rising learning rates, and record the loss of each update.

    The rates of the first `steps` updates rise. These updates end earlier where most of the last
    losses are too high (see `divergence`), where one is not finite, and where the batches run out.
    If their losses leave the best rate uncertain, the test goes on, up to `max_steps` updates in
    all: with rates above the last one, or below the first, if the best may lie there; and with
    short trainings at constant rates around the suggestion. Each of these begins anew with what was
    given: parameters, model state, key and batches. `RangeTest.summary` says what was done. The
    function is pure: it changes none of its arguments.

    Args:
        loss_fn: `loss_fn(params, batch)` returns the loss, or `loss_fn(model, batch)` for an NNX
            module. It is differentiated and compiled. A `model_state` follows the parameters, and a
            key is the last argument: `loss_fn(params, model_state, batch, key)`. The new state and
            the aux output follow the loss: `(loss, new_model_state, aux)`.
        params: the parameters: any pytree, such as an Equinox module; a Flax NNX module (its
            `Param`s are trained, its batch statistics and random state are the model state); or a
            Linen `TrainState` (its `params` are trained, its `batch_stats`, if any, are the
            `model_state`, and its optimizer is not used). Or a function of a key that returns one
            of these: repeat r starts with `params(jax.random.key(r))`. Arrays of floating-point
            numbers are trained, and Python floats outside Equinox modules. All else is held, and
            given to `loss_fn` as it is: other arrays, which are traced, and functions, strings and
            other values, which are not.
        batches: the batches, one for each update: any iterable of pytrees of arrays. It is
            restarted where it runs out and where the test goes on. An iterator cannot be restarted:
            where it runs out the test ends as "exhausted", and a test that goes on draws further
            batches from it, or with `compiled=True` uses the first `steps` batches again. Or a
            function of the repeat number that returns an iterable.
        optimizer: a function from a schedule to a gradient transformation, such as `optax.adam` or
            `lambda schedule: optax.chain(optax.clip(1.0), optax.sgd(0.1 * schedule))`. It is called
            in each update, with a constant schedule of that update's rate; or with the rate, where
            it takes only a number, as `optax.sm3` does.
        schedule: the learning rate of update 0, 1, ...; by default
            `exponential_ramp(low, high, steps - 1)`.
        steps: the number of updates with rising rates.
        low: the first learning rate, by default 1e-7.
        high: the last learning rate, by default 10.
        max_steps: the most updates in all; with as many as `steps` the test never goes on. By
            default 3 times `steps`, and with `refine` at least `steps` and 10 times `probe_steps`;
            with a schedule of one's own and without `refine`, `steps`. Of several repeats only the
            first goes on, and only its updates count.
        has_aux: whether `loss_fn` returns `(loss, aux)`. If aux is a mapping, its scalars are
            recorded as metrics of each update.
        model_state: a pytree of other values that change from update to update, such as batch
            statistics.
        key: a random key, for example for dropout: update k of repeat r gets
            `fold_in(fold_in(key, r), k)`.
        metrics: a function of the parameters (and the model state), or of the module, that returns
            numbers by name, such as a held-out loss. It is called before update 0, `every`, ... of
            rising rates.
        every: the number of updates between two calls of `metrics`.
        divergence: a multiple d, above 1. Rising rates end where most of the last 5 losses are
            above `m + max((d - 1) * abs(m), 2 * r)`, with m the median and r the range of the first
            10. Of more than 200 or 250 updates these are the first 5 %, and the last 2 %. None
            and infinity end them only at a loss that is not finite.
        look_every: the losses are read after this many updates, or earlier if updates are slow; in
            compiled mode the device looks at them every 10 updates. Updates after the end are
            dropped.
        compiled: False runs a loop over the compiled update. True runs one `lax.while_loop` over
            batches that are first stacked on the device, and must have equal shapes.
        repeats: the number of runs of the test, with different initial parameters, different
            batches or both; more than one needs `params` or `batches` to be a function.
        vmap: whether repeats run together, batched by `jax.vmap`; it needs `compiled=True`. None
            does so in compiled mode on GPU and TPU.
        refine: whether to train at constant rates also where the best rate is certain.
        probe_steps: the number of updates of each training; by default 100 with `refine`, and else
            a sixth of the updates that are left, but at least 50; fewer where these do not suffice
            for three trainings.
        probe_repeats: the number of trainings at each of the best rates with `refine`. Training r
            begins with batch r times `probe_steps`.
        log: called as `log({"learning_rate": rate, "loss": loss}, update)` for each of the first
            `steps` updates once its loss is read, in compiled mode after all of them; `wandb.log`
            and `mlflow.log_metrics` are such functions. In a repeated test the mapping has the
            number of the "repeat".
        progress: whether to show a progress bar, if tqdm is installed; none in compiled mode.
        label: the name of the test in figures.

    Returns:
        The test, with the learning rates as they were used, in JAX's precision, and the raw losses.
        Its `probe` has the trainings. Where further rates show the best one, it has their losses
        and metrics, and its `earlier` is the test before. In a repeated test, metric "a" of repeat
        r is "a_r".

    Raises:
        TypeError, ValueError: an argument is wrong. Nothing has run.

    Notes:
        Compiled code is kept for the last few pairs of `loss_fn` and `optimizer`, and serves every
        schedule. As with `jax.jit`, values that a function reads from outside are read once.

        `compiled=True` pays for small networks: on a CPU, if an update takes a tenth of a
        millisecond, the compiled loop takes a quarter to a half of the time, compilation excluded.
        With convolutions it takes 4 to 8 times as long on a CPU, as XLA has no fast ones inside a
        loop. On a GPU (an H100) it took a fifth to two fifths of the time for dense nets and
        convolutional ones, small and wide, of 0.2 to 0.5 ms an update; and with `vmap` 16 repeats
        took the time of 3.6 tests, without it that of 15. On TPU nothing was measured: try both.

        Arrays that are sharded over a mesh keep their sharding. In a run of several processes, each
        needs the same number of batches.

        Each batch is an update. Accumulate gradients inside `loss_fn`: the batches that
        `optax.MultiSteps` accumulates are counted as updates.

    Elsewhere: none for JAX is packaged. `LRFinder.range_test` in torch-lr-finder and
    `Learner.lr_find` in fastai are for torch.

    >>> import numpy as np
    >>> from jax import numpy as jnp
    >>> def loss_fn(weight, batch):
    ...     return jnp.mean((batch @ weight - 1) ** 2)
    >>> batches = np.random.default_rng(0).normal(size=(20, 32, 2))
    >>> test = range_test(loss_fn, jnp.zeros(2), batches, progress=False)
    >>> test.stopped, test.learning_rates[0], len(test.losses) < 200
    ('diverged', np.float64(1.0000000116860974e-07), True)
    >>> test.earlier is test.probe is None  # as the best rate is certain
    True
    """
    steps, every, look_every = checked_options(
        REFUSE, steps=steps, every=every, look_every=look_every
    )
    repeats, divergence, compiled, vmap, refine = checked_options(
        *(REFUSE,),
        repeats=repeats,
        divergence=divergence,
        compiled=compiled,
        vmap=vmap,
        refine=refine,
    )
    is_ramp = schedule is None
    limits = limits_of(
        *(REFUSE, steps, max_steps, refine, probe_steps, probe_repeats, divergence, is_ramp)
    )
    check_functions(REFUSE, loss_fn, optimizer)
    check_metrics(REFUSE, metrics, "a function of the parameters")
    check_log(REFUSE, log)
    check_repeats(REFUSE, repeats, params, batches)
    check_mode(REFUSE, compiled, vmap, metrics is not None)
    schedule = ramp_between(REFUSE, schedule, steps, low, high)
    rates = rates_array(REFUSE, "schedule", schedule, steps)

    def start_of(repeat: int, model: Model) -> Start:
        iterable: Any = batches
        iterable = iterable(repeat) if is_function(iterable) else iterable
        repeat_key = None if key is None else jax.random.fold_in(key, repeat)
        others = {"repeat": repeat} if repeats > 1 else {}
        return Start(model, repeat_key, Batches(iterable, REFUSE), others)

    options = model_state, has_aux, key is not None, REFUSE
    models = models_of(loss_fn, params, range(repeats), *options)
    starts = (start_of(repeat, model) for repeat, model in enumerate(models))
    first = next(starts)
    training = training_of(first.model.loss, optimizer)
    plan = Plan(training, rates, look_every, metrics, every, Monitor(progress=False))
    plan.outline(first)  # the faults of the user's functions appear before anything runs
    is_main = jax.process_index() == 0
    shows = progress and not compiled and is_main
    with Monitor(shows, log if is_main else None) as monitor:
        monitor.begin(f"{label} range test", steps * repeats)
        shown = dataclasses.replace(plan, monitor=monitor)
        runs = _runs(shown, itertools.chain([first], starts), divergence, compiled, vmap)
        test = range_test_of(runs, rates, schedule, label, repeated=repeats > 1)
        quiet = dataclasses.replace(plan, monitor=monitor.unlogged())
        restarts = Restarts(quiet, first, divergence, compiled, label)
        return continued(test, restarts, limits, rates.dtype)


def _runs(
    plan: Plan,
    starts: Iterable[Start],
    divergence: float | None,
    compiled: bool,
    vmap: bool | None,
) -> list[Run]:
    """Run all repeats."""
    if not compiled:
        return [run_stepwise(plan, start, divergence) for start in starts]
    if vmap or (vmap is None and jax.default_backend() != "cpu"):
        return run_vmapped(plan, list(starts), divergence)
    return [run_compiled(plan, start, divergence) for start in starts]


def run(given: Any, **options: Any) -> RangeTest:
    """Run the test of a set-up, whose own options go before the others.

    Args:
        given: a mapping of the arguments of `range_test`, a tuple of the first ones, or the first.
        options: options of `range_test`.
    """
    if not isinstance(given, Mapping):
        values = given if isinstance(given, tuple) else (given,)
        given = inspect.signature(range_test).bind_partial(*values).arguments
    named = {name: value for name, value in given.items() if name != "framework"}
    return range_test(**(options | named))
