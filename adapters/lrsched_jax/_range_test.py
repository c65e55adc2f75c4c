"""A learning-rate range test over a JAX loss function."""

from __future__ import annotations

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

REFUSE = Refusal("range_test")


def range_test(
    loss_fn: Callable[..., Any],
    params: Any,
    batches: Iterable[Any] | Callable[[int], Iterable[Any]],
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.sgd,
    schedule: Schedule | None = None,
    steps: int = 200,
    *,
    has_aux: bool = False,
    model_state: Any = None,
    key: Any = None,
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
    """Train with rising learning rates and record the loss of each update.

    The test stops after `steps` updates, at the second loss in a row above `divergence` times the
    first, at one that is not finite, or when the batches run out. It is pure: nothing that is
    passed in changes, and nothing is printed.

    Args:
        loss_fn: `loss_fn(params, batch) -> loss`, or `loss_fn(model, batch)` for an NNX module. It
            is differentiated and compiled. `model_state` comes after the parameters if there is
            one, and a key last: `loss_fn(params, model_state, batch, key)`; the new state and then
            aux come after the loss: `(loss, new_model_state, aux)`.
        params: the parameters: any pytree of floating-point arrays, a Flax NNX module (its `Param`s
            are trained, its batch statistics and random state go along) or a Linen `TrainState`
            (its `params`; its `batch_stats`, if it has that field, are the `model_state`; its own
            optimizer is not used). Or a function of a key that makes one of these: repeat r begins
            with `params(jax.random.key(r))`.
        batches: the batches, one for each update: any iterable of pytrees of arrays. It begins anew
            when it runs out; an iterator, which cannot, ends the test as "exhausted". Or a function
            of the number of a repeat, which gives one.
        optimizer: a function from a schedule to a gradient transformation, such as `optax.adam` or
            `lambda schedule: optax.chain(optax.clip(1.0), optax.sgd(0.1 * schedule))`. It is called
            anew in each update, with a constant schedule of that update's rate.
        schedule: the learning rate of update 0, 1, ...; by default
            `exponential_ramp(1e-7, 10.0, steps - 1)`.
        steps: the number of updates.
        has_aux: whether `loss_fn` returns `(loss, aux)`. If aux is a mapping, its scalars are
            recorded as metrics of each update.
        model_state: what else changes from update to update, such as batch statistics: a pytree.
        key: a random key, for dropout: update k of repeat r gets
            `fold_in(fold_in(key, r), k)`.
        metrics: a function of the parameters (and the model state; or of the module) that returns
            named numbers, such as a held-out loss. It is called before update 0, `every`, ...
        every: updates from one call of `metrics` to the next.
        divergence: a multiple of the first loss, or None to go on whatever the loss.
        look_every: how many updates may run before their losses are looked at; slow ones are looked
            at sooner. What ran after the stop is dropped.
        compiled: False: a loop over the compiled update. True: one `lax.while_loop` over batches
            that are stacked on the device first, and have to be alike in shape.
        repeats: how often the test is run, with other initial parameters, other batches or both: at
            least one of `params` and `batches` must be a function.
        vmap: whether repeats run at once, batched by `jax.vmap`; needs `compiled=True`. None: in
            compiled mode on GPU and TPU.
        refine: whether a probe follows: trainings at about 7 rates around what the test suggests,
            each from the first repeat's start for `probe_steps` updates, `probe_repeats` times on
            different batches of it. A test that suggests nothing has none.
        probe_steps: the updates of each training of the probe.
        probe_repeats: the trainings at each rate.
        progress: whether to show a progress bar, if tqdm is installed; not in compiled mode.
        label: what figures call the test.

    Returns:
        The test: the rates as they were used, rounded to JAX's precision, and the raw losses. With
        repeats, metric "a" of repeat r is "a_r".

    Raises:
        TypeError, ValueError: an argument is not what it has to be; before anything runs.

    Notes:
        What is compiled is kept for the last few pairs of `loss_fn` and `optimizer`, and serves
        every schedule. As with `jax.jit`, what a function reads from outside is read once.
        `compiled=True` pays for small networks: on a CPU, once it has compiled, it takes a quarter
        to a half of the time where an update takes a tenth of a millisecond. With convolutions it
        takes 4 to 8 times as long there, as XLA has no fast ones inside a loop. For GPU and TPU
        nothing was measured: try both.
        Arrays that are sharded over a mesh stay where they are. Several processes need as many
        batches each.
        Each batch is an update: accumulate gradients inside `loss_fn`, for those of
        `optax.MultiSteps` are counted as updates.

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
    if schedule is None:
        schedule = default_ramp(steps)
    rates = rates_array(REFUSE, "schedule", schedule, steps)

    def start_of(repeat: int, model: Model) -> Start:
        given: Any = batches
        given = given(repeat) if is_function(given) else given
        its_key = None if key is None else jax.random.fold_in(key, repeat)
        keep = probe_steps * probe_repeats if refine and repeat == 0 else 0
        return Start(model, its_key, given, Batches(given, REFUSE, keep))

    options = model_state, has_aux, key is not None, REFUSE
    models = _models(loss_fn, params, repeats, *options)
    starts = (start_of(repeat, model) for repeat, model in enumerate(models))
    first = next(starts)
    plan = Plan(training_of(first.model.loss, optimizer), rates, look_every, metrics, every)
    with ProgressBar(progress and not compiled and jax.process_index() == 0, anywhere=True) as bar:
        bar.begin(f"{label} range test", steps * repeats)
        watched = dataclasses.replace(plan, advance=bar.advance)
        runs = _runs(watched, itertools.chain([first], starts), divergence, compiled, vmap)
    found = _result(runs, repeats > 1, rates, schedule, label)
    if not refine:
        return found
    train = _trainer(plan, first, compiled)
    return found.with_probe(train, probe_steps, probe_repeats, rates.dtype)


def _models(
    loss_fn: Callable[..., Any], params: Any, repeats: int, *options: Any
) -> Iterator[Model]:
    """The model of each repeat: one for all, or one each where `params` makes them of a key."""
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
    """The run of each repeat."""
    if not compiled:
        return [run_stepwise(plan, start, divergence) for start in starts]
    if vmap or (vmap is None and jax.default_backend() != "cpu"):
        return run_vmapped(plan, list(starts), divergence)
    return [run_compiled(plan, start, divergence) for start in starts]


def _result(
    runs: list[Run], repeated: bool, rates: Any, schedule: Schedule, label: str
) -> RangeTest:
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
    """The trainings of a probe: from a start, at a constant rate, on some of its batches."""

    def train(rate: float, updates: list[int]) -> Sequence[float]:
        used = plan.rates.dtype.type(rate)
        if compiled:
            return run_compiled(plan, start, None, used, updates).losses
        constant = np.full(len(updates), used)
        probe = dataclasses.replace(plan, rates=constant, metrics=None, advance=lambda n: None)
        chosen = Batches([start.batches.kept[update] for update in updates], REFUSE)
        again = dataclasses.replace(start, batches=chosen)
        return run_stepwise(probe, again, None).losses

    return train


def run(given: dict[str, Any]) -> RangeTest:
    """What the command `lrsched range-test` runs."""
    return range_test(**given)
