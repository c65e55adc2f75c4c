"""A learning-rate range test of a torch training step, which restores everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import DIVERGENCE, PROBE_REPEATS, RangeTest
from lrsched.range_test.running.continuation import continued, limits_of
from lrsched.range_test.running.monitor import Log, Monitor, check_log
from lrsched.range_test.running.options import check_metrics, checked_options
from lrsched.range_test.running.rates import ramp_between
from lrsched_torch._range_test import checks
from lrsched_torch._range_test.batches import Batch, Batches
from lrsched_torch._range_test.guarded_step import GuardedStep, Step
from lrsched_torch._range_test.measurements import Measurements, Metrics
from lrsched_torch._range_test.processes import processes_of
from lrsched_torch._range_test.rates import Rates
from lrsched_torch._range_test.runner import Restarts, Runner
from lrsched_torch._range_test.updates import GradScaler, Updates
from lrsched_torch._range_test.wrappers import Wrapper
from lrsched_torch._schedulers.tested_ratios import remember_tested
from lrsched_torch._snapshot.storage import Location
from lrsched_torch._snapshot.training_state import (
    Restorable,
    modules_in,
    snapshot,
    state_of,
    trained_elsewhere,
)

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


REFUSE = Refusal("range_test")


def range_test(
    step: Step,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Batch],
    schedule: Schedule | Sequence[Schedule] | None = None,
    steps: int = 200,
    *,
    low: float | None = None,
    high: float | None = None,
    max_steps: int | None = None,
    modules: nn.Module | Iterable[nn.Module] | None = None,
    restore: Iterable[Restorable] = (),
    scaler: GradScaler | None = None,
    accumulate: int | None = None,
    closure: bool | None = None,
    before_update: Callable[[], object] | None = None,
    divergence: float | None = DIVERGENCE,
    keep_ratios: bool = True,
    reference_group: int | None = None,
    memory: Location = "device",
    metrics: Metrics | None = None,
    every: int = 10,
    refine: bool = False,
    probe_steps: int | None = None,
    probe_repeats: int = PROBE_REPEATS,
    distributed: bool | ProcessGroup | None = None,
    log: Log | None = None,
    progress: bool = True,
    label: str = "torch",
) -> RangeTest:
    """Train with rising learning rates, record the loss of each update, and undo everything.

    The rates rise for `steps` updates, or fewer: until the losses diverge (see `divergence`), until
    one is not finite, or until the batches run out. Where they leave the best rate uncertain the
    test goes on, up to `max_steps` updates in all. A further ramp has rates above the last one
    where the loss still falls there, or below the first one where it only rises. Short trainings at
    constant rates follow around the suggestion. Each of these parts begins with the state and the
    batches with which the test began.

    Afterwards everything is restored, also if `step` raises or is interrupted, so that training
    continues as if there had been no test: parameters, buffers, modes and other attributes of the
    modules; `.grad`; the optimizer with its state and param groups; schedulers; gradient scalers;
    and the random generators of torch, its devices, NumPy, Python and the loader. Not restored are
    files, servers, the persistent worker processes of a loader, and batches drawn from an iterator
    that cannot be restarted.

    Args:
        step: `step(batch)` returns the loss. It is a training step without `optimizer.step()` and
            `scheduler.step()`, which the test does: it computes the loss and calls `backward`.
            Gradients are zeroed before each update. An optimizer of other parameters, such as a
            discriminator's, may be stepped in it. Where it returns None, the batch is skipped.
        optimizer: the optimizer to use; it may be one that Accelerate prepared or Fabric set up.
            Then `step` calls `accelerator.backward(loss)`, inside `accelerator.accumulate(model)`
            if it accumulates, or `fabric.backward(loss)`; and the Accelerator or Fabric is restored
            too.
        batches: the batches. A loader or list is restarted when it ends, and for each part of the
            test. An iterator cannot be restarted: a ramp ends with it as "exhausted", later parts
            get the batches that are left, and a training for which they are too few is none.
        schedule: the learning rate of update 0, 1, ..., or a list with one schedule for each param
            group; by default `exponential_ramp(low, high, steps - 1)`. With schedules of your own
            there is no further ramp; with a list the test does not go on.
        steps: the number of updates with rising rates.
        low: the first learning rate, by default 1e-7.
        high: the last learning rate, by default 10.
        max_steps: the most updates in all; as many as `steps` for a test that does not go on. By
            default they are 3 times `steps`, and with `refine` at least `steps` plus 10 times
            `probe_steps`; with a schedule of your own and without `refine` they are `steps`. Where
            Accelerate accumulates batches the test does not go on, and more are refused.
        modules: the modules to restore; by default every module, scheduler, scaler, generator and
            further optimizer to which `step` and `metrics` refer.
        restore: other objects to restore: modules (averaged weights), optimizers, schedulers,
            scalers, generators, tensors, or any object with `state_dict` and `load_state_dict`.
        scaler: the `torch.amp.GradScaler` with which `step` scales its loss. An update that it
            skips is repeated with the same rate and other batches.
        accumulate: the number of batches of an update, by default 1, or what the Accelerator of an
            optimizer has. `step` must divide the loss by it before `backward` (which
            `accelerator.backward` does), and return the loss undivided; the mean of these losses is
            recorded.
        before_update: called once for each update, between `backward` and the update, for example
            to clip gradients: `lambda: clip_grad_norm_(model.parameters(), 1.0)`. The gradients are
            unscaled then.
        closure: whether to call `optimizer.step(closure)`; by default if the optimizer requires it.
        divergence: a multiple d, above 1. The rates stop to rise where most of the last 5 losses
            are above `m + max((d - 1) * abs(m), 2 * r)`, m the median and r the range of the first
            10 losses; in a long test, most of the last 2 % of them, and the first 5 %. A training
            ends where most of its last 5 losses are above the same number. None or infinity never
            stops for a finite loss.
        keep_ratios: whether param groups with different learning rates keep their ratios under one
            schedule, as in `lambda_lr`; False gives all groups the schedule's value.
        reference_group: the index of the group whose lr is the schedule's value; by default that of
            the group with the largest lr.
        memory: where the copies of tensors are kept: "device" (beside the tensors), "cpu", or
            "disk" (a private temporary file, which is always removed).
        metrics: a function that returns numbers by name, recorded in `RangeTest.metrics` as rows of
            (update, value). It is called before update 0, `every`, ... of each ramp, without
            gradients, and generators and modes are restored after it.
        every: the number of updates between two calls of `metrics`.
        refine: whether there are trainings in any case, also where the suggestion is certain.
        probe_steps: the updates of each training; by default 100 with `refine`, and else a sixth of
            the updates that are left, at least 50.
        probe_repeats: the trainings at the best rate and its neighbours with `refine`, on different
            batches: those of training r begin after `r * probe_steps` updates.
        distributed: whether all processes, or those of the given group, use their mean loss and so
            stop together; by default if torch.distributed is initialised.
        log: called as `log({"learning_rate": rate, "loss": loss}, update)` for each update of the
            first ramp once its loss is read; `wandb.log` and `mlflow.log_metrics` are such
            functions.
        progress: whether to show a progress bar in terminals and notebooks, if tqdm is installed.
        label: the name of the test in figures.

    Returns:
        The rates that the updates used, and the loss before each update: of the last ramp from
        which a rate can be read, with the ramp before it as `earlier` and the trainings as `probe`.
        `RangeTest.summary` says what was done.

    Raises:
        TypeError, ValueError: an argument is wrong, or `step` does not return one number, leaves no
            gradients, updates the optimizer's parameters or sets a learning rate. Everything is
            restored.
        RuntimeError: part of the state could not be restored (the rest is), or another process
            failed.

    If a process of a distributed run raises, except while drawing its batches, it restores its own
    state and raises at once. The other processes wait for it at their next communication, as in
    training, until it ends or the group's timeout is over; then they do the same. torch's wrappers
    do not continue after an exception inside them: DistributedDataParallel in its backward pass,
    FSDP in either pass.

    Elsewhere: `LRFinder.range_test` in torch-lr-finder, `Tuner.lr_find` in Lightning,
    `FastaiLRFinder.attach` in ignite, `Learner.lr_find` in fastai. They need a model and a
    criterion, or their own trainer, and do not restore generators and gradients.

    >>> import lrsched, torch
    >>> weights = torch.nn.Parameter(torch.ones(3))
    >>> optimizer = torch.optim.SGD([weights], lr=0.1)
    >>> def step(batch):
    ...     loss = ((weights - batch) ** 2).mean()
    ...     loss.backward()
    ...     return loss
    >>> ramp = lrsched.exponential_ramp(0.01, 100.0, 39)
    >>> found = range_test(step, optimizer, [torch.zeros(3)], ramp, 40, progress=False)
    >>> found.stopped, found.learning_rates[0], found.losses[0]
    ('diverged', np.float64(0.01), np.float64(1.0))
    >>> weights.tolist(), optimizer.param_groups[0]["lr"]
    ([1.0, 1.0, 1.0], 0.1)

    Here the loss still falls at the last rate, 0.01, so that a further ramp follows:

    >>> found = range_test(step, optimizer, [torch.zeros(3)], high=0.01, progress=False)
    >>> print(f"{found.earlier.learning_rates[-1]:.2f} {found.learning_rates[-1]:.2f}")
    0.01 10.00
    """
    weights = checks.weights_of(step, optimizer, batches)
    wrapper = Wrapper(optimizer)
    accumulate = wrapper.accumulate if accumulate is None else accumulate
    steps, accumulate, every = checked_options(
        REFUSE, steps=steps, accumulate=accumulate, every=every
    )
    divergence, refine, memory = checked_options(
        REFUSE, divergence=divergence, refine=refine, memory=memory
    )
    check_metrics(REFUSE, metrics, "a function that returns numbers by name")
    checks.check_before_update(before_update)
    check_log(REFUSE, log)
    closure = checks.closure_of(wrapper.inner, closure, scaler)
    checks.check_wrapped(wrapper, scaler)
    trainings = (refine, probe_steps, probe_repeats)
    limits = limits_of(REFUSE, steps, max_steps, *trainings, divergence, schedule is None)
    limits = checks.limits_with(schedule, wrapper, accumulate, limits)
    schedule = ramp_between(REFUSE, schedule, steps, low, high)
    schedules = checks.schedules_of(schedule, optimizer)
    ratios = checks.ratios_of(optimizer, schedule, keep_ratios, reference_group)
    rates = Rates(wrapper.inner, schedules, ratios, steps)
    processes = processes_of(distributed, weights[0].device)

    extra = [*restore, *([] if scaler is None else [scaler])]
    objects = state_of(modules, extra, step, optimizer, batches, metrics, wrapper.packages)
    all_modules = modules_in([*objects, *extra])
    others = trained_elsewhere(all_modules, weights)
    guarded = GuardedStep(step, optimizer, rates, extra)
    updates = Updates(guarded, optimizer, rates, others, scaler, closure, before_update, wrapper)
    ends_update = None if wrapper.gradient_state is None else wrapper.ends_update
    source = Batches(batches, accumulate, ends_update)
    monitor = Monitor(progress and processes.is_main, log if processes.is_main else None)
    measure = partial(Measurements, metrics, every, all_modules)
    runner = Runner(updates, source, processes, measure, monitor)

    saved = snapshot([optimizer, *objects], extra, memory, wrapper.packages)
    try:
        with saved.restored(), guarded.watching(), torch.enable_grad():
            monitor.begin("range test", steps)
            test = runner.sweep(rates, divergence, schedules[0], label)
            remember_tested(optimizer, rates.ratios)
            runs = Restarts(runner, rates, divergence, label, saved.rewind, monitor)
            return rates.as_used(continued(test, runs, limits))
    finally:
        runner.close()
