"""A learning-rate range test of a JAX loss function."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax

from lrsched import Schedule
from lrsched._core import Real, Refusal
from lrsched.range_test import (
    DIVERGENCE,
    PROBE_REPEATS,
    PROBE_STEPS,
    RangeTest,
    default_ramp,
)
from lrsched.range_test.options import check_metrics, checked_options
from lrsched.range_test.progress_bar import ProgressBar
from lrsched_jax._batches import Batches
from lrsched_jax._cache import training_of
from lrsched_jax._checks import (
    check_functions,
    check_mode,
    check_repeats,
    is_function,
    rates_array,
)
from lrsched_jax._model import Model, is_initialiser, model_of
from lrsched_jax._runs import Plan, Run, Start, run_compiled, run_stepwise, run_vmapped
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
    probe_steps: int = PROBE_STEPS,
    probe_repeats: int = PROBE_REPEATS,
    progress: bool = True,
    label: str = "JAX",
) -> RangeTest:
    """Train with rising learning rates, and record the loss of each update.

    The test makes `steps` updates. It stops earlier at the second loss in a row above `divergence`
    times the first one, at a loss that is not finite, and when the batches run out. The function is
    pure: it changes none of its arguments, and prints nothing.

    Args:
        loss_fn: `loss_fn(params, batch)` returns the loss, or `loss_fn(model, batch)` for an NNX
            module. It is differentiated and compiled. A `model_state` follows the parameters, and a
            key is the last argument: `loss_fn(params, model_state, batch, key)`. The new state and
            the aux output follow the loss: `(loss, new_model_state, aux)`.
        params: the parameters: any pytree of floating-point arrays; a Flax NNX module (its `Param`s
            are trained, its batch statistics and random state are the model state); or a Linen
            `TrainState` (its `params` are trained, its `batch_stats`, if any, are the
            `model_state`, and its optimizer is not used). Or a function of a key that returns one
            of these: repeat r starts with `params(jax.random.key(r))`.
        batches: the batches, one for each update: any iterable of pytrees of arrays. It is
            restarted when it runs out; an iterator, which cannot be restarted, ends the test as
            "exhausted". Or a function of the repeat number that returns an iterable.
        optimizer: a function from a schedule to a gradient transformation, such as `optax.adam` or
            `lambda schedule: optax.chain(optax.clip(1.0), optax.sgd(0.1 * schedule))`. It is called
            in each update, with a constant schedule of that update's rate.
        schedule: the learning rate of update 0, 1, ...; by default
            `exponential_ramp(1e-7, 10.0, steps - 1)`.
        steps: the number of updates.
        has_aux: whether `loss_fn` returns `(loss, aux)`. If aux is a mapping, its scalars are
            recorded as metrics of each update.
        model_state: a pytree of other values that change from update to update, such as batch
            statistics.
        key: a random key, for example for dropout: update k of repeat r gets
            `fold_in(fold_in(key, r), k)`.
        metrics: a function of the parameters (and the model state), or of the module, that returns
            numbers by name, such as a held-out loss. It is called before update 0, `every`, ...
        every: the number of updates between two calls of `metrics`.
        divergence: a multiple of the first loss, above 1; None or infinity never
            stops for a finite loss.
        look_every: the losses are read after this many updates, or earlier if updates are slow.
            Updates after the stop are dropped.
        compiled: False runs a loop over the compiled update. True runs one `lax.while_loop` over
            batches that are first stacked on the device, and must have equal shapes.
        repeats: the number of runs of the test, with different initial parameters, different
            batches or both; more than one needs `params` or `batches` to be a function.
        vmap: whether repeats run together, batched by `jax.vmap`; it needs `compiled=True`. None
            does so in compiled mode on GPU and TPU.
        refine: whether to add a probe, `RangeTest.probe`: trainings at about 7 rates around the
            suggestion of the test, each from the start of the first repeat for `probe_steps`
            updates, and `probe_repeats` times on different batches of that repeat. There is no
            probe if the test suggests nothing.
        probe_steps: the updates of each training of the probe.
        probe_repeats: the trainings at each rate.
        progress: whether to show a progress bar, if tqdm is installed; none in compiled mode.
        label: the name of the test in figures.

    Returns:
        The test, with the learning rates as they were used, in JAX's precision, and the raw losses.
        In a repeated test, metric "a" of repeat r is "a_r".

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

    >>> from jax import numpy as jnp
    >>> def loss_fn(weight, batch):
    ...     return jnp.mean((batch @ weight - 1) ** 2)
    >>> batches = np.random.default_rng(0).normal(size=(20, 32, 2))
    >>> test = range_test(loss_fn, jnp.zeros(2), batches, progress=False)
    >>> test.stopped, test.learning_rates[0], len(test.losses) < 200
    ('diverged', np.float64(1.0000000116860974e-07), True)
    """
    steps, every, look_every = checked_options(
        REFUSE, steps=steps, every=every, look_every=look_every
    )
    repeats, probe_steps, probe_repeats = checked_options(
        REFUSE, repeats=repeats, probe_steps=probe_steps, probe_repeats=probe_repeats
    )
    divergence, compiled, vmap, refine = checked_options(
        REFUSE, divergence=divergence, compiled=compiled, vmap=vmap, refine=refine
    )
    check_functions(REFUSE, loss_fn, optimizer)
    check_metrics(REFUSE, metrics, "a function of the parameters")
    check_repeats(REFUSE, repeats, params, batches)
    check_mode(REFUSE, compiled, vmap, metrics is not None)
    schedule = default_ramp(steps) if schedule is None else schedule
    rates = rates_array(REFUSE, "schedule", schedule, steps)

    def start_of(repeat: int, model: Model) -> Start:
        iterable: Any = batches
        iterable = iterable(repeat) if is_function(iterable) else iterable
        repeat_key = None if key is None else jax.random.fold_in(key, repeat)
        keep = probe_steps * probe_repeats if refine and repeat == 0 else 0
        return Start(model, repeat_key, iterable, Batches(iterable, REFUSE, keep))

    models = _models(loss_fn, params, repeats, model_state, has_aux, key is not None, REFUSE)
    starts = (start_of(repeat, model) for repeat, model in enumerate(models))
    first = next(starts)
    plan = Plan(training_of(first.model.loss, optimizer), rates, look_every, metrics, every)
    plan.outline(first)  # the faults of the user's functions appear before anything runs
    shows = progress and not compiled and jax.process_index() == 0
    with contextlib.closing(ProgressBar(shows, anywhere=True)) as bar:
        bar.begin(f"{label} range test", steps * repeats)
        shown = dataclasses.replace(plan, advance=bar.advance)
        runs = _runs(shown, itertools.chain([first], starts), divergence, compiled, vmap)
    test = _result(runs, repeats > 1, rates, schedule, label)
    if not refine:
        return test
    train = _trainer(plan, first, compiled)
    return test.with_probe(train, probe_steps, probe_repeats, rates.dtype)


def _models(
    loss_fn: Callable[..., Any], params: PyTree, repeats: int, *options: Any
) -> Iterator[Model]:
    """The model of each repeat: the same for all, unless `params` is a function of a key."""
    if is_initialiser(params):
        for repeat in range(repeats):
            yield model_of(loss_fn, params(jax.random.key(repeat)), *options)
    else:
        yield from itertools.repeat(model_of(loss_fn, params, *options), repeats)


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


def _result(
    runs: list[Run], repeated: bool, rates: Any, schedule: Schedule, label: str
) -> RangeTest:
    """The test of these runs, with NaN for the losses after a run stopped."""
    length = max(len(run.losses) for run in runs)
    losses = np.full((len(runs), length), np.nan)
    metrics = {}
    for repeat, run in enumerate(runs):
        losses[repeat, : len(run.losses)] = run.losses
        for name, rows in run.metrics.items():
            metrics[f"{name}_{repeat}" if repeated else name] = np.array(rows, float).reshape(-1, 2)
    return RangeTest(
        rates[:length],
        losses if repeated else losses[0],
        tuple(run.stopped for run in runs) if repeated else runs[0].stopped,
        schedule,
        metrics,
        label=label,
    )


def _trainer(
    plan: Plan, start: Start, compiled: bool
) -> Callable[[float, list[int]], Sequence[float]]:
    """A function that trains for the probe: from the start, at a constant rate, on some batches."""

    def train(rate: float, updates: list[int]) -> Sequence[float]:
        used = plan.rates.dtype.type(rate)
        if compiled:
            return run_compiled(plan, start, None, used, updates).losses
        constant = np.full(len(updates), used)
        probe = dataclasses.replace(plan, rates=constant, metrics=None, advance=lambda n: None)
        chosen = Batches([start.batches.kept[update] for update in updates], REFUSE)
        restart = dataclasses.replace(start, batches=chosen)
        return run_stepwise(probe, restart, None).losses

    return train


def run(given: dict[str, Any]) -> RangeTest:
    """Run the test for the command `lrsched range-test`."""
    return range_test(**given)
